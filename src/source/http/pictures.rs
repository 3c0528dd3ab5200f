//! The pictures of a camera, from the bodies of its answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{Kind, kind_of};
use super::error::Problem;
use super::stray::Stray;
use crate::client::{Body, ClientError, Resource};
use crate::jpeg::stream::{Dropped, JpegStream, MAX_PICTURE_BYTES};
use crate::memory::{Account, Lease};

/// So many bytes without a picture among them are none of a camera.
const STRAY_BYTES: u64 = 1024 * 1024;

/// Most reads for a newer picture while a whole one is there. Behind a camera that sends faster than it is read, there is
/// always a newer one.
const READS_AHEAD: u32 = 64;

/// For a whole snapshot.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(10);

/// The pictures of one camera.
pub(super) struct Pictures<'w> {
    resource: Resource,
    is_wanted: &'w dyn Fn() -> bool,
    kind: Kind,
    /// `None` where the next snapshot needs a new connection.
    body: Option<Body<'w>>,
    /// Whether the body is that of a snapshot to be read.
    is_fresh: bool,
    splitter: JpegStream,
    /// Of the memory that `splitter` takes.
    lease: Lease,
    /// Bytes since the last picture that belong to none.
    stray_bytes: u64,
    /// Whether a picture without end came since the last whole one.
    has_endless: bool,
    /// Whether a whole one ever came.
    had_picture: bool,
}

/// What came of a look for pictures.
pub(super) struct Look<'p> {
    /// The newest whole one.
    pub(super) picture: Option<&'p [u8]>,
    /// What was dropped before it.
    pub(super) dropped: Dropped,
}

impl<'w> Pictures<'w> {
    /// Asks for the first ones, for as long as they are wanted. They lie in memory of `account`.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn open(
        mut resource: Resource,
        account: &Arc<Account>,
        is_wanted: &'w dyn Fn() -> bool,
    ) -> Result<Self, Problem> {
        let lease = account.lease(0).ok_or(ClientError::NoMemory)?;
        let response = resource.get(None, is_wanted)?;
        let kind = kind_of(&response)?;
        let splitter = JpegStream::new(MAX_PICTURE_BYTES);
        let body = Some(response.into_body());
        Ok(Self {
            resource,
            is_wanted,
            kind,
            body,
            is_fresh: true,
            splitter,
            lease,
            stray_bytes: 0,
            has_endless: false,
            had_picture: false,
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The newest picture that comes within `timeout`. A snapshot is asked for now, and waited for longer.
    ///
    /// # Errors
    /// Why none will come.
    pub(super) fn next(&mut self, timeout: Duration) -> Result<Look<'_>, Problem> {
        match self.kind {
            Kind::Stream => self.read_stream(Instant::now() + timeout)?,
            Kind::Snapshot => self.read_snapshot()?,
        }
        let dropped = self.splitter.take_dropped();
        self.stray_bytes += dropped.skipped_bytes;
        self.has_endless |= dropped.too_long > 0;
        let has_picture = self.splitter.has_picture();
        if has_picture {
            (self.stray_bytes, self.has_endless, self.had_picture) = (0, false, true);
        } else if self.stray_bytes > STRAY_BYTES {
            return Err(if self.has_endless { Problem::NoEnd } else { self.no_picture() });
        }
        Ok(Look { picture: self.splitter.take(), dropped })
    }

    /// Why no picture came for some time, where more is known than that.
    pub(super) fn stall(&self) -> Option<Problem> {
        if self.has_endless {
            Some(Problem::NoEnd)
        } else if self.splitter.unfinished_bytes() > 0 {
            Some(Problem::Half { has_ended: false })
        } else {
            self.other().or_else(|| (!self.had_picture).then(|| ClientError::Stalled.into()))
        }
    }

    /// What comes instead of pictures. Bytes that are nothing known may be padding where there were pictures.
    fn other(&self) -> Option<Problem> {
        match Stray::of(self.splitter.stray()) {
            Stray::Other(problem) => Some(problem),
            Stray::Unknown(problem) if !self.had_picture => Some(problem),
            Stray::Unknown(_) | Stray::Nothing => None,
        }
    }

    /// That what comes holds no picture, and what it is.
    fn no_picture(&self) -> Problem {
        match Stray::of(self.splitter.stray()) {
            Stray::Other(problem) | Stray::Unknown(problem) => problem,
            Stray::Nothing => Problem::NoPicture(String::new()),
        }
    }

    /// That the connection ended, or what it ended with.
    fn end(&self) -> Problem {
        let is_half = !self.had_picture && self.splitter.unfinished_bytes() > 0;
        let half = is_half.then_some(Problem::Half { has_ended: true });
        half.or_else(|| self.other()).unwrap_or_else(|| ClientError::Ended.into())
    }

    fn read_stream(&mut self, end: Instant) -> Result<(), Problem> {
        let Some(body) = &mut self.body else { return Err(ClientError::Ended.into()) };
        let mut reads_ahead = 0;
        loop {
            match read(body, &mut self.splitter, &mut self.lease, end) {
                Ok(()) => {}
                Err(ClientError::Stalled) => return Ok(()),
                // The next look finds the end again.
                Err(_) if self.splitter.has_picture() => return Ok(()),
                Err(ClientError::Ended) => return Err(self.end()),
                Err(error) => return Err(error.into()),
            }
            if self.splitter.has_picture() {
                reads_ahead += 1;
                if reads_ahead > READS_AHEAD || !body.has_more() {
                    return Ok(());
                }
            }
        }
    }

    /// Asks for one picture, and reads it.
    fn read_snapshot(&mut self) -> Result<(), Problem> {
        if !std::mem::take(&mut self.is_fresh) {
            let response = self.resource.get(self.body.take(), self.is_wanted)?;
            // A camera may show its sign-in page from some time on.
            if kind_of(&response)? != Kind::Snapshot {
                return Err(Problem::NoPicture(String::new()));
            }
            self.body = Some(response.into_body());
        }
        let Some(mut body) = self.body.take() else { return Ok(()) };
        let end = Instant::now() + SNAPSHOT_TIMEOUT;
        // A camera may claim a length that it does not send: a picture ends by its markers.
        while !body.has_ended() && !self.splitter.has_picture() {
            match read(&mut body, &mut self.splitter, &mut self.lease, end) {
                Ok(()) => {}
                Err(ClientError::Ended) => break,
                Err(ClientError::Stalled) => return Err(self.stall().unwrap_or(ClientError::Stalled.into())),
                Err(error) => return Err(error.into()),
            }
        }
        if !self.splitter.has_picture() {
            if self.splitter.unfinished_bytes() == 0 {
                return Err(self.no_picture());
            }
            // The next one does not begin in the middle of this one.
            self.splitter.finish();
        }
        // What stands behind the picture belongs to it, and must be read before the next request.
        while !body.is_complete() && body.has_more() {
            if body.fill(end).is_err() || body.ahead().len() as u64 > STRAY_BYTES {
                break;
            }
        }
        self.body = Some(body);
        Ok(())
    }
}

/// Reads once.
fn read(
    body: &mut Body<'_>,
    splitter: &mut JpegStream,
    lease: &mut Lease,
    end: Instant,
) -> Result<(), ClientError> {
    let room = splitter.room(&mut |bytes| lease.resize(bytes)).ok_or(ClientError::NoMemory)?;
    let count = body.read(room, end)?;
    splitter.filled(count);
    Ok(())
}
