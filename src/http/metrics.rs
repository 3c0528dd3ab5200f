//! `/metrics`: numbers for Prometheus, in its text format 0.0.4.

use std::fmt::{Display, Write};

use crate::hub::Named;
use crate::users::{Identity, Scope};

use super::Service;
use super::reply::Reply;

/// `GET /metrics`, with what is the user's to see and hear.
pub fn metrics(service: &Service, user: &Identity) -> Reply {
    let mut text = Text::default();
    text.gauge("defender_uptime_seconds", "Since the start.", service.started.elapsed().as_secs());
    text.gauge("defender_connections", "Open now.", service.admission.connections());
    cameras(&mut text, service, &user.scope);
    microphones(&mut text, service, &user.scope);
    Reply::new(200, "text/plain; version=0.0.4", text.0.into_bytes().into()).with("Cache-Control", "no-store")
}

fn cameras(text: &mut Text, service: &Service, scope: &Scope) {
    let all = service.cameras.all();
    let own = || all.iter().filter(|feed| scope.sees(feed.name()));
    let each = |value: &dyn Fn(&crate::hub::CameraFeed) -> u32| -> Vec<(String, u32)> {
        own().map(|feed| (feed.name().to_owned(), value(feed))).collect()
    };
    let rows = [
        (
            "defender_camera_online",
            "gauge",
            "1 while real pictures come.",
            each(&|feed| feed.state().online.into()),
        ),
        ("defender_camera_viewers", "gauge", "Who watch now.", each(&|feed| feed.frames().readers())),
        (
            "defender_frames_captured_total",
            "counter",
            "Whole frames.",
            each(&|feed| feed.counters.captured.get()),
        ),
        (
            "defender_frames_dropped_total",
            "counter",
            "Lost frames.",
            each(&|feed| feed.counters.dropped.get()),
        ),
        (
            "defender_frames_encoded_total",
            "counter",
            "Frames made JPEG here.",
            each(&|feed| feed.counters.encoded.get()),
        ),
    ];
    for (name, kind, help, values) in rows {
        text.family(name, kind, help, "camera", &values);
    }
}

fn microphones(text: &mut Text, service: &Service, scope: &Scope) {
    let all = service.microphones.all();
    let own = || all.iter().filter(|feed| scope.hears(feed.name()));
    let each = |value: &dyn Fn(&crate::hub::MicrophoneFeed) -> f64| -> Vec<(String, f64)> {
        own().map(|feed| (feed.name().to_owned(), value(feed))).collect()
    };
    let tenths = |dbfs: f32| (f64::from(dbfs) * 10.0).round() / 10.0;
    let rows = [
        (
            "defender_microphone_online",
            "gauge",
            "1 while it is heard.",
            each(&|feed| u8::from(feed.state().online).into()),
        ),
        ("defender_microphone_listeners", "gauge", "Who listen now.", each(&|feed| feed.listeners().into())),
        (
            "defender_microphone_rms_dbfs",
            "gauge",
            "Loudness of the last 100 ms.",
            each(&|feed| tenths(feed.level().rms_dbfs)),
        ),
        (
            "defender_microphone_peak_dbfs",
            "gauge",
            "Peak of the last 100 ms.",
            each(&|feed| tenths(feed.level().peak_dbfs)),
        ),
        (
            "defender_sound_frames_captured_total",
            "counter",
            "Frames of sound.",
            each(&|feed| feed.captured.get().into()),
        ),
        (
            "defender_sound_overruns_total",
            "counter",
            "Times that samples were lost.",
            each(&|feed| feed.overruns.get().into()),
        ),
    ];
    for (name, kind, help, values) in rows {
        text.family(name, kind, help, "microphone", &values);
    }
}

/// The text so far.
#[derive(Default)]
struct Text(String);

impl Text {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// One value for each device. Their names need no escapes: defender.conf takes letters, digits,
    /// `-` and `_` only.
    fn family<T: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        values: &[(String, T)],
    ) {
        if values.is_empty() {
            return;
        }
        self.head(name, kind, help);
        for (device, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{device}\"}} {value}");
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }
}
