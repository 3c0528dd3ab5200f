//! The file system that a folder lies on: whether one is mounted there, its kind, its space.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The space of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Of all there is.
    pub total: u64,
    /// That a user who is not root can still take.
    pub free: u64,
}

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, as mount(8) has it.
    pub name: &'static str,
    /// Why footage is not safe there, or cannot be written as fast as the disk; `None` where neither is known.
    pub risk: Option<&'static str>,
}

const NO_JOURNAL: Option<&str> =
    Some("it has no journal, so that a power cut can damage more than the last file; use ext4 or f2fs");
const NETWORK: Option<&str> =
    Some("it is another machine's, and each write waits for the network; use a disk of this one");
const MEMORY: Option<&str> =
    Some("it lies in memory, and everything on it is gone after a restart; use a disk");

/// The kinds by the magic numbers of statfs(2).
const KINDS: [(u32, Kind); 17] = [
    (0xef53, Kind { name: "ext4", risk: None }),
    (0xf2f5_2010, Kind { name: "f2fs", risk: None }),
    (0x9123_683e, Kind { name: "btrfs", risk: None }),
    (0x5846_5342, Kind { name: "xfs", risk: None }),
    (0x2fc1_2fc1, Kind { name: "zfs", risk: None }),
    (0x2405_1905, Kind { name: "ubifs", risk: None }),
    (0x4d44, Kind { name: "vfat", risk: NO_JOURNAL }),
    (0x2011_bab0, Kind { name: "exfat", risk: NO_JOURNAL }),
    (0x7366_746e, Kind { name: "ntfs3", risk: NO_JOURNAL }),
    (
        0x6573_5546,
        Kind { name: "fuse", risk: Some("a program in between makes writes slow; use ext4 or f2fs") },
    ),
    (0x6969, Kind { name: "nfs", risk: NETWORK }),
    (0xff53_4d42, Kind { name: "cifs", risk: NETWORK }),
    (0xfe53_4d42, Kind { name: "smb3", risk: NETWORK }),
    (0x0102_1997, Kind { name: "9p", risk: NETWORK }),
    (0x0102_1994, Kind { name: "tmpfs", risk: MEMORY }),
    (0x8584_58f6, Kind { name: "ramfs", risk: MEMORY }),
    (
        0x794c_7630,
        Kind {
            name: "overlay",
            risk: Some("what is written over a read-only root lies in memory in most cases; use a disk"),
        },
    ),
];

/// Whether something is mounted on a folder. A folder that is bound to another place of its own file system
/// (`mount --bind`) does not count.
///
/// # Errors
/// When the folder or the one above it cannot be looked at.
pub fn is_mount_point(folder: &Path) -> io::Result<bool> {
    let (own, above) = (fs::metadata(folder)?, fs::metadata(folder.join(".."))?);
    // The root of everything is its own parent.
    Ok(own.dev() != above.dev() || own.ino() == above.ino())
}

/// Checks that a folder is a mount point, because it must be one.
///
/// # Errors
/// That nothing is mounted there, or why the folder cannot be looked at.
pub fn check_mounted(folder: &Path) -> io::Result<()> {
    if is_mount_point(folder)? {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::NotFound, "nothing is mounted there"))
    }
}

/// The space of the file system that a folder lies on.
///
/// # Errors
/// When the folder cannot be looked at.
pub fn space(folder: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space { total: bytes(found.f_blocks), free: bytes(found.f_bavail) })
}

/// The kind of the file system that a folder lies on; `None` for one that is not known here.
///
/// # Errors
/// When the folder cannot be looked at.
pub fn kind(folder: &Path) -> io::Result<Option<Kind>> {
    // A word of another size on each machine; the numbers have 32 bits.
    let magic = rustix::fs::statfs(folder)?.f_type as u32;
    Ok(KINDS.iter().find(|(known, _)| *known == magic).map(|(_, kind)| *kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_told_from_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_mount_point(folder.path()).unwrap());
        let refused = check_mounted(folder.path()).unwrap_err();
        assert_eq!(refused.to_string(), "nothing is mounted there");
        for mounted in ["/", "/proc"] {
            assert!(is_mount_point(Path::new(mounted)).unwrap(), "{mounted}");
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        assert!(check_mounted(&link).is_ok(), "a link to a mount point");
        assert!(check_mounted(&folder.path().join("gone")).is_err());
    }

    #[test]
    fn space_and_kind_are_those_of_the_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let found = space(folder.path()).unwrap();
        assert!(found.total > 0 && found.free <= found.total, "{found:?}");
        assert_eq!(kind(Path::new("/proc")).unwrap(), None);
        let Ok(Some(shared)) = kind(Path::new("/dev/shm")) else { return };
        assert_eq!((shared.name, shared.risk), ("tmpfs", MEMORY));
    }
}
