//! What confined users learn of what they may not see and hear.

use super::*;
use crate::journal::NewEvent;
use crate::media::{CameraName, EventKind};

/// The body of the answer to a request with a token, as far as it is one of 200.
fn get(fixture: &Fixture, path: &str, token: &str) -> Option<String> {
    let bearer = format!("Bearer {token}");
    match fixture.outcome("GET", path, &[("Authorization", &bearer)], "") {
        Outcome::Reply(reply) if reply.status() == 200 => {
            String::from_utf8(reply.into_bytes(&ResponseContext::default(), true, true)).ok()
        }
        _ => None,
    }
}

#[test]
fn a_sound_is_for_those_who_may_hear_it() {
    let fixture = Fixture::new();
    let users = fixture._folder.path().join("users");
    let token = |name: &str, microphones: &[String]| {
        let cameras = ["yard".to_owned()];
        crate::users::add_token(&users, name, "ada", &cameras, microphones).unwrap().to_string()
    };
    let (hears, deaf) = (token("hears", &["hall".to_owned()]), token("deaf", &["front".to_owned()]));
    let sound = NewEvent {
        note: "microphone hall".to_owned(),
        microphone: "hall".to_owned(),
        ..NewEvent::new(CameraName::new("yard").unwrap(), EventKind::Sound)
    };
    let id = fixture.state.journal.start(&sound).unwrap().event.id;
    let motion = NewEvent::new(CameraName::new("yard").unwrap(), EventKind::Motion);
    fixture.state.journal.start(&motion).unwrap();
    let kinds = |token: &str| {
        let list = get(&fixture, "/api/1.0/events", token).unwrap();
        (list.matches("\"sound\"").count(), list.matches("hall").count(), list.matches("\"motion\"").count())
    };
    let one = format!("/api/1.0/events/{id}");
    for (token, sees) in
        [(&fixture.tokens[0], true), (&hears, true), (&deaf, false), (&fixture.confined, false)]
    {
        assert_eq!(kinds(token), (usize::from(sees), usize::from(sees), 1));
        assert_eq!(get(&fixture, &one, token).is_some(), sees);
    }
}
