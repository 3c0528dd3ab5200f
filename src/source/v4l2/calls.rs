//! The V4L2 calls Defender makes, each as one safe function (Linux media documentation, part I,
//! "Function Reference"). What the answers mean is decided elsewhere.
//!
//! All are for single-planar capture with buffers the driver maps. The `Stream` of the `v4l`
//! crate is not used: dropping it panics when a driver is disturbed, which must cost a picture
//! and not the server.

pub(super) mod controls;

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
const MEMORY: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// PROT_READ | PROT_WRITE, and MAP_SHARED, which are the same on every Linux. Some drivers insist
/// on memory that could be written to, although nothing here does.
const READ_WRITE: c_int = 1 | 2;
const MAP_SHARED: c_int = 1;

/// VIDIOC_QUERYCAP: what the device is.
pub(super) fn query_capability(device: BorrowedFd<'_>) -> io::Result<sys::v4l2_capability> {
    call(device, QUERY_CAPABILITY, blank())
}

/// VIDIOC_ENUM_FMT: the format number `index`; EINVAL behind the last one.
pub(super) fn enum_format(device: BorrowedFd<'_>, index: u32) -> io::Result<sys::v4l2_fmtdesc> {
    let mut format: sys::v4l2_fmtdesc = blank();
    (format.index, format.type_) = (index, CAPTURE);
    call(device, ENUM_FORMAT, format)
}

/// Sizes a driver offers, as one answer of VIDIOC_ENUM_FRAMESIZES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameSizes {
    /// This width and height.
    One(u32, u32),
    /// All in these ranges of (least, greatest, step); there is no further answer.
    Within { width: (u32, u32, u32), height: (u32, u32, u32) },
}

/// VIDIOC_ENUM_FRAMESIZES: the sizes number `index` of a format; EINVAL behind the last one.
pub(super) fn enum_frame_sizes(
    device: BorrowedFd<'_>,
    index: u32,
    fourcc: [u8; 4],
) -> io::Result<FrameSizes> {
    let mut sizes: sys::v4l2_frmsizeenum = blank();
    (sizes.index, sizes.pixel_format) = (index, u32::from_le_bytes(fourcc));
    let sizes = call(device, ENUM_FRAME_SIZES, sizes)?;
    // SAFETY: both members are plain integers, for which any bits are valid; the kernel filled in
    // the one `type_` names.
    #[allow(unsafe_code)]
    let (discrete, range) = unsafe { (sizes.__bindgen_anon_1.discrete, sizes.__bindgen_anon_1.stepwise) };
    Ok(match sizes.type_ {
        sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE => FrameSizes::One(discrete.width, discrete.height),
        _ => FrameSizes::Within {
            width: (range.min_width, range.max_width, range.step_width),
            height: (range.min_height, range.max_height, range.step_height),
        },
    })
}

/// Frame intervals a driver offers, as one answer of VIDIOC_ENUM_FRAMEINTERVALS.
#[derive(Clone, Copy, Debug)]
pub(super) enum FrameIntervals {
    /// This one.
    One(sys::v4l2_fract),
    /// All from the shortest to the longest; there is no further answer.
    Within(sys::v4l2_fract, sys::v4l2_fract),
}

/// VIDIOC_ENUM_FRAMEINTERVALS: the intervals number `index` of a format and size; EINVAL behind
/// the last one.
pub(super) fn enum_frame_intervals(
    device: BorrowedFd<'_>,
    index: u32,
    fourcc: [u8; 4],
    (width, height): (u32, u32),
) -> io::Result<FrameIntervals> {
    let mut intervals: sys::v4l2_frmivalenum = blank();
    (intervals.index, intervals.pixel_format) = (index, u32::from_le_bytes(fourcc));
    (intervals.width, intervals.height) = (width, height);
    let intervals = call(device, ENUM_FRAME_INTERVALS, intervals)?;
    // SAFETY: both members are plain integers, for which any bits are valid; the kernel filled in
    // the one `type_` names.
    #[allow(unsafe_code)]
    let (discrete, range) =
        unsafe { (intervals.__bindgen_anon_1.discrete, intervals.__bindgen_anon_1.stepwise) };
    Ok(match intervals.type_ {
        sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE => FrameIntervals::One(discrete),
        _ => FrameIntervals::Within(range.min, range.max),
    })
}

/// VIDIOC_S_FMT: asks for a format; the answer is what the driver gives instead.
pub(super) fn set_format(
    device: BorrowedFd<'_>,
    wanted: sys::v4l2_pix_format,
) -> io::Result<sys::v4l2_pix_format> {
    call(device, SET_FORMAT, format_of(wanted)).map(pix_format)
}

/// VIDIOC_TRY_FMT: what the driver would give for a format, which it does not set.
pub(super) fn try_format(
    device: BorrowedFd<'_>,
    wanted: sys::v4l2_pix_format,
) -> io::Result<sys::v4l2_pix_format> {
    call(device, TRY_FORMAT, format_of(wanted)).map(pix_format)
}

/// VIDIOC_G_FMT: the format in force.
pub(super) fn get_format(device: BorrowedFd<'_>) -> io::Result<sys::v4l2_pix_format> {
    let mut format: sys::v4l2_format = blank();
    format.type_ = CAPTURE;
    call(device, GET_FORMAT, format).map(pix_format)
}

/// An empty format to fill in for [`set_format`].
pub(super) fn blank_format() -> sys::v4l2_pix_format {
    blank()
}

/// VIDIOC_S_PARM: asks for a time per frame; the answer is the one in force.
pub(super) fn set_interval(device: BorrowedFd<'_>, wanted: sys::v4l2_fract) -> io::Result<sys::v4l2_fract> {
    let mut capture: sys::v4l2_captureparm = blank();
    capture.timeperframe = wanted;
    let mut parameters: sys::v4l2_streamparm = blank();
    parameters.type_ = CAPTURE;
    parameters.parm.capture = capture;
    call(device, SET_PARAMETERS, parameters).map(interval)
}

/// VIDIOC_G_PARM: the time per frame in force.
pub(super) fn get_interval(device: BorrowedFd<'_>) -> io::Result<sys::v4l2_fract> {
    let mut parameters: sys::v4l2_streamparm = blank();
    parameters.type_ = CAPTURE;
    call(device, GET_PARAMETERS, parameters).map(interval)
}

/// VIDIOC_REQBUFS: asks for `count` buffers; the answer is how many there are. Zero frees them,
/// which fails with EBUSY while one is mapped.
pub(super) fn request_buffers(device: BorrowedFd<'_>, count: u32) -> io::Result<u32> {
    let mut request: sys::v4l2_requestbuffers = blank();
    (request.count, request.type_, request.memory) = (count, CAPTURE, MEMORY);
    call(device, REQUEST_BUFFERS, request).map(|request| request.count)
}

/// VIDIOC_QUERYBUF: where buffer `index` lies, as offset and length in bytes for [`Mapping`].
pub(super) fn query_buffer(device: BorrowedFd<'_>, index: u32) -> io::Result<(u32, u32)> {
    let buffer = call(device, QUERY_BUFFER, blank_buffer(index))?;
    // SAFETY: `m` is all integers and pointers that are not followed; any bits are valid.
    #[allow(unsafe_code)]
    let offset = unsafe { buffer.m.offset };
    Ok((offset, buffer.length))
}

/// VIDIOC_QBUF: gives buffer `index` to the driver, which will write to it.
pub(super) fn queue(device: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    call(device, QUEUE, blank_buffer(index)).map(drop)
}

/// VIDIOC_DQBUF: takes the oldest filled buffer from the driver; EAGAIN when there is none and
/// the device was opened non-blocking.
pub(super) fn dequeue(device: BorrowedFd<'_>) -> io::Result<sys::v4l2_buffer> {
    call(device, DEQUEUE, blank_buffer(0))
}

/// VIDIOC_STREAMON.
pub(super) fn stream_on(device: BorrowedFd<'_>) -> io::Result<()> {
    call(device, STREAM_ON, CAPTURE.cast_signed()).map(drop)
}

/// VIDIOC_STREAMOFF: takes every buffer back from the driver.
pub(super) fn stream_off(device: BorrowedFd<'_>) -> io::Result<()> {
    call(device, STREAM_OFF, CAPTURE.cast_signed()).map(drop)
}

/// A driver's buffer in this process' memory; unmapped when dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<c_void>,
    length_bytes: usize,
}

impl Mapping {
    /// Maps the buffer that [`query_buffer`] describes.
    pub(super) fn new(device: BorrowedFd<'_>, offset: u32, length_bytes: u32) -> io::Result<Self> {
        let length_bytes = length_bytes as usize;
        // SAFETY: with no address given, the kernel chooses one that nothing else lies at.
        #[allow(unsafe_code)]
        let start = unsafe {
            v4l2::mmap(ptr::null_mut(), length_bytes, READ_WRITE, MAP_SHARED, device.as_raw_fd(), offset as _)
        }?;
        let start = NonNull::new(start).ok_or(Errno::FAULT)?;
        Ok(Self { start, length_bytes })
    }

    /// The first `used_bytes`, or all if it has fewer.
    ///
    /// # Safety
    /// The driver must not own the buffer while the slice lives: it was dequeued, and is not
    /// queued again before.
    #[allow(unsafe_code)]
    pub(super) unsafe fn bytes(&self, used_bytes: usize) -> &[u8] {
        let length_bytes = used_bytes.min(self.length_bytes);
        // SAFETY: the mapping is at least that long and lives as long as `self`; by this
        // function's contract nobody writes to it meanwhile.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), length_bytes) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this start and length, and slices into it borrow `self`.
        #[allow(unsafe_code)]
        let unmapped = unsafe { v4l2::munmap(self.start.as_ptr(), self.length_bytes) };
        if let Err(error) = unmapped {
            log::debug!("cannot unmap a camera's buffer: {error}");
        }
    }
}

/// An ioctl's number together with the type of its argument, which only the list below joins.
struct Request<T> {
    number: vidioc::_IOC_TYPE,
    argument: std::marker::PhantomData<T>,
}

impl<T> Request<T> {
    const fn new(number: vidioc::_IOC_TYPE) -> Self {
        Self { number, argument: std::marker::PhantomData }
    }
}

const QUERY_CAPABILITY: Request<sys::v4l2_capability> = Request::new(vidioc::VIDIOC_QUERYCAP);
const ENUM_FORMAT: Request<sys::v4l2_fmtdesc> = Request::new(vidioc::VIDIOC_ENUM_FMT);
const ENUM_FRAME_SIZES: Request<sys::v4l2_frmsizeenum> = Request::new(vidioc::VIDIOC_ENUM_FRAMESIZES);
const ENUM_FRAME_INTERVALS: Request<sys::v4l2_frmivalenum> = Request::new(vidioc::VIDIOC_ENUM_FRAMEINTERVALS);
const SET_FORMAT: Request<sys::v4l2_format> = Request::new(vidioc::VIDIOC_S_FMT);
const TRY_FORMAT: Request<sys::v4l2_format> = Request::new(vidioc::VIDIOC_TRY_FMT);
const GET_FORMAT: Request<sys::v4l2_format> = Request::new(vidioc::VIDIOC_G_FMT);
const SET_PARAMETERS: Request<sys::v4l2_streamparm> = Request::new(vidioc::VIDIOC_S_PARM);
const GET_PARAMETERS: Request<sys::v4l2_streamparm> = Request::new(vidioc::VIDIOC_G_PARM);
const REQUEST_BUFFERS: Request<sys::v4l2_requestbuffers> = Request::new(vidioc::VIDIOC_REQBUFS);
const QUERY_BUFFER: Request<sys::v4l2_buffer> = Request::new(vidioc::VIDIOC_QUERYBUF);
const QUEUE: Request<sys::v4l2_buffer> = Request::new(vidioc::VIDIOC_QBUF);
const DEQUEUE: Request<sys::v4l2_buffer> = Request::new(vidioc::VIDIOC_DQBUF);
const STREAM_ON: Request<c_int> = Request::new(vidioc::VIDIOC_STREAMON);
const STREAM_OFF: Request<c_int> = Request::new(vidioc::VIDIOC_STREAMOFF);
const QUERY_CONTROL: Request<sys::v4l2_queryctrl> = Request::new(vidioc::VIDIOC_QUERYCTRL);
const QUERY_MENU: Request<sys::v4l2_querymenu> = Request::new(vidioc::VIDIOC_QUERYMENU);
const GET_CONTROL: Request<sys::v4l2_control> = Request::new(vidioc::VIDIOC_G_CTRL);
const SET_CONTROL: Request<sys::v4l2_control> = Request::new(vidioc::VIDIOC_S_CTRL);

/// Makes an ioctl and returns its argument as the kernel left it. One that a signal interrupts
/// is made again.
fn call<T>(device: BorrowedFd<'_>, request: Request<T>, mut argument: T) -> io::Result<T> {
    loop {
        let address = ptr::from_mut(&mut argument).cast();
        // SAFETY: the list above joins each number with the type the kernel reads and writes for
        // it, and `argument` is a whole one. On a file that is no V4L2 device the kernel refuses
        // numbers of the class 'V'.
        #[allow(unsafe_code)]
        let done = unsafe { v4l2::ioctl(device.as_raw_fd(), request.number, address) };
        match done {
            Ok(()) => return Ok(argument),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn blank_buffer(index: u32) -> sys::v4l2_buffer {
    let mut buffer: sys::v4l2_buffer = blank();
    (buffer.index, buffer.type_, buffer.memory) = (index, CAPTURE, MEMORY);
    buffer
}

fn format_of(wanted: sys::v4l2_pix_format) -> sys::v4l2_format {
    let mut format: sys::v4l2_format = blank();
    format.type_ = CAPTURE;
    format.fmt.pix = wanted;
    format
}

fn pix_format(format: sys::v4l2_format) -> sys::v4l2_pix_format {
    // SAFETY: the member is plain integers, for which any bits are valid; the kernel filled it
    // in, as `type_` asked.
    #[allow(unsafe_code)]
    unsafe {
        format.fmt.pix
    }
}

fn interval(parameters: sys::v4l2_streamparm) -> sys::v4l2_fract {
    // SAFETY: the member is plain integers, for which any bits are valid; the kernel filled it
    // in, as `type_` asked.
    #[allow(unsafe_code)]
    unsafe {
        parameters.parm.capture.timeperframe
    }
}

/// A structure of the kernel's with every field zero, as the V4L2 documentation wants those that
/// are not used.
fn blank<T: Plain>() -> T {
    // SAFETY: zero bytes are a value of `T`: that is what `Plain` promises.
    #[allow(unsafe_code)]
    unsafe {
        std::mem::zeroed()
    }
}

/// A structure for which bytes of zero are a value.
///
/// # Safety
/// Integers, raw pointers, and arrays, structures and unions of them only.
#[allow(unsafe_code)]
unsafe trait Plain {}

macro_rules! plain {
    ($($structure:ident)*) => {$(
        // SAFETY: a structure of the kernel's interface: integers and raw pointers only.
        #[allow(unsafe_code)]
        unsafe impl Plain for sys::$structure {}
    )*};
}

plain! {
    v4l2_capability v4l2_fmtdesc v4l2_frmsizeenum v4l2_frmivalenum v4l2_format v4l2_pix_format
    v4l2_streamparm v4l2_captureparm v4l2_requestbuffers v4l2_buffer v4l2_queryctrl v4l2_querymenu
}
