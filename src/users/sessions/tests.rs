use super::*;
use crate::users::password::PasswordHash;
use crate::users::{Role, Scope};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const LIMITS: SessionLimits = SessionLimits { idle: Duration::from_secs(10), max: Duration::from_secs(25) };

fn record(name: &str) -> Arc<Record> {
    let hash = PasswordHash::of_nobody();
    Arc::new(Record { name: name.to_owned(), role: Role::Viewer, hash, scope: Scope::All, past: true })
}

fn begin(sessions: &Sessions, name: &str, now: Instant) -> Digest {
    Digest::of(&sessions.begin(record(name), HERE, now).unwrap())
}

#[test]
fn a_session_ends_unused_or_at_its_age() {
    let (sessions, start) = (Sessions::new(LIMITS), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let (idle, busy) = (begin(&sessions, "eve", start), begin(&sessions, "eve", start));
    for seconds in [9, 18, 24] {
        assert!(sessions.touch(&busy, at(seconds)).is_some(), "{seconds} s");
    }
    assert!(sessions.touch(&idle, at(10)).is_none());
    assert!(sessions.touch(&busy, at(25)).is_none());
    assert!(sessions.list(at(25)).is_empty());
}

#[test]
fn one_user_pushes_out_only_their_own_sessions() {
    let (sessions, start) = (Sessions::new(LIMITS), Instant::now());
    let at = |number: usize| start + Duration::from_millis(number as u64);
    let adam = begin(&sessions, "adam", start);
    let first = begin(&sessions, "eve", at(1));
    for number in 2..200 {
        begin(&sessions, "eve", at(number));
    }
    assert!(sessions.touch(&adam, at(200)).is_some() && sessions.touch(&first, at(200)).is_none());
    assert_eq!(sessions.list(at(200)).len(), MOST_OF_ONE_USER + 1);
    for number in 0..2 * MOST {
        begin(&sessions, &format!("user{number}"), at(300 + number));
    }
    assert_eq!(sessions.list(at(300 + 2 * MOST)).len(), MOST);
}

#[test]
fn an_id_names_a_session_and_opens_nothing() {
    let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
    let digest = begin(&sessions, "eve", now);
    let id = sessions.list(now).remove(0).id;
    assert!(sessions.touch(&Digest::of(&id), now).is_none());
    assert_eq!(sessions.end_by_id(&id, |user| user == "adam"), None);
    let ended = Ended { user: "eve".to_owned(), is_saved: false };
    assert_eq!(sessions.end_by_id(&id, |user| user == "eve"), Some(ended));
    assert!(sessions.touch(&digest, now).is_none());
}

#[test]
fn a_changed_line_ends_its_sessions_only() {
    let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
    let (eve, adam) = (begin(&sessions, "eve", now), begin(&sessions, "adam", now));
    sessions.keep(|record| record.name != "eve");
    assert!(sessions.touch(&eve, now).is_none() && sessions.touch(&adam, now).is_some());
}

#[test]
fn a_saved_session_goes_on_with_its_age_and_its_disuse() {
    let (sessions, start) = (Sessions::new(LIMITS), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let digest = begin(&sessions, "eve", start);
    sessions.touch(&digest, at(4)).unwrap();
    let saved = sessions.saved(at(6));
    assert_eq!((saved[0].age.as_secs(), saved[0].idle.as_secs()), (6, 2));
    let after = |off: u64| {
        let sessions = Sessions::new(LIMITS);
        sessions.restore(&saved[0], record("eve"), Duration::from_secs(off), start).then_some(sessions)
    };
    assert!(after(8).is_none(), "unused for 10 s");
    let sessions = after(7).unwrap();
    assert!(sessions.touch(&digest, start).is_some());
    assert!(sessions.touch(&digest, at(9)).is_some(), "used, so it goes on");
    assert!(sessions.touch(&digest, at(12)).is_none(), "25 s old");
    let sessions = after(0).unwrap();
    sessions.were_off(Duration::from_secs(8));
    assert!(sessions.touch(&digest, start).is_none(), "the clock learned how long it was off");
}

#[test]
fn a_restored_session_ages_while_the_server_is_off() {
    let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
    let digest = begin(&sessions, "eve", now);
    let saved = sessions.saved(now);
    let sessions = Sessions::new(LIMITS);
    assert!(sessions.restore(&saved[0], record("eve"), Duration::ZERO, now));
    let fresh = begin(&sessions, "adam", now);
    sessions.touch(&digest, now).unwrap();
    sessions.were_off(LIMITS.idle);
    assert!(sessions.touch(&digest, now).is_none() && sessions.touch(&fresh, now).is_some());
}

#[test]
fn a_restored_session_counts_as_saved() {
    let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
    let digest = begin(&sessions, "eve", now);
    let saved = sessions.saved(now);
    let sessions = Sessions::new(LIMITS);
    assert!(sessions.restore(&saved[0], record("eve"), Duration::ZERO, now));
    assert!(sessions.end(&digest).unwrap().is_saved, "its end must reach the file at once");
}

#[test]
fn it_is_known_what_is_not_saved() {
    let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
    let digest = begin(&sessions, "eve", now);
    assert_eq!(sessions.unsaved(), Unsaved::Session);
    assert_eq!((sessions.saved(now).len(), sessions.unsaved()), (1, Unsaved::Nothing));
    sessions.touch(&digest, now);
    assert_eq!(sessions.unsaved(), Unsaved::Use);
    assert!(sessions.end(&digest).unwrap().is_saved);
    assert_eq!(sessions.unsaved(), Unsaved::Session);
}

#[test]
fn failed_saves_and_lost_users_need_a_new_save() {
    let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
    begin(&sessions, "eve", now);
    sessions.saved(now);
    sessions.keep(|_| true);
    assert_eq!(sessions.unsaved(), Unsaved::Nothing, "nothing ended");
    sessions.not_saved();
    assert_eq!(sessions.unsaved(), Unsaved::Session);
    sessions.saved(now);
    sessions.keep(|_| false);
    assert_eq!((sessions.unsaved(), sessions.saved(now).len()), (Unsaved::Session, 0));
    sessions.were_off(Duration::ZERO);
    assert_eq!(sessions.unsaved(), Unsaved::Session);
}

#[test]
fn ended_sessions_are_neither_kept_nor_saved() {
    let (sessions, start) = (Sessions::new(LIMITS), Instant::now());
    let digest = begin(&sessions, "eve", start);
    assert!(sessions.saved(start + LIMITS.idle).is_empty());
    let other = begin(&sessions, "eve", start);
    assert!(sessions.touch(&other, start + LIMITS.idle).is_none());
    assert_eq!((sessions.end(&digest), sessions.end(&other)), (None, None), "both ended by disuse");
    begin(&sessions, "eve", start);
    begin(&sessions, "adam", start + LIMITS.idle);
    assert_eq!(sessions.origins(), [(HERE, "adam".to_owned())]);
}

#[test]
fn the_list_has_the_youngest_session_first_with_its_whole_age() {
    let (sessions, start) = (Sessions::new(LIMITS), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let digest = begin(&sessions, "eve", start);
    let saved = sessions.saved(at(1));
    let sessions = Sessions::new(LIMITS);
    assert!(sessions.restore(&saved[0], record("eve"), Duration::ZERO, start));
    sessions.were_off(Duration::from_secs(2));
    for seconds in 1..=5 {
        let _ = begin(&sessions, "adam", at(seconds));
    }
    let ages: Vec<_> = sessions.list(at(5)).iter().map(|session| session.age.as_secs()).collect();
    assert_eq!(ages, [0, 1, 2, 3, 4, 8]);
    assert!(sessions.touch(&digest, at(5)).is_some());
}

#[test]
fn a_session_lasts_twelve_unused_hours_and_thirty_days() {
    let limits = SessionLimits::default();
    assert_eq!((limits.idle.as_secs(), limits.max.as_secs()), (43_200, 2_592_000));
}
