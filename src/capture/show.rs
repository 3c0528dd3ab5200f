//! What Defender shows of its own making: the test card at the camera's rate, and the placard
//! while a camera is lost. Both are drawn only while somebody watches.

use std::time::{Duration, Instant};

use super::CameraSettings;
use super::output::Output;
use super::run::SLICE;
use crate::draw::{LocalClock, NoSignalPicture, TestCard, moment};
use crate::encode::jpeg::EncodeError;
use crate::hub::{CameraFeed, Stop};
use crate::media::Timestamp;

/// How often the placard is sent: each picture ends the wait of a viewer who just came, and
/// tells the others that the server lives.
const PLACARD_EVERY: Duration = Duration::from_millis(500);

/// The test card as a source of pictures.
pub(super) struct CardShow {
    card: TestCard,
    note: &'static str,
    number: u32,
    interval: Duration,
    due: Instant,
    clock: LocalClock,
}

impl CardShow {
    /// A card for the camera of `settings`; `note` says why there is one.
    pub(super) fn new(settings: &CameraSettings, note: &'static str) -> Self {
        Self {
            card: TestCard::new(settings.width, settings.height, &settings.name, note),
            note,
            number: 0,
            interval: Duration::from_secs(1) / settings.fps.max(1),
            due: Instant::now(),
            clock: LocalClock::default(),
        }
    }

    /// Why there is a card.
    pub(super) fn note(&self) -> &'static str {
        self.note
    }

    /// Shows one picture when it is due, or waits a moment for a viewer.
    ///
    /// # Errors
    /// When the settings ask for a size no JPEG can have.
    pub(super) fn step(
        &mut self,
        output: &mut Output<'_>,
        feed: &CameraFeed,
        stop: &Stop,
    ) -> Result<(), EncodeError> {
        if !output.wait_for_viewer(SLICE) {
            self.due = Instant::now();
            return Ok(());
        }
        if stop.sleep(self.due.saturating_duration_since(Instant::now())) {
            return Ok(());
        }
        // A board too slow for this rate shows fewer pictures, and never a burst of late ones.
        self.due = (self.due + self.interval).max(Instant::now());
        self.number = self.number.wrapping_add(1);
        let now = Timestamp::now();
        let shown = self.clock.at(now.wall_time());
        output.publish_raw(&self.card.draw(self.number, shown), Some(now))?;
        feed.counters.captured.add(1);
        Ok(())
    }
}

/// Shows the placard while a camera is lost, over any number of tries to get it back.
pub(super) struct PlacardShow {
    due: Instant,
    clock: LocalClock,
}

impl PlacardShow {
    pub(super) fn new() -> Self {
        Self { due: Instant::now(), clock: LocalClock::default() }
    }

    /// Shows under `heading` that the camera `name` gives no picture since `since` because of
    /// `problem`, if somebody watches and the last placard is a while ago.
    ///
    /// # Errors
    /// When `size` is one no JPEG can have.
    pub(super) fn step(
        &mut self,
        output: &mut Output<'_>,
        size: (u32, u32),
        heading: &str,
        (name, problem): (&str, &str),
        since: Timestamp,
    ) -> Result<(), EncodeError> {
        let now = Instant::now();
        if now < self.due || !output.is_watched() {
            return Ok(());
        }
        self.due = now + PLACARD_EVERY;
        let (since, reason) =
            (format!("since {}", moment(self.clock.at(since.wall_time()))), format!("{name}: {problem}"));
        // Not kept: twice a second is rare enough, and a lost camera should cost no memory.
        let mut placard = NoSignalPicture::new(size.0, size.1);
        output.set_no_signal(true);
        let published = output.publish_raw(&placard.draw(&[heading, &since, &reason]), None);
        output.set_no_signal(false);
        published
    }
}
