//! Plain values that travel from a capture thread to a viewer: timestamps, pixel formats, raw
//! images and finished frames. No I/O and no locks belong here.

mod device;
mod edits;
mod event;
mod motion;
mod pace;
mod raw_picture;
mod record;
mod shape;
mod sound;
mod stream;

pub use device::{
    CameraControl, CameraDevice, ControlKind, DeviceFormat, DeviceSize, RibbonDevice, SoundDevice,
};
pub use edits::{Corner, Flip, PictureEdits, Rotation, StampClock};
pub use event::{Area, CameraName, Event, EventKind};
pub use motion::{Armed, ArmedTime, Choice, MotionChoice, MotionSettings, NoiseChoice, NoiseSettings};
pub use pace::Pace;
pub use raw_picture::RawPicture;
pub use record::{GapReason, RecordChoice, RecordSettings, RecordSound, RecordStore, RecordWhen};
pub use shape::{Point, Polygon, Zone};
pub use sound::{Level, SoundFormat};
pub use stream::{Scale, StreamSettings};

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::base::clock;
use crate::memory::Lease;

/// A moment on the kernel's `CLOCK_MONOTONIC`, in microseconds since boot.
///
/// Frames and sound carry this clock, the one V4L2 and ALSA stamp with, so that a step of the
/// wall clock reorders nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    micros: u64,
}

impl Timestamp {
    /// The present moment.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        Self { micros: now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000 }
    }

    /// The moment `micros` microseconds after boot.
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Microseconds since boot.
    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// Time from `earlier` to `self`; zero when `earlier` is the later one.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }

    /// The moment `by` later.
    pub fn after(self, by: Duration) -> Self {
        Self { micros: self.micros.saturating_add(by.as_micros() as u64) }
    }

    /// The moment `by` earlier; at the earliest boot.
    pub fn before(self, by: Duration) -> Self {
        Self { micros: self.micros.saturating_sub(by.as_micros() as u64) }
    }

    /// The same moment as time since the Unix epoch, by the wall clock as it is set now.
    ///
    /// The offset is taken anew at each call: a board without a clock learns the date long
    /// after it started.
    pub fn wall_time(self) -> Duration {
        let now_wall = clock::since_epoch();
        let now = Self::now();
        (now_wall + self.since(now)).saturating_sub(now.since(self))
    }

    /// [`Timestamp::wall_time`] in microseconds.
    pub fn wall_us(self) -> u64 {
        self.wall_time().as_micros() as u64
    }
}

/// How the pixels of an image lie in memory. Names and layouts are those of V4L2
/// (Linux media documentation, "Image Formats").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// `MJPG` (and `JPEG`): each frame is a JPEG image.
    Mjpeg,
    /// `YUYV`: packed 4:2:2, Y0 Cb Y1 Cr.
    Yuyv,
    /// `UYVY`: packed 4:2:2, Cb Y0 Cr Y1.
    Uyvy,
    /// `NV12`: a plane of Y, then a half-size plane of interleaved Cb Cr.
    Nv12,
    /// `YU12` (I420): a plane of Y, then quarter planes of Cb and of Cr.
    I420,
    /// `RGB3`: packed 8-bit R G B.
    Rgb3,
    /// `GREY`: one plane of Y.
    Grey,
}

impl PixelFormat {
    /// Every format Defender understands, in the order `auto` prefers them.
    pub const ALL: [PixelFormat; 7] = [
        PixelFormat::Mjpeg,
        PixelFormat::Yuyv,
        PixelFormat::Uyvy,
        PixelFormat::Nv12,
        PixelFormat::I420,
        PixelFormat::Rgb3,
        PixelFormat::Grey,
    ];

    /// The four character code the driver knows this format by.
    pub const fn fourcc(self) -> [u8; 4] {
        match self {
            Self::Mjpeg => *b"MJPG",
            Self::Yuyv => *b"YUYV",
            Self::Uyvy => *b"UYVY",
            Self::Nv12 => *b"NV12",
            Self::I420 => *b"YU12",
            Self::Rgb3 => *b"RGB3",
            Self::Grey => *b"GREY",
        }
    }

    /// The format of a driver's four character code; `None` for one Defender cannot use.
    pub fn from_fourcc(code: [u8; 4]) -> Option<Self> {
        if code == *b"JPEG" {
            return Some(Self::Mjpeg);
        }
        Self::ALL.into_iter().find(|format| format.fourcc() == code)
    }

    /// The name used in defender.conf and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mjpeg => "mjpeg",
            Self::Yuyv => "yuyv",
            Self::Uyvy => "uyvy",
            Self::Nv12 => "nv12",
            Self::I420 => "i420",
            Self::Rgb3 => "rgb3",
            Self::Grey => "grey",
        }
    }

    /// The format of a configuration name, in any case; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which code values stand for black and white in Y, Cb and Cr (ITU-R BT.601).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range601 {
    /// Y 16 to 235, Cb and Cr 16 to 240: what most cameras give.
    Limited,
    /// 0 to 255: what JPEG holds.
    Full,
}

/// How much chroma is kept where Defender encodes to JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chroma {
    /// What the camera delivers; of RGB a quarter.
    AsCaptured,
    /// 4:2:0, a sample for four pixels, whatever the camera delivers.
    Quarter,
}

impl Chroma {
    /// By the names used in defender.conf and in the API.
    pub const NAMES: [(&'static str, Chroma); 2] = [("auto", Self::AsCaptured), ("420", Self::Quarter)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, chroma)| *chroma == self).map_or("", |(name, _)| name)
    }
}

/// One uncompressed image as a driver gave it.
#[derive(Clone, Copy, Debug)]
pub struct RawImage<'a> {
    /// How the pixels lie; never [`PixelFormat::Mjpeg`].
    pub format: PixelFormat,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next in the first plane (V4L2 `bytesperline`).
    pub stride_bytes: u32,
    /// Meaning of the code values; ignored for RGB.
    pub range: Range601,
    /// All planes, one after the other.
    pub data: &'a [u8],
}

/// One finished picture: a JPEG with its multipart header before it and its boundary behind it,
/// in one piece, so that a viewer needs one write.
pub struct Frame {
    bytes: Vec<u8>,
    part: Range<usize>,
    jpeg: Range<usize>,
    captured: Timestamp,
    width: u32,
    height: u32,
    is_no_signal: bool,
    /// Of the buffer's memory, where that is counted.
    lease: Option<Lease>,
}

impl Frame {
    /// Joins the pieces; [`crate::codec::part`] is the only maker.
    ///
    /// # Panics
    /// When a range lies outside `bytes`.
    pub(crate) fn new(
        bytes: Vec<u8>,
        part: Range<usize>,
        jpeg: Range<usize>,
        captured: Timestamp,
        size: (u32, u32),
    ) -> Self {
        assert!(
            part.end <= bytes.len() && part.start <= jpeg.start && jpeg.end <= part.end,
            "ranges lie inside"
        );
        Self { bytes, part, jpeg, captured, width: size.0, height: size.1, is_no_signal: false, lease: None }
    }

    /// The whole multipart part: header, JPEG, closing boundary.
    pub fn part(&self) -> &[u8] {
        &self.bytes[self.part.clone()]
    }

    /// The JPEG alone.
    pub fn jpeg(&self) -> &[u8] {
        &self.bytes[self.jpeg.clone()]
    }

    /// Bytes of memory that its buffer takes; at least the length of the part.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// When the driver captured it.
    pub fn captured(&self) -> Timestamp {
        self.captured
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The same with another width and height.
    pub(crate) fn with_size(self, (width, height): (u32, u32)) -> Self {
        Self { width, height, ..self }
    }

    /// The same as a no-signal frame: it says why there is no picture.
    pub(crate) fn into_no_signal(self) -> Self {
        Self { is_no_signal: true, ..self }
    }

    /// Whether it is a no-signal frame: it says why there is no picture.
    pub fn is_no_signal(&self) -> bool {
        self.is_no_signal
    }

    /// Whether its memory is counted, as that of all pictures from elsewhere.
    pub(crate) fn is_counted(&self) -> bool {
        self.lease.is_some()
    }

    /// Keeps `lease` for as long as the frame's buffer is in use.
    pub(crate) fn with_lease(self, lease: Lease) -> Self {
        Self { lease: Some(lease), ..self }
    }

    /// Gives the buffer back, emptied, for the next frame, with its lease if it has one.
    pub(crate) fn into_buffer(self) -> (Vec<u8>, Option<Lease>) {
        let mut bytes = self.bytes;
        bytes.clear();
        (bytes, self.lease)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Frame({}x{}, {} bytes of JPEG, at {} us)",
            self.width,
            self.height,
            self.jpeg.len(),
            self.captured.micros
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn wall_time_of_now_is_the_wall_clock() {
        let wall = Timestamp::now().wall_time();
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert!(clock.abs_diff(wall) < Duration::from_secs(5), "{wall:?} is not near {clock:?}");
    }

    #[test]
    fn wall_time_keeps_the_distance_between_moments() {
        let now = Timestamp::now();
        let earlier = Timestamp::from_micros(now.as_micros().saturating_sub(10_000_000));
        let between = now.wall_time().abs_diff(earlier.wall_time());
        assert!(between.abs_diff(now.since(earlier)) < Duration::from_secs(5));
    }

    #[test]
    fn every_format_is_found_by_its_code_and_its_name() {
        for format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_fourcc(format.fourcc()), Some(format));
            assert_eq!(PixelFormat::from_name(&format.name().to_uppercase()), Some(format));
        }
        assert_eq!(PixelFormat::from_fourcc(*b"JPEG"), Some(PixelFormat::Mjpeg));
        assert_eq!(PixelFormat::from_fourcc(*b"H264"), None);
    }
}
