//! Giving up rights: what of a configuration is done as root, what is checked as the user the
//! server becomes, and what it may open once it runs.

use std::io;
use std::path::{Path, PathBuf};

use log::{info, warn};
use rustix::fs::{Access as Rights, access};

use super::AppError;
use crate::config::{Config, ConfigError, Flags, ServerConfig, Store};
use crate::confine::{self, Access, Account, Choice, ConfineError, Purpose, Reach};

/// Who the server would run as, and what is probably not meant.
#[derive(Debug, Default)]
pub struct RunsAs {
    /// The user's name; `None` for the user who starts it.
    pub user: Option<String>,
    /// What is probably not meant.
    pub warning: Option<String>,
}

/// Finds and reads the configuration. Root reads one that lies in another user's folder with that user's
/// rights: a link there must not lead to what only root may read, for errors quote what they are about.
///
/// # Errors
/// Those of the configuration, as [`Config::load`]; [`AppError::Confine`] where root does not read at that place.
pub fn load_config(flags: &Flags) -> Result<Config, AppError> {
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

/// For root: becomes the owner of the folder that a file lies in, before anything there is opened; see
/// [`confine::become_owner`]. Gives the name of the user it became. `named_by` is the user in whose folder the
/// configuration lies that names the file.
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

/// For root: becomes the owner of the folder that the server's key lies in. Where that is root, the
/// certificate's folder must be root's own, too.
///
/// # Errors
/// [`AppError::Confine`].
pub fn become_owner_of_pair(config: &Config) -> Result<(), AppError> {
    let ServerConfig { cert, key, .. } = &config.server;
    become_owner(key, Purpose::Write, config.read_as.as_deref())?;
    confine::check_roots_own(cert, Purpose::Write).map_err(AppError::Confine)
}

/// For root: becomes, for good, the user the server would run as, so that what is looked at is what the
/// server would find. Where that is root, or unknown, the places of the configuration must be root's own.
/// Gives who the server would run as, or what would keep it from starting; the second is why nothing may be
/// looked at.
pub fn become_server_user(config: &Config) -> (Result<RunsAs, AppError>, Result<(), AppError>) {
    let chosen = choose_for(config).and_then(|Choice { account, warning }| {
        let user = account.as_ref().map(|account| account.name.clone());
        if let Some(account) = account.filter(|_| rustix::process::geteuid().is_root()) {
            confine::become_account(&account).and_then(|()| confine::forbid()).map_err(AppError::Confine)?;
        }
        Ok(RunsAs { user, warning })
    });
    (chosen, check_places(config).map_err(AppError::Confine))
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
    let account = choose(&config.server)?.account;
    Ok(confine::may_write(&confine::folder_of(&config.server.users), account.as_ref()))
}

/// Makes the folders of the server's files and becomes the user the configuration names; gives
/// what to warn of once there is a log. To be called with the port bound, and before anything is
/// made or opened in those folders: who owns them could put a link in a file's place, and root
/// would follow it.
///
/// # Errors
/// When the user is unknown, cannot be become, or could not work with the files there are; when it stays
/// root and another user can change what its paths lead to.
pub(super) fn drop_root(config: &Config) -> Result<Vec<String>, AppError> {
    let server = &config.server;
    let Choice { account, warning } = choose_for(config)?;
    let folders =
        [&server.users, &server.cert, &server.key].map(|file| file.parent().unwrap_or(Path::new("")));
    let mut warnings: Vec<String> = warning.into_iter().collect();
    if let Some(account) = &account {
        for folder in folders {
            confine::make_first_folder(folder, account).map_err(AppError::Confine)?;
        }
        confine::become_account(account).map_err(AppError::Confine)?;
    } else {
        check_places(config).map_err(AppError::Confine)?;
    }
    for folder in folders {
        confine::make_folders(folder).map_err(AppError::Confine)?;
    }
    if let Some(account) = &account {
        check_files(server, account).map_err(AppError::Confine)?;
        warnings.extend(inconveniences(config, account));
    }
    confine::forbid().map_err(AppError::Confine)?;
    Ok(warnings)
}

/// Confines the process to the files it works with. To be called when all it makes on a first start
/// is made, and before the first thread.
pub(super) fn lock_in(config: &Config) {
    let server = &config.server;
    let mut reach = Reach::default();
    if let Some(file) = &config.file {
        reach.read(file);
    }
    for file in config.token_files() {
        reach.read(file);
    }
    if server.tls {
        reach.read(&server.cert);
        reach.read(&server.key);
    }
    if let Some(www) = &server.www {
        reach.read_folder(www);
    }
    reach.write(&server.users);
    reach.write(&server.socket());
    for log in [&server.log, &server.audit_log].into_iter().flatten() {
        reach.write(log);
    }
    match confine::restrict(&reach) {
        Ok(restriction) => info!("{restriction}"),
        Err(error) => warn!("not confined by Landlock: {error}"),
    }
}

/// Whether a process that is root, and stays it, may work with every place of a configuration.
fn check_places(config: &Config) -> Result<(), ConfineError> {
    let server = &config.server;
    let socket = server.socket();
    let logs = [&server.log, &server.audit_log].into_iter().flatten();
    let pair = [&server.cert, &server.key].into_iter().filter(|_| server.tls);
    let written = [&server.users, &socket].into_iter().chain(logs).chain(pair);
    let read = config.file.iter().chain(&server.www).map(PathBuf::as_path).chain(config.token_files());
    let written = written.map(|file| (file.as_path(), Purpose::Write));
    let read = read.map(|file| (file, Purpose::Read));
    written.chain(read).try_for_each(|(file, purpose)| {
        match confine::check_roots_own(file, purpose) {
            // What is missing is told where it is needed.
            Err(ConfineError::Walk(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            checked => checked,
        }
    })
}

fn choose(server: &ServerConfig) -> Result<Choice, AppError> {
    confine::choose(server.user.as_deref()).map_err(AppError::Confine)
}

/// Whom to become, where the configuration may say so.
fn choose_for(config: &Config) -> Result<Choice, AppError> {
    let choice = choose(&config.server)?;
    if let (Some(account), Some(file)) = (&choice.account, &config.file) {
        confine::check_named_by(file, config.read_as.as_deref(), &account.name).map_err(AppError::Confine)?;
    }
    Ok(choice)
}

fn check_files(server: &ServerConfig, account: &Account) -> Result<(), confine::ConfineError> {
    confine::check_access(&server.users, Access::Read, account)?;
    let store = Store::beside(&server.users);
    for file in [store.file(), store.former()].into_iter().filter(|file| file.exists()) {
        confine::check_access(file, Access::Read, account)?;
    }
    if server.tls {
        confine::check_access(&server.cert, Access::Read, account)?;
        confine::check_access(&server.key, Access::Read, account)?;
    }
    for log in [&server.log, &server.audit_log].into_iter().flatten() {
        confine::check_access(log, Access::Append, account)?;
    }
    Ok(())
}

/// What works for now and will be missed later.
fn inconveniences(config: &Config, account: &Account) -> Vec<String> {
    let user = &account.name;
    let mut told = Vec::new();
    let users = &config.server.users;
    let folder = users.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if access(folder, Rights::WRITE_OK).is_err() {
        told.push(format!(
            "{}: the user `{user}` may not write here, so users cannot be changed over the API",
            folder.display()
        ));
    }
    if let Some(file) = &config.file {
        if access(file, Rights::READ_OK).is_err() {
            told.push(format!(
                "{}: the user `{user}` may not read it, so SIGHUP will change nothing",
                file.display()
            ));
        }
        if access(file, Rights::WRITE_OK).is_ok() {
            told.push(format!(
                "{}: the user `{user}` may change it, and so what Defender does as root on its next start; \
                 `chown root {0}`",
                file.display()
            ));
        }
    }
    told
}
