//! The camera of `device = "auto"`: the first V4L2 camera that can be used, else the ribbon-cable camera.

use super::board::Board;
use super::camera;
use crate::source::session::Session;
use crate::source::video::{OpenVideo, VideoError, VideoSource};

/// The first camera of a board.
pub(in crate::source) struct AutoCamera<'s> {
    board: &'s Board,
    v4l2: Box<dyn OpenVideo<'s> + 's>,
    ribbon: Box<dyn OpenVideo<'s> + 's>,
    /// Whether the ribbon camera was tried last.
    is_ribbon: bool,
}

impl<'s> AutoCamera<'s> {
    /// The camera that `v4l2` opens, or that of `ribbon` where there is none.
    pub(in crate::source) fn new(
        board: &'s Board,
        v4l2: Box<dyn OpenVideo<'s> + 's>,
        ribbon: Box<dyn OpenVideo<'s> + 's>,
    ) -> Self {
        Self { board, v4l2, ribbon, is_ribbon: false }
    }

    fn current(&self) -> &dyn OpenVideo<'s> {
        if self.is_ribbon { &*self.ribbon } else { &*self.v4l2 }
    }
}

impl<'s> OpenVideo<'s> for AutoCamera<'s> {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        let opened = self.v4l2.open(session);
        let has_none = matches!(opened, Err(VideoError::NoCamera { .. })) && self.board.has_sensor();
        let unfed = self.board.missing_socket(0).is_some();
        self.is_ribbon = has_none && !unfed;
        match opened {
            Err(VideoError::NoCamera { .. }) if self.is_ribbon => self.ribbon.open(session),
            // The test card is shown, and why it is.
            Err(VideoError::NoCamera { problem: None }) if has_none => {
                Err(VideoError::NoCamera { problem: camera::probe(self.board, 0).err().map(Box::new) })
            }
            opened => opened,
        }
    }

    fn closed(&mut self, has_failed: bool) {
        if self.is_ribbon { self.ribbon.closed(has_failed) } else { self.v4l2.closed(has_failed) }
    }

    fn stand_in(
        &mut self,
        error: &VideoError,
        session: &'s Session<'s>,
    ) -> Option<Box<dyn VideoSource + 's>> {
        self.v4l2.stand_in(error, session).filter(|_| !self.is_ribbon)
    }

    fn is_missing(&self) -> bool {
        self.current().is_missing()
    }

    fn problem(&self) -> Option<String> {
        self.current().problem()
    }
}
