//! Checks that no file or folder of the server has two purposes, and that none lies where the page would show it.
//!
//! Paths are compared as they are named, with the links of their folders followed. Nothing is opened.

use std::fs;
use std::path::{Path, PathBuf};

use super::certificate;
use super::error::AppError;
use crate::base::disk::folder_of;
use crate::config::{Config, Store};
use crate::users;

/// A file or folder and what it is for.
struct Place {
    purpose: &'static str,
    path: PathBuf,
    /// Whether users of the page may not have it.
    is_private: bool,
}

/// Checks the paths of a configuration, and those that follow from them.
///
/// # Errors
/// [`AppError::Places`] with the two purposes of a path.
pub(super) fn check(config: &Config) -> Result<(), AppError> {
    let places = places(config);
    for (number, one) in places.iter().enumerate() {
        for other in &places[..number] {
            // A file may hold both a certificate and its key, but none is made so.
            let is_pair = one.purpose == "key" && other.purpose == "cert" && one.path.exists();
            if one.path == other.path && !is_pair && !one.path.starts_with("/dev") {
                let (path, one, other) = (one.path.display(), one.purpose, other.purpose);
                let why = format!("{path}: this is {other} and {one}; each needs a path of its own");
                return Err(AppError::Places(why));
            }
        }
    }
    let Some(root) = config.server.www.as_ref().and_then(|www| fs::canonicalize(www).ok()) else {
        return Ok(());
    };
    let secrets = config.secret_files().map(|file| Place::new("a file with a login or token", file, true));
    match places.into_iter().chain(secrets).find(|place| place.is_private && place.path.starts_with(&root)) {
        None => Ok(()),
        Some(Place { purpose, path, .. }) => Err(AppError::Places(format!(
            "www = \"{}\" holds {} ({purpose}), which every user could fetch; give the page a folder of its own",
            root.display(),
            path.display()
        ))),
    }
}

impl Place {
    fn new(purpose: &'static str, path: &Path, is_private: bool) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = fs::canonicalize(folder_of(&path));
        let path = match (folder, path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path,
        };
        Self { purpose, path, is_private }
    }
}

/// All but those that several settings may name.
fn places(config: &Config) -> Vec<Place> {
    let server = &config.server;
    let mut places = vec![
        Place::new("users", &server.users, true),
        Place::new("the file of overrides", Store::beside(&server.users).file(), true),
        Place::new("the folder of events", &server.events(), true),
        Place::new("dir in [record]", &config.record.dir, true),
        Place::new("socket", &server.socket(), false),
    ];
    let beside = [
        ("the file of sessions", users::sessions_file(&server.users)),
        ("the file of the server's id", users::server_id_file(&server.users)),
    ];
    for (purpose, path) in beside {
        // A user file of that name is another case.
        if path != server.users {
            places.push(Place::new(purpose, &path, true));
        }
    }
    if server.tls {
        let files = certificate::files(server);
        let (authority, authority_key) = files.authority();
        places.extend([
            Place::new("cert", &server.cert, false),
            Place::new("key", &server.key, true),
            Place::new("the certificate of the server's CA", authority, false),
            Place::new("the key of the server's CA", authority_key, true),
        ]);
    }
    let logs = [("log", &server.log), ("audit_log", &server.audit_log)];
    let logs =
        logs.into_iter().filter_map(|(purpose, path)| Some(Place::new(purpose, path.as_deref()?, true)));
    places.extend(logs);
    places.extend(config.file.iter().map(|file| Place::new("the configuration", file, true)));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    fn checked(keys: &str, files: &[&str]) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("www")).unwrap();
        for file in files {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let file = folder.path().join("defender.conf");
        fs::write(&file, format!("[server]\nusers = \"users\"\n{keys}\n")).unwrap();
        let flags = Flags { config: Some(file), ..Flags::default() };
        let config = Config::load(&flags).map_err(|error| error.to_string())?;
        check(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn no_path_has_two_purposes() {
        for (keys, purposes) in [
            ("cert = \"one.pem\"\nkey = \"one.pem\"", "cert and key"),
            ("cert = \"defender-ca.pem\"\nkey = \"key.pem\"", "cert and the certificate of the server's CA"),
            ("cert = \"a.pem\"\nkey = \"defender-ca-key.pem\"", "key and the key of the server's CA"),
            ("log = \"users\"", "users and log"),
            ("log = \"overrides.conf\"", "the file of overrides and log"),
            ("audit_log = \"sessions\"", "the file of sessions and audit_log"),
            ("log = \"x.log\"\naudit_log = \"./x.log\"", "log and audit_log"),
            ("log = \"www/../defender.conf\"", "log and the configuration"),
        ] {
            let error = checked(keys, &[]).unwrap_err();
            assert!(error.contains(&format!("this is {purposes};")), "{keys}: {error}");
        }
        assert_eq!(checked("cert = \"one.pem\"\nkey = \"one.pem\"", &["one.pem"]), Ok(()));
    }

    #[test]
    fn the_page_holds_nothing_of_the_servers_own() {
        for keys in
            ["www = \".\"", "www = \"www\"\nlog = \"www/log\"", "www = \"www\"\nkey = \"www/key.pem\""]
        {
            let error = checked(keys, &[]).unwrap_err();
            assert!(error.contains("every user could fetch"), "{keys}: {error}");
        }
        assert_eq!(checked("www = \"www\"\nlog = \"log\"", &[]), Ok(()));
    }
}
