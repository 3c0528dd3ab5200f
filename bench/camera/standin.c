/* A camera for machines that have none: a shared object that, preloaded into a camera server,
 * stands in for V4L2 capture nodes. It plays a film at a steady rate, and misbehaves on request.
 *
 *     cc -O2 -shared -fPIC -o standin.so standin.c -ldl -lpthread
 *     STANDIN_MJPEG=film.mjpeg LD_PRELOAD=$PWD/standin.so ustreamer --format MJPEG ...
 *
 * Settings, from the environment:
 *     STANDIN_NODE     nodes to stand in for, comma separated (default /dev/video0); they need
 *                      not exist, and any existing file, and any link to it, will do
 *     STANDIN_CONTROL  one control file for each node, in the same order
 *     STANDIN_MJPEG    film of concatenated JPEGs, offered as MJPG
 *     STANDIN_YUYV     film of raw frames, offered as YUYV
 *     STANDIN_SIZE     WIDTHxHEIGHT of both films (default 1280x720)
 *     STANDIN_FPS      frames a second (default 30)
 *     STANDIN_LOG      a file that gets the name of each request that sets or starts something
 *     STANDIN_SYNC_MS  how long each fdatasync takes in addition, as on a disk that stalls (default 0)
 *     STANDIN_STAMP=1  put a COM segment behind SOI of each MJPG frame: "standin " and the
 *                      moment of capture, CLOCK_MONOTONIC in ns, as 20 decimal digits
 *
 * The control file is read at each frame and at each open. Its first word says what is wrong:
 *     unplug      the device is gone: open gives ENOENT; a stream gives ENODEV and POLLERR, and
 *                 goes on doing so until the node is opened anew
 *     busy        opens, but S_FMT and REQBUFS say EBUSY
 *     notcapture  opens, but is no capture device
 *     stall       no frame comes
 *     error       frames come with V4L2_BUF_FLAG_ERROR
 *     truncate    MJPG frames have lost their last third
 *     nodht       MJPG frames come without Huffman tables, as from many webcams
 *     noeoi       MJPG frames come without EOI
 *     twosoi      MJPG frames begin with a SOI too many
 *     half        MJPG frames begin with the first half of another picture
 *     stale       each MJPG frame fills its buffer, with old bytes behind the picture that end in EOI
 *     oldstamp    frames are stamped by a clock that is a minute late
 *     zerostamp   frames are stamped by a clock that begins with the stream
 *     slow        a frame comes every seven seconds
 * An empty or missing file, or any other word, means a healthy camera.
 *
 * How it works. An open gives one end of a socket pair; the other end belongs to a driver thread
 * named "standin", which runs while streaming and sends one byte for each finished buffer, so
 * poll, select and epoll see what they would see of a driver. The driver's copying is done on
 * that thread, and all memory lies in mappings named standin-* or in the films' own, so that a
 * benchmark can separate the stand-in's costs from the server's. Calls are caught in the C library:
 * a statically linked program, or one that makes system calls itself, does not see this camera. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_NODES = 4, MAX_HANDLES = 16, MAX_BUFFERS = 16, MAX_FRAMES = 4096, STACK_BYTES = 128 << 10 };
#define SECOND_NS 1000000000LL
#define STAMP_BYTES 32 /* marker 2, length 2, "standin " 8, digits 20 */

enum fault {
    HEALTHY, UNPLUG, BUSY, NOT_CAPTURE, STALL, ERROR_FLAG, TRUNCATE, NO_DHT,
    NO_EOI, TWO_SOI, HALF, STALE, OLD_STAMP, ZERO_STAMP, SLOW,
};
static const char *const fault_names[] = {
    "", "unplug", "busy", "notcapture", "stall", "error", "truncate", "nodht",
    "noeoi", "twosoi", "half", "stale", "oldstamp", "zerostamp", "slow",
};

struct film {
    const uint8_t *bytes;
    uint32_t frames;
    size_t start[MAX_FRAMES], length[MAX_FRAMES];
};

struct node {
    char path[256], control[256];
};

struct queue {
    uint32_t index[MAX_BUFFERS], head, count;
};

struct handle { /* one open of a node; free when fd is -1 */
    int fd, driver_fd, claim_fd, buffers_fd;
    const struct node *node;
    uint32_t fourcc, buffers;
    uint8_t *memory;
    bool streaming, stop, gone;
    struct queue empty, full;
    struct v4l2_buffer filled[MAX_BUFFERS];
    pthread_t driver;
    _Alignas(4096) uint8_t stack[STACK_BYTES];
};

/* In a named mapping of its own, not in .bss, so that it can be distinguished from the server's memory. */
struct state {
    struct film mjpeg, yuyv;
    struct node nodes[MAX_NODES];
    uint32_t node_count, width, height, fps, sync_ms;
    size_t buffer_bytes; /* whole pages */
    bool stamp;
    struct handle handles[MAX_HANDLES];
};

static struct state *state;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stopped;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int (*next_open)(const char *, int, ...);
static int (*next_openat)(int, const char *, int, ...);
static int (*next_access)(const char *, int);
static int (*next_close)(int);
static int (*next_ioctl)(int, unsigned long, ...);
static void *(*next_mmap)(void *, size_t, int, int, int, off_t);
static long (*next_syscall)(long, ...);
static int (*next_fdatasync)(int);

/* --- Settings and films --- */

static void die(const char *what, const char *name) {
    fprintf(stderr, "standin: %s: %s\n", what, name);
    _exit(97);
}

static void *named_memory(const char *name, size_t bytes, int *keep_fd) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, bytes)) die("cannot make memory", name);
    void *memory = next_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) die("cannot map memory", name);
    if (keep_fd) *keep_fd = fd;
    else next_close(fd);
    return memory;
}

static const uint8_t *map_film(const char *path, size_t *bytes) {
    int fd = next_open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) || status.st_size == 0) die("cannot read the film", path);
    void *film = next_mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (film == MAP_FAILED) die("cannot map the film", path);
    next_close(fd);
    *bytes = status.st_size;
    return film;
}

/* The length of the segment that starts with the marker at `at`, marker included. */
static size_t segment_bytes(const uint8_t *at) {
    return 2 + ((size_t)at[2] << 8 | at[3]);
}

/* Where the JPEG that starts at `from` ends; 0 when it does not (ITU-T T.81, B.1.1). */
static size_t jpeg_end(const uint8_t *film, size_t from, size_t bytes) {
    size_t at = from + 2;
    if (film[from] != 0xff || film[from + 1] != 0xd8) return 0;
    while (at + 4 <= bytes && film[at] == 0xff) {
        bool scan = film[at + 1] == 0xda;
        at += segment_bytes(film + at);
        for (; scan && at + 2 <= bytes; at++) {
            bool marker = film[at] == 0xff && film[at + 1] && (film[at + 1] & 0xf8) != 0xd0;
            if (!marker) continue;
            if (film[at + 1] == 0xd9) return at + 2;
            break;
        }
    }
    return 0;
}

static void load_mjpeg(const char *path) {
    struct film *film = &state->mjpeg;
    size_t bytes, at = 0;
    film->bytes = map_film(path, &bytes);
    while (at + 4 < bytes && film->frames < MAX_FRAMES) {
        size_t end = jpeg_end(film->bytes, at, bytes);
        if (!end) break;
        if (end - at + STAMP_BYTES > state->buffer_bytes) die("a frame is too big for STANDIN_SIZE", path);
        film->start[film->frames] = at;
        film->length[film->frames++] = end - at;
        at = end;
    }
    if (!film->frames) die("no JPEG in the film", path);
}

static void load_yuyv(const char *path) {
    struct film *film = &state->yuyv;
    size_t bytes, frame = (size_t)state->width * state->height * 2;
    film->bytes = map_film(path, &bytes);
    for (size_t at = 0; at + frame <= bytes && film->frames < MAX_FRAMES; at += frame) {
        film->start[film->frames] = at;
        film->length[film->frames++] = frame;
    }
    if (!film->frames) die("no whole frame of STANDIN_SIZE in the film", path);
}

/* Copies the word of a comma separated list at *list, and moves *list behind it. */
static bool next_word(const char **list, char *word, size_t room) {
    size_t length = *list ? strcspn(*list, ",") : 0;
    if (!length) return false;
    if (length >= room) die("too long a path", *list);
    memcpy(word, *list, length);
    word[length] = 0;
    *list += length + ((*list)[length] == ',');
    return true;
}

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static void setup(void) {
    next_open = dlsym(RTLD_NEXT, "open"), next_openat = dlsym(RTLD_NEXT, "openat");
    next_access = dlsym(RTLD_NEXT, "access"), next_close = dlsym(RTLD_NEXT, "close");
    next_ioctl = dlsym(RTLD_NEXT, "ioctl"), next_mmap = dlsym(RTLD_NEXT, "mmap");
    next_syscall = dlsym(RTLD_NEXT, "syscall"), next_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&stopped, &clock);

    state = named_memory("standin-state", sizeof *state, NULL);
    for (int i = 0; i < MAX_HANDLES; i++) state->handles[i].fd = -1;
    const char *size = setting("STANDIN_SIZE", "1280x720"), *fps = setting("STANDIN_FPS", "30");
    if (sscanf(size, "%ux%u", &state->width, &state->height) != 2 || !state->width || !state->height)
        die("STANDIN_SIZE is not WIDTHxHEIGHT", size);
    if (sscanf(fps, "%u", &state->fps) != 1 || !state->fps || state->fps > 1000)
        die("STANDIN_FPS is not 1 to 1000", fps);
    state->sync_ms = atoi(setting("STANDIN_SYNC_MS", "0"));
    state->stamp = !strcmp(setting("STANDIN_STAMP", "0"), "1");
    state->buffer_bytes = ((size_t)state->width * state->height * 2 + 4095) & ~(size_t)4095;

    const char *nodes = setting("STANDIN_NODE", "/dev/video0"), *controls = setting("STANDIN_CONTROL", NULL);
    while (state->node_count < MAX_NODES) {
        struct node *node = &state->nodes[state->node_count];
        if (!next_word(&nodes, node->path, sizeof node->path)) break;
        next_word(&controls, node->control, sizeof node->control);
        state->node_count++;
    }
    const char *mjpeg = setting("STANDIN_MJPEG", NULL), *yuyv = setting("STANDIN_YUYV", NULL);
    if (mjpeg) load_mjpeg(mjpeg);
    if (yuyv) load_yuyv(yuyv);
    if (!mjpeg && !yuyv) die("no film", "set STANDIN_MJPEG or STANDIN_YUYV");
}

static enum fault fault_of(const struct node *node) {
    char text[32] = "";
    int fd = *node->control ? next_open(node->control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return HEALTHY;
    ssize_t got = read(fd, text, sizeof text - 1);
    next_close(fd);
    if (got < 0) return HEALTHY;
    text[strcspn(text, " \r\n")] = 0;
    for (enum fault fault = UNPLUG; fault <= SLOW; fault++)
        if (!strcmp(text, fault_names[fault])) return fault;
    return HEALTHY;
}

/* --- The driver thread: fills buffers on time --- */

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static uint32_t pop(struct queue *queue) {
    uint32_t index = queue->index[queue->head];
    queue->head = (queue->head + 1) % MAX_BUFFERS, queue->count--;
    return index;
}

static void push(struct queue *queue, uint32_t index) {
    queue->index[(queue->head + queue->count++) % MAX_BUFFERS] = index;
}

static size_t copy_jpeg(uint8_t *to, const uint8_t *jpeg, size_t bytes, int64_t captured_ns,
                        enum fault fault) {
    uint8_t *at = to;
    size_t from = 2;
    memcpy(at, jpeg, 2), at += 2;
    if (state->stamp) {
        char text[32];
        snprintf(text, sizeof text, "standin %020lld", (long long)captured_ns);
        memcpy(at, "\xff\xfe\x00\x1e", 4), memcpy(at + 4, text, 28), at += STAMP_BYTES;
    }
    while (fault == NO_DHT && jpeg[from + 1] != 0xda) {
        size_t segment = segment_bytes(jpeg + from);
        if (jpeg[from + 1] != 0xc4) memcpy(at, jpeg + from, segment), at += segment;
        from += segment;
    }
    memcpy(at, jpeg + from, bytes - from), at += bytes - from;
    if (fault == NO_EOI) at -= 2;
    return fault == TRUNCATE ? (size_t)(at - to) * 2 / 3 : (size_t)(at - to);
}

/* A frame that holds more than its picture; returns how many bytes it has. */
static size_t copy_careless(uint8_t *to, const uint8_t *jpeg, size_t bytes, int64_t captured_ns,
                            enum fault fault) {
    size_t before = fault == HALF ? bytes / 2 : fault == TWO_SOI ? 2 : 0;
    if (before + bytes + STAMP_BYTES + 2 > state->buffer_bytes) before = 0;
    memcpy(to, jpeg, before);
    size_t end = before + copy_jpeg(to + before, jpeg, bytes, captured_ns, fault);
    if (fault != STALE || end + 2 > state->buffer_bytes) return end;
    memset(to + end, 0x55, state->buffer_bytes - end - 2);
    memcpy(to + state->buffer_bytes - 2, "\xff\xd9", 2);
    return state->buffer_bytes;
}

static void fill(struct handle *handle, uint32_t index, uint32_t sequence, int64_t captured_ns,
                 int64_t start_ns, enum fault fault) {
    bool mjpeg = handle->fourcc == V4L2_PIX_FMT_MJPEG;
    const struct film *film = mjpeg ? &state->mjpeg : &state->yuyv;
    const uint8_t *frame = film->bytes + film->start[sequence % film->frames];
    size_t bytes = film->length[sequence % film->frames];
    uint8_t *to = handle->memory + index * state->buffer_bytes;
    struct v4l2_buffer *filled = &handle->filled[index];
    if (mjpeg) bytes = copy_careless(to, frame, bytes, captured_ns, fault);
    else memcpy(to, frame, bytes);
    filled->bytesused = bytes;
    filled->sequence = sequence;
    filled->flags = fault == ERROR_FLAG ? V4L2_BUF_FLAG_ERROR : 0;
    int64_t stamp_ns = captured_ns;
    if (fault == OLD_STAMP) stamp_ns -= 60 * SECOND_NS;
    if (fault == ZERO_STAMP) stamp_ns -= start_ns;
    filled->timestamp.tv_sec = stamp_ns / SECOND_NS;
    filled->timestamp.tv_usec = stamp_ns % SECOND_NS / 1000;
}

/* Closing with the peer's bytes unread is what makes poll on the peer say POLLERR. */
static void unplug(struct handle *handle) {
    handle->gone = true;
    next_close(handle->driver_fd);
    handle->driver_fd = -1;
}

static void *drive(void *of) {
    struct handle *handle = of;
    int64_t start_ns = now_ns(), last_ns = start_ns, period_ns = SECOND_NS / state->fps;
    pthread_mutex_lock(&lock);
    for (uint32_t sequence = 0; !handle->stop; sequence++) {
        int64_t tick_ns = start_ns + (sequence + 1) * period_ns;
        struct timespec tick = {tick_ns / SECOND_NS, tick_ns % SECOND_NS};
        while (!handle->stop && pthread_cond_timedwait(&stopped, &lock, &tick) != ETIMEDOUT) continue;
        if (handle->stop) break;
        enum fault fault = fault_of(handle->node);
        if (fault == UNPLUG) {
            unplug(handle);
            break;
        }
        if (fault == STALL || !handle->empty.count) continue;
        if (fault == SLOW && tick_ns - last_ns < 7 * SECOND_NS) continue;
        last_ns = tick_ns;
        uint32_t index = pop(&handle->empty);
        /* Unlocked: a server may queue another buffer while this one fills; STREAMOFF waits. */
        pthread_mutex_unlock(&lock);
        fill(handle, index, sequence, tick_ns, start_ns, fault);
        pthread_mutex_lock(&lock);
        push(&handle->full, index);
        if (write(handle->driver_fd, "f", 1) != 1) break;
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static bool start_driver(struct handle *handle) {
    pthread_attr_t own_stack;
    sigset_t all, before;
    handle->stop = false;
    pthread_attr_init(&own_stack);
    pthread_attr_setstack(&own_stack, handle->stack, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the server's signals are the server's */
    handle->streaming = !pthread_create(&handle->driver, &own_stack, drive, handle);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (handle->streaming) pthread_setname_np(handle->driver, "standin");
    return handle->streaming;
}

/* Called with the lock held; lets go of it while the driver ends. */
static void stop_driver(struct handle *handle) {
    if (!handle->streaming) return;
    handle->streaming = false, handle->stop = true;
    pthread_cond_broadcast(&stopped);
    pthread_mutex_unlock(&lock);
    pthread_join(handle->driver, NULL);
    pthread_mutex_lock(&lock);
    char left[MAX_BUFFERS];
    recv(handle->fd, left, sizeof left, MSG_DONTWAIT);
    memset(&handle->empty, 0, sizeof handle->empty);
    memset(&handle->full, 0, sizeof handle->full);
}

/* --- The requests of a capture device --- */

/* One streamer at a time, among all processes: a name in the abstract socket space is held
 * until its holder lets go or dies. */
static int claim(const struct node *node) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    uint64_t hash = 14695981039346656037u; /* FNV-1a: paths may be longer than names */
    for (const char *c = node->path; *c; c++) hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "camera-standin-%016llx",
                          (unsigned long long)hash);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !bind(fd, (void *)&name, offsetof(struct sockaddr_un, sun_path) + 1 + length)) return fd;
    if (fd >= 0) next_close(fd);
    return -1;
}

static void free_buffers(struct handle *handle) {
    stop_driver(handle);
    if (!handle->buffers) return;
    munmap(handle->memory, handle->buffers * state->buffer_bytes);
    next_close(handle->buffers_fd);
    next_close(handle->claim_fd);
    handle->buffers = 0;
}

static int fail(int error) {
    errno = error;
    return -1;
}

static int request_buffers(struct handle *handle, struct v4l2_requestbuffers *request) {
    if (request->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    if (request->memory != V4L2_MEMORY_MMAP) return fail(EINVAL);
    free_buffers(handle);
    request->capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP;
    if (!request->count) return 0;
    if (fault_of(handle->node) == BUSY) return fail(EBUSY);
    handle->claim_fd = claim(handle->node);
    if (handle->claim_fd < 0) return fail(EBUSY);
    if (request->count < 2) request->count = 2;
    if (request->count > MAX_BUFFERS) request->count = MAX_BUFFERS;
    handle->buffers = request->count;
    size_t bytes = handle->buffers * state->buffer_bytes;
    handle->memory = named_memory("standin-buffers", bytes, &handle->buffers_fd);
    return 0;
}

static int describe_buffer(struct v4l2_buffer *buffer, uint32_t index, uint32_t flags) {
    buffer->index = index;
    buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer->memory = V4L2_MEMORY_MMAP;
    buffer->field = V4L2_FIELD_NONE;
    buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | flags;
    buffer->length = state->buffer_bytes;
    buffer->m.offset = index * state->buffer_bytes;
    return 0;
}

static int query_buffer(struct handle *handle, struct v4l2_buffer *buffer) {
    if (buffer->index >= handle->buffers) return fail(EINVAL);
    return describe_buffer(buffer, buffer->index, 0);
}

static int queue_buffer(struct handle *handle, struct v4l2_buffer *buffer) {
    if (buffer->index >= handle->buffers) return fail(EINVAL);
    if (handle->empty.count + handle->full.count >= handle->buffers) return fail(EINVAL);
    push(&handle->empty, buffer->index);
    return describe_buffer(buffer, buffer->index, V4L2_BUF_FLAG_QUEUED);
}

/* Called without the lock: it may sleep, if the descriptor is a blocking one. */
static int dequeue_buffer(struct handle *handle, struct v4l2_buffer *buffer) {
    char done;
    if (!handle->streaming) return fail(EINVAL);
    ssize_t got = recv(handle->fd, &done, 1, 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return fail(ENODEV);
    if (got < 0) return -1;
    pthread_mutex_lock(&lock);
    uint32_t index = pop(&handle->full);
    const struct v4l2_buffer *filled = &handle->filled[index];
    buffer->bytesused = filled->bytesused;
    buffer->sequence = filled->sequence;
    buffer->timestamp = filled->timestamp;
    describe_buffer(buffer, index, filled->flags);
    pthread_mutex_unlock(&lock);
    return 0;
}

static int query_capability(struct v4l2_capability *capability, enum fault fault) {
    uint32_t use = fault == NOT_CAPTURE ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE;
    memset(capability, 0, sizeof *capability);
    strcpy((char *)capability->driver, "standin");
    strcpy((char *)capability->card, "Stand-in Camera");
    strcpy((char *)capability->bus_info, "platform:standin");
    capability->version = 6 << 16;
    capability->device_caps = use | V4L2_CAP_STREAMING;
    capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
}

static int enumerate_format(struct v4l2_fmtdesc *format) {
    uint32_t offered[2], count = 0;
    if (state->mjpeg.frames) offered[count++] = V4L2_PIX_FMT_MJPEG;
    if (state->yuyv.frames) offered[count++] = V4L2_PIX_FMT_YUYV;
    if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || format->index >= count) return fail(EINVAL);
    bool mjpeg = offered[format->index] == V4L2_PIX_FMT_MJPEG;
    format->pixelformat = offered[format->index];
    format->flags = mjpeg ? V4L2_FMT_FLAG_COMPRESSED : 0;
    strcpy((char *)format->description, mjpeg ? "Motion-JPEG" : "YUYV 4:2:2");
    return 0;
}

static int enumerate_size(struct v4l2_frmsizeenum *size) {
    if (size->index) return fail(EINVAL);
    size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    size->discrete.width = state->width, size->discrete.height = state->height;
    return 0;
}

static int enumerate_interval(struct v4l2_frmivalenum *interval) {
    bool known = interval->width == state->width && interval->height == state->height;
    if (interval->index || !known) return fail(EINVAL);
    interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    interval->discrete.numerator = 1, interval->discrete.denominator = state->fps;
    return 0;
}

static int format(struct handle *handle, unsigned request, struct v4l2_format *format) {
    struct v4l2_pix_format *pix = &format->fmt.pix;
    uint32_t fourcc = pix->pixelformat;
    if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    if (request == VIDIOC_S_FMT && (handle->buffers || fault_of(handle->node) == BUSY)) return fail(EBUSY);
    bool offered = (fourcc == V4L2_PIX_FMT_MJPEG && state->mjpeg.frames) ||
                   (fourcc == V4L2_PIX_FMT_YUYV && state->yuyv.frames);
    if (request == VIDIOC_G_FMT || !offered) fourcc = handle->fourcc;
    if (request == VIDIOC_S_FMT) handle->fourcc = fourcc;
    bool mjpeg = fourcc == V4L2_PIX_FMT_MJPEG;
    memset(pix, 0, sizeof *pix);
    pix->width = state->width, pix->height = state->height;
    pix->pixelformat = fourcc;
    pix->field = V4L2_FIELD_NONE;
    pix->bytesperline = mjpeg ? 0 : state->width * 2;
    pix->sizeimage = state->width * state->height * 2;
    pix->colorspace = mjpeg ? V4L2_COLORSPACE_JPEG : V4L2_COLORSPACE_SRGB;
    return 0;
}

static int parameters(struct v4l2_streamparm *parameters) {
    if (parameters->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    struct v4l2_captureparm *capture = &parameters->parm.capture;
    memset(capture, 0, sizeof *capture);
    capture->capability = V4L2_CAP_TIMEPERFRAME;
    capture->timeperframe.numerator = 1, capture->timeperframe.denominator = state->fps;
    return 0;
}

static int stream_on(struct handle *handle) {
    if (!handle->buffers) return fail(EINVAL);
    if (handle->streaming) return 0;
    return start_driver(handle) ? 0 : fail(ENOMEM);
}

static int enumerate_input(struct v4l2_input *input) {
    if (input->index) return fail(EINVAL);
    memset(input, 0, sizeof *input);
    strcpy((char *)input->name, "Camera 1");
    input->type = V4L2_INPUT_TYPE_CAMERA;
    return 0;
}

/* Called with the lock held. */
static void note(const char *request) {
    const char *path = setting("STANDIN_LOG", NULL);
    int fd = path ? next_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (fd < 0) return;
    dprintf(fd, "%s\n", request);
    next_close(fd);
}

/* Called with the lock held. */
static int answer(struct handle *handle, unsigned request, void *argument) {
    switch (request) {
    case VIDIOC_S_FMT: note("S_FMT"); break;
    case VIDIOC_S_PARM: note("S_PARM"); break;
    case VIDIOC_TRY_FMT: note("TRY_FMT"); break;
    case VIDIOC_REQBUFS: note("REQBUFS"); break;
    case VIDIOC_STREAMON: note("STREAMON"); break;
    }
    switch (request) {
    case VIDIOC_QUERYCAP: return query_capability(argument, fault_of(handle->node));
    case VIDIOC_ENUM_FMT: return enumerate_format(argument);
    case VIDIOC_ENUM_FRAMESIZES: return enumerate_size(argument);
    case VIDIOC_ENUM_FRAMEINTERVALS: return enumerate_interval(argument);
    case VIDIOC_G_FMT: case VIDIOC_S_FMT: case VIDIOC_TRY_FMT: return format(handle, request, argument);
    case VIDIOC_G_PARM: case VIDIOC_S_PARM: return parameters(argument);
    case VIDIOC_ENUMINPUT: return enumerate_input(argument);
    case VIDIOC_G_INPUT: return *(int *)argument = 0;
    case VIDIOC_S_INPUT: return *(int *)argument ? fail(EINVAL) : 0;
    case VIDIOC_REQBUFS: return request_buffers(handle, argument);
    case VIDIOC_QUERYBUF: return query_buffer(handle, argument);
    case VIDIOC_QBUF: return queue_buffer(handle, argument);
    case VIDIOC_STREAMON: return stream_on(handle);
    case VIDIOC_STREAMOFF: stop_driver(handle); return 0;
    case VIDIOC_QUERYCTRL: case VIDIOC_QUERY_EXT_CTRL: return fail(EINVAL); /* it has no controls */
    case VIDIOC_G_CTRL: case VIDIOC_S_CTRL: return fail(EINVAL);
    default: return fail(ENOTTY);
    }
}

/* --- The caught calls --- */

/* Without the lock, for the sake of the many calls on other descriptors: a server that closes
 * the camera while another thread uses it is on its own with a real one, too. */
static struct handle *find(int fd) {
    for (int i = 0; fd >= 0 && i < MAX_HANDLES; i++)
        if (state->handles[i].fd == fd) return &state->handles[i];
    return NULL;
}

static const struct node *node_at(const char *path) {
    struct stat asked, node;
    pthread_once(&once, setup);
    for (uint32_t i = 0; path && i < state->node_count; i++)
        if (!strcmp(path, state->nodes[i].path)) return &state->nodes[i];
    for (uint32_t i = 0; path && i < state->node_count; i++) {
        if (stat(state->nodes[i].path, &node) || stat(path, &asked)) continue;
        if (node.st_dev == asked.st_dev && node.st_ino == asked.st_ino) return &state->nodes[i];
    }
    return NULL;
}

static int open_node(const struct node *node, int flags) {
    int pair[2], kind = SOCK_STREAM | SOCK_CLOEXEC | (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0), small = 0;
    if (fault_of(node) == UNPLUG) return fail(ENOENT);
    if (socketpair(AF_UNIX, kind, 0, pair)) return -1;
    /* A full send buffer: a capture node is never writable. */
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    while (send(pair[0], "", 1, MSG_DONTWAIT) == 1) continue;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_HANDLES; i++) {
        struct handle *handle = &state->handles[i];
        if (handle->fd >= 0) continue;
        memset(handle, 0, offsetof(struct handle, stack));
        handle->fd = pair[0], handle->driver_fd = pair[1];
        handle->node = node;
        handle->fourcc = state->mjpeg.frames ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
        pthread_mutex_unlock(&lock);
        return pair[0];
    }
    pthread_mutex_unlock(&lock);
    next_close(pair[0]), next_close(pair[1]);
    return fail(EMFILE);
}

static mode_t mode_of(int flags, va_list *rest) {
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(*rest, mode_t) : 0;
}

int openat(int folder, const char *path, int flags, ...) {
    const struct node *node = node_at(path);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, &rest);
    va_end(rest);
    return node ? open_node(node, flags) : next_openat(folder, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, &rest);
    va_end(rest);
    return openat(AT_FDCWD, path, flags, mode);
}

int open64(const char *, int, ...) __attribute__((alias("open")));
int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
int __open_2(const char *path, int flags) { return openat(AT_FDCWD, path, flags); }
int __open64_2(const char *path, int flags) { return openat(AT_FDCWD, path, flags); }

int access(const char *path, int mode) {
    const struct node *node = node_at(path);
    if (!node) return next_access(path, mode);
    return fault_of(node) == UNPLUG ? fail(ENOENT) : 0;
}

int close(int fd) {
    pthread_once(&once, setup);
    struct handle *handle = find(fd);
    if (!handle) return next_close(fd);
    pthread_mutex_lock(&lock);
    free_buffers(handle);
    if (handle->driver_fd >= 0) next_close(handle->driver_fd);
    handle->fd = -1;
    pthread_mutex_unlock(&lock);
    return next_close(fd);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    pthread_once(&once, setup);
    struct handle *handle = find(fd);
    if (!handle) return next_ioctl(fd, request, argument);
    pthread_mutex_lock(&lock);
    bool gone = handle->gone, dequeue = !gone && (unsigned)request == VIDIOC_DQBUF;
    int result = gone ? fail(ENODEV) : dequeue ? 0 : answer(handle, request, argument);
    pthread_mutex_unlock(&lock);
    return dequeue ? dequeue_buffer(handle, argument) : result;
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    pthread_once(&once, setup);
    struct handle *handle = find(fd);
    if (handle && (!handle->buffers || offset + length > handle->buffers * state->buffer_bytes)) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    return next_mmap(at, length, protection, flags, handle ? handle->buffers_fd : fd, offset);
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

int fdatasync(int fd) {
    pthread_once(&once, setup);
    if (state->sync_ms) nanosleep(&(struct timespec){state->sync_ms / 1000, state->sync_ms % 1000 * 1000000}, NULL);
    return next_fdatasync(fd);
}

/* The v4l crate asks for its ioctls this way. */
long syscall(long number, ...) {
    long argument[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) argument[i] = va_arg(rest, long);
    va_end(rest);
    pthread_once(&once, setup);
    if (number == SYS_ioctl) return ioctl((int)argument[0], (unsigned long)argument[1], (void *)argument[2]);
    return next_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}
