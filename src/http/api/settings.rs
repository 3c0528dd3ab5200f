//! The settings that can be changed while the server runs: what they are, which are overridden and by
//! whom, and taking an override back.

use std::borrow::Cow;

use miniserde::Serialize;
use miniserde::ser::{Fragment, Map};

use super::errors::control_error;
use crate::config::{Kind, Overridden, Value};
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
/// force. `choices` is for words, `min` and `max` are for numbers.
#[derive(Serialize)]
struct Row {
    name: String,
    label: String,
    hint: &'static str,
    kind: &'static str,
    min: Option<u32>,
    max: Option<u32>,
    choices: Vec<&'static str>,
    value: Option<Json>,
    #[serde(rename = "override")]
    overridden: Option<Override>,
}

/// `by` and `at` are null where it is not known who saved it and when, `configured` where defender.conf does
/// not name it, and `problem` while it is in force.
#[derive(Serialize)]
struct Override {
    value: Json,
    configured: Option<Json>,
    by: Option<String>,
    at: Option<String>,
    problem: Option<String>,
}

/// The value of a setting.
struct Json(Value);

/// The settings of a camera, in the order of their table.
pub struct Values(Vec<(&'static str, Json)>);

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
    let (kind, min, max, choices) = match found.kind {
        Kind::Integer(range) => ("integer", Some(*range.start()), Some(*range.end()), Vec::new()),
        Kind::Boolean => ("boolean", None, None, Vec::new()),
        Kind::Choice(words) => ("choice", None, None, words),
        Kind::Text => ("text", None, None, Vec::new()),
    };
    Row {
        name: found.name,
        label: found.label,
        hint: found.hint,
        kind,
        min,
        max,
        choices,
        value: found.value.map(Json),
        overridden: found.overridden.map(overridden),
    }
}

fn overridden(found: Overridden) -> Override {
    let Overridden { saved, configured, problem } = found;
    Override {
        value: Json(saved.value),
        configured: configured.map(Json),
        by: saved.by,
        at: saved.at,
        problem,
    }
}

impl Values {
    /// The settings that a camera was asked to have.
    pub fn of(values: Vec<(&'static str, Value)>) -> Self {
        Self(values.into_iter().map(|(key, value)| (key, Json(value))).collect())
    }
}

impl Serialize for Json {
    fn begin(&self) -> Fragment<'_> {
        match &self.0 {
            Value::Integer(number) => Fragment::I64(*number),
            Value::Boolean(is_on) => Fragment::Bool(*is_on),
            Value::Text(text) => Fragment::Str(Cow::Borrowed(text)),
        }
    }
}

impl Serialize for Values {
    fn begin(&self) -> Fragment<'_> {
        Fragment::Map(Box::new(Entries(self.0.iter())))
    }
}

struct Entries<'a>(std::slice::Iter<'a, (&'static str, Json)>);

impl Map for Entries<'_> {
    fn next(&mut self) -> Option<(Cow<'_, str>, &dyn Serialize)> {
        let (key, value) = self.0.next()?;
        Some((Cow::Borrowed(*key), value))
    }
}
