//! The configuration: defender.conf, flags and overrides into checked values.
//!
//! What belongs here: finding and reading the files, checking every value, saying what is wrong in
//! a way that can be acted on, and saving overrides, the one file that is written here. What must not:
//! acting. Nothing is created, opened for use or bound by parsing; [`crate::app`] does that with the result.

mod advice;
mod locate;
mod microphones;
mod overrides;
mod paths;
mod quoted;
mod read;
pub(crate) mod sections;
mod settings;

#[cfg(test)]
pub use settings::{CAMERA, CAMERA_MOTION, CAMERA_RECORD, Setting};
pub use settings::{
    Form, Refusal, Row, SectionValues, Value, camera_values, default_camera, each_camera_section,
    with_camera_setting,
};

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;

use crate::media::RecordStore;
use crate::remote::{RemoteSettings, Token};
use crate::source::{CameraSettings, MicrophoneSettings, ribbon};
pub use advice::estimated_frame_bytes;
use locate::{MAX_FILE_BYTES, find, home, read_text, state_folder};
pub use microphones::Microphones;
pub use overrides::{LockedStore, Overridden, Override, Overrides, Store};

/// Everything the server is configured with.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it came from; `None` when there was none and all is default.
    pub file: Option<PathBuf>,
    /// The user in whose folder the file lies, where root read it with that user's rights.
    pub read_as: Option<String>,
    /// Whether the server may save overrides; set by the caller that knows its rights.
    pub can_save: bool,
    /// The overrides there are: applied, or ignored with a reason.
    pub overrides: Vec<Overridden>,
    /// `[server]`.
    pub server: ServerConfig,
    /// `[record]`.
    pub record: RecordStore,
    /// `[camera.NAME]`, in the order of the file: the first is also `/video`.
    pub cameras: Vec<CameraSettings>,
    /// `[microphone.NAME]`, in the order of the file.
    pub microphones: Vec<MicrophoneSettings>,
    /// `[remote.NAME]`, in the order of the file.
    pub remotes: Vec<RemoteSettings>,
    /// What is allowed but probably a mistake.
    pub warnings: Vec<String>,
}

/// The section `[server]`, with all paths resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// What is served.
    pub mode: Mode,
    /// Addresses to listen on, at least one; `::` alone is every address of the machine.
    pub addresses: Vec<IpAddr>,
    /// Port to listen on; 0 lets the kernel choose.
    pub port: u16,
    /// Whether TLS is spoken; without it the server starts only if all addresses are loopback.
    pub tls: bool,
    /// System user to become when started as root; `None`: the usual one, where there is one.
    pub user: Option<String>,
    /// PEM file with the certificate chain.
    pub cert: PathBuf,
    /// PEM file with its key.
    pub key: PathBuf,
    /// Names and addresses that clients use besides the machine's own, for the certificate.
    pub names: Vec<String>,
    /// The user file.
    pub users: PathBuf,
    /// Socket for commands on this machine; see [`ServerConfig::socket`].
    pub socket: Option<PathBuf>,
    /// Folder to serve in place of the built-in page.
    pub www: Option<PathBuf>,
    /// File for the log in place of standard error.
    pub log: Option<PathBuf>,
    /// The least level that is logged.
    pub log_level: LevelFilter,
    /// File for the audit lines in place of the log.
    pub audit_log: Option<PathBuf>,
    /// A session ends when it was not used for this long.
    pub session_idle: Duration,
    /// A session ends at this age.
    pub session_max: Duration,
    /// Origins of other sites whose pages may read the answers.
    pub cors_origins: Vec<String>,
    /// For `Strict-Transport-Security`, in seconds; 0: the field is not sent.
    pub hsts_s: u32,
    /// Most memory for large buffers, in MiB; 0: a quarter of the machine's, at most 64.
    pub memory_mb: u32,
    /// Connections at a time.
    pub max_connections: u32,
    /// Connections at a time from one address.
    pub max_connections_per_address: u32,
}

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Streams, API and page.
    Both,
    /// Streams and API, without the page.
    Client,
    /// The page and API, with no devices of its own.
    Server,
}

/// What the command line sets over the file. Paths are relative to the working folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flags {
    /// `-c`: the configuration file.
    pub config: Option<PathBuf>,
    /// `-w`: folder of the page.
    pub web_root: Option<PathBuf>,
    /// `-l`: log file.
    pub log: Option<PathBuf>,
    /// `-a`: addresses to listen on.
    pub addresses: Option<Vec<IpAddr>>,
    /// `-p`: port to listen on.
    pub port: Option<u16>,
    /// `-s`: certificate.
    pub cert: Option<PathBuf>,
    /// `-k`: key.
    pub key: Option<PathBuf>,
    /// `-u`: user file.
    pub users: Option<PathBuf>,
    /// `-m`: mode.
    pub mode: Option<Mode>,
    /// `-d`: log level debug.
    pub debug: bool,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The file is too large to be one.
    TooLarge(PathBuf),
    /// The file is not UTF-8 text.
    NotText(PathBuf),
    /// Everything that is wrong in it, each with file, line and column.
    Problems(Vec<String>),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => {
                write!(f, "{}: cannot read the configuration: {error}", path.display())
            }
            Self::TooLarge(path) => {
                write!(
                    f,
                    "{}: larger than {MAX_FILE_BYTES} bytes, the limit for a configuration",
                    path.display()
                )
            }
            Self::NotText(path) => write!(f, "{}: not UTF-8 text; save the file as UTF-8", path.display()),
            Self::Problems(problems) => f.write_str(&problems.join("\n")),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            Self::TooLarge(_) | Self::NotText(_) | Self::Problems(_) => None,
        }
    }
}

impl ServerConfig {
    /// Whether no other machine can reach it.
    pub fn is_loopback_only(&self) -> bool {
        self.addresses.iter().all(|address| address.to_canonical().is_loopback())
    }

    /// The socket for commands on this machine: the one configured, else one beside the user file,
    /// which lies in a folder that the server's user may write to.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.users.with_file_name("defender.sock"))
    }

    /// The folder of the journal, beside the user file.
    pub fn events(&self) -> PathBuf {
        self.users.with_file_name("events")
    }
}

impl Mode {
    /// The modes by the names used in the file and on the command line.
    pub const NAMES: [(&'static str, Mode); 3] =
        [("both", Self::Both), ("client", Self::Client), ("server", Self::Server)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }

    /// The mode of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, mode)| mode)
    }
}

impl Config {
    /// The file that [`Config::load`] would read; `None` where there is none and defaults hold.
    pub fn locate(flags: &Flags) -> Option<PathBuf> {
        find(flags)
    }

    /// Finds and reads the file, and lays the flags over it.
    ///
    /// # Errors
    /// See [`ConfigError`]; for a file with mistakes, all of them.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let mut config = match find(flags) {
            Some(file) => {
                let (_, mut config) = Self::read(&file)?;
                config.warnings.extend(config.open_secrets(&file));
                Self { file: Some(file), ..config }
            }
            None => Self::defaults(&state_folder()),
        };
        config.apply(flags);
        Ok(config)
    }

    /// The text of a file, and what it says by itself.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(file: &Path) -> Result<(String, Self), ConfigError> {
        let text = read_text(file)?;
        let config = Self::of_text(&text, file)?;
        Ok((text, config))
    }

    /// What `file` would say with this text.
    ///
    /// # Errors
    /// All the mistakes in it.
    pub fn of_text(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let folder = file.parent().unwrap_or(Path::new(""));
        sections::parse(text, file, folder, home().as_deref()).map_err(ConfigError::Problems)
    }

    /// Whether a camera is recorded.
    pub fn records(&self) -> bool {
        let own = self.cameras.iter().map(|camera| &camera.record);
        own.chain(self.remotes.iter().map(|remote| &remote.record)).any(|record| record.is_on)
    }

    /// The files with tokens of remotes and logins of cameras, which are read whenever one is asked for.
    pub fn secret_files(&self) -> impl Iterator<Item = &Path> {
        self.token_files().chain(self.cameras.iter().filter_map(|camera| camera.login_file.as_deref()))
    }

    fn token_files(&self) -> impl Iterator<Item = &Path> {
        self.remotes.iter().filter_map(|remote| match &remote.token {
            Token::Given(_) => None,
            Token::File(path) => Some(path.as_path()),
        })
    }

    /// A file of the folder in which the units of ribbon-cable cameras find what they are asked for. Whatever is
    /// configured, because that may change while the server runs.
    pub fn ribbon_request() -> PathBuf {
        ribbon::request_file()
    }

    /// Warnings about files that hold tokens and that every user of the machine may read.
    fn open_secrets(&self, file: &Path) -> Vec<String> {
        let itself = self.remotes.iter().any(|remote| matches!(remote.token, Token::Given(_)));
        let holders: BTreeSet<&Path> = self.token_files().chain(itself.then_some(file)).collect();
        let mode = |file: &Path| std::fs::metadata(file).map_or(0, |found| found.permissions().mode());
        let open = holders.into_iter().filter(|file| mode(file) & 0o004 != 0);
        open.map(|file| {
            format!("{file}: every user may read the token in it; `chmod o-r {file}`", file = file.display())
        })
        .collect()
    }

    /// The configuration without a file: one camera and one microphone, detected automatically.
    fn defaults(folder: &Path) -> Self {
        let text = "[camera.front]\n[microphone.front]\n";
        sections::parse(text, Path::new("defaults"), folder, None)
            .expect("the defaults are within their own limits")
    }

    fn apply(&mut self, flags: &Flags) {
        let server = &mut self.server;
        let over = |path: &mut PathBuf, flag: &Option<PathBuf>| {
            if let Some(flag) = flag {
                path.clone_from(flag);
            }
        };
        let over_list = |addresses: &mut Vec<IpAddr>, flag: &Option<Vec<IpAddr>>| {
            if let Some(flag) = flag {
                addresses.clone_from(flag);
            }
        };
        over(&mut server.cert, &flags.cert);
        over(&mut server.key, &flags.key);
        over(&mut server.users, &flags.users);
        server.www = flags.web_root.clone().or(server.www.take());
        server.log = flags.log.clone().or(server.log.take());
        over_list(&mut server.addresses, &flags.addresses);
        server.port = flags.port.unwrap_or(server.port);
        let mode = flags.mode.unwrap_or(server.mode);
        server.mode = mode;
        self.raise_log_level(flags);
        let has_devices = !(self.cameras.is_empty() && self.microphones.is_empty());
        if mode == Mode::Server && has_devices {
            self.warnings.push("mode is `server`, so cameras and microphones are not used".to_owned());
            self.cameras.clear();
            self.microphones.clear();
        }
    }

    /// `-d` logs at least `debug`, whatever the files say.
    pub(crate) fn raise_log_level(&mut self, flags: &Flags) {
        if flags.debug {
            self.server.log_level = self.server.log_level.max(LevelFilter::Debug);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder_with(text: &str) -> (tempfile::TempDir, Flags) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("defender.conf");
        fs::write(&file, text).unwrap();
        (folder, Flags { config: Some(file), ..Flags::default() })
    }

    #[test]
    fn the_shipped_example_lists_the_defaults() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("defender.conf");
        let flags = Flags { config: Some(shipped.clone()), ..Flags::default() };
        let loaded = Config::load(&flags).unwrap_or_else(|error| panic!("{error}"));
        let defaults = Config { file: loaded.file.clone(), ..Config::defaults(shipped.parent().unwrap()) };
        assert_eq!(loaded, defaults);
    }

    #[test]
    fn paths_of_the_file_start_at_its_folder_those_of_flags_do_not() {
        let (folder, flags) = folder_with("[server]\ncert = \"tls/c.pem\"\nusers = \"/srv/users\"\n");
        let config = Config::load(&Flags { key: Some("k.pem".into()), ..flags }).unwrap();
        assert_eq!(config.server.cert, folder.path().join("tls/c.pem"));
        assert_eq!(config.server.users, Path::new("/srv/users"));
        assert_eq!(config.server.key, Path::new("k.pem"));
    }

    #[test]
    fn flags_win_over_the_file() {
        let (_folder, flags) = folder_with("[server]\nport = 1\naddress = \"::1\"\nlog_level = \"warn\"\n");
        let flags = Flags { port: Some(2), mode: Some(Mode::Client), debug: true, ..flags };
        let server = Config::load(&flags).unwrap().server;
        assert_eq!((server.port, server.mode, server.log_level), (2, Mode::Client, LevelFilter::Debug));
        assert_eq!(server.addresses, ["::1".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn a_server_without_devices_uses_no_cameras_and_warns() {
        let (_folder, flags) = folder_with("[server]\nmode = \"server\"\n[camera.front]\n");
        let config = Config::load(&flags).unwrap();
        assert!(config.cameras.is_empty());
        assert!(
            config.warnings.iter().any(|warning| warning.contains("cameras and microphones are not used")),
            "{:?}",
            config.warnings
        );
    }
}
