//! Replays of the last looks: what would have been found with other settings.

use miniserde::Serialize;

use super::cameras::read_change;
use super::errors::control_error;
use super::events::{no_longer, sides};
use crate::base::utc;
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::motion::ReplayedEvent;

/// What would have been found. Times are null where there was no look.
#[derive(Serialize)]
struct Document {
    from: Option<String>,
    to: Option<String>,
    looks: u32,
    source: &'static str,
    stopped_early: bool,
    events: Vec<EventDocument>,
}

#[derive(Serialize)]
struct EventDocument {
    kind: &'static str,
    start: String,
    end: String,
    score: u8,
    area: Box<[f64]>,
    zone: Option<String>,
}

/// `POST /api/1.0/cameras/NAME/motion/replay`: settings that the body does not name are those in force.
pub fn replay(call: &mut Call<'_>, name: &str) -> Reply {
    let state = call.state;
    if let Err(reply) = state.camera(Some(name), call.user) {
        return reply;
    }
    let (change, saves) = match read_change(call.request, &state.control.camera_keys(name)) {
        Ok(change) => change,
        Err(reply) => return reply,
    };
    if saves || change.values.iter().any(|(key, _)| !key.starts_with("motion.")) {
        return Reply::error(
            400,
            r#"expected settings of motion only, such as {"motion":{"size_percent":1.5}}"#,
        );
    }
    let settings = match state.control.changed_camera(name, &change) {
        Ok(settings) => settings,
        Err(error) => return control_error(&error),
    };
    let (pending, admin) = (call.pending, call.user);
    let may_go_on = || pending.is_wanted() && state.accounts.holds(admin);
    let (motion, edits) = (&settings.motion.settings, &settings.edits);
    match state.motion.replay(&state.recordings, name, motion, edits, &may_go_on) {
        Some(replay) if replay.is_cut && !state.accounts.holds(admin) => no_longer(),
        Some(replay) => {
            let (from, to) = replay.span_us.unzip();
            let document = Document {
                from: from.map(utc::rfc3339),
                to: to.map(utc::rfc3339),
                looks: replay.looks,
                stopped_early: replay.is_cut,
                source: if replay.is_recorded { "recordings" } else { "memory" },
                events: replay.events.into_iter().map(event).collect(),
            };
            Reply::json(200, &document)
        }
        None => Reply::error(503, "another replay runs").with("Retry-After", "5"),
    }
}

fn event(found: ReplayedEvent) -> EventDocument {
    EventDocument {
        kind: found.kind.name(),
        start: utc::rfc3339(found.start_us),
        end: utc::rfc3339(found.end_us),
        score: found.score,
        area: Box::from(sides(found.area)),
        zone: found.zone,
    }
}
