//! Many sign-ins at once: what they share, who waits, and what a flood of guesses does.

use std::time::Duration;

use super::*;
use crate::base::patience::wait_until;
use crate::users::queue::{Queue, SLOTS};
use crate::users::remembered::Remembered;

/// An address that no request came from before.
fn new_address(number: u32) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + number))
}

/// So many failures at an account that the wait, which begins with one second, outlasts every test.
fn fail_often(accounts: &Accounts, from: IpAddr, name: &str) {
    let mut throttle = lock(&accounts.checks.throttle);
    (0..20).for_each(|_| throttle.failed(Network::of(from), Digest::of(name), Instant::now()));
}

/// How long an account had to wait if no time had passed since `begin`.
fn wait_since(accounts: &Accounts, from: IpAddr, name: &str, begin: Instant) -> Option<Duration> {
    lock(&accounts.checks.throttle).wait(Network::of(from), Digest::of(name), begin)
}

/// What each of many sign-ins at once comes to, all begun while the queue stands still.
fn at_once(
    accounts: &Accounts,
    attempts: &[(IpAddr, &str, &str)],
    are_there: impl Fn(&Queue) -> bool,
) -> Vec<(Result<bool, Denied>, u32)> {
    let stopped = accounts.checks.queue.stop();
    std::thread::scope(|scope| {
        let sign_in = |(from, name, password): (IpAddr, &str, &str)| {
            rounds_spent::during(|| accounts.authenticate(name, password, from).map(|user| user.is_new))
        };
        let waiting: Vec<_> = attempts.iter().map(|attempt| scope.spawn(move || sign_in(*attempt))).collect();
        wait_until(|| are_there(&accounts.checks.queue));
        drop(stopped);
        waiting.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn forget_remembered(accounts: &Accounts) {
    *lock(&accounts.checks.remembered) = Remembered::default();
}

#[test]
fn one_hash_serves_all_requests_with_the_same_password() {
    for attempts in [
        vec![(HERE, "eve", "password"); 50],
        (0..50).map(|number| (new_address(number), "eve", "password")).collect(),
    ] {
        let (_folder, _path, accounts) = eve_and_adam();
        let came = at_once(&accounts, &attempts, |queue| queue.waiting() == 1 && queue.sharing() == 49);
        assert!(came.iter().all(|(result, _)| result.is_ok()), "{came:?}");
        assert_eq!(came.iter().map(|(_, rounds)| rounds).sum::<u32>(), 1000);
        let addresses: std::collections::HashSet<_> = attempts.iter().map(|(from, ..)| from).collect();
        let news = came.iter().filter(|(result, _)| *result == Ok(true)).count();
        assert_eq!(news, addresses.len(), "one line in the log for each address");
        let (_, rounds) = rounds_spent::during(|| accounts.authenticate("eve", "password", attempts[49].0));
        assert_eq!(rounds, 0, "remembered for each address");
    }
}

#[test]
fn a_shared_wrong_password_is_one_guess_of_each_address() {
    let (begin, (_folder, _path, accounts)) = (Instant::now(), eve_and_adam());
    let mut attempts = vec![(HERE, "eve", "wrong"); 20];
    attempts.extend((0..20).map(|number| (new_address(number), "eve", "wrong")));
    let came = at_once(&accounts, &attempts, |queue| queue.waiting() == 1 && queue.sharing() == 39);
    assert!(came.iter().all(|(result, _)| *result == Err(Denied::WrongPassword)), "{came:?}");
    // The fifth failure of an address and the tenth of an account would make others wait.
    assert_eq!(denied(&accounts, "adam", "password"), None);
    assert_eq!(accounts.authenticate("eve", "password", THERE).err(), None);
    // It is a guess all the same.
    for guess in ["a", "b", "c", "d"] {
        assert_eq!(wait_since(&accounts, HERE, "adam2", begin), None);
        assert_eq!(denied(&accounts, "adam2", guess), Some(Denied::UnknownUser));
    }
    assert_eq!(wait_since(&accounts, HERE, "adam2", begin), Some(Duration::from_secs(1)));
}

#[test]
fn unknown_names_share_no_more_hashes_than_known_ones() {
    let (_folder, _path, accounts) = eve_and_adam();
    let attempts =
        ["eve", "adam", "nobody", "nobody2"].map(|name| (new_address(name.len() as u32), name, "wrong"));
    let came = at_once(&accounts, &attempts, |queue| queue.waiting() == 4);
    assert!(came.iter().all(|(result, rounds)| result.is_err() && *rounds == came[0].1), "{came:?}");
}

#[test]
fn a_request_that_shares_a_refused_check_is_served() {
    let (_folder, _path, accounts) = eve_and_adam();
    let stopped = accounts.checks.queue.stop();
    std::thread::scope(|scope| {
        let (accounts, queue) = (&accounts, &accounts.checks.queue);
        let from = |address| move || accounts.authenticate("eve", "password", address).err();
        let guesser = scope.spawn(from(THERE));
        wait_until(|| queue.waiting() == 1);
        let owner = scope.spawn(from(HERE));
        wait_until(|| queue.sharing() == 1);
        // The address failed too often before its turn came.
        fail_often(accounts, THERE, "adam");
        drop(stopped);
        assert!(matches!(guesser.join().unwrap(), Some(Denied::Throttled(_))));
        assert_eq!(owner.join().unwrap(), None);
    });
}

#[test]
fn a_flood_of_guesses_from_new_addresses_keeps_no_owner_out() {
    let (begin, (_folder, _path, accounts)) = (Instant::now(), eve_and_adam());
    accounts.authenticate("eve", "password", HERE).unwrap();
    forget_remembered(&accounts);
    let stopped = accounts.checks.queue.stop();
    std::thread::scope(|scope| {
        let accounts = &accounts;
        let guess = |number: u32, name: &'static str| {
            move || accounts.authenticate(name, &format!("guess {number}"), new_address(number)).err()
        };
        let flood: Vec<_> = (0..SLOTS as u32).map(|number| scope.spawn(guess(number, "nobody"))).collect();
        wait_until(|| accounts.checks.queue.waiting() == SLOTS);
        // Would wait forever if they waited at all.
        for number in 1000..1010 {
            assert_eq!(wait_since(accounts, new_address(1010), "adam", begin), None);
            assert_eq!(guess(number, "adam")(), Some(Denied::Busy));
        }
        let wait = wait_since(accounts, new_address(1010), "adam", begin);
        assert_eq!(wait, Some(Duration::from_secs(1)), "refused guesses count");
        let owner = scope.spawn(move || denied(accounts, "eve", "password"));
        wait_until(|| accounts.checks.queue.waiting() == SLOTS + 1);
        drop(stopped);
        assert_eq!(owner.join().unwrap(), None);
        drop(flood);
    });
}

#[test]
fn users_behind_a_guessers_address_sign_in() {
    let names: Vec<String> = (0..50).map(|number| format!("user{number}")).collect();
    let lines: String = names.iter().map(|name| format!("{name}:viewer:{CHEAP}\n")).collect();
    let (_folder, _path, accounts) = accounts(&lines);
    let attempts: Vec<_> = names.iter().map(|name| (HERE, name.as_str(), "password")).collect();
    let came = at_once(&accounts, &attempts, |queue| queue.waiting() == 50);
    assert!(came.iter().all(|(result, _)| *result == Ok(true)), "{came:?}");
    forget_remembered(&accounts);
    fail_often(&accounts, HERE, "nobody");
    assert!(matches!(denied(&accounts, "nobody", "wrong"), Some(Denied::Throttled(_))));
    assert_eq!(denied(&accounts, "user7", "password"), None, "the guesses were at another account");
}

#[test]
fn few_guesses_are_checked_during_a_wait() {
    let (_folder, _path, accounts) = eve_and_adam();
    accounts.authenticate("eve", "password", HERE).unwrap();
    accounts.authenticate("adam", "password", HERE).unwrap();
    (0..5).for_each(|number| {
        assert_eq!(denied(&accounts, "eve", &format!("wrong {number}")), Some(Denied::WrongPassword));
    });
    assert_eq!(denied(&accounts, "eve", "password"), None, "the user's own client goes on");
    fail_often(&accounts, HERE, "eve");
    let guesses: Vec<_> = (0..358).map(|number| denied(&accounts, "eve", &format!("{number}"))).collect();
    let checked = guesses.iter().filter(|why| matches!(why, Some(Denied::WrongWhileThrottled(_)))).count();
    let unchecked = guesses.iter().filter(|why| matches!(why, Some(Denied::Throttled(_)))).count();
    assert_eq!((checked, unchecked), (5, 353));
    assert!(matches!(denied(&accounts, "eve", "password"), Some(Denied::Throttled(_))), "no oracle is left");
    assert_eq!(denied(&accounts, "adam", "password"), None, "another account's client goes on");
}

#[test]
fn a_user_changed_during_the_check_is_refused() {
    let (_folder, path, accounts) = eve_and_adam();
    let stopped = accounts.checks.queue.stop();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| denied(&accounts, "adam", "password"));
        wait_until(|| accounts.checks.queue.waiting() == 1);
        remove(&path, "adam").unwrap();
        drop(stopped);
        assert_eq!(asked.join().unwrap(), Some(Denied::Changed));
    });
}

#[test]
fn an_admin_without_rights_loses_the_waiting_changes() {
    type End = fn(&Accounts, &Path, &Identity);
    let ways: [(&str, End); 4] = [
        ("removal", |_, path, _| remove(path, "ada").unwrap()),
        ("demotion", |_, path, _| change(path, "ada", &role(Role::Viewer)).unwrap()),
        ("by hand", |_, path, _| {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, text.replace("ada:", "#ada:")).unwrap();
        }),
        ("the end of the session", |accounts, _, ada| assert!(accounts.end_session(ada))),
    ];
    for (way, end) in ways {
        let (_folder, path, accounts) =
            accounts(&format!("ada:admin:{CHEAP}\neve:admin:{CHEAP}\nadam:viewer:{CHEAP}\n"));
        let (_, ada) = session(&accounts, "ada");
        let kites = password("four odd blue kites");
        let stopped = accounts.checks.queue.stop();
        std::thread::scope(|scope| {
            let added = scope.spawn(|| accounts.add("mallory", &kites, &ada, HERE));
            let changed = scope.spawn(|| accounts.change("eve", &kites, &ada, HERE));
            wait_until(|| accounts.checks.queue.waiting() == 2);
            end(&accounts, &path, &ada);
            let before = fs::read(&path).unwrap();
            drop(stopped);
            assert!(matches!(added.join().unwrap(), Err(UsersError::NotAllowed)), "{way}");
            assert!(matches!(changed.join().unwrap(), Err(UsersError::NotAllowed)), "{way}");
            assert!(matches!(accounts.remove("adam", &ada), Err(UsersError::NotAllowed)), "{way}");
            assert!(fs::read(&path).unwrap() == before, "{way}");
        });
    }
}

#[test]
fn an_old_password_does_not_change_a_new_one() {
    let (_folder, path, accounts) = eve_and_adam();
    let (_, adam) = session(&accounts, "adam");
    let present = accounts.authenticate("adam", "password", HERE).unwrap();
    change(&path, "adam", &password("four odd blue kites")).unwrap();
    let new = Zeroizing::new("of the thief who waited".to_owned());
    let changed = accounts.change_own_password(&adam, &present, new, HERE);
    assert!(matches!(changed, Err(UsersError::NotAllowed)));
    assert_eq!(denied(&accounts, "adam", "four odd blue kites"), None);
}

#[test]
fn an_ended_session_does_not_change_the_password() {
    let (_folder, _path, accounts) = eve_and_adam();
    let (_, adam) = session(&accounts, "adam");
    let present = accounts.authenticate("adam", "password", HERE).unwrap();
    assert!(accounts.end_session(&adam));
    let new = Zeroizing::new("of the thief who waited".to_owned());
    let changed = accounts.change_own_password(&adam, &present, new, HERE);
    assert!(matches!(changed, Err(UsersError::NotAllowed)));
}

#[test]
fn a_wait_spares_remembered_sign_ins_and_sessions() {
    let (begin, (_folder, _path, accounts)) = (Instant::now(), eve_and_adam());
    let (_, eve) = session(&accounts, "eve");
    for number in 0..5 {
        assert_eq!(wait_since(&accounts, HERE, "adam", begin), None, "after {number} guesses");
        assert_eq!(denied(&accounts, "adam", "wrong"), Some(Denied::WrongPassword));
    }
    assert_eq!(wait_since(&accounts, HERE, "adam", begin), Some(Duration::from_secs(1)));
    fail_often(&accounts, HERE, "nobody");
    let (right, rounds) = rounds_spent::during(|| denied(&accounts, "adam", "password"));
    assert!(matches!(right, Some(Denied::Throttled(_))), "a right password, too, has to wait");
    assert_eq!(rounds, 0);
    assert!(accounts.authenticate("adam", "password", THERE).is_ok(), "another address");
    assert_eq!(denied(&accounts, "eve", "password"), None, "eve signed in from here before");
    assert!(accounts.holds(&eve));
}

#[test]
fn guesses_never_meet_what_is_remembered_of_another_address() {
    let (_folder, _path, accounts) = eve_and_adam();
    accounts.authenticate("eve", "password", THERE).unwrap();
    fail_often(&accounts, HERE, "adam");
    assert!(matches!(denied(&accounts, "eve", "password"), Some(Denied::Throttled(_))));
}
