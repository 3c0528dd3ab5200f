//! One microphone: levels of its ring go through its detector.

use std::sync::Arc;
use std::time::Duration;

use super::Motion;
use crate::detect::sound::{Noise, SoundChange, SoundDetector, SoundSettings};
use crate::hub::{CameraFeed, Listening, MicrophoneFeed, Named};
use crate::journal::NewEvent;
use crate::media::{CameraName, EventKind, Level, NoiseSettings, Timestamp};

/// Pieces of sound in a second, of which each has a level.
const LEVELS_A_SECOND: u32 = 20;

/// The time of a piece.
pub(super) const PIECE: Duration = Duration::from_millis(1000 / LEVELS_A_SECOND as u64);

/// A microphone that is listened to.
pub(super) struct MicrophoneRun {
    pub(super) feed: Arc<MicrophoneFeed>,
    settings: Arc<NoiseSettings>,
    listening: Listening,
    detector: SoundDetector,
    is_armed: bool,
    /// When what it hears began to be sound of the device; `None` while it is lost.
    heard_from: Option<Timestamp>,
    open: Option<u32>,
    samples: Vec<i16>,
}

impl MicrophoneRun {
    pub(super) fn new(feed: &Arc<MicrophoneFeed>, settings: Arc<NoiseSettings>) -> Self {
        let listening = feed.listen();
        Self {
            feed: Arc::clone(feed),
            detector: SoundDetector::new(detector_settings(&settings)),
            settings,
            listening,
            is_armed: false,
            heard_from: None,
            open: None,
            samples: Vec::new(),
        }
    }

    /// Takes other settings, and the time of the week.
    pub(super) fn set(&mut self, motion: &Motion, settings: Arc<NoiseSettings>, is_armed: bool) {
        if !Arc::ptr_eq(&self.settings, &settings) {
            self.detector.change(detector_settings(&settings));
            self.settings = settings;
        }
        self.is_armed = is_armed;
        if !is_armed {
            self.end(motion, Timestamp::now());
        }
    }

    /// Hears all that has come from the device. What came before its first sound is silence that Defender made.
    pub(super) fn work(&mut self, motion: &Motion) {
        if self.heard_from.is_none() {
            let state = self.feed.state();
            self.heard_from = state.since.filter(|_| state.online);
        }
        let Some(heard_from) = self.heard_from else { return };
        if self.listening.reader.is_closed() {
            self.listening = self.feed.listen();
        }
        let format = self.listening.format;
        let frames = (format.rate_hz / LEVELS_A_SECOND).max(1);
        while self.listening.reader.behind() >= frames {
            let Some(captured) = self.listening.next_captured() else { return };
            self.samples.resize((frames * format.channels) as usize, 0);
            let got = self.listening.reader.read(&mut self.samples);
            if got.lost > 0 || got.frames < frames as usize || captured < heard_from {
                continue;
            }
            let change = self.detector.hear(captured.after(PIECE), level(&self.samples));
            self.note(motion, change);
        }
    }

    /// The microphone gives no sound: what is heard is silence that Defender makes.
    pub(super) fn is_lost(&mut self, motion: &Motion) {
        let change = self.detector.end();
        self.note(motion, change);
        self.detector = SoundDetector::new(detector_settings(&self.settings));
        self.heard_from = None;
        self.listening = self.feed.listen();
    }

    /// Ends what goes on.
    pub(super) fn end(&mut self, motion: &Motion, at: Timestamp) {
        if let Some(id) = self.open.take() {
            motion.end_event(id, at);
        }
    }

    fn note(&mut self, motion: &Motion, change: Option<SoundChange>) {
        match change {
            Some(SoundChange::Began(noise)) if self.is_armed => self.open = self.begin(motion, noise),
            Some(SoundChange::Ended(noise, at)) => {
                if let Some(id) = self.open {
                    motion.journal.rise(id, noise.score, None, noise.best);
                }
                self.end(motion, at);
            }
            _ => {}
        }
    }

    /// A sound belongs to the camera of the microphone's name, or to one that is recorded with it.
    fn begin(&self, motion: &Motion, noise: Noise) -> Option<u32> {
        let name = self.feed.name();
        let cameras = motion.cameras.all();
        let is_recorded_with = |camera: &&Arc<CameraFeed>| {
            camera.recording().is_some_and(|settings| settings.microphone.as_deref() == Some(name))
        };
        let camera = cameras.iter().find(|camera| camera.name() == name);
        let camera = camera.or_else(|| cameras.iter().find(is_recorded_with));
        let camera = camera.map_or("", |camera| camera.name());
        motion.begin_event(NewEvent {
            score: noise.score,
            start: Some(noise.first),
            best: Some(noise.best),
            note: format!("microphone {name}"),
            microphone: name.to_owned(),
            ..NewEvent::new(CameraName::new(camera)?, EventKind::Sound)
        })
    }
}

fn detector_settings(settings: &NoiseSettings) -> SoundSettings {
    SoundSettings { over_floor: settings.over_floor_db * 10 }
}

/// In tenths of a dB relative to full scale.
fn level(samples: &[i16]) -> i16 {
    let squares: u64 = samples.iter().map(|sample| i64::from(*sample).pow(2) as u64).sum();
    let mean = squares as f32 / samples.len().max(1) as f32;
    (Level::of_amplitudes(mean.sqrt(), 0.0).rms_dbfs * 10.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{FeedList, MicrophoneState, SoundWriter, events};
    use crate::journal::Journal;
    use crate::media::SoundFormat;
    use crate::memory::Account;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 1000, channels: 1 };

    /// Writes a second of one level that ends at `end`.
    fn write(writer: &mut SoundWriter, sample: i16, end: Timestamp) {
        writer.write(&[sample; 1000], end);
    }

    #[test]
    fn silence_from_before_the_first_sound_is_not_heard() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(Journal::open(&folder.path().join("events"), events(64)));
        let account = Account::unlimited();
        let motion = Motion::new(Arc::default(), Arc::new(FeedList::default()), journal, account);
        let (mut writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let feed = Arc::new(feed);
        let mut run = MicrophoneRun::new(&feed, Arc::default());
        let now = Timestamp::now();
        run.work(&motion);
        write(&mut writer, 0, now);
        run.work(&motion);
        assert_eq!(run.detector.floor(), None);
        feed.set_state(MicrophoneState { online: true, ..MicrophoneState::default() });
        let online = feed.state().since.unwrap();
        write(&mut writer, 100, online.after(Duration::from_secs(2)));
        run.work(&motion);
        assert_eq!(run.detector.floor(), Some(level(&[100])));
    }
}
