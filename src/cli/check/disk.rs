//! How fast a disk takes what is written to it and must be safe at once.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long it is tried.
const TRY: Duration = Duration::from_secs(3);

/// Bytes written at a time, each followed by a sync: about what the recorder writes.
const PIECE_BYTES: usize = 1 << 20;

/// Largest size of the file, which is written over and over as the recorder does: it fits where recordings do.
const FILE_BYTES: u64 = 32 << 20;

/// What a disk could do.
#[derive(Debug)]
pub struct Speed {
    /// Bytes a second, each of them synced.
    pub bytes_per_s: u64,
    /// The longest time that one piece took.
    pub longest: Duration,
}

/// Writes to a file in this folder for three seconds. The file has no name, so that nothing is left of it in any case.
///
/// # Errors
/// When the file cannot be made or written.
pub fn try_out(folder: &Path) -> io::Result<Speed> {
    let file = folder.join(format!(".check-{}", std::process::id()));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
    fs::remove_file(&file)?;
    let piece = noise();
    let (begun, mut written, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < TRY {
        let at = Instant::now();
        opened.write_all_at(&piece, written % FILE_BYTES)?;
        opened.sync_data()?;
        written += piece.len() as u64;
        longest = longest.max(at.elapsed());
    }
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    Ok(Speed { bytes_per_s: written * 1_000_000 / micros, longest })
}

/// What no disk can make smaller, as JPEGs.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let byte = |_| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..PIECE_BYTES).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_of_a_disk_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let speed = try_out(folder.path()).unwrap();
        assert!(speed.bytes_per_s > 0 && speed.longest > Duration::ZERO, "{speed:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(try_out(&folder.path().join("gone")).is_err());
    }
}
