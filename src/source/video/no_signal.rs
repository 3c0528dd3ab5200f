//! The no-signal frame, shown while a camera gives no picture. It is drawn only while somebody watches.

use std::time::Duration;

use super::output::Output;
use crate::codec::jpeg::EncodeError;
use crate::draw::{LocalClock, NoSignalPicture, moment};
use crate::media::Timestamp;
use crate::source::session::Session;

/// How often it is sent: each ends the wait of a viewer who just came, and shows the others that the server lives.
const SHOW_EVERY: Duration = Duration::from_millis(500);

/// Shows the no-signal frame over any number of tries to open the camera.
pub(super) struct NoSignal {
    due: Timestamp,
    clock: LocalClock,
    outage: Option<Outage>,
}

/// What the frame says.
struct Outage {
    heading: &'static str,
    reason: String,
}

impl NoSignal {
    /// For a camera without an outage as of `now`.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { due: now, clock: LocalClock::default(), outage: None }
    }

    /// From now on the frame is shown, with `heading` over the `problem` of the camera `name`.
    pub(super) fn begin(&mut self, heading: &'static str, name: &str, problem: &str) {
        self.outage = Some(Outage { heading, reason: format!("{name}: {problem}") });
    }

    /// There is a picture, or none is wanted: from now on the frame is not shown.
    pub(super) fn end(&mut self) {
        self.outage = None;
    }

    /// Whether the frame is to be shown now.
    pub(super) fn is_due(&self, output: &Output<'_>, session: &Session<'_>) -> bool {
        self.outage.is_some() && output.is_watched() && session.now() >= self.due
    }

    /// Shows the frame as large as the camera's pictures, which are `size`, for an outage that began at `since`.
    ///
    /// # Errors
    /// When `size` is one no JPEG can have.
    pub(super) fn show(
        &mut self,
        output: &mut Output<'_>,
        now: Timestamp,
        size: (u32, u32),
        since: Timestamp,
    ) -> Result<(), EncodeError> {
        let Some(Outage { heading, reason }) = &self.outage else { return Ok(()) };
        self.due = now.after(SHOW_EVERY);
        let since = format!("since {}", moment(self.clock.at(since.wall_time())));
        let (width, height) = picture_size(size);
        // Made anew each time: twice a second is rare enough, and a lost camera should cost no memory.
        let mut picture = NoSignalPicture::new(width, height);
        output.publish_no_signal(&picture.draw(&[heading, &since, reason]))
    }
}

/// As large as the camera's pictures, halved until a board has the memory to draw it.
fn picture_size((mut width, mut height): (u32, u32)) -> (u32, u32) {
    const PIXELS: u64 = 1920 * 1088;
    while u64::from(width) * u64::from(height) > PIXELS {
        (width, height) = (width / 2, height / 2);
    }
    (width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_picture_is_halved_until_it_can_be_drawn() {
        assert_eq!(picture_size((1920, 1080)), (1920, 1080));
        assert_eq!(picture_size((3840, 2160)), (1920, 1080));
        assert_eq!(picture_size((65_535, 65_535)), (1023, 1023));
    }
}
