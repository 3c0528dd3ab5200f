//! The test card as a source of pictures, at the camera's rate.

use std::time::Duration;

use crate::draw::{LocalClock, TestCard};
use crate::media::Timestamp;
use crate::source::session::Session;
use crate::source::settings::CameraSettings;
use crate::source::video::{
    Arrival, Content, Description, OpenVideo, Picture, Stall, VideoError, VideoSource,
};

/// A camera that is the test card.
pub(in crate::source) struct CardCamera<'s> {
    pub(in crate::source) settings: &'s CameraSettings,
}

impl<'s> OpenVideo<'s> for CardCamera<'s> {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        Ok(Box::new(CardSource::new(self.settings, "test card", None, session)))
    }
}

/// A test card that is shown.
pub(in crate::source) struct CardSource<'s> {
    session: &'s Session<'s>,
    card: TestCard,
    description: Description,
    number: u32,
    interval: Duration,
    due: Timestamp,
    clock: LocalClock,
}

impl<'s> CardSource<'s> {
    /// A card for the camera of `settings`; `note` says on it why there is one, and `problem` in its description.
    pub(in crate::source) fn new(
        settings: &CameraSettings,
        note: &str,
        problem: Option<String>,
        session: &'s Session<'s>,
    ) -> Self {
        let &CameraSettings { width, height, fps, .. } = settings;
        let description = Description {
            source: "test card".to_owned(),
            mode: String::new(),
            device: "test card".to_owned(),
            format: None,
            size: Some((width, height)),
            fps: fps as f32,
            node: None,
            is_online: true,
            problem,
            warnings: Vec::new(),
            is_drawn: true,
            stall: Stall::Never,
        };
        Self {
            session,
            card: TestCard::new(width, height, &settings.name, note),
            description,
            number: 0,
            interval: Duration::from_secs(1) / fps.max(1),
            due: session.now(),
            clock: LocalClock::default(),
        }
    }
}

impl VideoSource for CardSource<'_> {
    fn description(&self) -> Description {
        self.description.clone()
    }

    fn next(&mut self, timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        let wait = self.due.since(self.session.now());
        if self.session.sleep(wait.min(timeout)) || wait > timeout {
            return Ok(Arrival::nothing());
        }
        let now = self.session.now();
        // A board too slow for this rate shows fewer pictures, and never a burst of late ones.
        self.due = self.due.after(self.interval).max(now);
        self.number = self.number.wrapping_add(1);
        let shown = self.clock.at(now.wall_time());
        let content = Content::Raw(self.card.draw(self.number, shown));
        Ok(Arrival::picture(Picture { content, captured: Some(now), is_description_new: false }))
    }
}
