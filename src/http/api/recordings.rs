//! Recordings: what there is of each camera, single pictures of it, and deleting.

use std::collections::BTreeSet;

use miniserde::Serialize;

use super::events::{self, not_the_past};
use crate::base::clock;
use crate::base::utc::{self, DAY_US, SECOND_US};
use crate::codec::part;
use crate::http::audit;
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::http::stream::query;
use crate::journal::{EventQuery, EventRecord};
use crate::media::{EventKind, GapReason};
use crate::record::{CameraFootage, CameraStatus, Player, State};
use crate::users::Identity;

/// Most stretches in a reply.
const MOST_STRETCHES: usize = 5000;

/// Most bytes of a timeline.
const MOST_STEPS: u64 = 100_000;

/// Most events in a reply.
const MOST_EVENTS: usize = 100;

/// Most events of motion in a timeline.
const MOST_MOTIONS: usize = 5000;

/// The byte of a timeline for a step without footage.
const NOTHING: u8 = 255;

#[derive(Serialize)]
struct Recordings {
    dir_bytes: u64,
    free_bytes: Option<u64>,
    max_bytes: Option<u64>,
    min_free_bytes: u64,
    read: bool,
    problem: Option<String>,
    warning: Option<String>,
    stopped_by: Option<String>,
    fits_days: Option<f64>,
    cameras: Vec<Camera>,
    deleted: Vec<Deleted>,
    thinned: Thinned,
}

#[derive(Serialize)]
struct Camera {
    name: String,
    state: &'static str,
    event: bool,
    problem: Option<String>,
    first: Option<f64>,
    last: Option<f64>,
    bytes: u64,
    segments: u64,
    days: Vec<String>,
    frames: u64,
    missed: u64,
}

#[derive(Serialize)]
struct Deleted {
    reason: &'static str,
    segments: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Thinned {
    segments: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Recording {
    camera: String,
    stretches: Vec<Stretch>,
    more: Option<f64>,
    events: Vec<events::Document>,
}

#[derive(Serialize)]
struct Stretch {
    from: f64,
    to: f64,
    gap: Option<&'static str>,
}

/// Whether a user may see the footage of a camera.
///
/// # Errors
/// 403 for a user without the right to recordings, 404 for a camera that the user may not see, and for one that there is
/// not and of which nothing is recorded.
pub fn check(call: &Call<'_>, name: &str) -> Result<(), Reply> {
    let user = call.user;
    if !user.may_see_past() {
        return Err(not_the_past());
    }
    if user.scope.sees(name) && call.state.recordings.has_footage_of(name) {
        return Ok(());
    }
    call.state.camera(Some(name), user).map(drop)
}

/// `GET /api/1.0/recordings`: of the cameras that the user may see.
pub fn list(state: &AppState, user: &Identity) -> Reply {
    if !user.may_see_past() {
        return not_the_past();
    }
    let recordings = &state.recordings;
    let footage = recordings.cameras();
    let status = recordings.status();
    let names: BTreeSet<&str> = footage
        .iter()
        .map(|footage| footage.camera.as_str())
        .chain(status.iter().map(|status| status.camera.as_str()))
        .filter(|name| user.scope.sees(name))
        .collect();
    let camera = |name: &&str| {
        let footage = footage.iter().find(|footage| footage.camera == **name);
        camera(state, name, footage, status.iter().find(|status| status.camera == **name))
    };
    let store = recordings.store();
    let is_whole = user.scope.names().is_none();
    let sacrificed = if is_whole { recordings.sacrificed() } else { Default::default() };
    let deleted = sacrificed.deleted.iter().map(|(reason, segments, bytes)| Deleted {
        reason: reason.name(),
        segments: *segments,
        bytes: *bytes,
    });
    let free_bytes = recordings.free_bytes().filter(|_| is_whole);
    let document = Recordings {
        dir_bytes: if is_whole { recordings.bytes() } else { 0 },
        free_bytes,
        max_bytes: store.max_bytes,
        min_free_bytes: store.min_free_bytes,
        read: recordings.is_read.get(),
        problem: recordings.problem(),
        warning: warning(state, user),
        stopped_by: recordings.switch().stopped_by(),
        fits_days: free_bytes.and_then(|free| fits_days(state, &footage, free)),
        cameras: names.iter().map(camera).collect(),
        deleted: deleted.collect(),
        thinned: Thinned { segments: sacrificed.thinned.0, bytes: sacrificed.thinned.1 },
    };
    Reply::json(200, &document)
}

/// What will be deleted too early, for a user who may see all footage.
pub fn warning(state: &AppState, user: &Identity) -> Option<String> {
    let loss = state.recordings.loss().filter(|_| user.may_see_past() && user.scope.names().is_none())?;
    Some(loss.as_text(clock::wall_us()))
}

/// `GET /api/1.0/recordings/NAME`: from when to when there is footage.
pub fn one(call: &Call<'_>, name: &str) -> Reply {
    if let Err(refused) = check(call, name) {
        return refused;
    }
    let (from_us, to_us) = match query::span(call.query()) {
        Ok(span) => span,
        Err(error) => return error.into(),
    };
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut more = None;
    call.state.recordings.look_at_stretches(name, (from_us, to_us), &mut |start, end, gap, goes_on| {
        let is_full = stretches.len() >= MOST_STRETCHES;
        match stretches.last_mut() {
            _ if more.is_some() => {}
            Some(last) if goes_on => last.to = last.to.max(seconds_after(end)),
            _ if !is_full => {
                let gap = gap.map(GapReason::name);
                stretches.push(Stretch { from: seconds(start), to: seconds_after(end), gap });
            }
            _ => more = Some(seconds(start)),
        }
    });
    let is_of_it =
        |record: &EventRecord| record.event.camera.as_str() == name && events::may_see(call.user, record);
    let found = events_between(call.state, (from_us, to_us), &is_of_it, MOST_EVENTS);
    let events = found.iter().map(events::document).collect();
    Reply::json(200, &Recording { camera: name.to_owned(), stretches, more, events })
}

/// The newest events of a span of time.
fn events_between(
    state: &AppState,
    (from_us, to_us): (u64, u64),
    is_wanted: &dyn Fn(&EventRecord) -> bool,
    limit: usize,
) -> Vec<EventRecord> {
    let query = EventQuery { from_us: Some(from_us), to_us: Some(to_us), is_wanted, before: None, limit };
    state.journal.find(&query)
}

/// `GET .../frame`: the picture at a moment.
pub fn frame(call: &Call<'_>, name: &str) -> Reply {
    let at = match query::needed_moment(call.query(), "at") {
        Ok(at) => at,
        Err(error) => return error.into(),
    };
    let mut player = Player::new(&call.state.recordings, name, call.state.memory.for_footage());
    if !player.seek(at) {
        return nothing_at(&player);
    }
    // It is given back before the reply is sent, and keeps a picture that is too large from being read.
    let bytes = player.bytes() as usize;
    let Some(_lease) = call.state.memory.for_requests().lease(bytes) else { return Reply::out_of_memory() };
    let mut jpeg = Vec::with_capacity(bytes);
    if let Err(error) = player.read(&mut jpeg) {
        return Reply::error(503, &format!("the recording cannot be read: {error}"));
    }
    let number = player.number().unwrap_or(0).to_string();
    let stamp = part::x_timestamp_at(player.wall_us().unwrap_or(0));
    let mut reply = Reply::jpeg(jpeg)
        .with("Cache-Control", "private, no-cache")
        .with("X-Timestamp", stamp)
        .with("X-Frame", number);
    let (previous, next) = player.neighbours();
    for (field, moment) in [("X-Previous", previous), ("X-Next", next)] {
        if let Some(moment) = moment {
            reply = reply.with(field, part::x_timestamp_at(moment));
        }
    }
    reply
}

/// The answer where a player finds no frame.
pub fn nothing_at(player: &Player) -> Reply {
    if player.lacks_memory() {
        return Reply::out_of_memory();
    }
    Reply::error(404, "nothing is recorded of this camera")
}

/// `GET .../timeline`: a byte for each step of time, with the score of what moved.
pub fn timeline(call: &Call<'_>, name: &str) -> Reply {
    let (from_us, to_us) = match query::span(call.query()) {
        Ok(span) => span,
        Err(error) => return error.into(),
    };
    let step_us = match query::step(call.query()) {
        Ok(step_us) => step_us,
        Err(error) => return error.into(),
    };
    // So many bytes at the most; a longer time has longer steps.
    let span_us = to_us.saturating_sub(from_us);
    let step_us = step_us.max(span_us.div_ceil(MOST_STEPS));
    let steps = span_us.div_ceil(step_us);
    let mut bytes = vec![NOTHING; steps as usize];
    let mut put = |start: u64, end: u64, change: &dyn Fn(&mut u8)| {
        let step = |at: u64| (at.saturating_sub(from_us) / step_us) as usize;
        bytes.iter_mut().take(step(end).saturating_add(1)).skip(step(start)).for_each(change);
    };
    let span = (from_us, to_us);
    call.state.recordings.look_at_stretches(name, span, &mut |start, end, _, _| {
        put(start, end, &|byte| *byte = 0);
    });
    let is_motion = |EventRecord { event, .. }: &EventRecord| {
        event.kind == EventKind::Motion && event.camera.as_str() == name
    };
    for record in events_between(call.state, span, &is_motion, MOST_MOTIONS) {
        let score = record.event.score.min(NOTHING - 1);
        let end_us = record.wall_end_us().unwrap_or(to_us);
        put(record.wall_start_us, end_us, &|byte| {
            *byte = if *byte == NOTHING { NOTHING } else { score.max(*byte) };
        });
    }
    let step = format!("{}.{:06}", step_us / SECOND_US, step_us % SECOND_US);
    Reply::new(200, "application/octet-stream", bytes.into())
        .with("Cache-Control", "no-store")
        .with("X-Step", step)
}

/// `DELETE /api/1.0/recordings/NAME`: asks the keeper to delete whole files of footage; it does so later.
pub fn delete(call: &mut Call<'_>, name: &str) -> Reply {
    if let Err(refused) = check(call, name) {
        return refused;
    }
    let needed = |name| query::needed_moment(call.query(), name);
    let (from_us, to_us) = match needed("from").and_then(|from| Ok((from, needed("to")?))) {
        Ok(span) => span,
        Err(error) => return error.into(),
    };
    if to_us < from_us {
        return Reply::error(404, "nothing is recorded in that time: to is before from");
    }
    let segments = call.state.recordings.request_deletion(name, from_us, to_us);
    let (from, to) = (utc::rfc3339(from_us), utc::rfc3339(to_us));
    let what = format!("asked to delete footage of camera {name} from {from} to {to}, files: {segments}");
    audit::changed(call.pending.peer(), call.user, &what);
    Reply::json(200, &Thinned { segments, bytes: 0 })
}

fn camera(
    state: &AppState,
    name: &str,
    footage: Option<&CameraFootage>,
    status: Option<&CameraStatus>,
) -> Camera {
    let status = status.cloned().unwrap_or_default();
    let mut days = BTreeSet::new();
    let mut last = None;
    state.recordings.look_at_segments(name, 0, u64::MAX, &mut |segment| {
        let ends = segment.stretches().flat_map(|(start, end, _)| [start, end]);
        for at in ends.map(|at| at - at % DAY_US).filter(|day| last.replace(*day) != Some(*day)) {
            days.insert(utc::day(at));
        }
    });
    Camera {
        name: name.to_owned(),
        state: status.state.name(),
        event: status.is_event,
        problem: status.problem,
        first: footage.map(|footage| seconds(footage.first_us)),
        last: footage.map(|footage| seconds_after(footage.last_us)),
        bytes: footage.map_or(0, |footage| footage.bytes),
        segments: footage.map_or(0, |footage| footage.segments as u64),
        days: days.into_iter().collect(),
        frames: status.frames,
        missed: status.missed,
    }
}

/// Days of footage that fit at the rate of what is there.
fn fits_days(state: &AppState, footage: &[CameraFootage], free_bytes: u64) -> Option<f64> {
    let store = state.recordings.store();
    let used: u64 = footage.iter().map(|footage| footage.bytes).sum();
    let usable = used + free_bytes.saturating_sub(store.min_free_bytes);
    let usable = store.max_bytes.map_or(usable, |most| most.min(usable));
    let status = state.recordings.status();
    let is_recorded =
        |camera: &str| status.iter().any(|status| status.camera == camera && status.state != State::Off);
    let a_day: f64 = footage
        .iter()
        .filter(|footage| is_recorded(&footage.camera))
        .map(|footage| {
            let covered_us = footage.covered_us.max(60 * SECOND_US);
            footage.bytes as f64 * DAY_US as f64 / covered_us as f64
        })
        .sum();
    (a_day > 0.0).then(|| (usable as f64 / a_day * 10.0).round() / 10.0)
}

fn seconds(wall_us: u64) -> f64 {
    (wall_us / 1000) as f64 / 1000.0
}

/// The end of footage. It is rounded up, so that who asks for footage until then gets the last frame as well.
fn seconds_after(wall_us: u64) -> f64 {
    seconds(wall_us.next_multiple_of(1000))
}
