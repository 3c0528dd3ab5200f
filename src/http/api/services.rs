//! The services video and audio: whether they run, and stopping and starting them.

use miniserde::{Deserialize, Serialize};

use super::errors::control_error;
use crate::control::{Media, Requester};
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::http::{audit, body};

#[derive(Serialize)]
struct Services {
    video: Running,
    audio: Running,
}

/// `stopped_by` is null while it runs.
#[derive(Serialize)]
struct Running {
    running: bool,
    stopped_by: Option<String>,
}

#[derive(Deserialize)]
struct RunningBody {
    running: bool,
}

/// `GET /api/1.0/services`.
pub fn list(state: &AppState) -> Reply {
    let (video, audio) = (running(state, Media::Video), running(state, Media::Audio));
    Reply::json(200, &Services { video, audio })
}

/// `GET /api/1.0/services/video`, `.../audio`.
pub fn one(state: &AppState, media: Media) -> Reply {
    Reply::json(200, &running(state, media))
}

/// `PUT /api/1.0/services/video`, `.../audio`. Viewers and listeners stay connected and see or hear that it is stopped.
pub fn change(call: &mut Call<'_>, media: Media) -> Reply {
    let Call { state, request, pending, user: admin } = call;
    let wanted: RunningBody = match body::read_strictly(request, &["running"], r#"{"running":false}"#) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    let verb = if wanted.running { "started" } else { "stopped" };
    let what = format!("{verb} {}", media.name());
    let log = || audit::changed(pending.peer(), admin, &what);
    let requester = Requester { name: &admin.name, may: &|| state.accounts.holds(admin), log: &log };
    match state.control.set_running(media, wanted.running, &requester) {
        Ok(()) => one(state, media),
        Err(error) => control_error(&error),
    }
}

fn running(state: &AppState, media: Media) -> Running {
    let stopped_by = state.control.stopped_by(media);
    Running { running: stopped_by.is_none(), stopped_by }
}
