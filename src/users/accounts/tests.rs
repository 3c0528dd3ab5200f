use std::fs;
use std::path::PathBuf;

use super::super::queue::SHARE;
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
        let _stopped = accounts.queue.stop();
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

#[test]
fn one_hash_serves_all_who_come_at_once_with_the_same_password() {
    let (_folder, _path, accounts) = eve_and_adam();
    let stopped = accounts.queue.stop();
    let rounds: u32 = std::thread::scope(|scope| {
        let sign_in = || rounds_spent::during(|| accounts.authenticate("eve", "password", HERE).unwrap()).1;
        let waiting: Vec<_> = (0..SHARE).map(|_| scope.spawn(sign_in)).collect();
        while accounts.queue.waiting() < SHARE {
            std::thread::yield_now();
        }
        drop(stopped);
        waiting.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(rounds, 1000);
}

#[test]
fn a_flood_from_one_address_is_sent_away_and_another_address_still_served() {
    let (_folder, _path, accounts) = eve_and_adam();
    let stopped = accounts.queue.stop();
    std::thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..SHARE).map(|_| scope.spawn(|| denied(&accounts, "eve", "password"))).collect();
        while accounts.queue.waiting() < SHARE {
            std::thread::yield_now();
        }
        // Would wait forever if they waited at all.
        assert_eq!(denied(&accounts, "eve", "password"), Some(Denied::Busy));
        assert_eq!(denied(&accounts, "nobody", "password"), Some(Denied::Busy));
        let other = scope.spawn(|| accounts.authenticate("adam", "password", THERE).err());
        while accounts.queue.waiting() <= SHARE {
            std::thread::yield_now();
        }
        drop(stopped);
        assert_eq!(other.join().unwrap(), None);
        assert!(waiting.into_iter().all(|one| one.join().unwrap().is_none()));
    });
}

#[test]
fn failures_lead_to_a_wait_that_a_remembered_sign_in_and_a_session_do_not_feel() {
    let (_folder, _path, accounts) = eve_and_adam();
    let (_, eve) = session(&accounts, "eve");
    while !matches!(denied(&accounts, "adam", "wrong"), Some(Denied::Throttled(_))) {}
    let (right, rounds) = rounds_spent::during(|| denied(&accounts, "adam", "password"));
    assert!(matches!(right, Some(Denied::Throttled(_))), "a right password, too, has to wait");
    assert_eq!(rounds, 0);
    assert!(accounts.authenticate("adam", "password", THERE).is_ok(), "another address");
    assert_eq!(denied(&accounts, "eve", "password"), None, "she signed in from here before");
    assert!(accounts.holds(&eve));
}

#[test]
fn guesses_never_meet_what_is_remembered_of_another_address() {
    let (_folder, _path, accounts) = eve_and_adam();
    accounts.authenticate("eve", "password", THERE).unwrap();
    while !matches!(denied(&accounts, "adam", "wrong"), Some(Denied::Throttled(_))) {}
    assert!(matches!(denied(&accounts, "eve", "password"), Some(Denied::Throttled(_))));
}

#[test]
fn a_file_that_goes_takes_everybody_with_it_and_one_that_comes_brings_them() {
    let (_folder, path, accounts) = eve_and_adam();
    let (secret, _) = session(&accounts, "eve");
    fs::rename(&path, path.with_extension("away")).unwrap();
    assert_eq!(denied(&accounts, "eve", "password"), Some(Denied::UnknownUser));
    assert!(accounts.is_empty() && accounts.by_secret(&secret).is_err());
    fs::rename(path.with_extension("away"), &path).unwrap();
    assert_eq!(denied(&accounts, "eve", "password"), None);
}

#[test]
fn any_change_of_a_user_ends_the_sessions_and_what_holds_by_them() {
    type Edit = fn(&Path);
    let edits: [(&str, Edit); 4] = [
        ("password", |path| change(path, "adam", &password("four odd blue kites")).unwrap()),
        ("role", |path| change(path, "adam", &role(Role::Admin)).unwrap()),
        ("removal", |path| remove(path, "adam").unwrap()),
        ("by hand", |path| {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, text.replace("adam:", "#adam:")).unwrap();
        }),
    ];
    for (what, edit) in edits {
        let (_folder, path, accounts) = eve_and_adam();
        let by_password = accounts.authenticate("adam", "password", HERE).unwrap();
        let (secret, by_session) = session(&accounts, "adam");
        let (_, other) = session(&accounts, "eve");
        assert!(accounts.holds(&by_password) && accounts.holds(&by_session), "{what}");
        edit(&path);
        assert!(!accounts.holds(&by_password) && !accounts.holds(&by_session), "{what}");
        assert!(accounts.by_secret(&secret).is_err(), "{what}");
        assert!(accounts.holds(&other), "{what}: another user's session");
        assert_eq!(accounts.sessions(&other).len(), 1, "{what}");
    }
}

#[test]
fn a_session_is_seen_and_ended_by_its_user_and_by_an_admin() {
    let (_folder, _path, accounts) = eve_and_adam();
    let (eves, eve) = session(&accounts, "eve");
    let (adams, adam) = session(&accounts, "adam");
    assert_eq!((accounts.sessions(&eve).len(), accounts.sessions(&adam).len()), (2, 1));
    let (eve_id, adam_id) = (eve.session_id().unwrap(), adam.session_id().unwrap());
    assert_eq!(accounts.end_session_by_id(&eve_id, &adam), None);
    assert!(accounts.by_secret(&eves).is_ok());
    assert_eq!(accounts.end_session_by_id(&adam_id, &eve).as_deref(), Some("adam"));
    assert!(accounts.by_secret(&adams).is_err());
    assert!(accounts.end_session(&eve) && accounts.by_secret(&eves).is_err());
}

#[test]
fn a_session_check_needs_no_hash() {
    let (_folder, _path, accounts) = eve_and_adam();
    let (secret, _) = session(&accounts, "eve");
    let (known, rounds) = rounds_spent::during(|| accounts.by_secret(&secret));
    assert!(known.is_ok() && rounds == 0);
    for forged in ["", "dfs_", &secret[1..], "dfs_AAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(accounts.by_secret(forged).err(), Some(Denied::Ended), "{forged}");
    }
}

#[test]
fn a_token_is_as_good_as_its_users_password_and_no_better() {
    let (_folder, path, accounts) = eve_and_adam();
    let token = add_token(&path, "ha", "eve", &[], &[]).unwrap();
    let (signed_in, rounds) = rounds_spent::during(|| accounts.authenticate("eve", &token, HERE));
    let signed_in = signed_in.unwrap();
    assert_eq!((signed_in.role, rounds), (Role::Admin, 0));
    assert!(accounts.begin_session(&signed_in, HERE).unwrap().is_none(), "no session outlives it");
    assert_eq!(denied(&accounts, "adam", &token), Some(Denied::WrongPassword), "another's name");
    let held = accounts.by_secret(&token).unwrap();
    assert!(accounts.holds(&held));
    remove_token(&path, "ha").unwrap();
    assert!(!accounts.holds(&held) && accounts.by_secret(&token).is_err());
}

#[test]
fn a_confined_token_of_an_admin_is_a_viewers() {
    let (_folder, path, accounts) = eve_and_adam();
    let token = add_token(&path, "ha", "eve", &["front".to_owned()], &[]).unwrap();
    let held = accounts.by_secret(&token).unwrap();
    assert_eq!(held.role, Role::Viewer);
    assert!(held.scope.sees("front") && !held.scope.sees("yard") && !held.scope.hears("front"));
}

#[test]
fn a_token_never_opens_more_than_its_user_may_see() {
    let (_folder, path, accounts) = eve_and_adam();
    let both = ["front".to_owned(), "yard".to_owned()];
    let token = add_token(&path, "ha", "adam", &both, &[]).unwrap();
    let front = Change { cameras: Some(vec!["front".to_owned()]), ..Change::default() };
    change(&path, "adam", &front).unwrap();
    let held = accounts.by_secret(&token).unwrap();
    assert!(held.scope.sees("front") && !held.scope.sees("yard"));
}
