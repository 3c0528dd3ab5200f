//! Why a running server was not changed, for whoever asked.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::source::v4l2::DeviceError;

/// Why a change was not made.
#[derive(Debug)]
pub enum ControlError {
    /// The camera is another server's, which has to be told.
    NotOurs(String),
    /// A value that cannot be: which, and what was expected.
    Value(String),
    /// No such level of the log.
    Level(String),
    /// The camera is not there to be asked.
    NoCamera(String),
    /// The camera refused.
    Camera(DeviceError),
    /// It cannot be kept, for no file is the server's to write.
    NoFile,
    /// It cannot be kept: the file, and why.
    NotKept(PathBuf, String),
    /// Whoever asked may not do this any more.
    NotAllowed,
    /// The system gives no thread.
    System(io::Error),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs(name) => {
                write!(f, "the camera {name} is another Defender's: change it there")
            }
            Self::Value(what) => f.write_str(what),
            Self::Level(name) => {
                write!(f, "no level is named {name}; there are off, error, warn, info, debug and trace")
            }
            Self::NoCamera(name) => write!(f, "camera {name}: there is none now whose controls could be set"),
            Self::Camera(error) => error.fmt(f),
            Self::NoFile => f.write_str(
                "nothing was changed: it cannot be kept, for neither defender.conf nor the folder of the user \
                 file is the server's to write",
            ),
            Self::NotKept(file, why) => {
                write!(f, "nothing was changed: it cannot be kept in {}: {why}", file.display())
            }
            Self::NotAllowed => f.write_str("nothing was changed: you may not do this any more"),
            Self::System(error) => write!(f, "the system refused: {error}"),
        }
    }
}
