//! Events: what happened, what is kept of it and noted on it, and events that people and scripts report.

use std::time::{Duration, Instant};

use miniserde::{Deserialize, Serialize};

use super::events_query;
use crate::base::utc;
use crate::http::audit;
use crate::http::body;
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::journal::{EventRecord, JournalError, NOTE_CHARS, NewEnd, NewEvent};
use crate::media::{Area, CameraName, Event, EventKind};
use crate::users::{Identity, Role};

/// Longest `duration_s`, and the longest time that an event goes on which was begun with `running`.
const MAX_DURATION_S: u32 = 3600;

/// An event as the API shows it.
#[derive(Serialize)]
pub struct Document {
    id: u32,
    camera: Option<String>,
    kind: &'static str,
    start: String,
    end: Option<String>,
    score: u8,
    area: Option<Box<[f64]>>,
    kept: bool,
    interrupted: bool,
    note: String,
    by: String,
    zone: Option<String>,
    best: Option<String>,
}

#[derive(Serialize)]
struct List {
    events: Vec<Document>,
}

#[derive(Deserialize)]
struct NewBody {
    camera: String,
    kind: Option<String>,
    duration_s: Option<u32>,
    running: Option<bool>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct ChangeBody {
    keep: Option<bool>,
    note: Option<String>,
    ended: Option<bool>,
}

/// Whether a user may see this event: one at a camera of theirs, or, for admins of everything, one that belongs to no
/// camera. A sound is for those only who may hear its microphone as well.
pub fn may_see(user: &Identity, record: &EventRecord) -> bool {
    let may_hear = record.event.kind != EventKind::Sound || user.scope.hears(&record.microphone);
    let may_see = match record.event.camera.as_str() {
        "" => user.role == Role::Admin && user.scope.names().is_none(),
        camera => user.scope.sees(camera),
    };
    may_hear && may_see
}

/// `GET /api/1.0/events`: the newest first.
pub fn list(call: &Call<'_>) -> Reply {
    if !call.user.may_see_past() {
        return not_the_past();
    }
    let wanted = match events_query::read(call.query()) {
        Ok(wanted) => wanted,
        Err(error) => return Reply::error(400, &error),
    };
    let is_wanted = |record: &EventRecord| may_see(call.user, record) && wanted.is_wanted(record);
    let found = call.state.journal.find(&wanted.query(&is_wanted));
    Reply::json(200, &List { events: found.iter().map(document).collect() })
}

/// `GET /api/1.0/events/ID`.
pub fn one(call: &Call<'_>, id: &str) -> Reply {
    if !call.user.may_see_past() {
        return not_the_past();
    }
    match find(call, id) {
        Ok(record) => Reply::json(200, &document(&record)),
        Err(refused) => refused,
    }
}

/// `POST /api/1.0/events`: something happens now.
pub fn add(call: &mut Call<'_>) -> Reply {
    let Call { state, request, pending, user } = call;
    let example = r#"{"camera":"front","kind":"manual","duration_s":10,"note":"door bell"}"#;
    let keys = ["camera", "kind", "duration_s", "running", "note"];
    let body: NewBody = match body::read_strictly(request, &keys, example) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let end = match end_of(&body) {
        Ok(end) => end,
        Err(why) => return Reply::error(400, &why),
    };
    let note = body.note.unwrap_or_default();
    if let Err(refused) = check_note(&note) {
        return refused;
    }
    let camera = match state.camera(Some(&body.camera), user) {
        Ok(_) => CameraName::new(&body.camera),
        Err(refused) => return refused,
    };
    let Some(camera) = camera else { return Reply::error(400, "the name of the camera is too long") };
    if !state.accounts.holds(user) {
        return no_longer();
    }
    let reporter = user.actor().replace('`', "");
    if let Err(wait) = state.reports.count(&reporter, Instant::now()) {
        return Reply::too_many("reported events", wait);
    }
    let new = NewEvent { end, note, reporter, ..NewEvent::new(camera, EventKind::Manual) };
    match state.journal.start(&new) {
        Ok(record) => {
            let id = record.event.id;
            audit::event(pending.peer(), user, &format!("reported event {id} at `{}`", body.camera));
            Reply::json(201, &document(&record)).with("Location", format!("/api/1.0/events/{id}"))
        }
        Err(error) => refusal(error),
    }
}

/// `PUT /api/1.0/events/ID`: what the body does not name stays as it is.
pub fn change(call: &mut Call<'_>, id: &str) -> Reply {
    let example = r#"{"keep":true,"note":"a cat"} or {"ended":true}"#;
    let body: ChangeBody = match body::read_strictly(call.request, &["keep", "note", "ended"], example) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let says_nothing = body.keep.is_none() && body.note.is_none() && body.ended.is_none();
    if says_nothing || body.ended == Some(false) {
        return body::expected(example);
    }
    if let Err(refused) = check_note(body.note.as_deref().unwrap_or_default()) {
        return refused;
    }
    let record = match find(call, id) {
        // Who sees no past may end what goes on, and gets no record of anything else.
        Ok(record) if !call.user.may_see_past() && record.event.end.is_some() => return not_the_past(),
        Ok(record) => record,
        Err(refused) => return refused,
    };
    if let Err(refused) = check_change(call, &body, &record) {
        return refused;
    }
    match make_change(call, &body, record) {
        Ok(record) => Reply::json(200, &document(&record)),
        Err(error) => refusal(error),
    }
}

/// `DELETE /api/1.0/events/ID`: the footage stays.
pub fn remove(call: &Call<'_>, id: &str) -> Reply {
    let found = find(call, id).and_then(|record| {
        if call.state.accounts.holds(call.user) { Ok(record.event.id) } else { Err(no_longer()) }
    });
    match found.map(|id| call.state.journal.delete(id)) {
        Ok(Ok(record)) => {
            let Event { id, camera, kind, .. } = record.event;
            let what = format!("deleted event {id} ({}) at `{}`", kind.name(), camera.as_str());
            audit::changed(call.pending.peer(), call.user, &what);
            Reply::no_content()
        }
        Ok(Err(error)) => refusal(error),
        Err(refused) => refused,
    }
}

/// An event as the API shows it.
pub fn document(record: &EventRecord) -> Document {
    let Event { id, camera, kind, score, area, .. } = record.event;
    Document {
        id,
        camera: Some(camera.as_str().to_owned()).filter(|name| !name.is_empty()),
        kind: kind.name(),
        start: utc::rfc3339(record.wall_start_us),
        end: record.wall_end_us().map(utc::rfc3339),
        score,
        area: area.map(|area| Box::from(sides(area))),
        kept: record.is_kept,
        interrupted: record.is_interrupted,
        note: record.note.to_string(),
        by: record.reporter.to_string(),
        zone: Some(record.zone.to_string()).filter(|zone| !zone.is_empty()),
        best: record.wall_best_us().map(utc::rfc3339),
    }
}

/// The sides of an area, in shares of the picture's width and height.
pub fn sides(Area { left, top, right, bottom }: Area) -> [f64; 4] {
    [left, top, right, bottom].map(|side| (f64::from(side) * 10_000.0 / 65_535.0).round() / 10_000.0)
}

/// The event, if the user may see it. To others it does not exist.
fn find(call: &Call<'_>, id: &str) -> Result<EventRecord, Reply> {
    let record = id.parse().ok().and_then(|id| call.state.journal.get(id));
    let own = record.filter(|record| may_see(call.user, record));
    own.ok_or_else(|| refusal(JournalError::NoSuchEvent))
}

fn end_of(body: &NewBody) -> Result<NewEnd, String> {
    if body.kind.as_deref().is_some_and(|kind| kind != EventKind::Manual.name()) {
        return Err("kind must be manual: the other kinds are for what Defender notices itself".to_owned());
    }
    match (body.running.unwrap_or(false), body.duration_s.unwrap_or(0)) {
        (false, 0) => Ok(NewEnd::AtOnce),
        // It goes on until it is ended.
        (true, 0) => Ok(NewEnd::After(Duration::from_secs(MAX_DURATION_S.into()))),
        (_, seconds @ 1..=MAX_DURATION_S) => Ok(NewEnd::After(Duration::from_secs(seconds.into()))),
        (_, _) => Err(format!("duration_s must be a whole number from 0 to {MAX_DURATION_S}")),
    }
}

fn check_note(note: &str) -> Result<(), Reply> {
    if note.chars().nth(NOTE_CHARS).is_some() {
        return Err(Reply::error(400, &format!("a note has at most {NOTE_CHARS} characters")));
    }
    Ok(())
}

/// A token may end what it or another one began, for a contact at a door; all else is for admins.
fn check_change(call: &Call<'_>, body: &ChangeBody, record: &EventRecord) -> Result<(), Reply> {
    let is_admin = call.user.role == Role::Admin;
    if !is_admin && (body.keep.is_some() || body.note.is_some()) {
        audit::forbidden(call.pending.peer(), call.user, &format!("change event {}", record.event.id));
        return Err(Reply::error(403, "only an admin may do this; a token may send {\"ended\":true}"));
    }
    if body.ended == Some(true) && record.event.kind != EventKind::Manual {
        let why = "only an event of the kind manual can be ended; Defender ends the others";
        return Err(Reply::error(409, why));
    }
    if call.state.accounts.holds(call.user) { Ok(()) } else { Err(no_longer()) }
}

fn make_change(
    call: &Call<'_>,
    body: &ChangeBody,
    mut record: EventRecord,
) -> Result<EventRecord, JournalError> {
    let (journal, peer, id) = (&call.state.journal, call.pending.peer(), record.event.id);
    let camera = record.event.camera;
    let of = format!("event {id} at `{}`", camera.as_str());
    if let Some(is_kept) = body.keep {
        record = journal.keep(id, is_kept)?;
        let what = if is_kept { "keeps" } else { "no longer keeps" };
        audit::changed(peer, call.user, &format!("{what} {of}"));
    }
    if let Some(note) = &body.note {
        record = journal.note(id, note)?;
        audit::changed(peer, call.user, &format!("noted on {of}: {note}"));
    }
    if body.ended == Some(true) && record.event.end.is_none() {
        record = journal.end(id)?;
        audit::event(peer, call.user, &format!("ended {of}"));
    }
    Ok(record)
}

fn refusal(error: JournalError) -> Reply {
    let status = match error {
        JournalError::NoSuchEvent => 404,
        JournalError::TooManyOpen | JournalError::TooManyKept => 409,
    };
    Reply::error(status, &error.to_string())
}

/// The answer to a user without the right to the past.
pub fn not_the_past() -> Reply {
    Reply::error(403, "this user may not see recordings and past events")
}

/// 403 to who lost the right to something while it was done.
pub(super) fn no_longer() -> Reply {
    Reply::error(403, "the right to do this has ended meanwhile")
}
