//! Other Defenders: asked again and again what cameras and microphones they have.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::{info, warn};

use crate::base::limits;
use crate::config::default_camera;
use crate::hub::Stop;
use crate::media::{NoiseChoice, RecordChoice, Scale, SoundFormat, StreamSettings};
use crate::memory::Account;
use crate::remote::{Endpoint, Listing, RemoteError, RemoteSettings, RemoteStream};
use crate::source::{CameraSettings, DeviceChoice, MicrophoneDevice, MicrophoneSettings, RemoteDevice};

/// How often each is asked.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// How often one that does not know the token, or is not known here, is asked: that lasts until a person
/// does something, and each time is a line in the other's audit log.
const ASK_REFUSED_EVERY: Duration = Duration::from_secs(30);

/// Longest pause between two changes of its devices that are taken over; see [`Changes`].
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Stack of a thread that asks: a TLS handshake and a document.
const STACK_BYTES: usize = 256 * 1024;

/// One other Defender, and the thread that asks it.
pub(super) struct Follower {
    pub(super) endpoint: Arc<Endpoint>,
    /// What it had the last time it answered.
    pub(super) listing: Listing,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Follower {
    /// Starts asking; `report` is called with what changes. What comes lies in memory of `account`.
    pub(super) fn start(
        settings: &RemoteSettings,
        account: Arc<Account>,
        report: impl Fn(&Endpoint, Listing) + Send + 'static,
    ) -> io::Result<Self> {
        let endpoint =
            Endpoint::new(settings.clone(), account).map_err(|error| io::Error::other(error.to_string()))?;
        let endpoint = Arc::new(endpoint);
        let stop = Stop::new();
        let mine = (Arc::clone(&endpoint), stop.clone());
        let thread = thread::Builder::new()
            .name(format!("remote-{}", settings.name))
            .stack_size(STACK_BYTES)
            .spawn(move || follow(&mine.0, &mine.1, &report))?;
        Ok(Self { endpoint, listing: Listing::default(), stop, thread })
    }

    /// Asks the thread to end; the handle is to be joined without the lock that it may wait for.
    pub(super) fn end(self) -> JoinHandle<()> {
        self.stop.request();
        self.thread
    }

    /// What its cameras are here.
    pub(super) fn cameras(&self) -> impl Iterator<Item = CameraSettings> {
        let fps = |fps: f64| (fps.round() as u32).clamp(*limits::FPS.start(), *limits::FPS.end());
        self.listing.cameras.iter().map(move |camera| CameraSettings {
            device: DeviceChoice::Remote(self.device(&camera.name)),
            width: camera.width,
            height: camera.height,
            fps: fps(camera.fps),
            on_demand: true,
            record: self.record(&camera.name),
            streams: camera.streams.iter().filter_map(stream).collect(),
            ..default_camera(self.name_here(&camera.name))
        })
    }

    /// What its microphones are here.
    pub(super) fn microphones(&self) -> impl Iterator<Item = MicrophoneSettings> {
        self.listing.microphones.iter().map(|microphone| MicrophoneSettings {
            name: self.name_here(&microphone.name),
            device: MicrophoneDevice::Remote(self.device(&microphone.name)),
            format: SoundFormat { rate_hz: microphone.rate_hz, channels: microphone.channels },
            on_demand: true,
            noise: NoiseChoice::default(),
        })
    }

    /// How its camera `name` is recorded.
    fn record(&self, name: &str) -> RecordChoice {
        let mut record = self.endpoint.settings().record.clone();
        let microphones = &self.listing.microphones;
        record.choose_microphone(&self.name_here(name), |_| {
            microphones.iter().any(|microphone| microphone.name == name)
        });
        record
    }

    fn device(&self, name: &str) -> RemoteDevice {
        RemoteDevice { endpoint: Arc::clone(&self.endpoint), name: name.to_owned(), stream: None }
    }

    fn name_here(&self, name: &str) -> String {
        format!("{}-{name}", self.endpoint.settings().name)
    }
}

/// A stream there as one here; `None` for a scale that this version does not know.
fn stream(found: &RemoteStream) -> Option<StreamSettings> {
    let scale = Scale::from_name(&found.scale)?;
    Some(StreamSettings { name: found.name.clone(), scale, fps: found.fps, quality: found.quality })
}

/// Asks until `stop` is requested, and reports what changes.
fn follow(endpoint: &Endpoint, stop: &Stop, report: &impl Fn(&Endpoint, Listing)) {
    let name = &endpoint.settings().name;
    let mut reported: Option<String> = None;
    let mut is_known = false;
    let (mut known, mut changes) = (None::<Listing>, Changes::default());
    let mut advised: Option<String> = None;
    let wanted = || !stop.is_requested();
    while wanted() {
        let mut pause = ASK_EVERY;
        match endpoint.ask(&wanted) {
            Ok(listing) => {
                if reported.take().is_some() || !is_known {
                    info!("remote {name}: {}: {}", endpoint.settings().address, listing.summary());
                }
                is_known = true;
                let advice = endpoint.advice();
                if advice != advised {
                    advice.iter().for_each(|advice| warn!("remote {name}: {advice}"));
                    advised = advice;
                }
                let is_same = known.as_ref().is_some_and(|known| known.same_devices(&listing));
                if !is_same && changes.may_change(Instant::now()) {
                    known = Some(listing.clone());
                    report(endpoint, listing);
                }
            }
            Err(RemoteError::Stopped) => return,
            Err(error) => {
                if error.is_for_a_person() {
                    pause = ASK_REFUSED_EVERY;
                }
                let problem = endpoint.describe(&error);
                if reported.as_ref() != Some(&problem) {
                    warn!("remote {name}: {problem}");
                    reported = Some(problem);
                }
            }
        }
        stop.sleep(pause);
    }
}

/// Holds back a remote whose devices change again and again: each change starts and ends threads here, and is
/// written to the log. The first is taken over at once, the next ones after pauses that double.
#[derive(Default)]
struct Changes {
    last: Option<Instant>,
    pause: Duration,
}

impl Changes {
    /// Whether a change is taken over at `now`.
    fn may_change(&mut self, now: Instant) -> bool {
        let since = self.last.map(|last| now.duration_since(last));
        if since.is_some_and(|since| since < self.pause) {
            return false;
        }
        let is_calm = since.is_none_or(|since| since >= 2 * LONGEST_PAUSE);
        self.pause = if is_calm { ASK_EVERY } else { (self.pause * 2).min(LONGEST_PAUSE) };
        self.last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_that_changes_at_each_answer_is_followed_less_often() {
        let (mut changes, start) = (Changes::default(), Instant::now());
        let mut asked = |seconds: std::ops::Range<u32>| {
            seconds
                .step_by(5)
                .filter(|second| changes.may_change(start + *second * Duration::from_secs(1)))
                .count()
        };
        assert_eq!(asked(0..1), 1, "the first at once");
        assert_eq!(asked(5..600), 6);
        assert!(asked(600..24 * 3600) < 24 * 6 + 1, "then every ten minutes");
        assert_eq!(asked(48 * 3600..48 * 3600 + 6), 2, "and soon again after a day of calm");
    }
}
