//! Encodes one picture on several cores: it is cut into slices of whole rows of units. Each slice is encoded
//! independently, like the interval between two restart markers (ITU-T T.81, section E.1.4), and they are joined.

use std::sync::Mutex;
use std::thread;

use super::picture::Picture;
use super::{EngineError, Worker};
use crate::base::lock;
use crate::jpeg::scan;

/// Least pixels of a slice: for fewer, starting a thread costs more than it saves.
const SLICE_PIXELS_MIN: usize = 1 << 16;

/// Stack of an encoding thread, in bytes. Its buffers are on the heap.
const STACK_BYTES: usize = 256 * 1024;

/// Appends `picture` to `out`, coded by as many as `threads` threads, the caller's included.
pub(super) fn encode(
    picture: &Picture<'_>,
    quality: u8,
    threads: usize,
    workers: &mut Vec<Worker>,
    out: &mut Vec<u8>,
) -> Result<(), EngineError> {
    let Some(cut) = Cut::of(picture, threads) else {
        workers.resize_with(workers.len().max(1), Worker::default);
        return Ok(workers[0].engine.encode(picture, quality, out)?);
    };
    let parts: Vec<_> = cut.parts(picture).collect();
    workers.resize_with(workers.len().max(parts.len()), Worker::default);
    let workers = &mut workers[..parts.len()];
    let jobs = Mutex::new(parts.iter().zip(&mut *workers));
    thread::scope(|scope| {
        let work = || {
            loop {
                // A separate statement, so that the lock is not held while a slice is encoded.
                let job = lock(&jobs).next();
                let Some((part, worker)) = job else { return };
                worker.jpeg.clear();
                worker.outcome = worker.engine.encode(part, quality, &mut worker.jpeg).map_err(Into::into);
            }
        };
        for number in 1..parts.len().min(threads) {
            let builder = thread::Builder::new().name(format!("slice-{number}")).stack_size(STACK_BYTES);
            // If a thread cannot be started, the others encode its slices.
            let _ = builder.spawn_scoped(scope, work);
        }
        work();
    });
    for worker in &mut *workers {
        std::mem::replace(&mut worker.outcome, Ok(()))?;
    }
    join(picture.height(), cut.units, workers, out);
    Ok(())
}

/// How a picture is cut.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    /// Rows of pixels in each slice; the last may have fewer.
    rows: u16,
    /// Units in each slice: the restart interval.
    units: u16,
}

impl Cut {
    /// `None` if one slice is best.
    fn of(picture: &Picture<'_>, threads: usize) -> Option<Self> {
        let (width, height) = (picture.width(), picture.height());
        let slices = threads.min(usize::from(width) * usize::from(height) / SLICE_PIXELS_MIN);
        if slices < 2 {
            return None;
        }
        let (unit_width, unit_height) = picture.sampling().unit();
        let units_across = width.div_ceil(unit_width);
        let unit_rows = usize::from(height.div_ceil(unit_height)).div_ceil(slices);
        // A restart interval has 16 bits, so a huge picture has more slices than threads.
        let unit_rows = (unit_rows as u16).min(u16::MAX / units_across);
        let rows = unit_rows.saturating_mul(unit_height);
        (rows < height).then_some(Self { rows, units: unit_rows * units_across })
    }

    fn parts<'a>(&self, picture: &Picture<'a>) -> impl Iterator<Item = Picture<'a>> {
        let (picture, rows) = (*picture, self.rows);
        let starts = (0..picture.height()).step_by(usize::from(rows));
        starts.map(move |start| picture.part(start..start.saturating_add(rows).min(picture.height())))
    }
}

/// Joins the JPEGs of the slices to one of `height` rows, and appends it to `out`.
fn join(height: u16, restart_interval: u16, workers: &[Worker], out: &mut Vec<u8>) {
    const EOI: [u8; 2] = [0xFF, 0xD9];
    let header = scan::header(&workers[0].jpeg).expect("an encoder writes whole headers");
    let total: usize = workers.iter().map(|worker| worker.jpeg.len()).sum();
    out.reserve(total + 64);
    let start = out.len();
    out.extend_from_slice(&workers[0].jpeg[..header.first_scan]);
    // After marker, length and precision (section B.2.2).
    out[start + header.frame + 5..][..2].copy_from_slice(&height.to_be_bytes());
    let [high, low] = restart_interval.to_be_bytes();
    out.extend_from_slice(&[0xFF, 0xDD, 0, 4, high, low]);
    out.extend_from_slice(&workers[0].jpeg[header.first_scan..header.entropy_coded]);
    for (number, worker) in workers.iter().enumerate() {
        if number > 0 {
            out.extend_from_slice(&[0xFF, 0xD0 + (number - 1) as u8 % 8]);
        }
        let coded = &worker.jpeg[header.entropy_coded..];
        out.extend_from_slice(coded.strip_suffix(&EOI).unwrap_or(coded));
    }
    out.extend_from_slice(&EOI);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Chroma;
    use crate::media::{PixelFormat, Range601, RawImage};

    fn cut(format: PixelFormat, width: u32, height: u32, threads: usize) -> Option<(u16, u16)> {
        let data = vec![0; width as usize * height as usize * 2];
        let stride_bytes = if format == PixelFormat::Yuyv { width * 2 } else { width };
        let image = RawImage { format, width, height, stride_bytes, range: Range601::Full, data: &data };
        let picture = Picture::of(&image, Chroma::AsCaptured).unwrap();
        Cut::of(&picture, threads).map(|cut| (cut.rows, cut.units))
    }

    #[test]
    fn slices_are_whole_units_and_worth_a_thread() {
        assert_eq!(cut(PixelFormat::Yuyv, 1280, 720, 1), None, "one core");
        assert_eq!(cut(PixelFormat::Yuyv, 320, 240, 4), None, "too small");
        assert_eq!(cut(PixelFormat::Yuyv, 640, 480, 4), Some((120, 40 * 15)));
        assert_eq!(cut(PixelFormat::Nv12, 1280, 720, 4), Some((192, 80 * 12)), "12, 12, 12 and 9 units high");
        assert_eq!(cut(PixelFormat::Yuyv, 16, 20_000, 8), Some((5_000, 625)));
        assert_eq!(cut(PixelFormat::Nv12, 40_000, 10, 8), None, "one unit high");
    }

    #[test]
    fn a_restart_interval_fits_its_sixteen_bits() {
        assert_eq!(cut(PixelFormat::Grey, 8_000, 8_000, 2), Some((520, 65_000)));
    }
}
