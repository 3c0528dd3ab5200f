//! Recording on a memory card in the guest, and what is on the card afterwards.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use defender::media::SoundFormat;
use defender::segment::{
    Block, Group, Moment, SegmentHead, SegmentWriter, SoundTrack, Summary, Track, read_summary, recover,
};

use crate::card::{Image, Mood};
use crate::feed::{CAMERAS, FOLDER, Feed, RATE_HZ, Tag};
use crate::reader;
use crate::server::Server;
use crate::vm::{GUEST_WORK, Vm};

/// Where the card is mounted, in the guest.
pub const CARD: &str = "/tmp/card";

/// Where another one is mounted, to look at it.
const LOOK: &str = "/tmp/look";

/// Files of the pool that footage was in before, and their MiB, which are those of all files.
const USED_FILES: (u64, u64) = (6, 4);

/// A card to record on.
pub struct Recording<'a> {
    pub vm: &'a Vm,
    pub feed: Feed,
    /// The kind of its file system.
    pub kind: &'static str,
    segment_mb: u64,
}

/// A file with footage, as readers find it.
pub struct Found {
    pub summary: Summary,
    pub path: PathBuf,
    /// Its pictures, in the order of the file.
    pub tags: Vec<Tag>,
    pub sound_blocks: u32,
}

/// What is on a card of one camera.
pub struct Footage {
    /// In the order of their numbers.
    pub files: Vec<Found>,
    /// Pictures that Defender did not take from the camera, because a newer one had come: a busy machine may be late.
    pub dropped: u64,
    /// Number of the last picture of which it is known whether it was dropped.
    until: u64,
}

impl Footage {
    /// Checks that the files go on from one another, and that all pictures are in them which Defender took from the camera.
    pub fn check_complete(&self) {
        self.check_counted(&check(&self.files), 0);
    }

    /// Checks that `counted` of these pictures are missing, beside those that were dropped.
    pub fn check_counted(&self, tags: &[Tag], counted: u64) {
        let (missing, dropped) = (missing(tags, self.until), self.dropped);
        assert!(
            (counted..=counted + dropped).contains(&missing),
            "{missing} pictures are missing; {counted} are counted, and {dropped} were dropped at the most"
        );
    }
}

impl<'a> Recording<'a> {
    /// A new card, whose files all held footage before, and cameras. Nothing is mounted.
    pub fn new(vm: &'a Vm, kind: &'static str) -> Self {
        Self::with_used(vm, kind, USED_FILES)
    }

    /// As [`Self::new`], with so many used files of so many MiB.
    pub fn with_used(vm: &'a Vm, kind: &'static str, (used_files, segment_mb): (u64, u64)) -> Self {
        // As a test may leave it that failed.
        vm.card("card").set(Mood::Works);
        vm.run_ok(&format!(
            "while umount {CARD} || umount {LOOK}; do true; done 2>/dev/null; echo 1 >/sys/bus/pci/rescan"
        ));
        let feed = Feed::start(vm);
        let files = tempfile::tempdir().expect("a temporary folder");
        let pool = files.path().join("pool");
        fs::create_dir(&pool).expect("made");
        for number in 0..used_files {
            write_used(&pool.join(format!("front-{number}.mkv")), segment_mb << 20, number, &feed);
        }
        vm.card("card").format(kind, files.path());
        Self { vm, feed, kind, segment_mb }
    }

    /// Mounts the card, after what a power cut left was put right.
    pub fn mount(&self) {
        self.vm.run_ok(&mount_script("card", CARD, self.kind));
    }

    /// Pulls the card out, whatever is mounted.
    pub fn pull(&self) {
        self.vm.run_ok(&format!("{} echo 1 >$disk/device/../remove", find("card")));
    }

    /// Puts it in again. What was mounted stays as it was.
    pub fn put_back(&self) {
        self.vm.run_ok(&format!("echo 1 >/sys/bus/pci/rescan; {} true", find("card")));
    }

    pub fn unmount(&self) {
        self.vm.run_ok(&format!("umount {CARD}"));
    }

    /// Starts to record. `more` are lines of `[record]`.
    pub fn start(&self, more: &str) -> Server<'a> {
        let cameras: String = CAMERAS
            .iter()
            .map(|camera| {
                let name = camera.name;
                format!(
                    "[camera.{name}]\ndevice = \"unix:{FOLDER}/{name}\"\n\
                     [camera.{name}.record]\nwhen = \"always\"\nmicrophone = \"sound\"\n"
                )
            })
            .collect();
        Server::start(
            self.vm,
            &format!(
                "[record]\ndir = \"{CARD}\"\nmount = true\nsegment_mb = {}\nmin_free_gb = 0\n{more}\n{cameras}\
                 [microphone.sound]\ndevice = \"unix:{FOLDER}/sound\"\nrate_hz = {RATE_HZ}\n",
                self.segment_mb
            ),
        )
    }

    /// Stops the server, and takes the card out: what is on it.
    pub fn take_out(&self, server: Server<'_>) -> [Footage; 2] {
        let last = self.feed.last();
        // They have come to Defender, or will never come.
        self.feed.wait(Duration::from_secs(1));
        let dropped = CAMERAS.map(|camera| {
            server.metric(&format!("defender_frames_dropped_total{{camera=\"{}\"}}", camera.name))
        });
        server.stop();
        self.unmount();
        let mut known = dropped.into_iter().zip(last);
        self.look(self.vm.card("card").image()).map(|files| {
            let (dropped, last) = known.next().expect("one for each camera");
            Footage { files, dropped, until: last.number }
        })
    }

    /// How long ago the newest file of each camera on the mounted card began, in seconds of the machine's clock; `i64::MAX` if there is none.
    pub fn ages_s(&self) -> [i64; 2] {
        CAMERAS.map(|camera| {
            let script = format!(
                r#"file=$(ls {CARD}/{}/*/*.mkv | awk -F- '{{ print $NF, $0 }}' | sort | tail -n 1)
                [ -n "$file" ] || {{ echo {}; exit; }}
                began=$(echo $file | sed 's|.*/\([0-9-]*\)/\(..\)\(..\)\(..\).*|\1 \2:\3:\4|')
                echo $(($(date +%s) - $(date -u -d "$began" +%s)))"#,
                camera.name,
                i64::MAX
            );
            self.vm.run_ok(&script).trim().parse().expect("seconds")
        })
    }

    /// Sectors that were written to the card since it was put in.
    pub fn sectors_written(&self) -> u64 {
        let stat = self.vm.run_ok(&format!("{} cat $disk/stat", find("card")));
        // The seventh number (the kernel's Documentation/block/stat.rst).
        stat.split_whitespace().nth(6).and_then(|number| number.parse().ok()).expect("a number")
    }

    /// What is on a card with this content: first as a player finds it, then as Defender leaves it after a repair. Of each
    /// camera all files, in the order of their numbers.
    pub fn look(&self, image: Image) -> [Vec<Found>; 2] {
        let (card, folder) = (self.vm.card("look"), self.vm.work().join("found"));
        card.load(image);
        let _ = fs::remove_dir_all(&folder);
        self.vm.run_ok(&format!(
            "{}\ncp -r {LOOK} {GUEST_WORK}/found && umount {LOOK}",
            mount_script("look", LOOK, self.kind)
        ));
        self.files(&folder)
    }

    fn files(&self, folder: &Path) -> [Vec<Found>; 2] {
        CAMERAS.map(|camera| {
            let mut found = Vec::new();
            for day in fs::read_dir(folder.join(camera.name)).into_iter().flatten() {
                for file in fs::read_dir(day.expect("an entry").path()).expect("a day") {
                    found.push(self.file(file.expect("an entry").path()));
                }
            }
            found.sort_by_key(|found| found.summary.head.sequence);
            found
        })
    }

    /// Reads a file, repairs it if that is due, and reads it again.
    fn file(&self, path: PathBuf) -> Found {
        probe(&path);
        let (before, _) = self.read(&path);
        let file = File::options().read(true).write(true).open(&path).expect("opened");
        let is_closed =
            read_summary(&file).unwrap_or_else(|error| panic!("{}: {error}", path.display())).is_closed;
        if is_closed {
            let (tags, sound_blocks) = self.read(&path);
            let summary = read_summary(&file).expect("read before");
            return Found { summary, path, tags, sound_blocks };
        }
        let summary = recover(&file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        probe(&path);
        let (tags, sound_blocks) = self.read(&path);
        assert!(tags.starts_with(&before), "{}: a repair took pictures away", path.display());
        Found { summary, path, tags, sound_blocks }
    }

    /// The pictures of a file by a reader that is not Defender's, and how many packets of sound there are. All pictures are
    /// whole, of its camera, and in order.
    fn read(&self, path: &Path) -> (Vec<Tag>, u32) {
        let film = reader::read(&fs::read(path).expect("read"));
        let film = film.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (pictures, sound): (Vec<_>, Vec<_>) = film.blocks.iter().partition(|block| block.track == 1);
        let tags: Vec<Tag> = pictures
            .iter()
            .map(|block| {
                let bytes = &block.bytes;
                let what = || format!("{} bytes, {:02x?}", bytes.len(), &bytes[..bytes.len().min(40)]);
                self.feed.tag_of(bytes).unwrap_or_else(|| {
                    panic!("{}: the picture at {} ms was not sent: {}", path.display(), block.at_ms, what())
                })
            })
            .collect();
        let camera = CAMERAS.iter().position(|camera| camera.name == film.title).expect("a camera") as u8;
        assert!(tags.iter().all(|tag| tag.camera == camera), "{}: stale: {tags:?}", path.display());
        assert!(tags.is_sorted_by(|one, next| one.number < next.number), "{}: {tags:?}", path.display());
        (tags, sound.len() as u32)
    }
}

/// Checks that ffprobe reads a file without a complaint.
fn probe(path: &Path) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=size", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe runs");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", path.display());
}

/// Checks that a camera's files go on from one another, and that none of its pictures comes twice. Gives its pictures.
pub fn check(files: &[Found]) -> Vec<Tag> {
    for pair in files.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        let path = after.path.display();
        assert!(before.summary.head.sequence < after.summary.head.sequence, "{path}");
        assert!(
            before.summary.next_frame() <= after.summary.head.first_frame,
            "{path}: numbers of frames go on"
        );
        let ends = before.tags.last().zip(after.tags.first());
        assert!(ends.is_none_or(|(last, first)| last.number < first.number), "{path} repeats pictures");
    }
    for file in files {
        let summary = &file.summary;
        let found = (file.tags.len() as u32, file.sound_blocks);
        assert_eq!(found, (summary.frames, summary.sound_blocks), "{}", file.path.display());
    }
    files.iter().flat_map(|file| file.tags.iter().copied()).collect()
}

/// Pictures that are missing between the first of a camera and the one with the number `until`.
fn missing(tags: &[Tag], until: u64) -> u64 {
    let tags = &tags[..tags.partition_point(|tag| tag.number <= until)];
    let (first, last) = (tags.first().expect("footage"), tags.last().expect("footage"));
    last.number + 1 - first.number - tags.len() as u64
}

/// Mounts the disk with a serial number. What the kernel knew of its content is forgotten.
fn mount_script(serial: &str, folder: &str, kind: &str) -> String {
    format!(
        "{} node=/dev/${{disk##*/}} && blockdev --flushbufs $node && mkdir -p {folder} && mount -t {kind} -o noatime $node {folder}",
        find(serial)
    )
}

/// The begin of a script in which `$disk` is the folder of the disk with a serial number.
fn find(serial: &str) -> String {
    format!(
        "for disk in /sys/block/vd*; do ! grep -qx {serial} $disk/serial || break; done; [ -e $disk/serial ] &&"
    )
}

/// A file of the pool, full of footage of another camera.
fn write_used(path: &Path, length: u64, number: u64, feed: &Feed) {
    let file = File::create_new(path).expect("made");
    file.set_len(length).expect("sparse");
    let format = SoundFormat { rate_hz: RATE_HZ, channels: 1 };
    let head = SegmentHead {
        camera: "stale".to_owned(),
        sequence: number,
        first_frame: 0,
        boot_id: [1; 16],
        uuid: [number as u8; 16],
        start: Moment { monotonic_us: 0, wall_us: 0 },
        is_clock_synchronised: true,
        is_thinned: false,
        size: (320, 240),
        sound: Some(SoundTrack::Pcm { format }),
        microphone: String::new(),
    };
    let mut writer = SegmentWriter::create(file, length, &head).expect("a segment");
    for group in 0.. {
        let pictures: Vec<_> = (0..8).map(|at| feed.stale(number << 32 | group << 8 | at)).collect();
        let block = |(at, bytes): (usize, &Vec<u8>)| (group * 1_000_000 + at as u64 * 100_000, bytes.clone());
        let blocks: Vec<_> = pictures.iter().enumerate().map(block).collect();
        let blocks: Vec<_> = blocks
            .iter()
            .map(|(at_us, bytes)| Block { track: Track::Picture, at_us: *at_us, bytes })
            .collect();
        let group = Group { blocks: &blocks, missed_before: 0, gap_before: None };
        if !writer.fits(&group) {
            break;
        }
        writer.append(&group).expect("written");
    }
    writer.close().expect("closed");
}
