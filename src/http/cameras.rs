//! Cameras and microphones as documents: what they are, what they were asked to be, and, of a camera,
//! what of it can be changed while it runs.

use std::collections::BTreeMap;

use miniserde::Serialize;
use miniserde::json::{self, Number};
use tiny_http::Request;

use crate::control::{CAMERA, CameraChange, CameraControl, ControlError, ControlKind, Requester, Value};
use crate::gate::Exchange;
use crate::hub::{CameraFeed, MicrophoneFeed, Named};
use crate::media::{PixelFormat, Timestamp};
use crate::users::Identity;

use super::reply::Reply;
use super::streams::find;
use super::{Service, audit, body, settings};

/// A camera. `settings` is null for one of another server, `controls` and `sizes` in lists: they are
/// asked of the driver, one by one. `fps` is what the driver promised, `interval_ms` what was observed between
/// frames. `keeps` says whether changed settings can be saved for the next start.
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
    settings: Option<settings::Values>,
    keeps: bool,
    controls: Option<Vec<Control>>,
    sizes: Option<Vec<Size>>,
}

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
struct Cameras {
    cameras: Vec<Camera>,
}

#[derive(Serialize)]
struct Microphones {
    microphones: Vec<Microphone>,
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
pub fn list(service: &Service, user: &Identity) -> Reply {
    Reply::json(200, &Cameras { cameras: cameras(service, user) })
}

/// `GET /api/1.0/cameras/NAME`.
pub fn one(service: &Service, user: &Identity, name: &str) -> Reply {
    match find("camera", &service.cameras, Some(name), |name| user.scope.sees(name)) {
        Ok(feed) => document(service, &feed),
        Err(reply) => reply,
    }
}

/// `PUT /api/1.0/cameras/NAME`: what is not named stays.
pub fn change(
    service: &Service,
    admin: &Identity,
    name: &str,
    request: &mut Request,
    exchange: &Exchange,
) -> Reply {
    let feed = match find("camera", &service.cameras, Some(name), |name| admin.scope.sees(name)) {
        Ok(feed) => feed,
        Err(reply) => return reply,
    };
    let (change, saves) = match read_change(request) {
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
            audit::changed(exchange.peer(), admin, &what);
        }
    };
    let requester = Requester { name: &admin.name, may: &|| service.accounts.holds(admin), log: &log };
    match service.control.change_camera(name, &change, saves, &requester) {
        Ok(()) => document(service, &feed),
        Err(error) => refused(&error),
    }
}

/// `GET /api/1.0/microphones`.
pub fn list_microphones(service: &Service, user: &Identity) -> Reply {
    Reply::json(200, &Microphones { microphones: microphones(service, user) })
}

/// `GET /api/1.0/microphones/NAME`.
pub fn one_microphone(service: &Service, user: &Identity, name: &str) -> Reply {
    match find("microphone", &service.microphones, Some(name), |name| user.scope.hears(name)) {
        Ok(feed) => Reply::json(200, &microphone(&feed)),
        Err(reply) => reply,
    }
}

/// The reply to a change that was not made.
pub fn refused(error: &ControlError) -> Reply {
    let status = match error {
        ControlError::Value(_) | ControlError::Level(_) => 400,
        ControlError::NotOurs(_) | ControlError::NoCamera(_) | ControlError::Camera(_) => 409,
        ControlError::CannotSave | ControlError::NotSaved(..) => 409,
        ControlError::NoOverride(_) => 404,
        ControlError::NotAllowed => 403,
        ControlError::System(_) => 500,
    };
    Reply::error(status, &error.to_string())
}

/// The user's cameras as of now.
pub fn cameras(service: &Service, user: &Identity) -> Vec<Camera> {
    let all = service.cameras.all();
    let own = all.iter().filter(|feed| user.scope.sees(feed.name()));
    own.map(|feed| camera(service, feed)).collect()
}

/// The user's microphones as of now.
pub fn microphones(service: &Service, user: &Identity) -> Vec<Microphone> {
    let all = service.microphones.all();
    let own = all.iter().filter(|feed| user.scope.hears(feed.name()));
    own.map(|feed| microphone(feed)).collect()
}

fn camera(service: &Service, feed: &CameraFeed) -> Camera {
    let state = feed.state();
    let asked = service.control.camera_settings(feed.name());
    Camera {
        name: feed.name().to_owned(),
        source: state.source,
        online: state.online,
        problem: state.problem,
        width: state.width,
        height: state.height,
        format: state.format.map(PixelFormat::name),
        fps: (f64::from(state.fps) * 100.0).round() / 100.0,
        interval_ms: feed.counters.captured.interval_ms(),
        captured: feed.counters.captured.get(),
        dropped: feed.counters.dropped.get(),
        completed: feed.counters.completed.get(),
        encoded: feed.counters.encoded.get(),
        viewers: feed.frames().readers(),
        since_s: age_s(state.since),
        relayed: feed.relayed.get(),
        settings: asked.as_ref().map(settings::Values::of),
        keeps: asked.is_some() && service.control.can_save(),
        controls: None,
        sizes: None,
    }
}

fn microphone(feed: &MicrophoneFeed) -> Microphone {
    let (state, format, level) = (feed.state(), feed.format(), feed.level());
    let rounded = |dbfs: f32| (f64::from(dbfs) * 10.0).round() / 10.0;
    Microphone {
        name: feed.name().to_owned(),
        source: state.source,
        online: state.online,
        problem: state.problem,
        rate_hz: format.rate_hz,
        channels: format.channels,
        captured: feed.captured.get(),
        overruns: feed.overruns.get(),
        rms_dbfs: rounded(level.rms_dbfs),
        peak_dbfs: rounded(level.peak_dbfs),
        listeners: feed.listeners(),
        since_s: age_s(state.since),
        relayed: feed.relayed.get(),
    }
}

fn age_s(since: Option<Timestamp>) -> u64 {
    since.map_or(0, |since| Timestamp::now().since(since).as_secs())
}

fn document(service: &Service, feed: &CameraFeed) -> Reply {
    let controls = service.control.camera_controls(feed).into_iter().map(control).collect();
    let sizes = service.control.camera_sizes(feed).into_iter();
    let sizes = sizes.map(|(width, height)| Size { width, height }).collect();
    Reply::json(200, &Camera { controls: Some(controls), sizes: Some(sizes), ..camera(service, feed) })
}

/// The change that a request asks for, and whether it is to be saved.
fn read_change(request: &mut Request) -> Result<(CameraChange, bool), Reply> {
    let live = || CAMERA.iter().filter(|setting| setting.is_live);
    let keys: Vec<&str> = live().map(|setting| setting.key).chain(["controls", "save"]).collect();
    let mut fields: BTreeMap<String, json::Value> = body::read_strictly(request, &keys, EXAMPLE)?;
    let wrong = || body::expected(EXAMPLE);
    let mut change = CameraChange::default();
    for setting in live() {
        if let Some(found) = fields.remove(setting.key) {
            let value = value_of(&found).filter(|value| setting.kind().fits(value));
            change.settings.push((setting.key, value.ok_or_else(wrong)?));
        }
    }
    match fields.remove("controls") {
        None => {}
        Some(json::Value::Object(controls)) => {
            for (name, value) in controls {
                let Some(Value::Integer(number)) = value_of(&value) else { return Err(wrong()) };
                change.controls.push((name, i32::try_from(number).map_err(|_| wrong())?));
            }
        }
        Some(_) => return Err(wrong()),
    }
    match fields.remove("save") {
        None => Ok((change, false)),
        Some(json::Value::Bool(saves)) => Ok((change, saves)),
        Some(_) => Err(wrong()),
    }
}

fn value_of(found: &json::Value) -> Option<Value> {
    match found {
        json::Value::Number(Number::U64(number)) => i64::try_from(*number).ok().map(Value::Integer),
        json::Value::Number(Number::I64(number)) => Some(Value::Integer(*number)),
        json::Value::Bool(is_on) => Some(Value::Boolean(*is_on)),
        json::Value::String(text) => Some(Value::Text(text.clone())),
        _ => None,
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
