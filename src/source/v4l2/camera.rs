//! One V4L2 capture device: what it is, what it offers, and asking it for something.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use v4l::v4l_sys as sys;

use super::calls::{self, FrameIntervals, FrameSizes};
use super::error::{Call, DeviceError};
use super::format::{ActiveFormat, active_format, rate_fps, text};

/// An open capture device. Closed when dropped.
#[derive(Debug)]
pub(super) struct Camera {
    node: PathBuf,
    file: File,
    card: String,
    driver: String,
    is_pipeline_part: bool,
}

/// A pixel format as a driver lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OfferedFormat {
    /// Its four character code.
    pub(super) fourcc: [u8; 4],
    /// The driver's words for it.
    pub(super) description: String,
    /// Converted in software, not what the hardware gives.
    pub(super) emulated: bool,
}

/// A bound on what is enumerated, for drivers that never say "no more".
const ENUMERATED_MAX: u32 = 256;

/// The longest name that a driver can give.
const CARD_BYTES_MAX: usize = 31;

impl Camera {
    /// Opens `path`, which may be a link to the node.
    ///
    /// # Errors
    /// When it cannot be opened, or is not a single-planar capture device that streams.
    pub(super) fn open(path: &Path) -> Result<Self, DeviceError> {
        // A link is followed anew at each open: by-id links move to another node when the camera
        // is plugged in again. Where that fails, opening fails too, and says why.
        let node = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // Not through `v4l2::open` of the v4l crate: that hands the device on to child processes
        // and panics on a path with a zero byte. Non-blocking, so that a dequeue never hangs.
        let nonblock = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(nonblock).open(&node);
        let file = file.map_err(|error| DeviceError::of_call(path, Call::Open, error))?;
        let capability = calls::query_capability(file.as_fd())
            .map_err(|error| DeviceError::of_call(&node, Call::QueryCapability, error))?;
        let abilities = abilities(&capability);
        check_abilities(&node, abilities)?;
        let driver = text(&capability.driver);
        let is_pipeline_part = is_pipeline_part(abilities, &driver);
        Ok(Self { node, file, card: without_repetition(text(&capability.card)), driver, is_pipeline_part })
    }

    /// The node, links followed.
    pub(super) fn node(&self) -> &Path {
        &self.node
    }

    /// The camera's name, as its maker gave it.
    pub(super) fn card(&self) -> &str {
        &self.card
    }

    /// The kernel driver's name.
    pub(super) fn driver(&self) -> &str {
        &self.driver
    }

    /// Whether it is a part of a larger device that libcamera puts together, such as the receiver of a ribbon-cable
    /// camera: by itself it gives no picture, or one that must be developed.
    pub(super) fn is_pipeline_part(&self) -> bool {
        self.is_pipeline_part
    }

    /// The formats it lists.
    ///
    /// # Errors
    /// When the first of them cannot be asked for because the device is gone.
    pub(super) fn formats(&self) -> Result<Vec<OfferedFormat>, DeviceError> {
        let listed = enumerate(|index| calls::enum_format(self.fd(), index));
        let listed = listed.map_err(|error| self.failed(Call::EnumFormat, error))?;
        Ok(listed
            .into_iter()
            .map(|format| OfferedFormat {
                fourcc: format.pixelformat.to_le_bytes(),
                description: text(&format.description),
                emulated: format.flags & sys::V4L2_FMT_FLAG_EMULATED != 0,
            })
            .collect())
    }

    /// The sizes it lists for a format; none when it does not list them.
    pub(super) fn sizes(&self, fourcc: [u8; 4]) -> Vec<FrameSizes> {
        let mut ended = false;
        let listed = enumerate(|index| {
            if ended {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let sizes = calls::enum_frame_sizes(self.fd(), index, fourcc)?;
            ended = matches!(sizes, FrameSizes::Within { .. });
            Ok(sizes)
        });
        listed.unwrap_or_default()
    }

    /// The frame rates it lists for a format and size, in frames a second, as it orders them; of
    /// a range both ends.
    pub(super) fn rates_fps(&self, fourcc: [u8; 4], size: (u32, u32)) -> Vec<f32> {
        let mut rates = Vec::new();
        for index in 0..ENUMERATED_MAX {
            match calls::enum_frame_intervals(self.fd(), index, fourcc, size) {
                Ok(FrameIntervals::One(interval)) => rates.push(rate_fps(interval)),
                Ok(FrameIntervals::Within(shortest, longest)) => {
                    rates.extend([rate_fps(longest), rate_fps(shortest)]);
                    break;
                }
                Err(_) => break,
            }
        }
        rates.retain(|rate| *rate > 0.0);
        rates
    }

    /// The frame rate nearest to `fps` that it lists for a format and size; zero when it lists none.
    pub(super) fn nearest_rate_fps(&self, fourcc: [u8; 4], size: (u32, u32), fps: u32) -> f32 {
        let mut nearest = 0.0_f32;
        let wanted = fps as f32;
        for index in 0..ENUMERATED_MAX {
            let Ok(listed) = calls::enum_frame_intervals(self.fd(), index, fourcc, size) else { break };
            let (rate, is_last) = match listed {
                FrameIntervals::One(interval) => (rate_fps(interval), false),
                FrameIntervals::Within(shortest, longest) => {
                    (wanted.min(rate_fps(shortest)).max(rate_fps(longest)), true)
                }
            };
            if nearest == 0.0 || (rate - wanted).abs() < (nearest - wanted).abs() {
                nearest = rate;
            }
            if is_last {
                break;
            }
        }
        nearest
    }

    /// What it would give for a format and size; nothing is set.
    ///
    /// # Errors
    /// When the device is gone, or the driver refuses.
    pub(super) fn try_format(&self, fourcc: [u8; 4], size: (u32, u32)) -> Result<ActiveFormat, DeviceError> {
        let wanted = request(fourcc, size);
        let given = calls::try_format(self.fd(), wanted).or_else(|error| {
            // A driver need not have this call. What it will make of the format is unknown then.
            let is_unknown_call = Errno::from_io_error(&error) == Some(Errno::NOTTY);
            if is_unknown_call { Ok(wanted) } else { Err(error) }
        });
        given.map(|format| active_format(&format)).map_err(|error| self.failed(Call::SetFormat, error))
    }

    /// Asks for a format and size; see [`Self::active_format`] for what came of it.
    ///
    /// # Errors
    /// When the driver refuses, such as while another program streams.
    pub(super) fn set_format(&self, fourcc: [u8; 4], size: (u32, u32)) -> Result<ActiveFormat, DeviceError> {
        let given = calls::set_format(self.fd(), request(fourcc, size));
        given.map(|format| active_format(&format)).map_err(|error| self.failed(Call::SetFormat, error))
    }

    /// The format in force. Until this device has buffers, any other program can change it.
    ///
    /// # Errors
    /// When the device is gone.
    pub(super) fn active_format(&self) -> Result<ActiveFormat, DeviceError> {
        let given = calls::get_format(self.fd());
        given.map(|format| active_format(&format)).map_err(|error| self.failed(Call::GetFormat, error))
    }

    /// Asks for a frame rate, and returns the one in force; zero when the driver does not
    /// report one, which it may.
    pub(super) fn set_rate(&self, fps: u32) -> f32 {
        let wanted = sys::v4l2_fract { numerator: 1, denominator: fps };
        let given = calls::set_interval(self.fd(), wanted).or_else(|_| calls::get_interval(self.fd()));
        given.map_or(0.0, rate_fps)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// What it means that `call` failed on this device.
    pub(super) fn failed(&self, call: Call, error: io::Error) -> DeviceError {
        DeviceError::of_call(&self.node, call, error)
    }
}

/// What this node can do; `capabilities` also counts the device's other nodes.
fn abilities(capability: &sys::v4l2_capability) -> u32 {
    if capability.capabilities & sys::V4L2_CAP_DEVICE_CAPS == 0 {
        return capability.capabilities;
    }
    capability.device_caps
}

/// `V4L2_CAP_IO_MC`: the media controller, and not the node, chooses where its pictures come from.
const IO_MC: u32 = 0x2000_0000;

fn is_pipeline_part(abilities: u32, driver: &str) -> bool {
    // The image processor of a Raspberry Pi converts pictures from memory, and has no such flag.
    abilities & IO_MC != 0 || driver == "bcm2835-isp"
}

fn check_abilities(node: &Path, abilities: u32) -> Result<(), DeviceError> {
    let has = |flags| abilities & flags != 0;
    let other_kind = sys::V4L2_CAP_VIDEO_OUTPUT
        | sys::V4L2_CAP_VIDEO_OUTPUT_MPLANE
        | sys::V4L2_CAP_VIDEO_M2M
        | sys::V4L2_CAP_VIDEO_M2M_MPLANE;
    if has(other_kind) || !has(sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE) {
        return Err(DeviceError::NotCapture(node.to_owned()));
    }
    if !has(sys::V4L2_CAP_VIDEO_CAPTURE) {
        return Err(DeviceError::MultiPlanar(node.to_owned()));
    }
    if !has(sys::V4L2_CAP_STREAMING) {
        return Err(DeviceError::NoStreaming(node.to_owned()));
    }
    Ok(())
}

/// Collects answers until the driver has no more. Only a device that is gone is an error: drivers
/// end a list, and say that they have none, with various others.
fn enumerate<T>(mut answer: impl FnMut(u32) -> io::Result<T>) -> io::Result<Vec<T>> {
    let mut answers = Vec::new();
    for index in 0..ENUMERATED_MAX {
        match answer(index) {
            Ok(answer) => answers.push(answer),
            Err(error) if is_gone(&error) => return Err(error),
            Err(_) => break,
        }
    }
    Ok(answers)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NODEV | Errno::NXIO | Errno::IO))
}

fn request(fourcc: [u8; 4], (width, height): (u32, u32)) -> sys::v4l2_pix_format {
    let mut wanted = calls::blank_format();
    (wanted.width, wanted.height) = (width, height);
    wanted.pixelformat = u32::from_le_bytes(fourcc);
    wanted.field = sys::v4l2_field_V4L2_FIELD_NONE;
    wanted
}

/// The name without its repetition. `uvcvideo` appends the name of the camera's function, which mostly is that of the
/// camera again, and cuts the whole where [`CARD_BYTES_MAX`] ends: "C210: C210".
fn without_repetition(mut card: String) -> String {
    if let Some((name, again)) = card.split_once(": ") {
        let is_cut = card.len() == CARD_BYTES_MAX;
        if again == name || (is_cut && name.starts_with(again)) {
            card.truncate(name.len());
        }
    }
    card
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_planar_capture_that_streams_is_a_camera() {
        let check = |flags| check_abilities(Path::new("/dev/video0"), flags);
        let streaming = sys::V4L2_CAP_STREAMING;
        assert!(check(sys::V4L2_CAP_VIDEO_CAPTURE | streaming).is_ok());
        let metadata = check(sys::V4L2_CAP_META_CAPTURE | streaming);
        assert!(matches!(metadata, Err(DeviceError::NotCapture(_))));
        let codec = check(sys::V4L2_CAP_VIDEO_M2M | sys::V4L2_CAP_VIDEO_CAPTURE | streaming);
        assert!(matches!(codec, Err(DeviceError::NotCapture(_))));
        let multi_planar = check(sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE | streaming);
        assert!(matches!(multi_planar, Err(DeviceError::MultiPlanar(_))));
        assert!(matches!(check(sys::V4L2_CAP_VIDEO_CAPTURE), Err(DeviceError::NoStreaming(_))));
    }

    #[test]
    fn a_part_of_a_ribbon_camera_is_no_camera_by_itself() {
        let capture = sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_STREAMING;
        assert!(is_pipeline_part(capture | IO_MC, "unicam"));
        assert!(is_pipeline_part(capture, "bcm2835-isp"));
        assert!(!is_pipeline_part(capture, "uvcvideo"));
    }

    #[test]
    fn a_file_that_is_no_camera_says_so() {
        let error = Camera::open(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.to_string(), "/dev/null: not a camera (not a V4L2 device)");
        let folder = tempfile::tempdir().unwrap();
        let error = Camera::open(&folder.path().join("video9")).unwrap_err();
        assert!(error.to_string().ends_with("video9: no such device"), "{error}");
    }

    #[test]
    fn a_name_that_is_repeated_is_given_once() {
        let name = |card: &str| without_repetition(card.to_owned());
        assert_eq!(name("C210: C210"), "C210");
        assert_eq!(name("Integrated Camera: Integrated C"), "Integrated Camera");
        assert_eq!(name("HD Camera: HD"), "HD Camera: HD", "it is not cut");
        assert_eq!(name("Stereo: Left"), "Stereo: Left");
        assert_eq!(name(""), "");
    }

    #[test]
    fn an_endless_list_is_cut_and_a_lost_device_is_an_error() {
        assert_eq!(enumerate(Ok).unwrap().len(), ENUMERATED_MAX as usize);
        let invalid = |index| if index < 3 { Ok(index) } else { Err(rustix::io::Errno::INVAL.into()) };
        assert_eq!(enumerate(invalid).unwrap(), [0, 1, 2]);
        assert!(enumerate(|_| Err::<(), _>(rustix::io::Errno::NODEV.into())).is_err());
    }
}
