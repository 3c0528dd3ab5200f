//! Dropping privileges: what of a configuration is done as root, what is checked as the server's user, and
//! what the process may open once it runs.
//!
//! The order: bind the port, make missing folders, become the user, forbid the rest; then open the log, make
//! certificate and users; then Landlock; then threads. Nothing in a folder of the server's user is opened as
//! root, because a link there would be followed with root's rights. A configuration in the folder of another
//! user (`Config::read_as`) has root act as that user or as `defender`, and as nobody else.

use std::io;
use std::path::{Path, PathBuf};

use log::{info, warn};
use rustix::fs::{Access as Rights, access};

use super::error::AppError;
use super::places;
use crate::base::disk::folder_of;
use crate::config::{Config, ConfigError, Flags, ServerConfig, Store};
use crate::confine::{self, AllowedPaths, Choice, ConfineError, Purpose, RequiredAccess, SystemUser};
use crate::media::RecordStore;

/// Which user the server would run as.
#[derive(Debug, Default)]
pub struct RunsAs {
    /// The user's name; `None` for the user who starts the server.
    pub user: Option<String>,
    /// What is probably a mistake.
    pub warning: Option<String>,
}

/// Finds and reads the configuration. As root, a configuration in another user's folder is read with that
/// user's permissions: a link in that folder must not expose files that only root may read, and errors quote
/// the text that they are about.
///
/// # Errors
/// Those of the configuration, as [`Config::load`]; [`AppError::Places`]; [`AppError::Confine`] if root does not read in that folder.
pub fn load_config(flags: &Flags) -> Result<Config, AppError> {
    let config = load(flags)?;
    places::check(&config)?;
    Ok(config)
}

fn load(flags: &Flags) -> Result<Config, AppError> {
    let Some(file) = Config::locate(flags) else { return Config::load(flags).map_err(AppError::Config) };
    let flags = Flags { config: Some(file.clone()), ..flags.clone() };
    let (loaded, user) = confine::as_owner(&file, || Config::load(&flags)).map_err(AppError::Confine)?;
    match loaded {
        Ok(config) => Ok(Config { read_as: user, ..config }),
        Err(error) => Err(AppError::Config(match (error, user) {
            (ConfigError::Read(path, error), Some(user)) => {
                ConfigError::Read(path, noting_user(&error, &user))
            }
            (error, _) => error,
        })),
    }
}

/// As root: becomes the owner of the folder that a file lies in, before anything there is opened; see
/// [`confine::become_owner`]. Returns the name of the new user. `named_by` is the owner of the folder of the
/// configuration that names the file.
///
/// # Errors
/// [`AppError::Confine`].
pub fn become_owner(
    file: &Path,
    purpose: Purpose,
    named_by: Option<&str>,
) -> Result<Option<String>, AppError> {
    confine::become_owner(file, purpose, named_by).map_err(AppError::Confine)
}

/// As root: becomes the owner of the folder that the server's key lies in. If that is root, the
/// certificate's folder must belong to root as well.
///
/// # Errors
/// [`AppError::Confine`].
pub fn become_owner_of_pair(config: &Config) -> Result<(), AppError> {
    let ServerConfig { cert, key, .. } = &config.server;
    become_owner(key, Purpose::Write, config.read_as.as_deref())?;
    confine::check_roots_own(cert, Purpose::Write).map_err(AppError::Confine)
}

/// As root: becomes, for good, the user that the server would run as, so that checks see what the server
/// would see. If that is root, or unknown, the paths of the configuration must belong to root. Returns which
/// user the server would run as, or why it would not start; and, second, why no file may be checked.
pub fn become_server_user(config: &Config) -> (Result<RunsAs, AppError>, Result<(), AppError>) {
    let chosen = choose_for(config).and_then(|Choice { user, warning }| {
        let name = user.as_ref().map(|user| user.name.clone());
        if let Some(user) = user.filter(|_| rustix::process::geteuid().is_root()) {
            confine::become_user(&user)
                .and_then(|()| confine::drop_privileges())
                .map_err(AppError::Confine)?;
        }
        Ok(RunsAs { user: name, warning })
    });
    (chosen, check_paths(config).map_err(AppError::Confine))
}

fn noting_user(error: &io::Error, user: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{error} (it was opened as `{user}`, the owner of its folder)"))
}

/// Whether the server can save settings that are changed while it runs: they go beside the user file. Before
/// it has become its user, what that user may do is judged by the modes of files.
///
/// # Errors
/// A user who is named and unknown, or a system whose users cannot be read.
pub fn can_save(config: &Config) -> Result<bool, AppError> {
    let user = choose(&config.server)?.user;
    Ok(confine::may_write(folder_of(&config.server.users), user.as_ref()))
}

/// Creates the folders of the server's files and becomes the user that the configuration names; returns
/// warnings for the log. Call it after the port is bound, and before anything is created or opened in those
/// folders: their owner could plant a link, and root would follow it.
///
/// # Errors
/// If the user is unknown, the process cannot become it, or it could not use the existing files; if the
/// process stays root and another user can change what its paths lead to.
pub(super) fn drop_root(config: &Config) -> Result<Vec<String>, AppError> {
    let server = &config.server;
    let Choice { user, warning } = choose_for(config)?;
    let folders =
        [&server.users, &server.cert, &server.key].map(|file| file.parent().unwrap_or(Path::new("")));
    let mut warnings: Vec<String> = warning.into_iter().collect();
    if let Some(user) = &user {
        for folder in folders {
            confine::make_first_folder(folder, user).map_err(AppError::Confine)?;
        }
        if let Some(folder) = own_folder(&config.record) {
            // What fails here fails below, and is reported there.
            let _ = confine::make_first_folder(folder, user);
        }
        confine::become_user(user).map_err(AppError::Confine)?;
    } else {
        check_paths(config).map_err(AppError::Confine)?;
    }
    for folder in folders {
        confine::make_folders(folder).map_err(AppError::Confine)?;
    }
    let made = own_folder(&config.record).map_or(Ok(()), confine::make_folders);
    // No reason not to start. It is made in any case, because recording may be turned on while the server runs.
    warnings.extend(made.err().filter(|_| config.records()).map(|why| format!("nothing is recorded: {why}")));
    if let Some(user) = &user {
        check_files(server, user).map_err(AppError::Confine)?;
        warnings.extend(later_problems(config, user));
    }
    confine::drop_privileges().map_err(AppError::Confine)?;
    Ok(warnings)
}

/// Restricts the process to the files that it needs. Call it after everything that a first start creates,
/// and before the first thread.
pub(super) fn restrict_files(config: &Config) {
    let server = &config.server;
    let mut allowed = AllowedPaths::default();
    if let Some(file) = &config.file {
        allowed.read(file);
    }
    for file in config.secret_files() {
        allowed.read(file);
    }
    if server.tls {
        allowed.read(&server.cert);
        allowed.read(&server.key);
    }
    if let Some(www) = &server.www {
        allowed.read_folder(www);
    }
    allowed.write(&server.users);
    allowed.write(&server.socket());
    allowed.write(&Config::ribbon_request());
    for log in [&server.log, &server.audit_log].into_iter().flatten() {
        allowed.write(log);
    }
    allowed.keep_folder(&config.record.dir);
    if config.record.is_mount {
        // A disk that is mounted later, or once more, is another folder than the one that the rule above is for.
        match folder_of(&config.record.dir) {
            root if root.parent().is_none() => warn!(
                "{}: a disk that is mounted here later needs a restart, because the folder above is that of the whole \
                 system; use a folder below /mnt or /media",
                config.record.dir.display()
            ),
            folder => allowed.keep_folder(folder),
        }
    }
    match confine::restrict(&allowed) {
        Ok(restriction) => info!("{restriction}"),
        Err(error) => warn!("not confined by Landlock: {error}"),
    }
}

/// Checks that a process which stays root may work with every path of a configuration.
fn check_paths(config: &Config) -> Result<(), ConfineError> {
    let server = &config.server;
    let socket = server.socket();
    let logs = [&server.log, &server.audit_log].into_iter().flatten();
    let pair = [&server.cert, &server.key].into_iter().filter(|_| server.tls);
    let written = [&server.users, &socket, &config.record.dir].into_iter().chain(logs).chain(pair);
    let read = config.file.iter().chain(&server.www).map(PathBuf::as_path).chain(config.secret_files());
    let written = written.map(|file| (file.as_path(), Purpose::Write));
    let read = read.map(|file| (file, Purpose::Read));
    written.chain(read).try_for_each(|(file, purpose)| {
        match confine::check_roots_own(file, purpose) {
            // A missing file is reported where it is needed.
            Err(ConfineError::Walk(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            checked => checked,
        }
    })
}

fn choose(server: &ServerConfig) -> Result<Choice, AppError> {
    confine::choose(server.user.as_deref()).map_err(AppError::Confine)
}

/// Chooses the user to become, and checks that the configuration may name it.
fn choose_for(config: &Config) -> Result<Choice, AppError> {
    let choice = choose(&config.server)?;
    if let (Some(user), Some(file)) = (&choice.user, &config.file) {
        confine::check_named_by(file, config.read_as.as_deref(), &user.name).map_err(AppError::Confine)?;
    }
    Ok(choice)
}

/// The folder of recordings, if Defender makes it: a mount point is not its to make.
fn own_folder(record: &RecordStore) -> Option<&Path> {
    Some(record.dir.as_path()).filter(|_| !record.is_mount)
}

fn check_files(server: &ServerConfig, user: &SystemUser) -> Result<(), confine::ConfineError> {
    confine::check_access(&server.users, RequiredAccess::Read, user)?;
    let store = Store::beside(&server.users);
    for file in [store.file(), store.former()].into_iter().filter(|file| file.exists()) {
        confine::check_access(file, RequiredAccess::Read, user)?;
    }
    if server.tls {
        confine::check_access(&server.cert, RequiredAccess::Read, user)?;
        confine::check_access(&server.key, RequiredAccess::Read, user)?;
    }
    for log in [&server.log, &server.audit_log].into_iter().flatten() {
        confine::check_access(log, RequiredAccess::Append, user)?;
    }
    Ok(())
}

/// Missing permissions that do not keep the server from starting, but break something later.
fn later_problems(config: &Config, user: &SystemUser) -> Vec<String> {
    let name = &user.name;
    let mut warnings = Vec::new();
    let users = &config.server.users;
    let folder = folder_of(users);
    if access(folder, Rights::WRITE_OK).is_err() {
        warnings.push(format!(
            "{}: the user `{name}` may not write here, so users cannot be changed over the API",
            folder.display()
        ));
    }
    if let Some(file) = &config.file {
        if access(file, Rights::READ_OK).is_err() {
            warnings.push(format!(
                "{}: the user `{name}` may not read it, so SIGHUP will change nothing",
                file.display()
            ));
        }
        if access(file, Rights::WRITE_OK).is_ok() {
            warnings.push(format!(
                "{}: the user `{name}` may change it, and so what Defender does as root on its next start; \
                 `chown root {0}`",
                file.display()
            ));
        }
    }
    warnings
}
