use std::fs;

use super::*;
use crate::users::password::rounds_spent;
use crate::users::{add, change};

/// Hashes of few rounds, for the tests that need many sign-ins: "password" under "saltsalt".
const CHEAP: &str = "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQ$\
                     Q6v4xwJ8a9nWPp2BeEoAYYhHSo2xRmPWART17vTpSxt2q6iNp7BOozW557qqa95eNjUO4gKs0CyvJbYGGku1tA";

fn accounts(text: &str) -> (tempfile::TempDir, PathBuf, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, text).unwrap();
    let accounts = Accounts::open(&path);
    (folder, path, accounts)
}

#[test]
fn each_refusal_says_why_to_the_log() {
    let (_folder, _path, accounts) = accounts(&format!("eve:admin:{CHEAP}\nmallory:king:{CHEAP}\n"));
    let eve = Identity { name: "eve".to_owned(), role: Role::Admin };
    assert_eq!(accounts.authenticate("eve", "password"), Ok(eve));
    assert_eq!(accounts.authenticate("eve", "Password"), Err(Denied::WrongPassword));
    assert_eq!(accounts.authenticate("adam", "password"), Err(Denied::UnknownUser));
    assert_eq!(accounts.authenticate("mallory", "password"), Err(Denied::MalformedRecord));
    assert_eq!(accounts.count(), 1);
}

#[test]
fn a_wrong_password_is_not_remembered_as_right() {
    let (_folder, _path, accounts) = accounts(&format!("eve:admin:{CHEAP}\n"));
    for _ in 0..2 {
        assert_eq!(accounts.authenticate("eve", "Password"), Err(Denied::WrongPassword));
    }
    assert!(accounts.authenticate("eve", "password").is_ok());
    assert_eq!(accounts.authenticate("eve", "Password"), Err(Denied::WrongPassword));
}

#[test]
fn every_refusal_costs_the_same_whatever_the_record() {
    let dear = PasswordHash::of_nobody().to_string().replace("i=210000", "i=250000");
    let usual = PasswordHash::of_nobody();
    let lines = format!("cheap:viewer:{CHEAP}\nusual:viewer:{usual}\ndear:viewer:{dear}\nbad:king:{usual}\n");
    let (_folder, _path, accounts) = accounts(&lines);
    for name in ["cheap", "usual", "dear", "bad", "nobody"] {
        let (refused, rounds) = rounds_spent::during(|| accounts.authenticate(name, "wrong"));
        assert!(refused.is_err());
        assert_eq!(rounds, 250_000, "{name}");
    }
}

#[test]
fn a_repeated_sign_in_needs_no_hash_until_the_record_changes() {
    let (_folder, path, accounts) = accounts("");
    add(&path, "eve", None, "secret").unwrap();
    accounts.authenticate("eve", "secret").unwrap();
    {
        let _hashing = accounts.hashing.lock().unwrap();
        // Would wait forever if it needed the hash.
        assert!(accounts.authenticate("eve", "secret").is_ok());
    }
    change(&path, "eve", None, Some("other")).unwrap();
    assert_eq!(accounts.authenticate("eve", "secret"), Err(Denied::WrongPassword));
    assert!(accounts.authenticate("eve", "other").is_ok());
}

#[test]
fn a_remembered_sign_in_has_the_role_of_the_file() {
    let (_folder, path, accounts) = accounts(&format!("eve:admin:{CHEAP}\nadam:admin:{CHEAP}\n"));
    assert_eq!(accounts.authenticate("eve", "password").unwrap().role, Role::Admin);
    change(&path, "eve", Some(Role::Viewer), None).unwrap();
    let (signed_in, rounds) = rounds_spent::during(|| accounts.authenticate("eve", "password"));
    assert_eq!((signed_in.unwrap().role, rounds), (Role::Viewer, 0));
}

#[test]
fn one_hash_serves_all_who_come_at_once_with_the_same_password() {
    let (_folder, _path, accounts) = accounts(&format!("eve:admin:{CHEAP}\n"));
    let hashing = accounts.hashing.lock().unwrap();
    let rounds: u32 = std::thread::scope(|scope| {
        let sign_in = || rounds_spent::during(|| accounts.authenticate("eve", "password").unwrap()).1;
        let waiting: Vec<_> = (0..WAITING).map(|_| scope.spawn(sign_in)).collect();
        while accounts.waiting.load(Ordering::Relaxed) < WAITING {
            std::thread::yield_now();
        }
        drop(hashing);
        waiting.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(rounds, 1000);
}

#[test]
fn whoever_finds_the_queue_full_is_sent_away_at_once() {
    let (_folder, _path, accounts) = accounts(&format!("eve:admin:{CHEAP}\n"));
    let hashing = accounts.hashing.lock().unwrap();
    std::thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..=WAITING).map(|_| scope.spawn(|| accounts.authenticate("eve", "password"))).collect();
        while accounts.waiting.load(Ordering::Relaxed) <= WAITING {
            std::thread::yield_now();
        }
        // Would wait forever if it waited at all.
        assert_eq!(accounts.authenticate("eve", "password"), Err(Denied::Busy));
        assert_eq!(accounts.authenticate("nobody", "password"), Err(Denied::Busy));
        drop(hashing);
        assert!(waiting.into_iter().all(|one| one.join().unwrap().is_ok()));
    });
    assert!(accounts.authenticate("eve", "password").is_ok(), "the queue is empty again");
}

#[test]
fn a_file_that_goes_takes_everybody_with_it_and_one_that_comes_brings_them() {
    let (_folder, path, accounts) = accounts(&format!("eve:admin:{CHEAP}\n"));
    assert!(accounts.authenticate("eve", "password").is_ok());
    fs::rename(&path, path.with_extension("away")).unwrap();
    assert_eq!(accounts.authenticate("eve", "password"), Err(Denied::UnknownUser));
    assert!(accounts.is_empty());
    fs::rename(path.with_extension("away"), &path).unwrap();
    assert!(accounts.authenticate("eve", "password").is_ok());
}

#[test]
fn a_change_that_keeps_size_and_modification_time_is_noticed() {
    let (_folder, path, accounts) = accounts(&format!("eve:admin:{CHEAP}\n"));
    assert_eq!(accounts.count(), 1);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    // The kernel's clock for files stands still for some milliseconds.
    std::thread::sleep(std::time::Duration::from_millis(50));
    fs::write(&path, format!("#ve:admin:{CHEAP}\n")).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(accounts.count(), 0);
}

#[test]
fn a_file_that_cannot_be_read_lets_nobody_in_and_is_tried_again() {
    let (_folder, path, accounts) = accounts(&format!("eve:admin:{CHEAP}\n"));
    assert_eq!(accounts.count(), 1);
    // A folder in the file's place: not even root can read it.
    fs::rename(&path, path.with_extension("away")).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(accounts.count(), 0);
    assert!(lock(&accounts.seen).outcome == Some(Outcome::Failed(io::ErrorKind::Other)));
    // What failed is not taken for what is there, even where the stamp stays the same.
    assert!(accounts.seen_at(Stamp::of(&path)).is_none());
    fs::remove_dir(&path).unwrap();
    fs::rename(path.with_extension("away"), &path).unwrap();
    assert_eq!(accounts.count(), 1);
}

#[test]
fn the_log_hears_of_each_state_of_the_file_once() {
    let (_folder, path, accounts) = accounts(&format!("eve:admin:{CHEAP}\nbad\n"));
    let is_news = || accounts.look().1.is_some();
    assert_eq!([is_news(), is_news()], [true, false], "a malformed line");
    fs::remove_file(&path).unwrap();
    assert_eq!([is_news(), is_news()], [true, false], "no file");
    fs::create_dir(&path).unwrap();
    assert_eq!([is_news(), is_news()], [true, false], "no readable file");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, format!("eve:admin:{CHEAP}\n")).unwrap();
    assert_eq!([is_news(), is_news()], [true, false], "a good file");
}
