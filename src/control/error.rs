//! Why a running server was not changed, for the user who asked.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::source::v4l2::DeviceError;

/// Why a change was not made.
#[derive(Debug)]
pub enum ControlError {
    /// The camera is another server's, which has to change it.
    NotOurs(String),
    /// A value that cannot be: which, and what was expected.
    Value(String),
    /// There is no such microphone to record, with those that there are.
    NoMicrophone(String),
    /// No such level of the log.
    Level(String),
    /// The camera is not there to be asked.
    NoCamera(String),
    /// The camera refused.
    Camera(DeviceError),
    /// It cannot be saved, for the folder of the overrides file is not the server's to write.
    CannotSave,
    /// It cannot be saved: the file, and why.
    NotSaved(PathBuf, Box<dyn Error + Send + Sync>),
    /// There is no override of this name.
    NoOverride(String),
    /// The user may not do this any more.
    NotAllowed,
    /// The system gives no thread.
    System(io::Error),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs(name) => {
                write!(f, "camera {name} belongs to another Defender; change it there")
            }
            Self::Value(what) | Self::NoMicrophone(what) => f.write_str(what),
            Self::Level(name) => {
                write!(f, "no level is named {name}; there are off, error, warn, info, debug and trace")
            }
            Self::NoCamera(name) => write!(f, "camera {name}: it is not connected now, and its controls cannot be set; plug it in first"),
            Self::Camera(error) => error.fmt(f),
            Self::CannotSave => f.write_str(
                "nothing was changed: the server cannot save it, because it may not write to the folder of the user \
                 file; change the owner of this folder, or change the setting without saving it",
            ),
            Self::NotSaved(file, why) => {
                write!(f, "nothing was changed: it cannot be saved in {}: {why}", file.display())
            }
            Self::NoOverride(name) => write!(
                f,
                "{name:.100} is not overridden; `defender settings list` and /api/1.0/settings show what is"
            ),
            Self::NotAllowed => f.write_str("nothing was changed: you are no longer allowed to do this"),
            Self::System(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl Error for ControlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            Self::Camera(error) => Some(error),
            Self::NotSaved(_, error) => Some(&**error),
            Self::NotOurs(_)
            | Self::Value(_)
            | Self::NoMicrophone(_)
            | Self::Level(_)
            | Self::NoCamera(_)
            | Self::CannotSave
            | Self::NoOverride(_)
            | Self::NotAllowed => None,
        }
    }
}
