//! The log: its level, and its newest lines.

use miniserde::{Deserialize, Serialize};

use super::errors::control_error;
use crate::control::Requester;
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::http::{audit, body};

/// Lines in the reply if the query does not say how many.
const DEFAULT_LINES: u32 = 100;

/// `keeps` says whether a changed level can be saved for the next start.
#[derive(Serialize)]
struct Level {
    level: &'static str,
    keeps: bool,
}

#[derive(Deserialize)]
struct LevelBody {
    level: String,
    save: Option<bool>,
}

#[derive(Serialize)]
struct Lines {
    lines: Vec<String>,
}

/// `GET /api/1.0/logging`.
pub fn level(state: &AppState) -> Reply {
    Reply::json(200, &Level { level: state.control.log_level(), keeps: state.control.can_save() })
}

/// `PUT /api/1.0/logging`.
pub fn set_level(call: &mut Call<'_>) -> Reply {
    let Call { state, request, pending, user: admin } = call;
    let example = r#"{"level":"debug","save":false}"#;
    let wanted: LevelBody = match body::read_strictly(request, &["level", "save"], example) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    let saves = wanted.save == Some(true);
    let saved = if saves { ", and saved that" } else { "" };
    let what = format!("set the log to {}{saved}", wanted.level);
    let log = || audit::changed(pending.peer(), admin, &what);
    let requester = Requester { name: &admin.name, may: &|| state.accounts.holds(admin), log: &log };
    match state.control.set_log_level(&wanted.level, saves, &requester) {
        Ok(()) => level(state),
        Err(error) => control_error(&error),
    }
}

/// `GET /api/1.0/logs`: the newest lines, at most `?lines=` of them.
pub fn lines(state: &AppState, query: &str) -> Reply {
    let wanted = query.split('&').find_map(|pair| pair.strip_prefix("lines="));
    let count =
        wanted.map_or(Some(DEFAULT_LINES), |number| number.parse::<u32>().ok()).filter(|count| *count > 0);
    match count {
        Some(count) => Reply::json(200, &Lines { lines: state.control.log_lines(count as usize) }),
        _ => Reply::error(400, "lines must be a whole number above 0"),
    }
}
