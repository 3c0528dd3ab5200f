use super::super::secret::Digest;
use super::*;
use crate::users::{Accounts, SessionLimits};

const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse battery";

fn with_password() -> Change {
    Change { password: Some(Zeroizing::new(PASSWORD.to_owned())), ..Change::default() }
}

fn role(role: Role) -> Change {
    Change { role: Some(role), ..Change::default() }
}

fn cameras(names: &[&str]) -> Change {
    Change { cameras: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..Change::default() }
}

fn accounts(path: &Path) -> Accounts {
    Accounts::open(path, SessionLimits::default())
}

#[test]
fn the_first_user_is_an_admin_and_the_last_admin_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    assert_eq!(add(&path, "adam", &with_password()).unwrap(), Role::Admin);
    assert_eq!(add(&path, "eve", &with_password()).unwrap(), Role::Viewer);
    assert!(matches!(add(&path, "eve", &with_password()), Err(UsersError::Taken(_))));
    assert!(matches!(remove(&path, "adam"), Err(UsersError::LastAdmin(_))));
    assert!(matches!(change(&path, "adam", &role(Role::Viewer)), Err(UsersError::LastAdmin(_))));
    change(&path, "eve", &role(Role::Admin)).unwrap();
    remove(&path, "adam").unwrap();
    let users = list(&path).unwrap().users;
    assert_eq!(
        users,
        [ListedUser { name: "eve".to_owned(), role: Role::Admin, scope: Scope::All, past: true }]
    );
}

#[test]
fn a_password_against_the_rules_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let weak = Change { password: Some(Zeroizing::new("default".to_owned())), ..Change::default() };
    assert!(matches!(add(&path, "default", &weak), Err(UsersError::Password(_))));
    assert!(matches!(add(&path, "eve", &Change::default()), Err(UsersError::Password(_))));
    assert!(!path.exists());
    add(&path, "eve", &with_password()).unwrap();
    assert!(matches!(change(&path, "eve", &weak), Err(UsersError::Password(_))));
    assert!(accounts(&path).authenticate("eve", PASSWORD, HERE).is_ok());
}

#[test]
fn a_viewer_is_confined_step_by_step_and_set_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    add(&path, "adam", &with_password()).unwrap();
    add(&path, "eve", &Change { cameras: cameras(&["front"]).cameras, ..with_password() }).unwrap();
    let scope = || list(&path).unwrap().users[1].scope.clone();
    assert!(scope().sees("front") && !scope().sees("yard") && !scope().hears("desk"));
    let desk = Change { microphones: Some(vec!["desk".to_owned()]), ..Change::default() };
    change(&path, "eve", &desk).unwrap();
    assert!(scope().sees("front") && scope().hears("desk"), "the other list stays");
    for nonsense in [cameras(&["a b"]), Change { unconfined: true, ..cameras(&["front"]) }] {
        assert!(matches!(change(&path, "eve", &nonsense), Err(UsersError::Scope(_))));
    }
    assert!(matches!(change(&path, "adam", &cameras(&["front"])), Err(UsersError::Scope(_))));
    change(&path, "eve", &Change { unconfined: true, ..Change::default() }).unwrap();
    assert_eq!(scope(), Scope::All);
    change(&path, "eve", &cameras(&["front"])).unwrap();
    change(&path, "eve", &role(Role::Admin)).unwrap();
    assert_eq!(scope(), Scope::All, "an admin sees everything");
}

#[test]
fn recordings_are_closed_to_a_viewer_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let past = |past| Change { past: Some(past), ..Change::default() };
    add(&path, "adam", &with_password()).unwrap();
    add(&path, "eve", &Change { past: Some(false), ..with_password() }).unwrap();
    let may = || list(&path).unwrap().users.iter().map(|user| user.past).collect::<Vec<_>>();
    assert_eq!(may(), [true, false]);
    change(&path, "eve", &cameras(&["front"])).unwrap();
    assert_eq!(may(), [true, false], "what is not named stays");
    assert!(matches!(change(&path, "adam", &past(false)), Err(UsersError::Scope(_))));
    change(&path, "eve", &past(true)).unwrap();
    assert_eq!(may(), [true, true]);
    change(&path, "eve", &past(false)).unwrap();
    change(&path, "eve", &role(Role::Admin)).unwrap();
    assert_eq!(may(), [true, true], "an admin sees everything");
}

#[test]
fn a_token_is_shown_once_and_stored_as_a_digest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    assert!(matches!(add_token(&path, "ha", "eve", &[], &[]), Err(UsersError::Unknown(_))));
    add(&path, "eve", &with_password()).unwrap();
    let secret = add_token(&path, "ha", "eve", &[], &[]).unwrap();
    assert!(!std::fs::read_to_string(&path).unwrap().contains(secret.trim_start_matches(TOKEN_PREFIX)));
    assert!(matches!(add_token(&path, "ha", "eve", &[], &[]), Err(UsersError::TokenTaken(_))));
    let bad = ["a b".to_owned()];
    assert!(matches!(add_token(&path, "x", "eve", &bad, &[]), Err(UsersError::Scope(_))));
    assert_eq!(accounts(&path).by_secret(&secret).map(|identity| identity.name), Ok("eve".to_owned()));
    remove_token(&path, "ha").unwrap();
    assert!(matches!(remove_token(&path, "ha"), Err(UsersError::UnknownToken(_))));
    assert!(accounts(&path).by_secret(&secret).is_err());
}

#[test]
fn an_admin_is_made_up_only_where_nobody_was_meant_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    std::fs::write(&path, "# nobody yet\n").unwrap();
    let password = first_admin(&path).unwrap().expect("a password");
    let groups: Vec<_> = password.split('-').collect();
    let is_clear = |group: &&str| group.len() == 5 && group.bytes().all(|byte| LETTERS.contains(&byte));
    assert!(groups.len() == 4 && groups.iter().all(is_clear), "{password}");
    let signed_in = accounts(&path).authenticate("admin", &password, HERE).map(|identity| identity.role);
    assert_eq!(signed_in, Ok(Role::Admin));
    assert!(!std::fs::read_to_string(&path).unwrap().contains(&password));
    assert_eq!(first_admin(&path).unwrap(), None);
    std::fs::write(&path, "adam:admin:broken\n").unwrap();
    assert_eq!(first_admin(&path).unwrap(), None, "a broken line is somebody");
}

#[test]
fn of_many_first_starts_at_once_one_makes_the_admin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let made: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| first_admin(&path).unwrap())).collect();
        starts.into_iter().filter_map(|start| start.join().unwrap()).collect()
    });
    let [password] = &made[..] else { panic!("{} passwords were shown", made.len()) };
    assert!(accounts(&path).authenticate("admin", password, HERE).is_ok());
}

#[test]
fn generated_passwords_are_four_groups_of_any_letters() {
    let mut letters = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let password = generated_password().unwrap();
        assert_eq!(password.split('-').map(str::len).collect::<Vec<_>>(), [5; 4], "{password}");
        assert_eq!(password.capacity(), password.len(), "it did not grow");
        letters.extend(password.bytes().filter(|byte| *byte != b'-'));
    }
    assert_eq!(letters, std::collections::BTreeSet::from(*LETTERS));
}

#[test]
fn generated_passwords_differ_and_no_letter_counts_twice() {
    assert_ne!(generated_password().unwrap(), generated_password().unwrap());
    assert_eq!(std::collections::BTreeSet::from(*LETTERS).len(), LETTERS.len());
}

#[test]
fn tokens_without_a_user_are_listed_and_removed_in_time() {
    type Add = fn(&Path);
    let ways: [(&str, Add); 2] = [
        ("adam", |path| assert_eq!(add(path, "adam", &with_password()).unwrap(), Role::Admin)),
        ("admin", |path| assert!(first_admin(path).unwrap().is_some())),
    ];
    for (name, add) in ways {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let digest = Digest::of("token");
        // As an earlier version wrote them, without a binding.
        std::fs::write(&path, format!("@ha:{name}:{digest}\n@other:nobody:{digest}\n")).unwrap();
        let found = list(&path).unwrap();
        assert!(found.complaints.len() == 2 && found.tokens.iter().all(|token| !token.is_live));
        assert!(accounts(&path).by_secret("token").is_err());
        add(&path);
        assert!(accounts(&path).by_secret("token").is_err());
        let tokens: Vec<_> = list(&path).unwrap().tokens.into_iter().map(|token| token.name).collect();
        assert_eq!(tokens, ["other"]);
    }
}

#[test]
fn a_token_of_version_0_1_works_and_is_bound_by_an_edit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    add(&path, "adam", &with_password()).unwrap();
    let digest = Digest::of("token");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}@ha:adam:{digest}:cameras=front\n")).unwrap();
    assert!(accounts(&path).by_secret("token").is_ok());
    add(&path, "eve", &role(Role::Admin)).unwrap_err();
    let change =
        Change { password: Some(Zeroizing::new("four odd blue kites".to_owned())), ..Change::default() };
    super::change(&path, "adam", &change).unwrap();
    assert!(accounts(&path).by_secret("token").is_ok());
    assert!(std::fs::read_to_string(&path).unwrap().contains(":cameras=front:bound="));
}

#[test]
fn a_user_without_the_right_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    add(&path, "adam", &with_password()).unwrap();
    add(&path, "eve", &with_password()).unwrap();
    let before = std::fs::read(&path).unwrap();
    let nobody: May<'_> = &|_| Err(UsersError::NotAllowed);
    let hash = |_: &str| Ok(PasswordHash::of_nobody());
    let refused = [
        add_with(&path, "bob", &with_password(), nobody, hash).map(drop),
        change_with(&path, "eve", &role(Role::Admin), nobody, hash),
        remove_with(&path, "eve", nobody),
    ];
    assert!(refused.iter().all(|one| matches!(one, Err(UsersError::NotAllowed))), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_name_is_checked_before_the_slow_hash_and_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    add(&path, "adam", &with_password()).unwrap();
    let never = |_: &str| -> Result<PasswordHash, UsersError> { panic!("a password was hashed") };
    assert!(matches!(add_with(&path, "adam", &with_password(), ANYONE, never), Err(UsersError::Taken(_))));
    let unknown = change_with(&path, "eve", &with_password(), ANYONE, never);
    assert!(matches!(unknown, Err(UsersError::Unknown(_))), "{unknown:?}");
    let meanwhile = |_: &str| {
        add(&path, "eve", &Change { role: Some(Role::Admin), ..with_password() })?;
        Ok(PasswordHash::of_nobody())
    };
    let late = add_with(&path, "eve", &with_password(), ANYONE, meanwhile);
    assert!(matches!(late, Err(UsersError::Taken(_))), "{late:?}");
    assert_eq!(list(&path).unwrap().users[1].role, Role::Admin, "that of the first to be added");
}

#[test]
fn a_file_without_an_admin_can_still_be_edited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    std::fs::write(&path, format!("eve:viewer:{0}\nbob:viewer:{0}\n", PasswordHash::of_nobody())).unwrap();
    change(&path, "eve", &role(Role::Viewer)).unwrap();
    remove(&path, "eve").unwrap();
    assert_eq!(list(&path).unwrap().users.len(), 1);
}
