//! Giving up rights: what of a configuration is done as root, what is checked as the user the
//! server becomes, and what it may open once it runs.

use std::fs;
use std::path::{Path, PathBuf};

use log::{info, warn};
use rustix::fs::{Access as Rights, access};

use super::AppError;
use crate::config::{Config, KEPT_FILE, Keep, ServerConfig};
use crate::confine::{self, Access, Account, Choice, Reach};

/// Who the server would run as: a user's name, or `None` for whoever starts it; and what is probably
/// not meant.
///
/// # Errors
/// A user who is named and unknown, or a system whose users cannot be read.
pub fn runs_as(server: &ServerConfig) -> Result<(Option<String>, Option<String>), AppError> {
    let Choice { account, warning } = choose(server)?;
    Ok((account.map(|account| account.name), warning))
}

/// Where the server would keep what is changed while it runs. Before it has become its user, what that
/// user may do is judged by the modes of files.
///
/// # Errors
/// As [`runs_as`].
pub fn place_to_keep(config: &Config) -> Result<Keep, AppError> {
    let account = choose(&config.server)?.account;
    let may_write = |path: &Path| confine::may_write(path, account.as_ref());
    let state = confine::folder_of(&config.server.users);
    if let Some(file) = config.file.as_deref().and_then(|file| fs::canonicalize(file).ok()) {
        // A file is replaced whole, so its folder counts, too.
        let is_ours = file.is_file() && may_write(&file) && may_write(&confine::folder_of(&file));
        let is_reached = !is_shared(&file) || same_folder(&file, &config.server.users);
        if is_ours && is_reached {
            return Ok(Keep::InFile);
        }
    }
    let kept = config.server.users.with_file_name(KEPT_FILE);
    Ok(if may_write(&state) { Keep::Overlay(kept) } else { Keep::Nowhere })
}

/// Makes the folders of the server's files and becomes the user the configuration names; gives
/// what to warn of once there is a log. To be called with the port bound, and before anything is
/// made or opened in those folders: who owns them could put a link in a file's place, and root
/// would follow it.
///
/// # Errors
/// When the user is unknown, cannot be become, or could not work with the files there are.
pub(super) fn drop_root(config: &Config) -> Result<Vec<String>, AppError> {
    let server = &config.server;
    let Choice { account, warning } = choose(server)?;
    for file in [&server.users, &server.cert, &server.key] {
        let folder = file.parent().unwrap_or(Path::new(""));
        confine::make_folders(folder, account.as_ref()).map_err(AppError::Confine)?;
    }
    let mut warnings: Vec<String> = warning.into_iter().collect();
    if let Some(account) = &account {
        confine::become_account(account).map_err(AppError::Confine)?;
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
        match config.keep {
            Keep::InFile => reach.write(file),
            Keep::Overlay(_) | Keep::Nowhere => reach.read(file),
        }
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

/// Whether other things of the system, or of a person, lie beside it: a rule is for a whole folder.
fn is_shared(file: &Path) -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let Ok(file) = fs::canonicalize(file) else { return true };
    let Some(folder) = file.parent() else { return true };
    [Path::new("/"), Path::new("/etc")].contains(&folder) || home.is_some_and(|home| home == folder)
}

/// Whether both lie in one folder, by whatever names.
fn same_folder(one: &Path, other: &Path) -> bool {
    let folder = |file| fs::canonicalize(confine::folder_of(file)).ok();
    folder(one).is_some_and(|one| Some(one) == folder(other))
}

fn choose(server: &ServerConfig) -> Result<Choice, AppError> {
    confine::choose(server.user.as_deref()).map_err(AppError::Confine)
}

fn check_files(server: &ServerConfig, account: &Account) -> Result<(), confine::ConfineError> {
    confine::check_access(&server.users, Access::Read, account)?;
    let kept = server.users.with_file_name(KEPT_FILE);
    if kept.exists() {
        confine::check_access(&kept, Access::Read, account)?;
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
