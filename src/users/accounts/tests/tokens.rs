//! What a token opens, and for how long.

use super::*;

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
fn a_changed_right_to_recordings_ends_what_runs() {
    let (_folder, path, accounts) = eve_and_adam();
    let token = add_token(&path, "ha", "adam", &[], &[]).unwrap();
    let (by_session, by_token) = (session(&accounts, "adam").1, accounts.by_secret(&token).unwrap());
    assert!(by_session.may_see_past() && by_token.may_see_past());
    change(&path, "adam", &Change { past: Some(false), ..Change::default() }).unwrap();
    assert!(!accounts.holds(&by_session) && !accounts.holds(&by_token));
    let (by_session, by_token) = (session(&accounts, "adam").1, accounts.by_secret(&token).unwrap());
    assert!(!by_session.may_see_past() && !by_token.may_see_past());
    assert!(accounts.holds(&by_session) && accounts.holds(&by_token));
    assert!(accounts.authenticate("eve", "password", HERE).unwrap().may_see_past());
}
