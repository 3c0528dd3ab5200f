//! Microphones: what they do now.

use miniserde::Serialize;

use super::cameras::seconds_since;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::hub::{MicrophoneFeed, Named};
use crate::users::{Identity, Role};

/// A microphone.
#[derive(Serialize)]
pub struct Microphone {
    name: String,
    source: String,
    online: bool,
    problem: Option<String>,
    rate_hz: u32,
    channels: u32,
    captured: u32,
    overruns: u32,
    rms_dbfs: f64,
    peak_dbfs: f64,
    listeners: u32,
    since_s: u64,
    relayed: bool,
}

#[derive(Serialize)]
struct Microphones {
    microphones: Vec<Microphone>,
}

/// `GET /api/1.0/microphones`.
pub fn list(state: &AppState, user: &Identity) -> Reply {
    Reply::json(200, &Microphones { microphones: microphones(state, user) })
}

/// `GET /api/1.0/microphones/NAME`.
pub fn one(state: &AppState, user: &Identity, name: &str) -> Reply {
    match state.microphone(Some(name), user) {
        Ok(feed) => Reply::json(200, &microphone(&feed, user)),
        Err(reply) => reply,
    }
}

/// The state of the microphones that the user may hear.
pub fn microphones(state: &AppState, user: &Identity) -> Vec<Microphone> {
    let all = state.microphones.all();
    let own = all.iter().filter(|feed| user.scope.hears(feed.name()));
    own.map(|feed| microphone(feed, user)).collect()
}

fn microphone(feed: &MicrophoneFeed, user: &Identity) -> Microphone {
    let is_admin = user.role == Role::Admin;
    let (state, format, level) = (feed.state(), feed.format(), feed.level());
    let rounded = |dbfs: f32| (f64::from(dbfs) * 10.0).round() / 10.0;
    Microphone {
        name: feed.name().to_owned(),
        // How the device is reached is for admins.
        source: if is_admin { state.source } else { String::new() },
        online: state.online,
        problem: if is_admin { state.problem } else { feed.public_problem() },
        rate_hz: format.rate_hz,
        channels: format.channels,
        captured: feed.captured.get(),
        overruns: feed.overruns.get(),
        rms_dbfs: rounded(level.rms_dbfs),
        peak_dbfs: rounded(level.peak_dbfs),
        listeners: feed.listeners(),
        since_s: seconds_since(state.since),
        relayed: feed.relayed.get(),
    }
}
