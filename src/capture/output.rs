//! Where a capture thread puts its pictures: into frames for the hub, in buffers used again and
//! again, each frame newer than the one before.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::info;

use super::CameraSettings;
use crate::encode::jpeg::{EncodeError, Encoder, Settings};
use crate::encode::part;
use crate::encode::scan::{self, Scan, ScanError};
use crate::encode::scanner::Scanner;
use crate::hub::{CameraFeed, Named, Publisher, Tally};
use crate::media::{Frame, RawImage, Timestamp};
use crate::memory::{Account, Lease};

/// The way out of a capture thread.
pub(super) struct Output<'a> {
    feed: &'a CameraFeed,
    publisher: &'a mut Publisher<Frame>,
    encoder: Encoder,
    /// The buffer of an old frame nobody reads any more, with its lease if it has one.
    spare: (Vec<u8>, Option<Lease>),
    last: Timestamp,
    tally: Tally,
    scanner: Scanner,
    /// Whether it was logged that the camera sends no EOI.
    was_completed: bool,
    /// Whether what is published says why there is no picture.
    is_notice: bool,
}

/// A frame to be published, and the time it took to encode.
pub(super) struct Finished {
    frame: Frame,
    busy: Duration,
}

impl Finished {
    /// Width and height in pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        self.frame.size()
    }
}

impl<'a> Output<'a> {
    pub(super) fn new(
        settings: &CameraSettings,
        feed: &'a CameraFeed,
        publisher: &'a mut Publisher<Frame>,
    ) -> Self {
        Self {
            feed,
            publisher,
            encoder: Encoder::new(Settings {
                quality: settings.quality,
                chroma: settings.chroma,
                threads: thread::available_parallelism().map_or(1, NonZero::get),
            }),
            spare: (Vec::new(), None),
            last: Timestamp::from_micros(0),
            tally: feed.published.tally(),
            scanner: Scanner::new(),
            was_completed: false,
            is_notice: false,
        }
    }

    /// Whether anybody would see a picture.
    pub(super) fn is_watched(&self) -> bool {
        self.publisher.readers() > 0
    }

    /// Sleeps until somebody watches, for at most `timeout`; true when somebody does.
    pub(super) fn wait_for_viewer(&self, timeout: Duration) -> bool {
        self.publisher.wait_for_reader(timeout)
    }

    /// Whether nobody will ever watch again.
    pub(super) fn is_closed(&self) -> bool {
        self.publisher.is_closed()
    }

    /// Whether what is published from now on says why there is no picture, instead of being one.
    pub(super) fn set_notice(&mut self, is_notice: bool) {
        self.is_notice = is_notice;
    }

    /// Forgets what was learned of a camera's frames: it is another one, or started anew.
    pub(super) fn begin_camera(&mut self) {
        self.scanner = Scanner::new();
    }

    /// Encodes and publishes raw pixels. `captured` is the driver's time, if it tells one.
    ///
    /// # Errors
    /// When they do not hold what they claim to; nothing is published then.
    pub(super) fn publish_raw(
        &mut self,
        image: &RawImage<'_>,
        captured: Option<Timestamp>,
    ) -> Result<(), EncodeError> {
        let finished = self.encode(image, captured)?;
        self.publish(finished);
        Ok(())
    }

    /// Encodes raw pixels for [`Self::publish`].
    ///
    /// # Errors
    /// When they do not hold what they claim to.
    pub(super) fn encode(
        &mut self,
        image: &RawImage<'_>,
        captured: Option<Timestamp>,
    ) -> Result<Finished, EncodeError> {
        let (size, stamp, buffer) = ((image.width, image.height), self.stamp(captured), self.take_buffer());
        let began = Timestamp::now();
        let frame = part::build(buffer, stamp, size, |out| self.encoder.encode(image, out))?;
        self.feed.counters.encoded.add(1);
        Ok(Finished { frame, busy: Timestamp::now().since(began) })
    }

    /// Copies a camera's own JPEG for [`Self::publish`], with the tables and the EOI it may lack.
    ///
    /// # Errors
    /// When `data` does not hold one whole JPEG.
    pub(super) fn pass_on(
        &mut self,
        data: &[u8],
        captured: Option<Timestamp>,
    ) -> Result<Finished, ScanError> {
        let found = self.look_over(data)?;
        let size = (found.width, found.height);
        let frame = part::build(self.take_buffer(), self.stamp(captured), size, |out| {
            scan::append_with_tables(data, &found, out);
            Ok(())
        })?;
        Ok(Finished { frame, busy: Duration::ZERO })
    }

    fn look_over(&mut self, data: &[u8]) -> Result<Scan, ScanError> {
        let found = self.scanner.scan(data)?;
        if !found.has_end {
            self.feed.counters.completed.add(1);
            if !std::mem::replace(&mut self.was_completed, true) {
                let camera = self.feed.name();
                info!("camera {camera}: its JPEGs end without EOI (FF D9), which is added");
            }
        }
        Ok(found)
    }

    /// Publishes the JPEG of another server, with the tables it may lack, in memory of `account`; its width
    /// and height.
    ///
    /// # Errors
    /// [`RelayError`], and nothing is published then.
    pub(super) fn publish_relayed(
        &mut self,
        data: &[u8],
        captured: Option<Timestamp>,
        account: &Arc<Account>,
    ) -> Result<(u32, u32), RelayError> {
        let found = self.scanner.scan(data).map_err(RelayError::Broken)?;
        let (buffer, lease) = self.leased_buffer(data.len(), account).ok_or(RelayError::NoMemory)?;
        let size = (found.width, found.height);
        let built = part::build(buffer, self.stamp(captured), size, |out| {
            scan::append_with_tables(data, &found, out);
            Ok::<(), std::convert::Infallible>(())
        });
        let Ok(frame) = built;
        if part::holds_boundary(frame.jpeg()) {
            return Err(RelayError::Boundary);
        }
        self.publish(Finished { frame: frame.with_lease(lease), busy: Duration::ZERO });
        Ok(size)
    }

    /// Gives up the buffer that is kept for the next frame.
    pub(super) fn drop_spare(&mut self) {
        self.spare = (Vec::new(), None);
    }

    fn take_buffer(&mut self) -> Vec<u8> {
        match std::mem::take(&mut self.spare) {
            (buffer, None) => buffer,
            // Its memory is another server's, and ends with the lease.
            (_, Some(_)) => Vec::new(),
        }
    }

    /// A buffer for a frame around a JPEG of `jpeg_bytes`, with the lease of all it can hold. The old
    /// one is used again where it is not much too large.
    fn leased_buffer(&mut self, jpeg_bytes: usize, account: &Arc<Account>) -> Option<(Vec<u8>, Lease)> {
        let needed = jpeg_bytes + scan::MAX_TABLES_BYTES + part::OVERHEAD_BYTES;
        match std::mem::take(&mut self.spare) {
            (buffer, Some(lease)) if (needed..=needed.saturating_mul(4)).contains(&buffer.capacity()) => {
                return Some((buffer, lease));
            }
            // Dropped before another is taken: not both at once.
            unfit => drop(unfit),
        }
        let lease = account.lease(needed)?;
        Some((Vec::with_capacity(needed), lease))
    }

    /// Publishes a frame.
    pub(super) fn publish(&mut self, Finished { frame, busy }: Finished) {
        let frame = if self.is_notice { frame.into_notice() } else { frame };
        self.last = frame.captured();
        let (now, bytes) = (Timestamp::now(), frame.jpeg().len() as u64);
        self.tally.add(now, |sums| {
            sums.frames += 1;
            sums.bytes += bytes;
            sums.busy_us += busy.as_micros() as u64;
            sums.age.count(now.since(self.last));
        });
        if let Some(old) = self.publisher.publish(frame) {
            self.spare = old.into_buffer();
        }
    }

    fn stamp(&self, captured: Option<Timestamp>) -> Timestamp {
        believable(captured, self.last, Timestamp::now())
    }
}

/// Why the picture of another server was not published.
pub(super) enum RelayError {
    /// It is no whole JPEG.
    Broken(ScanError),
    /// It holds the boundary between the parts of a stream.
    Boundary,
    /// There is no memory for it now.
    NoMemory,
}

/// The driver's time if it lies between the last frame and now, else now: some drivers stamp
/// with zero, some with another clock whatever they say, and a frame that seems older than the
/// one before it would be passed over.
fn believable(captured: Option<Timestamp>, last: Timestamp, now: Timestamp) -> Timestamp {
    let later = Timestamp::from_micros(last.as_micros() + 1);
    captured.filter(|captured| (later..=now).contains(captured)).unwrap_or(now.max(later))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Chroma, DeviceChoice};
    use crate::hub::latest;
    use crate::media::{PixelFormat, Range601};

    #[test]
    fn a_frame_is_always_newer_than_the_one_before() {
        let at = Timestamp::from_micros;
        assert_eq!(believable(Some(at(50)), at(40), at(60)), at(50));
        assert_eq!(believable(Some(at(40)), at(40), at(60)), at(60), "no newer than the last");
        assert_eq!(believable(Some(at(0)), at(40), at(60)), at(60), "a driver without a clock");
        assert_eq!(believable(Some(at(61)), at(40), at(60)), at(60), "from the future");
        assert_eq!(believable(None, at(40), at(60)), at(60));
        assert_eq!(believable(None, at(60), at(60)), at(61), "two within a microsecond");
    }

    #[test]
    fn a_picture_of_another_server_that_holds_the_boundary_is_not_published() {
        let settings = CameraSettings {
            name: "front".to_owned(),
            device: DeviceChoice::Test,
            format: None,
            width: 16,
            height: 16,
            fps: 1,
            quality: 80,
            chroma: Chroma::AsCaptured,
            on_demand: false,
            controls: Vec::new(),
        };
        let (mut publisher, frames) = latest(4);
        let feed = CameraFeed::new(&settings.name, frames);
        let mut viewer = feed.frames().subscribe().unwrap();
        let mut output = Output::new(&settings, &feed, &mut publisher);
        let account = Account::unlimited();
        // With a comment that is to become an HTML document in the viewer's browser.
        let text = format!("\r\n--{}\r\nContent-Type: text/html\r\n\r\n<h1>", part::boundary());
        let length = (text.len() as u16 + 2).to_be_bytes();
        let comment = [b"\xff\xfe", length.as_slice(), text.as_bytes()].concat();
        let pixels = RawImage {
            format: PixelFormat::Rgb3,
            width: 16,
            height: 16,
            stride_bytes: 48,
            range: Range601::Limited,
            data: &[7; 16 * 48],
        };
        let mut plain = Vec::new();
        output.encoder.encode(&pixels, &mut plain).unwrap();
        let hostile = [&plain[..2], &comment, &plain[2..]].concat();
        assert!(matches!(output.publish_relayed(&hostile, None, &account), Err(RelayError::Boundary)));
        assert!(viewer.newest().is_none());
        assert!(output.publish_relayed(&plain, None, &account).is_ok());
        assert_eq!(viewer.newest().unwrap().jpeg(), plain);
    }
}
