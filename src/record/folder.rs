//! The folder with the footage: what its files are called, and which files belong to it.
//!
//! `DIR/CAMERA/2026-11-28/HHMMSS.mmm-SEQ.mkv` is a segment: its day and time are UTC, and its sequence number is unique for the camera.
//! `DIR/pool/` has files that are ready to be written, `DIR/tombstones` a line for each segment that was deleted, `DIR/lock` keeps a
//! second server away. Everything else is named in the log and left alone. No link is followed below `DIR`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::base::names::is_full_name;
use crate::base::utc;
use crate::media::RecordStore;

/// The folder of files that are ready to be written. A camera of this name cannot be recorded.
pub(super) const POOL: &str = "pool";

/// The name of a file that is to become footage of a day, in the folder of that day. One that is left there by a power cut is removed at
/// the start.
pub(super) const PART: &str = "new.part";

/// The same of older footage that is thinned.
pub(super) const THIN_PART: &str = "thin.part";

/// Numbers of segments are below this one. A name with a higher number is none of ours: what follows it could not be counted.
pub(super) const NUMBERS: u64 = 1_000_000_000_000_000_000;

/// Most unknown names that are logged for a folder.
const MOST_NAMED: usize = 5;

/// A file that may be a segment, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its sequence number.
    pub(super) sequence: u64,
    /// Its path.
    pub(super) path: PathBuf,
}

/// The names that were found in a folder with footage.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Each camera with its segments, in the order of their sequence numbers.
    pub(super) cameras: Vec<(String, Vec<Found>)>,
    /// Files that a power cut kept from becoming footage.
    pub(super) parts: Vec<PathBuf>,
    /// Names that are not understood: the first ones, and how many there are.
    pub(super) unknown: (Vec<PathBuf>, usize),
}

/// Whether a camera of this name has no folder of its own, because the name is that of something else.
pub(super) fn is_reserved(camera: &str) -> bool {
    RecordStore::TAKEN_NAMES.contains(&camera)
}

/// The path of a camera's segment that begins at `wall_us` (microseconds since 1970).
pub(super) fn segment_path(folder: &Path, camera: &str, wall_us: u64, sequence: u64) -> PathBuf {
    let at = utc::calendar(wall_us);
    let (hour, minute, second) = at.time().as_hms();
    let name = format!("{hour:02}{minute:02}{second:02}.{:03}-{sequence:09}.mkv", at.millisecond());
    folder.join(camera).join(utc::day(wall_us)).join(name)
}

/// The sequence number in the name of a segment; `None` for any other name.
pub(super) fn sequence_of(name: &str) -> Option<u64> {
    let (time, sequence) = name.strip_suffix(".mkv")?.split_once('-')?;
    let (clock, millis) = time.split_once('.')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = clock.len() == 6 && millis.len() == 3 && is_number(clock) && is_number(millis);
    (is_time && (9..=18).contains(&sequence.len()) && is_number(sequence)).then(|| sequence.parse().ok())?
}

/// Makes a folder that only its owner may enter, and those above it.
///
/// # Errors
/// Those of making one.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes the folder of what lies at `path` below `folder`, and those between them. A link on the way is an error: a disk from elsewhere
/// must not say where Defender writes.
///
/// # Errors
/// Those of making one; `NotADirectory` for what is no folder.
pub(super) fn make_above(path: &Path, folder: &Path) -> io::Result<()> {
    let mut at = folder.to_owned();
    for part in path.parent().and_then(|above| above.strip_prefix(folder).ok()).into_iter().flatten() {
        at.push(part);
        match fs::DirBuilder::new().mode(0o700).create(&at) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        if !fs::symlink_metadata(&at)?.is_dir() {
            let why = format!("{} is a link or a file, and has to be a folder", at.display());
            return Err(io::Error::new(io::ErrorKind::NotADirectory, why));
        }
    }
    Ok(())
}

/// Opens a regular file below the folder to read, or to read and write. A link is not followed, and nothing waits.
///
/// # Errors
/// Those of opening; `InvalidInput` for what is no regular file.
pub(super) fn open(path: &Path, is_written: bool) -> io::Result<File> {
    open_as(path, OpenOptions::new().read(true).write(is_written))
}

/// As [`open`], to append to it; one that is missing is made.
///
/// # Errors
/// As [`open`].
pub(super) fn append(path: &Path) -> io::Result<File> {
    open_as(path, OpenOptions::new().append(true).create(true).mode(0o600))
}

fn open_as(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
}

/// Makes a new file that only its owner may read.
///
/// # Errors
/// Those of making it; `AlreadyExists` where there is one.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// The names of all segments. No file is opened.
///
/// # Errors
/// Those of reading the folder itself; what lies below and cannot be read is unknown.
pub(super) fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_reserved(&name) {
            continue;
        }
        if !is_full_name(&name) || !is_folder(&entry) {
            listing.note_unknown(entry.path());
            continue;
        }
        let mut segments = Vec::new();
        listing.read_camera(&entry.path(), &mut segments);
        segments.sort_by_key(|found: &Found| found.sequence);
        listing.cameras.push((name, segments));
    }
    listing.cameras.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(listing)
}

impl Listing {
    fn read_camera(&mut self, camera: &Path, segments: &mut Vec<Found>) {
        for day in self.entries(camera) {
            if utc::of_day(&day.file_name().to_string_lossy()).is_none() || !is_folder(&day) {
                self.note_unknown(day.path());
                continue;
            }
            for file in self.entries(&day.path()) {
                let is_file = file.file_type().is_ok_and(|kind| kind.is_file());
                let name = file.file_name();
                match sequence_of(&name.to_string_lossy()).filter(|_| is_file) {
                    Some(sequence) => segments.push(Found { sequence, path: file.path() }),
                    None if is_file && (name == PART || name == THIN_PART) => self.parts.push(file.path()),
                    None => self.note_unknown(file.path()),
                }
            }
        }
    }

    fn entries(&mut self, folder: &Path) -> Vec<fs::DirEntry> {
        match fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(Result::ok).collect(),
            Err(_) => {
                self.note_unknown(folder.to_owned());
                Vec::new()
            }
        }
    }

    fn note_unknown(&mut self, path: PathBuf) {
        self.unknown.1 += 1;
        if self.unknown.0.len() < MOST_NAMED {
            self.unknown.0.push(path);
        }
    }
}

fn is_folder(entry: &fs::DirEntry) -> bool {
    // Of the entry itself: a link to a folder is none.
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_segment_has_its_time_and_number() {
        let path = segment_path(Path::new("/f"), "front", 1_795_939_200_250_000, 42);
        assert_eq!(path, Path::new("/f/front/2026-11-29/080000.250-000000042.mkv"));
        assert_eq!(sequence_of("080000.250-000000042.mkv"), Some(42));
        assert_eq!(sequence_of("080000.250-1234567890123.mkv"), Some(1_234_567_890_123));
        for name in [
            "080000.250-42.mkv",
            "080000-000000042.mkv",
            "080000.250-000000042.mkv.part",
            "80000.250-000000042.mkv",
            "080000.250-00000000x.mkv",
            "080000.250-1000000000000000000.mkv",
            "080000.250-99999999999999999999.mkv",
            ".mkv",
        ] {
            assert_eq!(sequence_of(name), None, "{name}");
        }
    }

    #[test]
    fn only_segments_are_listed_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["front/2026-11-29", "front/old", "pool", "yard", "lost+found", "Not a camera"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        for path in [
            "front/2026-11-29/080000.250-000000043.mkv",
            "front/2026-11-29/090000.250-000000042.mkv",
            "front/2026-11-29/notes.txt",
            "pool/1.mkv",
            "tombstones",
            "stray",
        ] {
            fs::write(at(path), "").unwrap();
        }
        std::os::unix::fs::symlink(at("front"), at("side")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("front/2026-11-29/100000.250-000000044.mkv")).unwrap();
        let listing = list(folder.path()).unwrap();
        let names: Vec<_> = listing
            .cameras
            .iter()
            .map(|(name, found)| {
                (name.as_str(), found.iter().map(|found| found.sequence).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(names, [("front", vec![42, 43]), ("yard", vec![])]);
        // A folder that is no day, a file that is no segment, a link, two strange names, a link to a camera.
        assert_eq!(listing.unknown.1, 6, "{:?}", listing.unknown);
        let link = at("front/2026-11-29/100000.250-000000044.mkv");
        assert!(open(&link, false).is_err());
    }

    #[test]
    fn no_folder_is_made_through_a_link() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |path: &str| folder.path().join(path);
        make_above(&at("front/2026-11-29/080000.250-000000042.mkv"), folder.path()).unwrap();
        assert!(at("front/2026-11-29").is_dir() && !at("front/2026-11-29/080000.250-000000042.mkv").exists());
        std::os::unix::fs::symlink(other.path(), at("yard")).unwrap();
        std::os::unix::fs::symlink(other.path(), at("front/2026-11-30")).unwrap();
        fs::write(at("attic"), "").unwrap();
        for path in ["yard/2026-11-29/x.mkv", "front/2026-11-30/x.mkv", "attic/2026-11-29/x.mkv"] {
            let refused = make_above(&at(path), folder.path()).unwrap_err().to_string();
            assert!(
                refused.contains("has to be a folder") || refused.contains("ot a directory"),
                "{refused}"
            );
        }
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
    }
}
