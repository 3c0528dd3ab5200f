//! What `defender check` says of a socket. It does not connect: that would start the program behind it, and a program
//! that serves only one reader would not serve the server any more.

use std::fs;
use std::path::Path;

use rustix::fs::{Access, access};

use super::connection::inspect;
use super::error::{Fault, FeedError};
use crate::source::audio::AudioError;
use crate::source::settings::{CameraSettings, MicrophoneSettings};
use crate::source::video::VideoError;

/// Says what the camera behind the socket at `path` would be.
///
/// # Errors
/// Why it would give no picture.
pub(in crate::source) fn probe_camera(path: &Path, settings: &CameraSettings) -> Result<String, VideoError> {
    look(path).map_err(VideoError::of)?;
    let format = match (settings.format, settings.raw_size) {
        (Some(format), Some((width, height))) => format!("{format} of {width}x{height}"),
        _ => "JPEG".to_owned(),
    };
    Ok(format!("socket {} with {format}", path.display()))
}

/// Says what the microphone behind the socket at `path` would be.
///
/// # Errors
/// Why it would give no sound.
pub(in crate::source) fn probe_microphone(
    path: &Path,
    settings: &MicrophoneSettings,
) -> Result<String, AudioError> {
    look(path).map_err(AudioError::of)?;
    Ok(format!("socket {} with s16le: {}", path.display(), settings.format))
}

fn look(path: &Path) -> Result<(), FeedError> {
    inspect(path)?;
    let fail = |fault| Err(FeedError { path: path.to_owned(), fault });
    if access(path, Access::WRITE_OK).is_err() {
        return fail(Fault::Denied);
    }
    match fs::read("/proc/net/unix") {
        Ok(sockets) if !listens(&sockets, path) => fail(Fault::Refused),
        _ => Ok(()),
    }
}

/// Whether a stream socket at `path` listens, by the kernel's list (proc(5), /proc/net/unix).
fn listens(sockets: &[u8], path: &Path) -> bool {
    const ACCEPTS_CONNECTIONS: u32 = 0x0001_0000;
    let Some(path) = path.to_str() else { return true };
    sockets.split(|byte| *byte == b'\n').any(|line| {
        let Ok(line) = str::from_utf8(line) else { return false };
        let mut fields = line.splitn(8, ' ').skip(3);
        let flags = fields.next().and_then(|flags| u32::from_str_radix(flags, 16).ok());
        let is_listening = flags.is_some_and(|flags| flags & ACCEPTS_CONNECTIONS != 0);
        // The number before the path is padded with spaces.
        is_listening && line.split_once(" /").is_some_and(|(_, rest)| path.strip_prefix('/') == Some(rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_that_listens_is_found() {
        let sockets = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 17571 /run/cam\n\
            0000000000000000: 00000003 00000000 00000000 0001 03   171 /run/mic one\n\
            0000000000000000: 00000002 00000000 00010000 0001 01     9 @abstract\n";
        assert!(listens(sockets, Path::new("/run/cam")));
        assert!(!listens(sockets, Path::new("/run/mic one")), "it is connected");
        assert!(!listens(sockets, Path::new("/run/ca")) && !listens(sockets, Path::new("/run/other")));
    }
}
