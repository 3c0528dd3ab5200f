//! Cameras: what they do now, how they are configured, and what can be changed while they run.

use std::collections::BTreeMap;

use miniserde::{Deserialize, Serialize};
use tiny_http::Request;

use super::errors::control_error;
use crate::control::{CameraChange, CameraControl, CameraSettings, ControlKind, Told};
use crate::gate::PendingRequest;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::http::{audit, body};
use crate::hub::{CameraFeed, Named};
use crate::media::{PixelFormat, Timestamp};
use crate::users::Identity;

/// A camera. `settings` is null for a camera of another server. `controls` and `sizes` are null in lists, because
/// the driver is asked for them. `fps` is the rate that the driver promised, `interval_ms` the observed time
/// between frames. `keeps` says whether changed settings can be saved for the next start.
#[derive(Serialize)]
pub struct Camera {
    name: String,
    source: String,
    online: bool,
    problem: Option<String>,
    width: u32,
    height: u32,
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
    settings: Option<Settings>,
    keeps: bool,
    controls: Option<Vec<Control>>,
    sizes: Option<Vec<Size>>,
}

#[derive(Serialize)]
struct Cameras {
    cameras: Vec<Camera>,
}

#[derive(Serialize)]
struct Settings {
    device: String,
    format: &'static str,
    width: u32,
    height: u32,
    fps: u32,
    quality: u8,
    chroma: &'static str,
    on_demand: bool,
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

const KEYS: [&str; 6] = ["width", "height", "fps", "quality", "controls", "save"];

#[derive(Deserialize)]
struct ChangeBody {
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<u32>,
    quality: Option<u32>,
    controls: Option<BTreeMap<String, i32>>,
    save: Option<bool>,
}

/// `GET /api/1.0/cameras`.
pub fn list(state: &AppState, user: &Identity) -> Reply {
    Reply::json(200, &Cameras { cameras: cameras(state, user) })
}

/// `GET /api/1.0/cameras/NAME`.
pub fn one(state: &AppState, user: &Identity, name: &str) -> Reply {
    match state.camera(Some(name), user) {
        Ok(feed) => document(state, &feed),
        Err(reply) => reply,
    }
}

/// `PUT /api/1.0/cameras/NAME`: settings that the body does not name stay as they are.
pub fn change(
    state: &AppState,
    admin: &Identity,
    name: &str,
    request: &mut Request,
    pending: &PendingRequest,
) -> Reply {
    let feed = match state.camera(Some(name), admin) {
        Ok(feed) => feed,
        Err(reply) => return reply,
    };
    let example = r#"{"fps":15,"controls":{"brightness":128},"save":true}"#;
    let wanted: ChangeBody = match body::read_strictly(request, &KEYS, example) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    let ChangeBody { width, height, fps, quality, controls, save } = wanted;
    let controls = controls.unwrap_or_default().into_iter().collect();
    let change = CameraChange { width, height, fps, quality, controls };
    let saves = save == Some(true);
    let what = match (change.is_nothing(), saves) {
        (true, _) => format!("saved the settings of camera {name}"),
        (false, true) => format!("set camera {name} to {}, and saved that", Told(&change)),
        (false, false) => format!("set camera {name} to {}", Told(&change)),
    };
    let log = || {
        if saves || !change.is_nothing() {
            audit::changed(pending.peer(), admin, &what);
        }
    };
    match state.control.change_camera(name, &change, saves, || state.accounts.holds(admin), log) {
        Ok(()) => document(state, &feed),
        Err(error) => control_error(&error),
    }
}

/// The state of the cameras that the user may see.
pub fn cameras(state: &AppState, user: &Identity) -> Vec<Camera> {
    let all = state.cameras.all();
    let own = all.iter().filter(|feed| user.scope.sees(feed.name()));
    own.map(|feed| camera(state, feed)).collect()
}

fn camera(state: &AppState, feed: &CameraFeed) -> Camera {
    let now = feed.state();
    let asked = state.control.camera_settings(feed.name());
    Camera {
        name: feed.name().to_owned(),
        source: now.source,
        online: now.online,
        problem: now.problem,
        width: now.width,
        height: now.height,
        format: now.format.map(PixelFormat::name),
        fps: (f64::from(now.fps) * 100.0).round() / 100.0,
        interval_ms: feed.counters.captured.interval_ms(),
        captured: feed.counters.captured.get(),
        dropped: feed.counters.dropped.get(),
        completed: feed.counters.completed.get(),
        encoded: feed.counters.encoded.get(),
        viewers: feed.frames().readers(),
        since_s: seconds_since(now.since),
        relayed: feed.relayed.get(),
        settings: asked.as_ref().map(settings),
        keeps: asked.is_some() && state.control.keeps(),
        controls: None,
        sizes: None,
    }
}

/// Whole seconds since a moment; 0 if there was none.
pub(super) fn seconds_since(moment: Option<Timestamp>) -> u64 {
    moment.map_or(0, |moment| Timestamp::now().since(moment).as_secs())
}

fn document(state: &AppState, feed: &CameraFeed) -> Reply {
    let controls = state.control.camera_controls(feed).into_iter().map(control).collect();
    let sizes = state.control.camera_sizes(feed).into_iter();
    let sizes = sizes.map(|(width, height)| Size { width, height }).collect();
    Reply::json(200, &Camera { controls: Some(controls), sizes: Some(sizes), ..camera(state, feed) })
}

fn settings(asked: &CameraSettings) -> Settings {
    Settings {
        device: asked.device.to_string(),
        format: asked.format.map_or("auto", PixelFormat::name),
        width: asked.width,
        height: asked.height,
        fps: asked.fps,
        quality: asked.quality,
        chroma: asked.chroma.name(),
        on_demand: asked.on_demand,
    }
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
