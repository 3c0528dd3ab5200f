//! Why a camera of the network gives no picture.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use crate::client::{ClientError, LoginError, Url};
use crate::source::video::VideoError;

/// Why a camera gives no picture, with its address.
#[derive(Debug)]
pub(super) struct HttpError {
    url: Url,
    /// Of its login, where it has one.
    login_file: Option<PathBuf>,
    problem: Problem,
}

/// Why a camera gives no picture.
#[derive(Debug)]
pub(super) enum Problem {
    /// The file with its login gives none.
    Login(LoginError),
    /// There is no answer, or its body ends.
    Client(ClientError),
    /// It answers with this status.
    Status(u16),
    /// It answers with a web page.
    WebPage,
    /// It answers with something of this type.
    Type(String),
    /// It announces a picture that is too large.
    TooLarge,
    /// What it sends holds no picture, but this; empty where nothing can be said of it.
    NoPicture(String),
    /// It sends a picture without end.
    NoEnd,
    /// It sends only parts of pictures.
    Parts,
    /// It sent a part of a picture, and then nothing; whether it ended the connection there.
    Half { has_ended: bool },
}

impl HttpError {
    /// The problem of the camera at `url`.
    pub(super) fn new(url: &Url, login_file: Option<PathBuf>, problem: Problem) -> Self {
        Self { url: url.clone(), login_file, problem }
    }
}

impl From<HttpError> for VideoError {
    fn from(error: HttpError) -> Self {
        match error.problem {
            Problem::Client(ClientError::Stopped) => Self::Unwanted,
            _ => Self::of(error),
        }
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            Problem::Client(error) => Some(error),
            Problem::Login(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login_file =
            || self.login_file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
        write!(f, "{}: ", self.url)?;
        match &self.problem {
            Problem::Login(error) => error.fmt(f),
            Problem::Client(error) => write_client_error(error, &login_file(), f),
            Problem::Status(403) => f.write_str("the camera does not allow this (status 403)"),
            Problem::Status(404) => f.write_str("the camera has nothing at this path (status 404)"),
            Problem::Status(503) => {
                f.write_str("the camera is busy (status 503); many serve one client at a time")
            }
            Problem::Status(status) => write!(f, "the camera answers with status {status}"),
            Problem::WebPage => f.write_str(
                "the address answers with a web page, not with pictures; name the address of its stream or of a snapshot",
            ),
            Problem::Type(name) => write!(f, "the camera sends {name}; Defender takes JPEG pictures only"),
            Problem::TooLarge => f.write_str("the camera announces a picture of more than 8 MiB"),
            Problem::NoPicture(found) => {
                let but = if found.is_empty() { "" } else { ", but " };
                write!(f, "what the camera sends holds no JPEG picture{but}{found}")
            }
            Problem::NoEnd => f.write_str("the camera sends a JPEG without end (no FF D9 in 8 MiB)"),
            Problem::Parts => f.write_str("none of its pictures can be shown: a part of it is missing"),
            Problem::Half { has_ended: true } => {
                f.write_str("the camera ended the connection in the middle of a JPEG")
            }
            Problem::Half { has_ended: false } => {
                f.write_str("nothing more comes, or too slowly, in the middle of a JPEG")
            }
        }
    }
}

fn write_client_error(error: &ClientError, login_file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        ClientError::LoginMissing => f.write_str(
            "the camera wants a login; write user:password into a file of mode 600, and name it with \
             login_file = \"...\"",
        ),
        ClientError::LoginRefused => write!(
            f,
            "the camera refuses the login in {login_file}; it is tried again when the file changes, or in 5 minutes"
        ),
        ClientError::Uncertified(shown, why) => write!(
            f,
            "no authority of this system certifies the camera ({why}); if this is the camera's own key, write \
             fingerprint = \"{shown}\""
        ),
        ClientError::ChangedKey(shown) => write!(
            f,
            "THE CAMERA'S KEY HAS CHANGED; nothing was sent to it. If the camera has a new one, write \
             fingerprint = \"{shown}\""
        ),
        ClientError::Stalled => {
            write!(f, "{error}; many cameras serve one client at a time, and leave others waiting")
        }
        error => write!(f, "{error}"),
    }
}

#[cfg(test)]
impl PartialEq for Problem {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}
