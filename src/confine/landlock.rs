//! Landlock: which files the process may open from now on, whatever its user may. The kernel holds
//! to it, for every thread and every program started later, until the process ends.
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

use super::files::folder_of;

/// What the server opens beside its own files, to read: drivers' state, what libasound reads for a
/// card or a sound server, and what finds the address of another Defender. Single files of /etc, for the whole has secrets in it.
const SYSTEM: [&str; 31] = [
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

/// The same in the home folder of who runs the server.
const HOME: [&str; 5] = [".asoundrc", ".config/alsa", ".config/pipewire", ".config/pulse", ".pulse-cookie"];

/// What the rules speak of: everything kernels knew by Linux 6.10 (ABI 5). A right that a rule set
/// does not speak of is not taken away, so that a newer kernel does not change what works.
const KNOWN: ABI = ABI::V5;

/// Reading files and listing folders.
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// Replacing a file by a new one beside it, adding to one, putting one aside.
const KEEP: BitFlags<AccessFs> =
    make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile});

/// Driving devices.
const DRIVE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | IoctlDev});

/// libasound shares a card between programs (dsnoop) over a socket in /tmp.
const MEET: BitFlags<AccessFs> = make_bitflags!(AccessFs::{MakeSock | RemoveFile});

/// The server's own files.
#[derive(Debug, Default)]
pub struct Reach {
    readable: Vec<PathBuf>,
    writable: Vec<PathBuf>,
}

/// How far the kernel went along.
#[derive(Debug, PartialEq, Eq)]
pub enum Restriction {
    /// Held to, by this version of Landlock.
    Enforced(i32),
    /// The kernel has none, or it is switched off.
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

impl Reach {
    /// Adds a file that is read, and read again when it, or what it links to, is replaced: rules are
    /// for its folder.
    pub fn read(&mut self, file: &Path) {
        self.readable.extend(folders(file));
    }

    /// Adds a folder that is read with all below it.
    pub fn read_folder(&mut self, folder: &Path) {
        self.readable.push(folder.to_owned());
    }

    /// Adds a file that is written, replaced, and put aside; other files of its folder with it.
    pub fn write(&mut self, file: &Path) {
        self.writable.extend(folders(file));
    }
}

/// From now on the process opens what is in `reach`, devices, and what they need of the system; it
/// starts no program. As far as the kernel knows how: the answer says.
///
/// # Errors
/// When the kernel has Landlock and refuses the rules.
pub fn restrict(reach: &Reach) -> Result<Restriction, RulesetError> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let at_home = home.iter().flat_map(|home| HOME.map(|name| home.join(name)));
    let enforced = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::Signal)?
        .create()?
        // What is not there gets no rule.
        .add_rules(path_beneath_rules(SYSTEM, READ))?
        .add_rules(path_beneath_rules(at_home, READ))?
        .add_rules(path_beneath_rules(&reach.readable, READ))?
        .add_rules(path_beneath_rules(&reach.writable, KEEP))?
        .add_rules(path_beneath_rules(["/dev"], DRIVE))?
        .add_rules(path_beneath_rules(["/tmp"], MEET))?
        .restrict_self()?;
    Ok(match enforced.landlock {
        LandlockStatus::NotImplemented => {
            Restriction::Absent("this kernel has no Landlock, or a filter of system calls hides it")
        }
        LandlockStatus::NotEnabled => {
            Restriction::Absent("this kernel has Landlock switched off; lsm=landlock at boot switches it on")
        }
        LandlockStatus::Available { .. } if enforced.ruleset == RulesetStatus::NotEnforced => {
            Restriction::Absent("this kernel's Landlock enforces nothing of what is asked")
        }
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            Restriction::Enforced(kernel_abi.unwrap_or(effective_abi as i32))
        }
    })
}

/// The folder a file lies in, and the one its link, if it is one, leads to.
fn folders(file: &Path) -> Vec<PathBuf> {
    let target = file.canonicalize().ok().map(|target| folder_of(&target));
    std::iter::once(folder_of(file)).chain(target).collect()
}
