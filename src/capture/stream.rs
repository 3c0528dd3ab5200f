//! A camera that runs: its buffers, mapped, going round between the driver and here.

use std::cell::Cell;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use v4l::v4l_sys as sys;

use super::CameraSettings;
use super::camera::Camera;
use super::error::{Call, CaptureError};
use super::negotiate::{Mode, accept, negotiate};
use super::v4l2::{self, Mapping};
use crate::media::Timestamp;

/// Buffers asked of the driver: one being filled, one waiting, one being encoded, one to spare.
pub(super) const BUFFERS: u32 = 4;

/// A camera that delivers frames. Stopped and closed when dropped.
#[derive(Debug)]
pub(super) struct Stream {
    // Dropped in this order: a driver frees its buffers when they are unmapped and it is closed.
    buffers: Vec<Mapping>,
    camera: Camera,
    mode: Mode,
    /// Why a buffer could not be given back; told at the next [`Stream::next`].
    requeue_failed: Cell<Option<Errno>>,
}

/// A filled buffer, lent by the driver; goes back when dropped.
#[derive(Debug)]
pub(super) struct Filled<'s> {
    stream: &'s Stream,
    index: u32,
    used_bytes: usize,
    /// The driver's count of frames, those it lost included.
    pub(super) sequence: u32,
    /// The driver's stamp, of whatever clock it may be; `None` when it is none.
    pub(super) stamp: Option<Timestamp>,
    /// When it was taken from the driver.
    pub(super) taken: Timestamp,
    /// The driver knows that the picture is damaged.
    pub(super) damaged: bool,
}

impl Stream {
    /// Opens the device at `path`, sets it to what `settings` ask for, and starts it.
    ///
    /// # Errors
    /// When the device is not there, not free, not able or not willing.
    pub(super) fn start(path: &Path, settings: &CameraSettings) -> Result<Self, CaptureError> {
        let camera = Camera::open(path)?;
        let asked = negotiate(&camera, settings)?;
        let count = v4l2::request_buffers(camera.fd(), BUFFERS)
            .map_err(|error| camera.failed(Call::RequestBuffers, error))?;
        if count == 0 {
            return Err(CaptureError::NoStreaming(camera.node().to_owned()));
        }
        // From now on nobody else can change the format, so this reading is the one that holds:
        // another program could have set its own after ours.
        let mode = accept(camera.node(), settings, camera.given()?, asked.fps)?;
        let buffers = (0..count).map(|index| map(&camera, index)).collect::<Result<_, _>>()?;
        let stream = Self { buffers, camera, mode, requeue_failed: Cell::new(None) };
        for index in 0..count {
            v4l2::queue(stream.fd(), index).map_err(|error| stream.camera.failed(Call::Queue, error))?;
        }
        v4l2::stream_on(stream.fd()).map_err(|error| stream.camera.failed(Call::StreamOn, error))?;
        Ok(stream)
    }

    /// The device.
    pub(super) fn camera(&self) -> &Camera {
        &self.camera
    }

    /// What it delivers.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Waits up to `timeout` for a filled buffer; true when there may be one.
    ///
    /// # Errors
    /// When the device does not answer any more.
    pub(super) fn wait(&self, timeout: Duration) -> Result<bool, CaptureError> {
        let device = self.fd();
        let mut polled = [PollFd::new(&device, PollFlags::IN)];
        // A timeout is always shorter than what the kernel can count.
        let timeout = Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
        match poll(&mut polled, Some(&timeout)) {
            Ok(ready) => {
                let told = polled[0].revents();
                if ready > 0 && !told.contains(PollFlags::IN) {
                    return Err(CaptureError::Gone(self.camera.node().to_owned()));
                }
                Ok(ready > 0)
            }
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(self.camera.failed(Call::Poll, error.into())),
        }
    }

    /// The oldest filled buffer; `None` when there is none yet. Does not wait.
    ///
    /// # Errors
    /// When the device does not answer any more.
    pub(super) fn next(&self) -> Result<Option<Filled<'_>>, CaptureError> {
        if let Some(error) = self.requeue_failed.take() {
            return Err(self.camera.failed(Call::Queue, error.into()));
        }
        match v4l2::dequeue(self.fd()) {
            Ok(buffer) => Ok(Some(Filled {
                stream: self,
                index: buffer.index,
                used_bytes: buffer.bytesused as usize,
                sequence: buffer.sequence,
                stamp: stamp(&buffer),
                taken: Timestamp::now(),
                damaged: buffer.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
            })),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::AGAIN) => Ok(None),
            Err(error) => Err(self.camera.failed(Call::Dequeue, error)),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.camera.fd()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // One whose driver is gone cannot be stopped, and need not be.
        if let Err(error) = v4l2::stream_off(self.fd()) {
            log::debug!("{}: cannot stop it: {error}", self.camera.node().display());
        }
    }
}

impl Filled<'_> {
    /// What the driver put into it; empty from a driver that names a buffer it was never given.
    pub(super) fn bytes(&self) -> &[u8] {
        let Some(buffer) = self.stream.buffers.get(self.index as usize) else { return &[] };
        // SAFETY: this buffer was dequeued when `self` was made and is queued again only in its
        // drop, which the slice, borrowing `self`, cannot outlive.
        #[allow(unsafe_code)]
        unsafe {
            buffer.bytes(self.used_bytes)
        }
    }
}

impl Drop for Filled<'_> {
    fn drop(&mut self) {
        if let Err(error) = v4l2::queue(self.stream.fd(), self.index) {
            self.stream.requeue_failed.set(Errno::from_io_error(&error));
        }
    }
}

fn map(camera: &Camera, index: u32) -> Result<Mapping, CaptureError> {
    let (offset, length_bytes) =
        v4l2::query_buffer(camera.fd(), index).map_err(|error| camera.failed(Call::QueryBuffer, error))?;
    Mapping::new(camera.fd(), offset, length_bytes).map_err(|error| camera.failed(Call::Map, error))
}

/// The driver's stamp. What its flags say of the clock is not always true, and is not needed: see
/// [`super::clock`]. Its width differs between targets.
fn stamp(buffer: &sys::v4l2_buffer) -> Option<Timestamp> {
    let seconds = u64::try_from(buffer.timestamp.tv_sec).ok()?;
    let micros = u64::try_from(buffer.timestamp.tv_usec).ok()?;
    Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?.checked_add(micros)?))
}
