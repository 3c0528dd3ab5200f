//! The settings that can be changed while the server runs: what they are, which are overridden and by
//! whom, and taking an override back.

use miniserde::Serialize;

use super::errors::control_error;
use super::value::Limits;
use crate::config::{Overridden, Value};
use crate::control::{Requester, SettingRow};
use crate::gate::PendingRequest;
use crate::http::audit;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::users::Identity;

#[derive(Serialize)]
struct Settings {
    settings: Vec<Row>,
}

/// `value` is null where there is none, as for a camera that is gone; `override` where defender.conf is in
/// force. [`Limits`] says what `kind` and the limits are.
#[derive(Serialize)]
struct Row {
    name: String,
    label: String,
    hint: &'static str,
    kind: &'static str,
    min: Option<Value>,
    max: Option<Value>,
    choices: Vec<Value>,
    value: Option<Value>,
    #[serde(rename = "override")]
    overridden: Option<Override>,
}

/// `by` and `at` are null where it is not known who saved it and when, `configured` where defender.conf does
/// not name it, and `problem` while it is in force.
#[derive(Serialize)]
struct Override {
    value: Value,
    configured: Option<Value>,
    by: Option<String>,
    at: Option<String>,
    problem: Option<String>,
}

/// `GET /api/1.0/settings`.
pub fn list(state: &AppState) -> Reply {
    let settings = state.control.settings().into_iter().map(row).collect();
    Reply::json(200, &Settings { settings })
}

/// `DELETE /api/1.0/settings/NAME`, or of all; what defender.conf says is in force again.
pub fn reset(state: &AppState, admin: &Identity, name: Option<&str>, pending: &PendingRequest) -> Reply {
    let what = match name {
        Some(name) => format!("reset {name:.100} to defender.conf"),
        None => "reset all settings to defender.conf".to_owned(),
    };
    let log = || audit::changed(pending.peer(), admin, &what);
    let requester = Requester { name: &admin.name, may: &|| state.accounts.holds(admin), log: &log };
    match state.control.reset(name, &requester) {
        Ok(()) => list(state),
        Err(error) => control_error(&error),
    }
}

fn row(found: SettingRow) -> Row {
    let saved = found.overridden.as_ref().map(|overridden| &overridden.saved.value);
    let known = found.form.map(Limits::of).or_else(|| found.value.as_ref().or(saved).map(Limits::of_value));
    let Limits { kind, min, max, choices } = known.unwrap_or_else(|| Limits::of_value(&Value::from("")));
    Row {
        name: found.name,
        label: found.label,
        hint: found.hint,
        kind,
        min,
        max,
        choices,
        value: found.value,
        overridden: found.overridden.map(overridden),
    }
}

fn overridden(found: Overridden) -> Override {
    let Overridden { saved, configured, problem } = found;
    Override { value: saved.value, configured, by: saved.by, at: saved.at, problem }
}
