//! `defender settings`: which settings of defender.conf are overridden, and taking overrides back. A server
//! that runs on this board does it; where none runs, it is done in the overrides file.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::board::{self, BoardCommand, BoardError};
use crate::app::{self, AppError};
use crate::base::text::printable;
use crate::config::{Config, ConfigError, Flags, Store};
use crate::confine::Purpose;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum SettingsCommand {
    /// List the overrides.
    List,
    /// Take back the one of this name, or all.
    Reset(Option<String>),
}

/// Why it was not done.
#[derive(Debug)]
pub enum SettingsError {
    /// The server did not do it.
    Server(BoardError),
    /// The folder of the file may not be worked in.
    Folder(AppError),
    /// The file cannot be read.
    Read(ConfigError),
    /// The file cannot be written.
    Write(PathBuf, io::Error),
    /// There is no override of this name.
    Unknown(String),
    /// There is no server to give an answer as JSON.
    NoServer(PathBuf),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(error) => error.fmt(f),
            Self::Folder(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Write(file, error) => write!(f, "{}: it cannot be written: {error}", file.display()),
            Self::Unknown(name) => {
                write!(f, "{name} is not overridden; `defender settings list` shows what is")
            }
            Self::NoServer(socket) => {
                write!(f, "{}: no server runs there, and --json prints a server's answer", socket.display())
            }
        }
    }
}

impl Error for SettingsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Write(_, error) => Some(error),
            Self::Server(_) | Self::Folder(_) | Self::Unknown(_) | Self::NoServer(_) => None,
        }
    }
}

/// Does what is asked for; gives what to print, JSON as the server sent it if `as_json`.
///
/// # Errors
/// See [`SettingsError`].
pub fn run(command: &SettingsCommand, config: Config, as_json: bool) -> Result<String, SettingsError> {
    let socket = config.server.socket();
    let asked = match command {
        SettingsCommand::List => BoardCommand::Settings,
        SettingsCommand::Reset(name) => BoardCommand::Reset(name.clone()),
    };
    match board::run(&asked, &socket, as_json) {
        Err(BoardError::NotRunning(socket)) if as_json => Err(SettingsError::NoServer(socket)),
        Err(BoardError::NotRunning(_)) => on_file(command, config),
        answered => answered.map_err(SettingsError::Server),
    }
}

/// The same without a server.
fn on_file(command: &SettingsCommand, mut config: Config) -> Result<String, SettingsError> {
    let store = Store::beside(&config.server.users);
    app::become_owner(store.file(), Purpose::Write, config.read_as.as_deref())
        .map_err(SettingsError::Folder)?;
    if let SettingsCommand::Reset(name) = command {
        reset(&store, name.as_deref())?;
    }
    let overrides = store.read().map_err(SettingsError::Read)?;
    config.apply_overrides(&store, &Flags::default());
    let warnings = overrides.damages(&store).into_iter().map(|damage| format!("warning: {damage}"));
    let lines = config.overrides.iter().map(ToString::to_string);
    let mut text: String = warnings.chain(lines).map(|line| printable(&line).into_owned() + "\n").collect();
    if config.overrides.is_empty() {
        text.push_str("nothing is overridden: defender.conf is in force\n");
    }
    Ok(text)
}

/// Removes the override of this name, or all, while nobody else edits the file.
fn reset(store: &Store, name: Option<&str>) -> Result<(), SettingsError> {
    let failed = |error| SettingsError::Write(store.file().to_owned(), error);
    let locked = store.lock().map_err(failed)?;
    let mut overrides = locked.read().map_err(SettingsError::Read)?;
    let all: Vec<String> = overrides.iter().map(|found| found.name.clone()).collect();
    for name in name.map_or(all, |name| vec![name.to_owned()]) {
        if !overrides.remove(&name) {
            return Err(SettingsError::Unknown(name));
        }
    }
    locked.write(&overrides).map_err(failed)
}
