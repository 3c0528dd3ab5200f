//! Passwords and what becomes of them; sessions, tokens and floods have files of their own.

mod guesses;
mod sessions;
mod tokens;

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::users::password::rounds_spent;
use crate::users::{add_token, change, remove, remove_token};

/// Hashes of few rounds, for the tests that need many sign-ins: "password" under "saltsalt".
const CHEAP: &str = "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQ$\
                     Q6v4xwJ8a9nWPp2BeEoAYYhHSo2xRmPWART17vTpSxt2q6iNp7BOozW557qqa95eNjUO4gKs0CyvJbYGGku1tA";

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn accounts(text: &str) -> (tempfile::TempDir, PathBuf, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, text).unwrap();
    let accounts = Accounts::open(&path, SessionLimits::default());
    (folder, path, accounts)
}

/// Eve, an admin, and adam, a viewer.
fn eve_and_adam() -> (tempfile::TempDir, PathBuf, Accounts) {
    accounts(&format!("eve:admin:{CHEAP}\nadam:viewer:{CHEAP}\n"))
}

fn denied(accounts: &Accounts, name: &str, password: &str) -> Option<Denied> {
    accounts.authenticate(name, password, HERE).err()
}

fn session(accounts: &Accounts, name: &str) -> (Zeroizing<String>, Identity) {
    let identity = accounts.authenticate(name, "password", HERE).unwrap();
    let secret = accounts.begin_session(&identity, HERE).unwrap().unwrap();
    let identity = accounts.by_secret(&secret).unwrap();
    (secret, identity)
}

fn role(role: Role) -> Change {
    Change { role: Some(role), ..Change::default() }
}

fn password(password: &str) -> Change {
    Change { password: Some(Zeroizing::new(password.to_owned())), ..Change::default() }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Identity").field(&self.name).field(&self.role).finish()
    }
}

#[test]
fn each_refusal_says_why_to_the_log() {
    let (_folder, _path, accounts) = accounts(&format!("eve:admin:{CHEAP}\nmallory:king:{CHEAP}\n"));
    let eve = accounts.authenticate("eve", "password", HERE).unwrap();
    assert_eq!((eve.name.as_str(), eve.role), ("eve", Role::Admin));
    assert_eq!(denied(&accounts, "eve", "Password"), Some(Denied::WrongPassword));
    assert_eq!(denied(&accounts, "adam", "password"), Some(Denied::UnknownUser));
    assert_eq!(denied(&accounts, "", "password"), Some(Denied::UnknownUser));
    assert_eq!(denied(&accounts, "mallory", "password"), Some(Denied::MalformedRecord));
}

#[test]
fn a_wrong_password_is_not_remembered_as_right() {
    let (_folder, _path, accounts) = eve_and_adam();
    for _ in 0..2 {
        assert_eq!(denied(&accounts, "eve", "Password"), Some(Denied::WrongPassword));
    }
    assert_eq!(denied(&accounts, "eve", "password"), None);
    assert_eq!(denied(&accounts, "eve", "Password"), Some(Denied::WrongPassword));
}

#[test]
fn every_refusal_costs_the_same_whatever_the_record() {
    let dear = PasswordHash::of_nobody().to_string().replace("i=210000", "i=250000");
    let usual = PasswordHash::of_nobody();
    let lines = format!("cheap:viewer:{CHEAP}\nusual:viewer:{usual}\ndear:viewer:{dear}\nbad:king:{usual}\n");
    let (_folder, _path, accounts) = accounts(&lines);
    for name in ["cheap", "usual", "dear", "bad", "nobody"] {
        let (refused, rounds) = rounds_spent::during(|| denied(&accounts, name, "wrong"));
        assert!(refused.is_some());
        assert_eq!(rounds, 250_000, "{name}");
    }
}

#[test]
fn a_repeated_sign_in_needs_no_hash_until_the_record_changes() {
    let (_folder, path, accounts) = eve_and_adam();
    assert_eq!(denied(&accounts, "eve", "password"), None);
    {
        let _stopped = accounts.checks.queue.stop();
        // Would wait forever if it needed the hash.
        assert_eq!(denied(&accounts, "eve", "password"), None);
    }
    change(&path, "eve", &password("four odd blue kites")).unwrap();
    assert_eq!(denied(&accounts, "eve", "password"), Some(Denied::WrongPassword));
    assert_eq!(denied(&accounts, "eve", "four odd blue kites"), None);
}

#[test]
fn a_remembered_sign_in_has_the_role_of_the_file() {
    let (_folder, path, accounts) = eve_and_adam();
    change(&path, "adam", &role(Role::Admin)).unwrap();
    assert_eq!(accounts.authenticate("eve", "password", HERE).unwrap().role, Role::Admin);
    change(&path, "eve", &role(Role::Viewer)).unwrap();
    let (signed_in, rounds) = rounds_spent::during(|| accounts.authenticate("eve", "password", HERE));
    assert_eq!((signed_in.unwrap().role, rounds), (Role::Viewer, 0));
}
