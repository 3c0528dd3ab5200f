//! Sessions of a running server and over a restart.

use super::*;

#[test]
fn a_removed_file_removes_its_users_until_it_is_back() {
    let (_folder, path, accounts) = eve_and_adam();
    let (secret, _) = session(&accounts, "eve");
    fs::rename(&path, path.with_extension("away")).unwrap();
    assert_eq!(denied(&accounts, "eve", "password"), Some(Denied::UnknownUser));
    assert!(accounts.is_empty() && accounts.by_secret(&secret).is_err());
    fs::rename(path.with_extension("away"), &path).unwrap();
    assert_eq!(denied(&accounts, "eve", "password"), None);
}

#[test]
fn any_change_of_a_user_ends_their_sessions() {
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
fn live_sessions_outlast_a_restart_and_ended_ones_do_not() {
    let (_folder, path, before) = eve_and_adam();
    let again = || Accounts::open(&path, SessionLimits::default());
    let ((eves, _), (adams, adam)) = (session(&before, "eve"), session(&before, "adam"));
    before.stop_saving();
    before.save_sessions();
    let text = fs::read_to_string(path.with_file_name("sessions")).unwrap();
    assert!(!text.contains(&eves[4..]) && !text.contains("adam"), "{text}");
    let after = again();
    let restored = after.by_secret(&eves).unwrap();
    assert_eq!((restored.name.as_str(), restored.role), ("eve", Role::Admin));
    assert_eq!(after.sessions(&restored).len(), 2);
    let known = lock(&after.checks.throttle).is_known(Network::of(HERE), Digest::of("eve"));
    assert!(known, "where the owner came from");
    // An end is on the disk when it is confirmed, without a word to the saver.
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
    accounts.stop_saving();
    accounts.save_sessions();
    assert!(accounts.by_secret(&secret).is_ok());
    assert!(Accounts::open(&path, SessionLimits::default()).by_secret(&secret).is_err());
}
