//! A camera behind a socket, to be opened.

use std::path::PathBuf;
use std::sync::Arc;

use super::connection::{connect, inspect};
use super::error::{Fault, FeedError};
use super::jpegs::JpegFeed;
use super::planes::PlaneFeed;
use crate::memory::Account;
use crate::source::session::Session;
use crate::source::settings::CameraSettings;
use crate::source::video::{OpenVideo, VideoError, VideoSource};

/// A camera behind a socket.
pub(in crate::source) struct UnixCamera<'s> {
    path: PathBuf,
    settings: &'s CameraSettings,
    account: Arc<Account>,
}

impl<'s> UnixCamera<'s> {
    /// The camera behind the socket at `path`. What comes lies in memory of `account`.
    pub(in crate::source) fn new(
        path: PathBuf,
        settings: &'s CameraSettings,
        account: &Arc<Account>,
    ) -> Self {
        Self { path, settings, account: Arc::clone(account) }
    }
}

impl<'s> OpenVideo<'s> for UnixCamera<'_> {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        let wire = Box::new(connect(&self.path).map_err(VideoError::of)?);
        let (path, account, fps) = (self.path.clone(), &self.account, self.settings.fps);
        Ok(match (self.settings.format, self.settings.raw_size) {
            (Some(format), Some(size)) => Box::new(
                PlaneFeed::new(path, wire, session, (format, size), fps, account).map_err(VideoError::of)?,
            ),
            _ => Box::new(JpegFeed::new(path, wire, session, fps, account)),
        })
    }

    fn is_missing(&self) -> bool {
        matches!(inspect(&self.path), Err(FeedError { fault: Fault::NotFound, .. }))
    }

    fn problem(&self) -> Option<String> {
        inspect(&self.path).err().map(|error| error.to_string())
    }
}
