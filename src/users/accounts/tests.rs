use std::fs;
use std::path::PathBuf;

use super::super::queue::PLACES;
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

/// An address that nobody came from before.
fn new_address(number: u32) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + number))
}

fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

/// What each of many sign-ins at once comes to, all begun while the queue stands still.
fn at_once(
    accounts: &Accounts,
    attempts: &[(IpAddr, &str, &str)],
    are_there: impl Fn(&Queue) -> bool,
) -> Vec<(Result<bool, Denied>, u32)> {
    let stopped = accounts.queue.stop();
    std::thread::scope(|scope| {
        let sign_in = |(from, name, password): (IpAddr, &str, &str)| {
            rounds_spent::during(|| accounts.authenticate(name, password, from).map(|user| user.is_new))
        };
        let waiting: Vec<_> = attempts.iter().map(|attempt| scope.spawn(move || sign_in(*attempt))).collect();
        wait_until(|| are_there(&accounts.queue));
        drop(stopped);
        waiting.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn forget_remembered(accounts: &Accounts) {
    *lock(&accounts.remembered) = Remembered::default();
}

#[test]
fn one_hash_serves_all_who_come_at_once_with_the_same_password_from_wherever() {
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
fn a_shared_wrong_password_is_one_guess_of_each_address_and_one_at_the_account() {
    let (_folder, _path, accounts) = eve_and_adam();
    let mut attempts = vec![(HERE, "eve", "wrong"); 20];
    attempts.extend((0..20).map(|number| (new_address(number), "eve", "wrong")));
    let came = at_once(&accounts, &attempts, |queue| queue.waiting() == 1 && queue.sharing() == 39);
    assert!(came.iter().all(|(result, _)| *result == Err(Denied::WrongPassword)), "{came:?}");
    // The fifth failure of an address and the tenth of an account would make others wait.
    assert_eq!(denied(&accounts, "adam", "password"), None);
    assert_eq!(accounts.authenticate("eve", "password", THERE).err(), None);
    // It is a guess all the same.
    for guess in ["a", "b", "c", "d"] {
        assert_eq!(denied(&accounts, "adam2", guess), Some(Denied::UnknownUser));
    }
    assert!(matches!(denied(&accounts, "adam2", "e"), Some(Denied::Throttled(_))));
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
fn whoever_waits_behind_the_hash_of_an_address_that_is_sent_away_is_served_all_the_same() {
    let (_folder, _path, accounts) = eve_and_adam();
    let stopped = accounts.queue.stop();
    std::thread::scope(|scope| {
        let (accounts, queue) = (&accounts, &accounts.queue);
        let from = |address| move || accounts.authenticate("eve", "password", address).err();
        let guesser = scope.spawn(from(THERE));
        wait_until(|| queue.waiting() == 1);
        let owner = scope.spawn(from(HERE));
        wait_until(|| queue.sharing() == 1);
        // The address failed too often before its turn came.
        let (network, name) = (Network::of(THERE), Digest::of("adam"));
        (0..5).for_each(|_| lock(&accounts.throttle).failed(network, name, Instant::now()));
        drop(stopped);
        assert!(matches!(guesser.join().unwrap(), Some(Denied::Throttled(_))));
        assert_eq!(owner.join().unwrap(), None);
    });
}

#[test]
fn a_flood_of_guesses_from_new_addresses_keeps_no_owner_out() {
    let (_folder, _path, accounts) = eve_and_adam();
    accounts.authenticate("eve", "password", HERE).unwrap();
    forget_remembered(&accounts);
    let stopped = accounts.queue.stop();
    std::thread::scope(|scope| {
        let accounts = &accounts;
        let guess = |number: u32, name: &'static str| {
            move || accounts.authenticate(name, &format!("guess {number}"), new_address(number)).err()
        };
        let flood: Vec<_> = (0..PLACES as u32).map(|number| scope.spawn(guess(number, "nobody"))).collect();
        wait_until(|| accounts.queue.waiting() == PLACES);
        // Would wait forever if they waited at all.
        for number in 1000..1009 {
            assert_eq!(guess(number, "adam")(), Some(Denied::Busy));
        }
        assert_eq!(guess(1009, "adam")(), Some(Denied::Busy));
        assert!(matches!(guess(1010, "adam")(), Some(Denied::Throttled(_))), "refused guesses count");
        let owner = scope.spawn(move || denied(accounts, "eve", "password"));
        wait_until(|| accounts.queue.waiting() == PLACES + 1);
        drop(stopped);
        assert_eq!(owner.join().unwrap(), None);
        drop(flood);
    });
}

#[test]
fn users_behind_one_address_get_in_at_once_and_beside_a_guesser() {
    let names: Vec<String> = (0..50).map(|number| format!("user{number}")).collect();
    let lines: String = names.iter().map(|name| format!("{name}:viewer:{CHEAP}\n")).collect();
    let (_folder, _path, accounts) = accounts(&lines);
    let attempts: Vec<_> = names.iter().map(|name| (HERE, name.as_str(), "password")).collect();
    let came = at_once(&accounts, &attempts, |queue| queue.waiting() == 50);
    assert!(came.iter().all(|(result, _)| *result == Ok(true)), "{came:?}");
    forget_remembered(&accounts);
    while !matches!(denied(&accounts, "nobody", "wrong"), Some(Denied::Throttled(_))) {}
    assert_eq!(denied(&accounts, "user7", "password"), None, "the guesses were at another account");
}

#[test]
fn guesses_during_a_wait_are_stopped_after_a_few_and_each_of_them_is_told() {
    let (_folder, _path, accounts) = eve_and_adam();
    accounts.authenticate("eve", "password", HERE).unwrap();
    accounts.authenticate("adam", "password", HERE).unwrap();
    (0..5).for_each(|number| {
        assert_eq!(denied(&accounts, "eve", &format!("wrong {number}")), Some(Denied::WrongPassword));
    });
    assert_eq!(denied(&accounts, "eve", "password"), None, "her own client goes on");
    let guesses: Vec<_> = (0..358).map(|number| denied(&accounts, "eve", &format!("{number}"))).collect();
    let told = guesses.iter().filter(|why| matches!(why, Some(Denied::WrongWhileThrottled(_)))).count();
    let untold = guesses.iter().filter(|why| matches!(why, Some(Denied::Throttled(_)))).count();
    assert_eq!((told, untold), (5, 353));
    assert!(matches!(denied(&accounts, "eve", "password"), Some(Denied::Throttled(_))), "no oracle is left");
    assert_eq!(denied(&accounts, "adam", "password"), None, "another account's client goes on");
}

#[test]
fn whoever_is_changed_while_the_password_is_checked_is_not_let_in() {
    let (_folder, path, accounts) = eve_and_adam();
    let stopped = accounts.queue.stop();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| denied(&accounts, "adam", "password"));
        wait_until(|| accounts.queue.waiting() == 1);
        remove(&path, "adam").unwrap();
        drop(stopped);
        assert_eq!(asked.join().unwrap(), Some(Denied::Changed));
    });
}

#[test]
fn whatever_takes_an_admins_rights_takes_the_changes_that_wait_with_them() {
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
        let stopped = accounts.queue.stop();
        std::thread::scope(|scope| {
            let added = scope.spawn(|| accounts.add("mallory", &kites, &ada, HERE));
            let changed = scope.spawn(|| accounts.change("eve", &kites, &ada, HERE));
            wait_until(|| accounts.queue.waiting() == 2);
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
fn a_password_that_was_set_anew_meanwhile_is_not_changed_with_the_old_one() {
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
fn a_token_has_nothing_to_do_with_its_users_sessions() {
    let (_folder, path, accounts) = eve_and_adam();
    let (secret, eve) = session(&accounts, "eve");
    for cameras in [&["front".to_owned()][..], &[]] {
        let token = add_token(&path, &format!("t{}", cameras.len()), "eve", cameras, &[]).unwrap();
        let held = accounts.by_secret(&token).unwrap();
        assert!(accounts.sessions(&held).is_empty());
        assert_eq!(accounts.end_session_by_id(&eve.session_id().unwrap(), &held), None);
        assert_eq!(held.actor(), format!("`eve` by token `t{}`", cameras.len()));
    }
    assert!(accounts.by_secret(&secret).is_ok());
    assert_eq!(eve.actor(), "`eve`");
}

#[test]
fn a_token_does_not_come_back_with_another_user_of_the_name() {
    let other = PasswordHash::of_nobody();
    let (_folder, path, accounts) = eve_and_adam();
    let token = add_token(&path, "ha", "adam", &[], &[]).unwrap();
    let works = || accounts.by_secret(&token).is_ok();
    let edit_by_hand = |edit: &dyn Fn(String) -> String| {
        fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
    };
    change(&path, "adam", &password("four odd blue kites")).unwrap();
    assert!(works(), "the same user with another password");
    edit_by_hand(&|text| text.replace("adam:viewer", "#adam:viewer"));
    assert!(!works());
    edit_by_hand(&|text| text.replace("#adam:viewer", "adam:viewer"));
    assert!(works(), "the same line as before");
    edit_by_hand(&|text| text.replace("adam:viewer", "#adam:viewer"));
    edit_by_hand(&|text| text + &format!("adam:viewer:{other}\n"));
    assert!(!works(), "another user, added by hand");
    let complaints = accounts.list().unwrap().complaints;
    assert!(complaints.len() == 1 && complaints[0].contains("earlier user"), "{complaints:?}");
    change(&path, "adam", &password("six green boats sail")).unwrap();
    assert!(!works(), "a change of that user brings it back no more than the user");
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

#[test]
fn sessions_outlast_a_restart_and_ended_ones_do_not_come_back() {
    let (_folder, path, before) = eve_and_adam();
    let again = || Accounts::open(&path, SessionLimits::default());
    let ((eves, _), (adams, adam)) = (session(&before, "eve"), session(&before, "adam"));
    before.stop_keeping();
    before.keep_sessions();
    let text = fs::read_to_string(path.with_file_name("sessions")).unwrap();
    assert!(!text.contains(&eves[4..]) && !text.contains("adam"), "{text}");
    let after = again();
    let restored = after.by_secret(&eves).unwrap();
    assert_eq!((restored.name.as_str(), restored.role), ("eve", Role::Admin));
    assert_eq!(after.sessions(&restored).len(), 2);
    let known = lock(&after.throttle).is_known(Network::of(HERE), Digest::of("eve"));
    assert!(known, "where the owner came from");
    // An end is on the disk when it is confirmed, without a word to the keeper.
    let adams_id = adam.session_id().unwrap();
    assert_eq!(after.end_session_by_id(&adams_id, &restored).as_deref(), Some("adam"));
    let after = again();
    assert!(after.by_secret(&eves).is_ok() && after.by_secret(&adams).is_err());
    change(&path, "eve", &password("four odd blue kites")).unwrap();
    assert!(again().by_secret(&eves).is_err(), "a changed password ends them");
}

#[test]
fn sessions_that_cannot_be_written_live_on_in_memory() {
    let (_folder, path, accounts) = eve_and_adam();
    // A folder in the file's place: refused to root as well.
    fs::create_dir(path.with_file_name("sessions")).unwrap();
    let (secret, _) = session(&accounts, "eve");
    accounts.stop_keeping();
    accounts.keep_sessions();
    assert!(accounts.by_secret(&secret).is_ok());
    assert!(Accounts::open(&path, SessionLimits::default()).by_secret(&secret).is_err());
}
