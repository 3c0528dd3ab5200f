//! The versions of the API, and the server's status.

use miniserde::Serialize;

use super::{cameras, microphones, recordings};
use crate::codec::part;
use crate::control::Media;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::journal::Health;
use crate::media::Timestamp;
use crate::users::{Identity, Role};

#[derive(Serialize)]
struct Versions {
    versions: [&'static str; 1],
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    user: String,
    role: &'static str,
    past: bool,
    mode: &'static str,
    uptime_s: u64,
    services: Running,
    cameras: Vec<cameras::Camera>,
    microphones: Vec<microphones::Microphone>,
    remotes: Vec<Remote>,
    connections: u32,
    journal: Option<JournalHealth>,
    recording_warning: Option<String>,
}

/// How well events are stored; for admins.
#[derive(Serialize)]
struct JournalHealth {
    problem: Option<String>,
    unwritten: usize,
    lost: u32,
    left_out: u32,
}

#[derive(Serialize)]
struct Running {
    video: bool,
    audio: bool,
    recording: bool,
    motion: bool,
}

/// Another Defender; `problem` is null while it answers.
#[derive(Serialize)]
struct Remote {
    name: String,
    url: String,
    problem: Option<String>,
}

/// `GET /api`.
pub fn versions() -> Reply {
    Reply::json(200, &Versions { versions: ["1.0"] })
}

/// `GET /api/1.0/status`, with the cameras and microphones that the user may use.
pub fn status(state: &AppState, user: &Identity) -> Reply {
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        user: user.name.clone(),
        role: user.role.name(),
        past: user.may_see_past(),
        mode: state.control.mode_name(),
        services: Running {
            video: state.control.stopped_by(Media::Video).is_none(),
            audio: state.control.stopped_by(Media::Audio).is_none(),
            recording: state.recordings.switch().stopped_by().is_none(),
            motion: state.motion.switch().stopped_by().is_none(),
        },
        uptime_s: state.started.elapsed().as_secs(),
        cameras: cameras::cameras(state, user),
        microphones: microphones::microphones(state, user),
        remotes: if user.scope.names().is_none() { remotes(state, user) } else { Vec::new() },
        connections: state.admission.connections(),
        journal: (user.role == Role::Admin).then(|| journal(state)),
        recording_warning: recordings::warning(state, user),
    };
    // From it the page computes the difference between the browser's clock and the one that stamps frames.
    Reply::json(200, &status).with("X-Timestamp", part::x_timestamp(Timestamp::now()))
}

fn journal(state: &AppState) -> JournalHealth {
    let Health { problem, unwritten, lost, left_out } = state.journal.health();
    JournalHealth { problem, unwritten, lost, left_out }
}

/// The other Defenders; where they are, and files and keys that a problem may name, are for admins.
fn remotes(state: &AppState, user: &Identity) -> Vec<Remote> {
    let remotes = state.control.remotes().into_iter();
    if user.role == Role::Admin {
        return remotes.map(|(name, url, problem)| Remote { name, url, problem }).collect();
    }
    let without_place = |(name, _, problem): (String, String, Option<String>)| {
        let problem = problem.map(|_| "it does not answer as it should".to_owned());
        Remote { name, url: String::new(), problem }
    };
    remotes.map(without_place).collect()
}
