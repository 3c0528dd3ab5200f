//! Why a socket gives nothing, with what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::source::video::VideoError;

/// Why a socket gives no picture or sound, with its path.
#[derive(Debug)]
pub(super) struct FeedError {
    pub(super) path: PathBuf,
    pub(super) fault: Fault,
}

/// What is wrong with a socket.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no such file.
    NotFound,
    /// It is a file of another kind.
    NotSocket,
    /// It is a socket for packets.
    NotStream,
    /// The user that Defender runs as may not connect.
    Denied,
    /// No program listens.
    Refused,
    /// The program behind it accepts no more connections.
    Busy,
    /// Any other error of the kernel while connecting.
    Connect(io::Error),
    /// An error of the kernel while reading.
    Read(io::Error),
    /// There is no memory to read into.
    NoMemory,
    /// The other side closed the connection.
    Closed(Heard),
    /// Nothing that can be used came for too long.
    Stalled(Heard),
}

/// What had come by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing at all.
    Nothing,
    /// No picture: it begins with this text.
    NoJpeg(String),
    /// A JPEG without end.
    NoEnd,
    /// The beginning of a JPEG.
    PartOfJpeg,
    /// So many bytes of a raw picture, which has so many.
    PartOfPlanes(usize, usize),
    /// Whole pictures, or sound.
    Good,
}

/// Whether it is that no program listens on a socket.
pub(in crate::source) fn is_refused(error: &VideoError) -> bool {
    let VideoError::Source { error, .. } = error else { return false };
    error.downcast_ref::<FeedError>().is_some_and(|error| matches!(error.fault, Fault::Refused))
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}: {}", self.path.display(), self.fault)
    }
}

impl Error for FeedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            Fault::Connect(error) | Fault::Read(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such socket; start the program that feeds it, or its socket unit",
            Self::NotSocket => "not a socket; expected one on which a program listens",
            Self::NotStream => "a socket for packets; expected a stream socket",
            Self::Denied => {
                "permission denied; let the user that Defender runs as write to the socket, by its group and mode 660, and \
                 enter its folder"
            }
            Self::Refused => "connection refused, because no program listens on it; start the one that feeds it",
            Self::Busy => "the program behind it accepts no more connections; another program may be reading from it",
            Self::Connect(error) => return write!(f, "connecting failed: {error}"),
            Self::Read(error) => return write!(f, "reading failed: {error}"),
            Self::NoMemory => "no memory to read it; raise memory_mb in [server]",
            Self::Closed(heard) => return write_closed(f, heard),
            Self::Stalled(heard) => return write_stalled(f, heard),
        })
    }
}

fn write_closed(f: &mut fmt::Formatter<'_>, heard: &Heard) -> fmt::Result {
    match heard {
        Heard::Nothing => f.write_str(
            "closed before anything came; the program that feeds it failed, or it serves only one reader and has one",
        ),
        Heard::NoJpeg(text) => write!(f, "closed, and what came is no JPEG: `{text}`"),
        Heard::NoEnd => f.write_str("closed, and what came is a JPEG without end (FF D9)"),
        Heard::PartOfJpeg => f.write_str("closed in the middle of a JPEG"),
        Heard::PartOfPlanes(came, whole) => write!(
            f,
            "closed in the middle of a picture, after {came} of {whole} bytes; if that happens each time, the format or \
             size is not what `format` says"
        ),
        Heard::Good => f.write_str("closed by the program that feeds it"),
    }
}

fn write_stalled(f: &mut fmt::Formatter<'_>, heard: &Heard) -> fmt::Result {
    match heard {
        Heard::Nothing => f.write_str("connected, but nothing comes"),
        Heard::NoJpeg(text) => write!(f, "sends no JPEG: `{text}`"),
        Heard::NoEnd => f.write_str("sends a JPEG without end (no FF D9 in 8 MiB)"),
        Heard::PartOfJpeg => f.write_str("nothing more comes, in the middle of a JPEG"),
        Heard::PartOfPlanes(came, whole) => {
            write!(f, "nothing more comes, in the middle of a picture: {came} of {whole} bytes came")
        }
        Heard::Good => f.write_str("nothing more comes"),
    }
}
