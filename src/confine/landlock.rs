//! Landlock: which files the process may open from now on, whatever its user may open. The kernel enforces
//! it for every thread and every program started later, until the process ends.
//!
//! Rules are for folders, so that a user file, certificate or log that is replaced stays accessible. Other files
//! of these folders are accessible as well. A folder that is itself replaced is not accessible until a restart.
//! The rules use Landlock's ABI 5 and signals (ABI 6); rights that newer kernels could remove stay.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use crate::base::disk::folder_of;

/// What the server reads beside its own files: state of drivers, what libasound needs for a card or a
/// sound server, what resolves the address of another Defender or a network camera, and the authorities that certify
/// servers. Of /etc only single files and folders, because it holds secrets.
const SYSTEM: [&str; 32] = [
    "/proc",
    "/sys",
    "/etc/alsa",
    "/etc/asound.conf",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/libcamera",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pipewire",
    "/etc/pulse",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/alsa",
    "/usr/share/libcamera",
    "/usr/share/pipewire",
    "/usr/share/zoneinfo",
    "/var/lib/alsa",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/run/udev/data",
    "/var/lib/dbus/machine-id",
];

/// The same in the home folder of the user who runs the server.
const HOME: [&str; 5] = [".asoundrc", ".config/alsa", ".config/pipewire", ".config/pulse", ".pulse-cookie"];

/// The access rights that the rules cover: all of ABI 5 (Linux 6.10). Rights that a rule set does not
/// cover stay, so that a newer kernel does not change what works.
const KNOWN: ABI = ABI::V5;

/// Reading files and listing folders.
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// Replacing a file by a new one beside it, appending to one, rotating one.
const REPLACE: BitFlags<AccessFs> =
    make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile});

/// Keeping a tree of files: making and removing folders, and moving files from one folder to another. A kernel
/// before Linux 5.19 allows no such move to a confined process; it fails with EXDEV.
const KEEP: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile | MakeDir | RemoveDir | Refer
});

/// Using devices.
const USE_DEVICE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | IoctlDev});

/// Creating sockets: libasound shares a card between programs (dsnoop) over one in /tmp.
const USE_SOCKET: BitFlags<AccessFs> = make_bitflags!(AccessFs::{MakeSock | RemoveFile});

/// The server's own files, which it may open.
#[derive(Debug, Default)]
pub struct AllowedPaths {
    readable: Vec<PathBuf>,
    writable: Vec<PathBuf>,
    kept: Vec<PathBuf>,
}

/// How much the kernel enforces.
#[derive(Debug, PartialEq, Eq)]
pub enum Restriction {
    /// All rules that this ABI version of Landlock knows.
    Enforced(i32),
    /// Nothing, with the reason.
    Absent(&'static str),
}

impl fmt::Display for Restriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced(version) => write!(f, "confined by Landlock ABI {version}"),
            Self::Absent(why) => f.write_str(why),
        }
    }
}

impl AllowedPaths {
    /// Adds a file that is read, and read again when it or the target of its link is replaced. The rule
    /// is for its folder.
    pub fn read(&mut self, file: &Path) {
        self.readable.extend(folders(file));
    }

    /// Adds a folder that is read, with everything below it.
    pub fn read_folder(&mut self, folder: &Path) {
        self.readable.push(folder.to_owned());
    }

    /// Adds a file that is written, replaced, and rotated, and with it the other files of its folder.
    pub fn write(&mut self, file: &Path) {
        self.writable.extend(folders(file));
    }

    /// Adds a folder in which files and folders are made, moved and removed.
    pub fn keep_folder(&mut self, folder: &Path) {
        self.kept.push(folder.to_owned());
    }
}

/// Restricts the process to the paths in `allowed`, to devices, and to what these need of the system; it
/// can start no program. Best effort: the result says how much the kernel enforces.
///
/// # Errors
/// If the kernel has Landlock and refuses the rules.
pub fn restrict(allowed: &AllowedPaths) -> Result<Restriction, RulesetError> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let at_home = home.iter().flat_map(|home| HOME.map(|name| home.join(name)));
    let enforced = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::Signal)?
        .create()?
        // Missing paths get no rule.
        .add_rules(path_beneath_rules(SYSTEM, READ))?
        .add_rules(path_beneath_rules(at_home, READ))?
        .add_rules(path_beneath_rules(&allowed.readable, READ))?
        .add_rules(path_beneath_rules(&allowed.writable, REPLACE))?
        .add_rules(path_beneath_rules(&allowed.kept, KEEP))?
        .add_rules(path_beneath_rules(["/dev"], USE_DEVICE))?
        .add_rules(path_beneath_rules(["/tmp"], USE_SOCKET))?
        .restrict_self()?;
    Ok(match enforced.landlock {
        LandlockStatus::NotImplemented => {
            Restriction::Absent("this kernel has no Landlock, or a seccomp filter hides it")
        }
        LandlockStatus::NotEnabled => Restriction::Absent(
            "Landlock is switched off in this kernel; the boot parameter lsm=landlock switches it on",
        ),
        LandlockStatus::Available { .. } if enforced.ruleset == RulesetStatus::NotEnforced => {
            Restriction::Absent("this kernel's Landlock enforces none of the rules")
        }
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            Restriction::Enforced(kernel_abi.unwrap_or(effective_abi as i32))
        }
    })
}

/// The folder that a file lies in, and the folder of its target if it is a link.
fn folders(file: &Path) -> Vec<PathBuf> {
    let target = file.canonicalize().ok().map(|target| folder_of(&target).to_owned());
    std::iter::once(folder_of(file).to_owned()).chain(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::process::Command;

    #[test]
    fn a_confined_process_can_start_no_program() {
        // The rules hold for this thread and what it starts, and not for the other tests.
        let started = std::thread::spawn(|| match restrict(&AllowedPaths::default()).unwrap() {
            Restriction::Enforced(_) => Some(Command::new("/bin/sh").arg("-c").arg(":").status()),
            Restriction::Absent(why) => {
                eprintln!("skipped: {why}");
                None
            }
        });
        if let Some(started) = started.join().unwrap() {
            assert_eq!(started.map_err(|error| error.kind()).unwrap_err(), ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn a_confined_process_keeps_a_tree_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let [kept, other] = ["kept", "other"].map(|name| folder.path().join(name));
        for made in [&kept, &other] {
            std::fs::create_dir(made).unwrap();
        }
        let done = std::thread::spawn(move || {
            let mut allowed = AllowedPaths::default();
            allowed.keep_folder(&kept);
            let Restriction::Enforced(version) = restrict(&allowed).unwrap() else { return };
            let (pool, day) = (kept.join("pool"), kept.join("front/2026-11-28"));
            for made in [&pool, &day] {
                std::fs::create_dir_all(made).unwrap();
            }
            std::fs::write(pool.join("file"), "some bytes").unwrap();
            let moved = std::fs::rename(pool.join("file"), day.join("file")).map_err(|error| error.kind());
            assert_eq!(moved, if version >= 2 { Ok(()) } else { Err(ErrorKind::CrossesDevices) });
            if moved.is_ok() {
                let file = std::fs::OpenOptions::new().write(true).open(day.join("file")).unwrap();
                file.set_len(1).unwrap();
                assert_eq!(std::fs::read(day.join("file")).unwrap().len(), 1);
            }
            std::fs::remove_dir_all(&kept).unwrap_err();
            assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 0, "its own name stays: it lies above");
            let refused = std::fs::create_dir(other.join("x")).map_err(|error| error.kind());
            assert_eq!(refused, Err(ErrorKind::PermissionDenied));
        });
        done.join().unwrap();
    }
}
