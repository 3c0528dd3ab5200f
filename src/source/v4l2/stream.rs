//! A camera that runs: its buffers, mapped, going round between the driver and here.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use v4l::v4l_sys as sys;

use super::calls::{self, Mapping};
use super::camera::Camera;
use super::error::{Call, DeviceError};
use super::negotiate::{Mode, accept, negotiate};
use super::sequence::Sequence;
use crate::media::Timestamp;
use crate::source::settings::CameraSettings;

/// Buffers asked of the driver: one being filled, one waiting, one being encoded, one to spare.
const BUFFERS: u32 = 4;

/// A camera that delivers frames. Stopped and closed when dropped.
#[derive(Debug)]
pub(super) struct Stream {
    // Dropped in this order: a driver frees its buffers when they are unmapped and it is closed.
    buffers: Vec<Mapping>,
    camera: Camera,
    mode: Mode,
    sequence: Sequence,
    /// The buffer that [`Self::take`] lent, which the driver does not own.
    lent: Option<Filled>,
}

/// What was taken from the driver.
#[derive(Debug)]
pub(super) struct Taken<'s> {
    /// Whole frames that were skipped for a newer one, or lost by the driver.
    pub(super) lost: u32,
    /// Frames that the driver says are damaged.
    pub(super) damaged: u32,
    /// The newest whole frame.
    pub(super) newest: Option<Frame<'s>>,
}

/// A frame in the driver's buffer.
#[derive(Debug)]
pub(super) struct Frame<'s> {
    /// What the driver put into the buffer; empty from a driver that names a buffer it was never given.
    pub(super) bytes: &'s [u8],
    /// The driver's stamp, of whatever clock it may be; `None` when it is none.
    pub(super) stamp: Option<Timestamp>,
    /// When it was taken from the driver.
    pub(super) taken: Timestamp,
    /// The camera's node.
    pub(super) node: &'s Path,
}

/// A filled buffer, which the driver does not own. There is one value for each such buffer.
#[derive(Debug)]
struct Filled {
    index: u32,
    used_bytes: usize,
    /// The driver's count of frames, those it lost included.
    sequence: u32,
    stamp: Option<Timestamp>,
    taken: Timestamp,
    is_damaged: bool,
}

impl Stream {
    /// Opens the device at `path`, sets it to what `settings` ask for, and starts it.
    ///
    /// # Errors
    /// When the device is not there, not free, not able or not willing.
    pub(super) fn start(path: &Path, settings: &CameraSettings) -> Result<Self, DeviceError> {
        let camera = Camera::open(path)?;
        let asked = negotiate(&camera, settings)?;
        let count = calls::request_buffers(camera.fd(), BUFFERS)
            .map_err(|error| camera.failed(Call::RequestBuffers, error))?;
        if count == 0 {
            return Err(DeviceError::NoStreaming(camera.node().to_owned()));
        }
        // From now on nobody else can change the format, so this reading is the one that holds:
        // another program could have set its own after ours.
        let mode = accept(camera.node(), settings, camera.active_format()?, asked.fps)?;
        let buffers = (0..count).map(|index| map(&camera, index)).collect::<Result<_, _>>()?;
        let stream = Self { buffers, camera, mode, sequence: Sequence::default(), lent: None };
        for index in 0..count {
            calls::queue(stream.fd(), index).map_err(|error| stream.camera.failed(Call::Queue, error))?;
        }
        calls::stream_on(stream.fd()).map_err(|error| stream.camera.failed(Call::StreamOn, error))?;
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
    pub(super) fn wait(&self, timeout: Duration) -> Result<bool, DeviceError> {
        let device = self.fd();
        let mut polled = [PollFd::new(&device, PollFlags::IN)];
        // A timeout is always shorter than what the kernel can count.
        let timeout = Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
        match poll(&mut polled, Some(&timeout)) {
            Ok(ready) => {
                if ready > 0 && !polled[0].revents().contains(PollFlags::IN) {
                    return Err(DeviceError::Gone(self.camera.node().to_owned()));
                }
                Ok(ready > 0)
            }
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(self.camera.failed(Call::Poll, error.into())),
        }
    }

    /// Takes what the driver has filled, without waiting. The newest frame is lent, until [`Self::give_back`]; older
    /// ones go back to the driver at once.
    ///
    /// # Errors
    /// When the device does not answer any more.
    pub(super) fn take(&mut self) -> Result<Taken<'_>, DeviceError> {
        self.give_back()?;
        let (mut lost, mut damaged) = (0, 0);
        // Not until there are no more: a driver faster than this loop would never let it end.
        for _ in 0..BUFFERS {
            let Some(filled) = self.dequeue()? else { break };
            lost += self.sequence.lost_before(filled.sequence);
            if filled.is_damaged {
                damaged += 1;
                self.queue(filled)?;
            } else if let Some(older) = self.lent.replace(filled) {
                lost += 1;
                self.queue(older)?;
            }
        }
        let newest = self.lent.as_ref().map(|filled| Frame {
            bytes: self.bytes(filled),
            stamp: filled.stamp,
            taken: filled.taken,
            node: self.camera.node(),
        });
        Ok(Taken { lost, damaged, newest })
    }

    /// Gives the frame that was lent back to the driver.
    ///
    /// # Errors
    /// When the device does not answer any more.
    pub(super) fn give_back(&mut self) -> Result<(), DeviceError> {
        match self.lent.take() {
            Some(filled) => self.queue(filled),
            None => Ok(()),
        }
    }

    /// The oldest filled buffer; `None` when there is none yet.
    fn dequeue(&self) -> Result<Option<Filled>, DeviceError> {
        match calls::dequeue(self.fd()) {
            Ok(buffer) => Ok(Some(Filled {
                index: buffer.index,
                used_bytes: buffer.bytesused as usize,
                sequence: buffer.sequence,
                stamp: stamp(&buffer),
                taken: Timestamp::now(),
                is_damaged: buffer.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
            })),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::AGAIN) => Ok(None),
            Err(error) => Err(self.camera.failed(Call::Dequeue, error)),
        }
    }

    /// Gives a buffer to the driver.
    fn queue(&self, filled: Filled) -> Result<(), DeviceError> {
        calls::queue(self.fd(), filled.index).map_err(|error| self.camera.failed(Call::Queue, error))
    }

    fn bytes<'s>(&'s self, filled: &'s Filled) -> &'s [u8] {
        let Some(buffer) = self.buffers.get(filled.index as usize) else { return &[] };
        // SAFETY: `filled` says that this buffer was dequeued. To queue it again consumes `filled`, which the slice
        // borrows, so that it does not outlive the time in which the driver does not own the buffer.
        #[allow(unsafe_code)]
        unsafe {
            buffer.bytes(filled.used_bytes)
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.camera.fd()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // One whose driver is gone cannot be stopped, and need not be.
        if let Err(error) = calls::stream_off(self.fd()) {
            log::debug!("{}: cannot stop it: {error}", self.camera.node().display());
        }
    }
}

fn map(camera: &Camera, index: u32) -> Result<Mapping, DeviceError> {
    let (offset, length_bytes) =
        calls::query_buffer(camera.fd(), index).map_err(|error| camera.failed(Call::QueryBuffer, error))?;
    Mapping::new(camera.fd(), offset, length_bytes).map_err(|error| camera.failed(Call::Map, error))
}

/// The driver's stamp. What its flags say of the clock is not always true, and is not needed: see
/// [`super::frame_clock`]. Its width differs between targets.
fn stamp(buffer: &sys::v4l2_buffer) -> Option<Timestamp> {
    let seconds = u64::try_from(buffer.timestamp.tv_sec).ok()?;
    let micros = u64::try_from(buffer.timestamp.tv_usec).ok()?;
    Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?.checked_add(micros)?))
}
