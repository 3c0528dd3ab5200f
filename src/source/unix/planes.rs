//! Raw pictures of one size that come over a socket without anything between them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::PAUSE;
use super::connection::{Wire, read_now};
use super::error::{Fault, FeedError, Heard};
use crate::media::{Pace, PixelFormat, Range601, RawImage};
use crate::memory::{Account, Lease};
use crate::source::session::Session;
use crate::source::video::{Arrival, Content, Description, Picture, VideoError, VideoSource};

/// So many pictures are read at once from a sender that has more.
const READ_AT_ONCE: u32 = 4;

/// The raw pictures of one connection.
pub(super) struct PlaneFeed<'s> {
    path: PathBuf,
    wire: Box<dyn Wire + 's>,
    session: &'s Session<'s>,
    format: PixelFormat,
    size: (u32, u32),
    fps: u32,
    /// Which pictures of a sender that is faster than `fps` are taken.
    pace: Pace,
    /// The picture that is being read, and how much of it is there.
    reading: (Vec<u8>, usize),
    /// The last whole picture.
    whole: Vec<u8>,
    /// Of the memory of both.
    _lease: Lease,
    has_picture: bool,
    is_flooded: bool,
}

impl<'s> PlaneFeed<'s> {
    /// What comes over `wire`: pictures of this format, width and height. They lie in memory of `account`; of those of a sender
    /// that gives more than `fps` a second, so many are taken, because each costs an encoding.
    ///
    /// # Errors
    /// When there is no memory for two pictures.
    pub(super) fn new(
        path: PathBuf,
        wire: Box<dyn Wire + 's>,
        session: &'s Session<'s>,
        (format, size): (PixelFormat, (u32, u32)),
        fps: u32,
        account: &Arc<Account>,
    ) -> Result<Self, FeedError> {
        let bytes = picture_bytes(format, size);
        let Some(lease) = account.lease(2 * bytes) else {
            return Err(FeedError { path, fault: Fault::NoMemory });
        };
        Ok(Self {
            path,
            wire,
            session,
            format,
            size,
            fps,
            pace: Pace::new(Some(Duration::from_secs(1) / fps.max(1))),
            reading: (vec![0; bytes], 0),
            whole: vec![0; bytes],
            _lease: lease,
            has_picture: false,
            is_flooded: false,
        })
    }

    /// Reads what is there; returns the number of pictures that became whole, and whether the connection ended.
    fn fill(&mut self) -> Result<(u32, bool), Fault> {
        let mut pictures = 0;
        while pictures < READ_AT_ONCE {
            let (buffer, came) = &mut self.reading;
            match read_now(&mut *self.wire, &mut buffer[*came..])? {
                None => return Ok((pictures, false)),
                Some(0) => return Ok((pictures, true)),
                Some(count) => *came += count,
            }
            if *came == buffer.len() {
                std::mem::swap(buffer, &mut self.whole);
                *came = 0;
                pictures += 1;
            }
        }
        self.is_flooded = true;
        Ok((pictures, false))
    }

    fn heard(&self) -> Heard {
        match &self.reading {
            (buffer, came @ 1..) => Heard::PartOfPlanes(*came, buffer.len()),
            _ if self.has_picture => Heard::Good,
            _ => Heard::Nothing,
        }
    }

    fn fail(&self, fault: Fault) -> VideoError {
        VideoError::of(FeedError { path: self.path.clone(), fault })
    }
}

impl VideoSource for PlaneFeed<'_> {
    fn description(&self) -> Description {
        super::description(&self.path, self.format, Some(self.size), self.fps)
    }

    fn next(&mut self, timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        if std::mem::take(&mut self.is_flooded) {
            self.session.sleep(PAUSE);
        }
        if !self.wire.wait(timeout).map_err(|error| self.fail(Fault::Read(error)))? {
            return Ok(Arrival::nothing());
        }
        let (pictures, has_ended) = self.fill().map_err(|fault| self.fail(fault))?;
        if pictures == 0 {
            return if has_ended {
                Err(self.fail(Fault::Closed(self.heard())))
            } else {
                Ok(Arrival::nothing())
            };
        }
        self.has_picture = true;
        if !self.pace.takes(self.session.now()) {
            return Ok(Arrival { lost: pictures, picture: None });
        }
        let image = RawImage {
            format: self.format,
            width: self.size.0,
            height: self.size.1,
            stride_bytes: stride_bytes(self.format, self.size.0),
            // What programs that write raw video mean where they say nothing.
            range: Range601::Limited,
            data: &self.whole,
        };
        let picture = Picture { content: Content::Raw(image), captured: None, is_description_new: false };
        Ok(Arrival { lost: pictures - 1, picture: Some(Ok(picture)) })
    }

    fn stall_reason(&self) -> Option<VideoError> {
        Some(self.fail(Fault::Stalled(self.heard())))
    }
}

/// Bytes of a picture without padding; width and height are even.
fn picture_bytes(format: PixelFormat, (width, height): (u32, u32)) -> usize {
    let luma = stride_bytes(format, width) as usize * height as usize;
    match format {
        PixelFormat::Nv12 | PixelFormat::I420 => luma * 3 / 2,
        _ => luma,
    }
}

/// Bytes of a row of the first plane.
fn stride_bytes(format: PixelFormat, width: u32) -> u32 {
    match format {
        PixelFormat::Yuyv | PixelFormat::Uyvy => width * 2,
        PixelFormat::Rgb3 => width * 3,
        PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::Grey | PixelFormat::Mjpeg => width,
    }
}
