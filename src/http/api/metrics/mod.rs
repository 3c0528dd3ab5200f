//! `/metrics`: metrics for Prometheus. A confined user gets the metrics of their own cameras and microphones,
//! and none of the whole server.

mod machine;
mod motion;
mod recording;
mod text;

use std::path::Path;

use crate::http::counters::{ANSWERS, LOGIN_RESULTS};
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::hub::{CameraFeed, MicrophoneFeed, Named, StreamFeed, Totals};
use crate::memory::Usage;
use crate::users::{Identity, Scope};

use text::{Text, seconds};

/// `GET /metrics`.
pub fn metrics(state: &AppState, user: &Identity) -> Reply {
    let mut text = Text::default();
    if user.scope.names().is_none() {
        server(&mut text, state);
        machine::process(&mut text, state.started.elapsed());
        machine::board(&mut text, Path::new("/sys"));
        recording::footage(&mut text, state);
    }
    cameras(&mut text, state, &user.scope);
    microphones(&mut text, state, &user.scope);
    recording::cameras(&mut text, state, &user.scope);
    motion::cameras(&mut text, state, &user.scope);
    Reply::new(200, "text/plain; version=0.0.4", text.0.into_bytes().into()).with("Cache-Control", "no-store")
}

fn server(text: &mut Text, state: &AppState) {
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    text.family("gauge", "defender_build_info", "1, with the version.", &[(version, 1)]);
    text.gauge("defender_uptime_seconds", "Since the start.", state.started.elapsed().as_secs());
    let connections = state.admission.counts();
    text.gauge("defender_connections", "Connections open now.", connections.open);
    text.counter("defender_connections_accepted_total", "Connections accepted.", connections.accepted);
    let refused = [("total", connections.refused_total), ("address", connections.refused_address)]
        .map(|(limit, count)| (vec![("limit", limit)], count));
    text.family("counter", "defender_connections_refused_total", "Connections refused at a limit.", &refused);
    let why = "Closed to make room for another connection.";
    text.counter("defender_connections_evicted_total", why, connections.evicted);
    let usage = state.memory.usage();
    let of = |value: fn(&Usage) -> usize| usage.map(|(part, usage)| (vec![("for", part)], value(&usage)));
    let limits = of(|usage| usage.limit_bytes);
    text.family("gauge", "defender_buffer_limit_bytes", "Most memory for large buffers.", &limits);
    let used = of(|usage| usage.used_bytes);
    text.family("gauge", "defender_buffer_used_bytes", "Memory in large buffers now.", &used);
    let refused = of(|usage| usage.refused as usize);
    text.family("counter", "defender_buffer_refused_total", "Buffers refused for lack of memory.", &refused);
    let remotes = state.control.remotes();
    let is_up: Vec<_> = remotes
        .iter()
        .map(|(name, _, problem)| (vec![("remote", name.as_str())], u8::from(problem.is_none())))
        .collect();
    text.family("gauge", "defender_remote_up", "1 while another Defender answers.", &is_up);
    let logins: Vec<_> = LOGIN_RESULTS
        .iter()
        .zip(&state.counters.logins)
        .map(|(result, count)| (vec![("result", *result)], count.get()))
        .collect();
    text.family(
        "counter",
        "defender_logins_total",
        "Logins by password, and failed ones by token or session.",
        &logins,
    );
    let requests: Vec<_> = ANSWERS
        .iter()
        .zip(&state.counters.requests)
        .map(|(answer, count)| (vec![("answer", *answer)], count.get()))
        .collect();
    text.family("counter", "defender_requests_total", "Requests by the kind of response.", &requests);
}

fn cameras(text: &mut Text, state: &AppState, scope: &Scope) {
    let all = state.cameras.all();
    let own = all.iter().map(|feed| &**feed).filter(|feed| scope.sees(feed.name())).collect();
    let mut families = CameraFamilies { text, own };
    families.state();
    families.captured();
    families.sent();
    families.streams();
    families.latency(
        "defender_capture_latency_seconds",
        "From the driver's time stamp until viewers can read the frame.",
        |feed| &feed.published,
    );
    families.latency(
        "defender_send_latency_seconds",
        "From the driver's stamp to a viewer's socket.",
        |feed| &feed.sent,
    );
}

/// Writes what is counted of the cameras that a user may see.
struct CameraFamilies<'t> {
    text: &'t mut Text,
    own: Vec<&'t CameraFeed>,
}

impl CameraFamilies<'_> {
    fn state(&mut self) {
        self.each(
            "gauge",
            "defender_camera_online",
            "1 while the camera or its test card delivers pictures.",
            &|feed| u8::from(feed.state().online).to_string(),
        );
        self.each("gauge", "defender_camera_viewers", "Viewers connected now.", &|feed| {
            feed.viewers().to_string()
        });
    }

    fn captured(&mut self) {
        self.each("counter", "defender_frames_captured_total", "Whole frames.", &|feed| {
            feed.counters.captured.get().to_string()
        });
        self.each("counter", "defender_frames_dropped_total", "Lost at the camera.", &|feed| {
            feed.counters.dropped.get().to_string()
        });
        self.each(
            "counter",
            "defender_frames_completed_total",
            "Frames completed with a missing end marker.",
            &|feed| feed.counters.completed.get().to_string(),
        );
        self.each(
            "counter",
            "defender_frames_encoded_total",
            "Frames encoded to JPEG by the server.",
            &|feed| feed.counters.encoded.get().to_string(),
        );
        self.each("counter", "defender_encode_seconds_total", "Time spent encoding.", &|feed| {
            seconds(feed.published.sums().busy_us)
        });
    }

    fn sent(&mut self) {
        self.each("counter", "defender_frames_sent_total", "To all viewers.", &|feed| {
            feed.sent.sums().frames.to_string()
        });
        self.each("counter", "defender_video_sent_bytes_total", "To all viewers, before TLS.", &|feed| {
            feed.sent.sums().bytes.to_string()
        });
        self.each(
            "counter",
            "defender_frames_skipped_total",
            "Left out for viewers too slow for them.",
            &|feed| feed.sent.sums().skipped.to_string(),
        );
    }

    /// Further streams; nothing where no camera has one.
    fn streams(&mut self) {
        let streams: Vec<_> = self
            .own
            .iter()
            .flat_map(|camera| {
                camera.streams().all().iter().cloned().map(|stream| (*camera, stream)).collect::<Vec<_>>()
            })
            .collect();
        if streams.is_empty() {
            return;
        }
        let mut each = |kind: &str, name: &str, help: &str, value: &dyn Fn(&StreamFeed) -> String| {
            let values: Vec<_> = streams
                .iter()
                .map(|(camera, stream)| {
                    (vec![("camera", camera.name()), ("stream", stream.name())], value(stream))
                })
                .collect();
            self.text.family(kind, name, help, &values);
        };
        each("gauge", "defender_stream_viewers", "Viewers connected now.", &|stream| {
            stream.frames().readers().to_string()
        });
        each("counter", "defender_stream_frames_total", "Frames made, once for all viewers.", &|stream| {
            stream.published.sums().frames.to_string()
        });
        each("counter", "defender_stream_seconds_total", "Time spent making them.", &|stream| {
            seconds(stream.published.sums().busy_us)
        });
        each("counter", "defender_stream_sent_bytes_total", "To all viewers, before TLS.", &|stream| {
            stream.sent.sums().bytes.to_string()
        });
    }

    fn latency(&mut self, name: &str, help: &str, totals: fn(&CameraFeed) -> &Totals) {
        let age = |feed: &&CameraFeed| totals(feed).sums().age;
        let ages: Vec<_> = self.own.iter().map(|feed| (("camera", feed.name()), age(feed))).collect();
        self.text.histograms(name, help, &ages);
    }

    fn each(&mut self, kind: &str, name: &str, help: &str, value: &dyn Fn(&CameraFeed) -> String) {
        let row = |feed: &&CameraFeed| value(feed);
        let values: Vec<_> = self.own.iter().map(|feed| (vec![("camera", feed.name())], row(feed))).collect();
        self.text.family(kind, name, help, &values);
    }
}

fn microphones(text: &mut Text, state: &AppState, scope: &Scope) {
    let all = state.microphones.all();
    let own: Vec<&MicrophoneFeed> =
        all.iter().map(|feed| &**feed).filter(|feed| scope.hears(feed.name())).collect();
    let mut each = |kind: &str, name: &str, help: &str, value: &dyn Fn(&MicrophoneFeed) -> String| {
        let values: Vec<_> =
            own.iter().map(|feed| (vec![("microphone", feed.name())], value(feed))).collect();
        text.family(kind, name, help, &values);
    };
    let tenths = |dbfs: f32| ((f64::from(dbfs) * 10.0).round() / 10.0).to_string();
    each("gauge", "defender_microphone_online", "1 while the microphone delivers sound.", &|feed| {
        u8::from(feed.state().online).to_string()
    });
    each("gauge", "defender_microphone_listeners", "Listeners connected now.", &|feed| {
        feed.listeners().to_string()
    });
    each("gauge", "defender_microphone_rms_dbfs", "Loudness of the last 100 ms.", &|feed| {
        tenths(feed.level().rms_dbfs)
    });
    each("gauge", "defender_microphone_peak_dbfs", "Peak of the last 100 ms.", &|feed| {
        tenths(feed.level().peak_dbfs)
    });
    each("counter", "defender_sound_frames_captured_total", "Frames of sound.", &|feed| {
        feed.captured.get().to_string()
    });
    each("counter", "defender_sound_overruns_total", "Times that samples were lost.", &|feed| {
        feed.overruns.get().to_string()
    });
    each("counter", "defender_sound_sent_bytes_total", "To all listeners, before TLS.", &|feed| {
        feed.sent.sums().bytes.to_string()
    });
    each("counter", "defender_sound_frames_skipped_total", "Left out for listeners too slow.", &|feed| {
        feed.sent.sums().skipped.to_string()
    });
}
