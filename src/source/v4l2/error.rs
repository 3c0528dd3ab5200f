//! Why a camera of this machine gives no picture, in sentences for the person who has to find the cable.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::media::PixelFormat;
use crate::source::video::VideoError;

/// Why a camera of this machine gives no picture. Each names the device it is about.
#[derive(Debug)]
pub enum DeviceError {
    /// There is no such node.
    NotFound(PathBuf),
    /// It was there, and answers no more.
    Gone(PathBuf),
    /// The user Defender runs as may not open it.
    Denied(PathBuf),
    /// Another program streams from it.
    Busy(PathBuf),
    /// The USB bus has no bandwidth left for it.
    NoBandwidth(PathBuf),
    /// There is no memory for its buffers.
    NoMemory(PathBuf),
    /// The camera does not answer as USB asks for.
    UsbFailed {
        /// The device.
        node: PathBuf,
        /// What was called.
        call: Call,
    },
    /// A file that is no V4L2 device.
    NotV4l2(PathBuf),
    /// A V4L2 device of another kind.
    NotCapture(PathBuf),
    /// It captures, but only with the multi-planar interface, which Defender does not speak.
    MultiPlanar(PathBuf),
    /// It captures, but not into mapped buffers.
    NoStreaming(PathBuf),
    /// The format asked for is not among those it offers.
    NotOffered {
        /// The device.
        node: PathBuf,
        /// What was asked for; `None` for any that Defender can use.
        wanted: Option<PixelFormat>,
        /// Names or four character codes of what it has.
        offered: Vec<String>,
    },
    /// It offers a format and then gives another.
    OtherFormat {
        /// The device.
        node: PathBuf,
        /// What was asked for.
        wanted: PixelFormat,
        /// Name or four character code of what it gave.
        given: String,
    },
    /// A control was not set.
    Control {
        /// The device.
        node: PathBuf,
        /// The control's name.
        control: String,
        /// Why not.
        why: String,
    },
    /// A call failed in a way that says nothing better.
    Call {
        /// The device.
        node: PathBuf,
        /// What was called.
        call: Call,
        /// What the kernel said.
        error: io::Error,
    },
}

/// The calls to a device that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// open
    Open,
    /// VIDIOC_QUERYCAP
    QueryCapability,
    /// VIDIOC_ENUM_FMT
    EnumFormat,
    /// VIDIOC_S_FMT
    SetFormat,
    /// VIDIOC_G_FMT
    GetFormat,
    /// VIDIOC_REQBUFS
    RequestBuffers,
    /// VIDIOC_QUERYBUF
    QueryBuffer,
    /// mmap
    Map,
    /// VIDIOC_QBUF
    Queue,
    /// VIDIOC_STREAMON
    StreamOn,
    /// poll
    Poll,
    /// VIDIOC_DQBUF
    Dequeue,
    /// VIDIOC_S_CTRL
    SetControl,
}

impl DeviceError {
    /// What it means that `call` on `node` failed with `error`.
    pub(super) fn of_call(node: &Path, call: Call, error: io::Error) -> Self {
        let node = node.to_owned();
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT) if call == Call::Open => Self::NotFound(node),
            // A node whose driver is gone lingers for a moment, or for good on a static /dev.
            Some(Errno::NODEV | Errno::NXIO) if call == Call::Open => Self::NotFound(node),
            Some(Errno::NODEV | Errno::NXIO | Errno::IO) => Self::Gone(node),
            Some(Errno::ACCESS | Errno::PERM) if call == Call::Open => Self::Denied(node),
            Some(Errno::BUSY) => Self::Busy(node),
            // The kernel's texts for these speak of disks, pipes and connections.
            Some(Errno::NOSPC) => Self::NoBandwidth(node),
            Some(Errno::NOMEM | Errno::NOBUFS) => Self::NoMemory(node),
            Some(
                Errno::PROTO
                | Errno::PIPE
                | Errno::TIMEDOUT
                | Errno::TIME
                | Errno::ILSEQ
                | Errno::OVERFLOW
                | Errno::REMOTEIO
                | Errno::COMM
                | Errno::SHUTDOWN,
            ) => Self::UsbFailed { node, call },
            Some(Errno::NOTTY | Errno::INVAL) if call == Call::QueryCapability => Self::NotV4l2(node),
            _ => Self::Call { node, call, error },
        }
    }

    /// Whether the device is no camera at all, so that `auto` looks on and does not report it.
    pub(super) fn is_no_camera(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::NotV4l2(_) | Self::NotCapture(_) | Self::MultiPlanar(_))
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(node) => write!(f, "{}: no such device", node.display()),
            Self::Gone(node) => write!(f, "{}: the camera is gone, or its cable fails", node.display()),
            Self::Denied(node) => write!(
                f,
                "{}: permission denied; add the user Defender runs as to the group `video`",
                node.display()
            ),
            Self::Busy(node) => write!(f, "{}: busy, another program is using it", node.display()),
            Self::NoBandwidth(node) => write!(
                f,
                "{}: USB bandwidth is used up by other devices on the bus; use a smaller size, a lower rate or \
                 `format = \"mjpeg\"`, or another port",
                node.display()
            ),
            Self::NoMemory(node) => write!(
                f,
                "{}: no memory for its buffers; use a smaller size, or give the kernel more (`cma=` in its command line)",
                node.display()
            ),
            Self::UsbFailed { node, call } => write!(
                f,
                "{}: {call} failed: the camera does not answer as it should over USB; look at its cable, hub and power",
                node.display()
            ),
            Self::NotV4l2(node) => write!(f, "{}: not a camera (not a V4L2 device)", node.display()),
            Self::NotCapture(node) => {
                write!(f, "{}: cannot capture (it is an output, codec or metadata device)", node.display())
            }
            Self::MultiPlanar(node) => write!(
                f,
                "{}: multi-planar capture only; expected a device with single-planar capture",
                node.display()
            ),
            Self::NoStreaming(node) => {
                write!(f, "{}: cannot stream, expected a driver with mapped buffers", node.display())
            }
            Self::NotOffered { node, wanted, offered } => write_not_offered(f, node, *wanted, offered),
            Self::OtherFormat { node, wanted, given } => {
                write!(f, "{}: was asked for {wanted} and gives {given}", node.display())
            }
            Self::Control { node, control, why } => write!(f, "{}: {control}: {why}", node.display()),
            Self::Call { node, call, error } => write!(f, "{}: {call} failed: {error}", node.display()),
        }
    }
}

impl std::error::Error for DeviceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Call { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<DeviceError> for VideoError {
    fn from(error: DeviceError) -> Self {
        let is_busy = matches!(error, DeviceError::Busy(_));
        Self::Source { error: Box::new(error), is_busy }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "opening it",
            Self::QueryCapability => "asking what it is (VIDIOC_QUERYCAP)",
            Self::EnumFormat => "listing its formats (VIDIOC_ENUM_FMT)",
            Self::SetFormat => "setting its format (VIDIOC_S_FMT)",
            Self::GetFormat => "reading its format (VIDIOC_G_FMT)",
            Self::RequestBuffers => "making buffers (VIDIOC_REQBUFS)",
            Self::QueryBuffer => "finding its buffers (VIDIOC_QUERYBUF)",
            Self::Map => "mapping its buffers (mmap)",
            Self::Queue => "giving it a buffer (VIDIOC_QBUF)",
            Self::StreamOn => "starting it (VIDIOC_STREAMON)",
            Self::Poll => "waiting for a frame (poll)",
            Self::Dequeue => "taking a frame (VIDIOC_DQBUF)",
            Self::SetControl => "setting a control (VIDIOC_S_CTRL)",
        })
    }
}

fn write_not_offered(
    f: &mut fmt::Formatter<'_>,
    node: &Path,
    wanted: Option<PixelFormat>,
    offered: &[String],
) -> fmt::Result {
    match wanted {
        Some(wanted) => write!(f, "{}: does not offer {wanted}", node.display())?,
        None => write!(f, "{}: offers no format Defender can use", node.display())?,
    }
    match offered {
        [] => write!(f, "; it offers none at all"),
        offered => write!(f, "; it offers {}", offered.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(call: Call, errno: Errno) -> String {
        DeviceError::of_call(Path::new("/dev/video7"), call, errno.into()).to_string()
    }

    #[test]
    fn each_failure_says_what_to_look_at() {
        assert_eq!(sentence(Call::Open, Errno::NOENT), "/dev/video7: no such device");
        assert_eq!(sentence(Call::Open, Errno::NODEV), "/dev/video7: no such device");
        assert!(sentence(Call::Open, Errno::ACCESS).contains("group `video`"));
        assert!(sentence(Call::SetFormat, Errno::BUSY).contains("another program"));
        assert!(sentence(Call::QueryCapability, Errno::NOTTY).contains("not a camera"));
        assert!(sentence(Call::Dequeue, Errno::NODEV).contains("gone"));
    }

    #[test]
    fn no_failure_is_blamed_on_disks_or_connections() {
        assert_eq!(
            sentence(Call::StreamOn, Errno::NOSPC),
            "/dev/video7: USB bandwidth is used up by other devices on the bus; use a smaller size, a lower rate or \
             `format = \"mjpeg\"`, or another port"
        );
        assert!(sentence(Call::RequestBuffers, Errno::NOMEM).contains("buffers"));
        for errno in [Errno::PROTO, Errno::PIPE, Errno::TIMEDOUT, Errno::ILSEQ, Errno::OVERFLOW] {
            assert!(sentence(Call::StreamOn, errno).contains("cable, hub and power"), "{errno:?}");
        }
    }

    #[test]
    fn a_format_not_offered_is_named_with_those_that_are() {
        let error = DeviceError::NotOffered {
            node: "/dev/video0".into(),
            wanted: Some(PixelFormat::Mjpeg),
            offered: vec!["yuyv".to_owned(), "H264".to_owned()],
        };
        assert_eq!(error.to_string(), "/dev/video0: does not offer mjpeg; it offers yuyv, H264");
    }
}
