//! A microphone of another Defender: its sound, as it comes, for as long as somebody listens here. One
//! stream for all who do.

use std::cell::Cell;
use std::time::{Duration, Instant};

use log::info;

use super::error::SoundError;
use super::run::{Capture, SILENCE_LAG, SLICE};
use crate::capture::RemoteDevice;
use crate::capture::notice::Brake;
use crate::hub::MicrophoneState;
use crate::media::Timestamp;
use crate::remote::{RemoteError, Sound};

/// How long the stream stays open without listeners.
const LINGER: Duration = Duration::from_secs(2);

/// Sound this far behind what was counted has a gap before it.
const GAP: Duration = Duration::from_millis(400);

/// More seconds of sound in a second than a held up network leaves to catch up with: a Defender drops
/// what is older than one.
const MOST_TIMES: u64 = 4;

/// How often it is looked up whether the microphone is online there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Capture<'_> {
    /// Waits for somebody to listen, then relays sound until nobody does.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn relay(&mut self, device: &RemoteDevice) -> Result<(), SoundError> {
        self.wait_for_listener(device);
        let (feed, stop) = (self.feed, self.stop);
        let unheard_since: Cell<Option<Instant>> = Cell::new(None);
        let wanted = || {
            feed.pulse.add(1);
            let now = Instant::now();
            let since = if feed.listeners() > 0 { now } else { unheard_since.get().unwrap_or(now) };
            unheard_since.set(Some(since));
            !stop.is_requested() && now.duration_since(since) < LINGER
        };
        let format = self.settings.format;
        let told = (format.rate_hz, format.channels);
        let error = match device.endpoint.audio(&device.name, told, &wanted) {
            Ok(mut sound) => {
                let began = Instant::now();
                let error = self.pass_on(device, &mut sound);
                self.ran(began.elapsed());
                error
            }
            Err(error) => error,
        };
        match error {
            RemoteError::Stopped => Ok(()),
            error => Err(SoundError::Remote(device.endpoint.describe(&error))),
        }
    }

    /// Appends what comes; why it ended.
    fn pass_on(&mut self, device: &RemoteDevice, sound: &mut Sound<'_>) -> RemoteError {
        let format = self.timeline.format();
        let mut brake = Brake::new(MOST_TIMES * u64::from(format.rate_hz), Instant::now());
        let mut counted: Option<Timestamp> = None;
        let mut look = Instant::now();
        loop {
            let samples = match sound.samples() {
                Ok(samples) => samples,
                Err(error) => return error,
            };
            counted = Some(self.add(&samples, counted));
            let frames = samples.len() as u64 / u64::from(format.channels);
            self.stop.sleep(brake.take(frames, Instant::now()));
            if Instant::now() >= look {
                look = Instant::now() + LOOK_EVERY;
                self.announce_relay(device);
            }
        }
    }

    /// Appends samples behind those of before, whose end was `counted`; the new end. The network
    /// hurries and waits, the microphone did not: so samples are counted, and the clock is looked at
    /// only to notice a gap, or a card that is faster than it should be.
    fn add(&mut self, samples: &[i16], counted: Option<Timestamp>) -> Timestamp {
        let format = self.timeline.format();
        let frames = (samples.len() / format.channels as usize) as u64;
        self.feed.captured.add(frames as u32);
        let now = Timestamp::now();
        let end = counted.map(|counted| counted.after(format.length_of(frames)));
        match end.filter(|end| now.since(*end) < GAP) {
            Some(end) => {
                let end = end.min(now);
                self.timeline.add(samples, end);
                end
            }
            None => {
                self.timeline.add_after_gap(samples, now);
                now
            }
        }
    }

    /// Leaves silence until somebody listens.
    fn wait_for_listener(&mut self, device: &RemoteDevice) {
        let mut look = Instant::now();
        while !self.is_over() && self.feed.listeners() == 0 {
            if Instant::now() >= look {
                look = Instant::now() + LOOK_EVERY;
                self.announce_relay(device);
                self.timeline.hush_level();
            }
            self.stop.sleep(SLICE);
            self.timeline.silence_until(Timestamp::now().before(SILENCE_LAG));
        }
    }

    fn announce_relay(&mut self, device: &RemoteDevice) {
        let problem = device.endpoint.microphone_problem(&device.name);
        let source = device.to_string();
        if problem.is_none() && self.notices.is_new_run(&source) {
            info!("microphone {}: {source}", self.settings.name);
        }
        self.feed.set_state(MicrophoneState {
            source,
            online: problem.is_none(),
            problem,
            ..Default::default()
        });
    }
}
