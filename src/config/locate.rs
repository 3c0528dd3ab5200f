//! Where defender.conf is, and its text.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{ConfigError, Flags};
use crate::base::disk;

/// Largest file read, in bytes: far above any real one, far below a board's memory.
pub(super) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The file named by `-c`, or the first of the usual places that has one.
pub(super) fn find(flags: &Flags) -> Option<PathBuf> {
    if let Some(named) = &flags.config {
        return Some(named.clone());
    }
    first_of(&[
        PathBuf::from("defender.conf"),
        state_folder().join("defender.conf"),
        "/etc/defender/defender.conf".into(),
    ])
}

/// Where the server's files lie when no configuration says otherwise: ~/.defender, or .defender
/// in the working folder where HOME is not set.
pub(super) fn state_folder() -> PathBuf {
    home().unwrap_or_default().join(".defender")
}

pub(super) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The whole text of a configuration file. It may be a pipe that the process was started with, as a shell's
/// `<(...)` is; any other file is a regular one.
pub(super) fn read_text(file: &Path) -> Result<String, ConfigError> {
    let is_own = ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|own| file.starts_with(own));
    let opened = if is_own { File::open(file) } else { disk::open_regular(file) };
    read_open(opened.map_err(|error| ConfigError::Read(file.to_owned(), error))?, file)
}

/// The whole text of a file that was opened, without a byte order mark.
pub(super) fn read_open(opened: File, file: &Path) -> Result<String, ConfigError> {
    let bytes = disk::read_open(&opened, MAX_FILE_BYTES).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => ConfigError::TooLarge(file.to_owned()),
        _ => ConfigError::Read(file.to_owned(), error),
    })?;
    let text = disk::without_bom(&bytes).to_vec();
    String::from_utf8(text).map_err(|_| ConfigError::NotText(file.to_owned()))
}

/// A path that may not be looked into (another user's home, under an init script) is skipped
/// where a later one has a file. Where none has, it is returned, so that reading it gives the reason;
/// else defaults would silently replace what it may hold.
fn first_of(paths: &[PathBuf]) -> Option<PathBuf> {
    let readable = paths.iter().find(|path| path.exists());
    readable.or_else(|| paths.iter().find(|path| path.try_exists().is_err())).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_that_are_no_configuration_have_errors_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("defender.conf");
        fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(matches!(read_text(&file), Err(ConfigError::NotText(_))));
        fs::write(&file, vec![b'#'; MAX_FILE_BYTES as usize]).unwrap();
        assert!(read_text(&file).is_ok());
        fs::write(&file, vec![b'#'; MAX_FILE_BYTES as usize + 1]).unwrap();
        assert!(matches!(read_text(&file), Err(ConfigError::TooLarge(_))));
        fs::remove_file(&file).unwrap();
        assert!(matches!(read_text(&file), Err(ConfigError::Read(..))));
        assert!(matches!(read_text(folder.path()), Err(ConfigError::Read(..))));
    }

    #[test]
    fn a_device_or_a_fifo_is_not_read_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("defender.conf");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for file in [Path::new("/dev/zero"), &fifo] {
            let message = read_text(file).unwrap_err().to_string();
            assert!(message.contains("not a regular file"), "{message}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_line_ends_of_windows_are_no_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("defender.conf");
        fs::write(&file, "\u{feff}[server]\r\nport = 1\r\n").unwrap();
        let (_, config) = super::super::Config::read(&file).unwrap();
        assert_eq!(config.server.port, 1);
    }

    #[test]
    fn a_path_that_is_closed_counts_only_where_no_other_has_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "").unwrap();
        // Nothing lies below a file; unlike permissions that holds for root too.
        let closed = path("file").join("defender.conf");
        assert_eq!(first_of(&[path("none"), closed.clone(), path("file")]), Some(path("file")));
        assert_eq!(first_of(&[path("none"), closed.clone()]), Some(closed));
        assert_eq!(first_of(&[path("none")]), None);
    }
}
