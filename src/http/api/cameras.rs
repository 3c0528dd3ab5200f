//! Cameras: what they do now, how they are configured, and what can be changed while they run.

use std::collections::BTreeMap;

use miniserde::Serialize;
use miniserde::json;
use tiny_http::Request;

use super::errors::control_error;
use super::value::Values;
use crate::base::names::joined;
use crate::config::Value;
use crate::control::{CameraChange, CameraKeys, Requester};
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::http::{audit, body};
use crate::hub::{CameraFeed, Named, StreamFeed};
use crate::media::{CameraControl, ControlKind, PixelFormat, Timestamp};
use crate::users::{Identity, Role};

/// A camera. `settings` is null for a camera of another server. `controls` and `sizes` are null in lists, because
/// the driver is asked for them. `fps` is the rate that the driver promised, `interval_ms` the observed time
/// between frames. `recording` is null for a camera that is not to be recorded, `detection` for one at which no motion is looked for. `keeps` says whether changed settings can be saved for the next start.
#[derive(Serialize)]
pub struct Camera {
    name: String,
    source: String,
    online: bool,
    problem: Option<String>,
    width: u32,
    height: u32,
    trimmed_columns: u32,
    trimmed_rows: u32,
    format: Option<&'static str>,
    fps: f64,
    interval_ms: Option<u32>,
    captured: u32,
    dropped: u32,
    completed: u32,
    encoded: u32,
    viewers: u32,
    since_s: u64,
    relayed: bool,
    recording: Option<&'static str>,
    detection: Option<&'static str>,
    detection_problem: Option<String>,
    settings: Option<Values>,
    keeps: bool,
    streams: Vec<Stream>,
    controls: Option<Vec<Control>>,
    sizes: Option<Vec<Size>>,
}

/// A further stream of a camera. `width` and `height` are those of its pictures; before the first one, those that are
/// expected. `fps` and `quality` are null where they are the camera's.
#[derive(Serialize)]
struct Stream {
    name: String,
    scale: &'static str,
    width: u32,
    height: u32,
    fps: Option<u32>,
    quality: Option<u8>,
    viewers: u32,
    problem: Option<String>,
}

#[derive(Serialize)]
struct Cameras {
    cameras: Vec<Camera>,
}

#[derive(Serialize)]
struct Size {
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct Control {
    name: String,
    label: String,
    kind: &'static str,
    min: i32,
    max: i32,
    step: i32,
    default: i32,
    value: i32,
    inactive: bool,
    read_only: bool,
    menu: Vec<Choice>,
}

#[derive(Serialize)]
struct Choice {
    value: i32,
    name: String,
}

/// What a change of a camera looks like.
const EXAMPLE: &str = r#"{"fps":15,"controls":{"brightness":128},"save":true}"#;

/// `GET /api/1.0/cameras`.
pub fn list(state: &AppState, user: &Identity) -> Reply {
    Reply::json(200, &Cameras { cameras: cameras(state, user) })
}

/// `GET /api/1.0/cameras/NAME`.
pub fn one(state: &AppState, user: &Identity, name: &str) -> Reply {
    match state.camera(Some(name), user) {
        Ok(feed) => document(state, user, &feed),
        Err(reply) => reply,
    }
}

/// `PUT /api/1.0/cameras/NAME`: settings that the body does not name stay as they are.
pub fn change(call: &mut Call<'_>, name: &str) -> Reply {
    let Call { state, request, pending, user: admin } = call;
    let feed = match state.camera(Some(name), admin) {
        Ok(feed) => feed,
        Err(reply) => return reply,
    };
    let (change, saves) = match read_change(request, &state.control.camera_keys(name)) {
        Ok(change) => change,
        Err(reply) => return reply,
    };
    let what = match (change.is_nothing(), saves) {
        (true, _) => format!("saved the settings of camera {name}"),
        (false, true) => format!("set camera {name} to {change}, and saved that"),
        (false, false) => format!("set camera {name} to {change}"),
    };
    let log = || {
        if saves || !change.is_nothing() {
            audit::changed(pending.peer(), admin, &what);
        }
    };
    let requester = Requester { name: &admin.name, may: &|| state.accounts.holds(admin), log: &log };
    match state.control.change_camera(name, &change, saves, &requester) {
        Ok(()) => document(state, admin, &feed),
        Err(error) => control_error(&error),
    }
}

/// The state of the cameras that the user may see.
pub fn cameras(state: &AppState, user: &Identity) -> Vec<Camera> {
    let all = state.cameras.all();
    let own = all.iter().filter(|feed| user.scope.sees(feed.name()));
    own.map(|feed| camera(state, user, feed)).collect()
}

fn camera(state: &AppState, user: &Identity, feed: &CameraFeed) -> Camera {
    let (now, is_admin) = (feed.state(), user.role == Role::Admin);
    let mut asked = state.control.camera_values(feed.name());
    if let Some(values) = &mut asked {
        hide(values, is_admin, |microphone| user.scope.hears(microphone));
    }
    let (detection, detection_problem) = detection(state, feed);
    Camera {
        name: feed.name().to_owned(),
        // How the device is reached is for admins.
        source: if is_admin { now.source } else { String::new() },
        online: now.online,
        problem: if is_admin { now.problem } else { feed.public_problem() },
        width: now.width,
        height: now.height,
        trimmed_columns: now.trimmed.0,
        trimmed_rows: now.trimmed.1,
        format: now.format.map(PixelFormat::name),
        fps: (f64::from(now.fps) * 100.0).round() / 100.0,
        interval_ms: feed.counters.captured.interval_ms(),
        captured: feed.counters.captured.get(),
        dropped: feed.counters.dropped.get(),
        completed: feed.counters.completed.get(),
        encoded: feed.counters.encoded.get(),
        viewers: feed.viewers(),
        since_s: seconds_since(now.since),
        relayed: feed.relayed.get(),
        recording: recording(state, feed.name()),
        detection,
        detection_problem,
        keeps: asked.is_some() && state.control.can_save(),
        settings: asked.map(Values),
        streams: feed.streams().all().iter().map(|found| stream(found, (now.width, now.height))).collect(),
        controls: None,
        sizes: None,
    }
}

/// Empties what a user may not know of a camera's settings: how its device is reached is for admins, and the name of a
/// microphone for who may hear it.
fn hide(values: &mut [(String, Value)], is_admin: bool, hears: impl Fn(&str) -> bool) {
    for (key, value) in values {
        match (key.as_str(), value) {
            ("device" | "login_file" | "fingerprint", Value::Text(text)) if !is_admin => text.clear(),
            ("record", Value::Table(entries)) => {
                for (key, value) in entries {
                    if let (true, Value::Text(name)) = (key == "microphone", value)
                        && !hears(name)
                    {
                        name.clear();
                    }
                }
            }
            _ => {}
        }
    }
}

fn stream(feed: &StreamFeed, camera_size: (u32, u32)) -> Stream {
    let (settings, state) = (feed.settings(), feed.state());
    let (width, height) = state.size.unwrap_or_else(|| settings.scale.of(camera_size));
    Stream {
        name: settings.name,
        scale: settings.scale.name(),
        width,
        height,
        fps: settings.fps,
        quality: settings.quality,
        viewers: feed.frames().readers(),
        problem: state.problem,
    }
}

/// Whether a camera is recorded; `None` for one that is not to be.
fn recording(state: &AppState, name: &str) -> Option<&'static str> {
    state.recordings.state_of(name).map(|state| state.name())
}

/// What detection at a camera does, and what is wrong; `None` where there is none.
fn detection(state: &AppState, feed: &CameraFeed) -> (Option<&'static str>, Option<String>) {
    let shown = feed.motion().and_then(|_| state.motion.watch(feed.name())).map(|watch| watch.state());
    shown.map_or((None, None), |(state, problem)| (Some(state.name()), problem))
}

/// Whole seconds since a moment; 0 if there was none.
pub(super) fn seconds_since(moment: Option<Timestamp>) -> u64 {
    moment.map_or(0, |moment| Timestamp::now().since(moment).as_secs())
}

fn document(state: &AppState, user: &Identity, feed: &CameraFeed) -> Reply {
    let controls = state.control.camera_controls(feed).into_iter().map(control).collect();
    let sizes = state.control.camera_sizes(feed).into_iter();
    let sizes = sizes.map(|(width, height)| Size { width, height }).collect();
    Reply::json(200, &Camera { controls: Some(controls), sizes: Some(sizes), ..camera(state, user, feed) })
}

/// The change that a request asks for, and whether it is to be saved.
pub(super) fn read_change(request: &mut Request, known: &CameraKeys) -> Result<(CameraChange, bool), Reply> {
    let mut keys = known.top();
    keys.push("save");
    let mut fields: BTreeMap<String, json::Value> = body::read_settings(request, &keys, EXAMPLE)?;
    let saves = match fields.remove("save") {
        None => false,
        Some(json::Value::Bool(saves)) => saves,
        Some(_) => return Err(body::wrong_value("save", EXAMPLE)),
    };
    let mut values = Vec::new();
    for (key, found) in fields {
        if collect(key.clone(), &found, known, &mut values).is_none() {
            return Err(body::wrong_value(&key, EXAMPLE));
        }
    }
    Ok((CameraChange { values }, saves))
}

/// Collects a value, or those of a section, by their names within the camera; `None` for what is no value, or no
/// section.
fn collect(
    name: String,
    found: &json::Value,
    known: &CameraKeys,
    values: &mut Vec<(String, Value)>,
) -> Option<()> {
    if !known.is_section(&name) {
        values.push((name, Value::from_json(found)?));
        return Some(());
    }
    let json::Value::Object(fields) = found else { return None };
    fields.iter().try_for_each(|(key, value)| collect(joined(&name, key), value, known, values))
}

fn control(found: CameraControl) -> Control {
    let (kind, choices) = match found.kind {
        ControlKind::Integer => ("integer", Vec::new()),
        ControlKind::Boolean => ("boolean", Vec::new()),
        ControlKind::Menu(choices) => ("menu", choices),
        ControlKind::Button => ("button", Vec::new()),
    };
    Control {
        name: found.name,
        label: found.label,
        kind,
        min: found.min,
        max: found.max,
        step: found.step,
        default: found.default,
        value: found.value,
        inactive: found.is_inactive,
        read_only: found.is_read_only,
        menu: choices.into_iter().map(|(value, name)| Choice { value, name }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_no_device_and_no_microphone_of_others() {
        let text = |key: &str, value: &str| (key.to_owned(), Value::from(value));
        let record = vec![text("when", "always"), text("microphone", "hall")];
        let all = [
            text("device", "http://192.0.2.7/"),
            text("login_file", "login"),
            text("fingerprint", "sha256:00"),
            text("format", "auto"),
            ("record".to_owned(), Value::Table(record)),
        ];
        for (is_admin, hears, hidden) in [
            (true, true, vec![]),
            (false, true, vec!["192.0.2.7", "login", "sha256:00"]),
            (false, false, vec!["192.0.2.7", "login", "sha256:00", "hall"]),
        ] {
            let mut values = all.to_vec();
            hide(&mut values, is_admin, |_| hears);
            let (before, after) = (json::to_string(&Values(all.to_vec())), json::to_string(&Values(values)));
            let expected = hidden.iter().fold(before, |text, word| match *word {
                "192.0.2.7" => text.replace("http://192.0.2.7/", ""),
                "login" => text.replace("\"login\"", "\"\""),
                word => text.replace(word, ""),
            });
            assert_eq!(after, expected);
        }
    }
}
