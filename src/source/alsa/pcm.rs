//! An ALSA PCM that captures S16: opening, negotiating, reading, recovering.

use std::ffi::CString;
use std::time::Duration;

use alsa::pcm::{Access, Format, HwParams, PCM, TstampType};
use alsa::{Direction, ValueOr};
use rustix::io::Errno;

use super::cards::{self, Candidate};
use super::error::PcmError;
use super::library;
use crate::media::{SoundFormat, Timestamp};

/// How much comes at a time: short enough to be live, long enough for a slow board.
const PERIOD_US: u32 = 20_000;

/// How much may wait while this thread is held up, before samples are lost.
const BUFFER_US: u32 = 400_000;

/// A time stamp further from now than this is none.
const BELIEVABLE: Duration = Duration::from_secs(2);

/// A PCM that runs.
pub(super) struct Pcm {
    pcm: PCM,
    candidate: Candidate,
    format: SoundFormat,
    /// Room for what ALSA's buffer holds.
    samples: Vec<i16>,
}

/// What a read brought.
#[derive(Debug)]
pub(super) enum Read<'p> {
    /// Samples, interleaved, of which the last was captured at `end`.
    Samples {
        /// Whole frames.
        samples: &'p [i16],
        /// When the last one was captured.
        end: Timestamp,
    },
    /// Nothing in time.
    Nothing,
    /// Samples were lost; it runs again.
    Overrun,
}

impl Pcm {
    /// Opens and starts a PCM with the rate and channels asked for: as they are where the hardware
    /// has them, by ALSA's conversion where it has not, else the nearest there are.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn start(candidate: &Candidate, wanted: SoundFormat) -> Result<Self, PcmError> {
        library::prepare();
        let name = &candidate.pcm;
        let opened = if name.starts_with("hw:") {
            let instead = |failed: Failed, name: &str| match failed.is_about_fit() {
                true => open(name, wanted, Fit::Near),
                false => Err(failed),
            };
            open(name, wanted, Fit::Exact)
                .or_else(|failed| instead(failed, &format!("plug{name}")))
                .or_else(|failed| instead(failed, name))
        } else {
            open(name, wanted, Fit::Near)
        };
        let (pcm, format, buffer_frames) = opened.map_err(|failed| failed.into_error(name))?;
        pcm.start().map_err(|error| PcmError::of_call(name, error))?;
        let samples = vec![0; buffer_frames * format.channels as usize];
        Ok(Self { pcm, candidate: candidate.clone(), format, samples })
    }

    /// Rate and channels as they really are.
    pub(super) fn format(&self) -> SoundFormat {
        self.format
    }

    /// The PCM's name, and the card's for people.
    pub(super) fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// The name by which its card's device is listed, however this one was named.
    pub(super) fn listed_name(&self) -> Option<String> {
        let info = self.pcm.info().ok()?;
        cards::listed_name(info.get_card(), info.get_device())
    }

    /// What has come, waiting for it up to `timeout`. After an overrun or a suspend it is started
    /// again.
    ///
    /// # Errors
    /// When the device is gone, or does not start again.
    pub(super) fn read(&mut self, timeout: Duration) -> Result<Read<'_>, PcmError> {
        let read = self.pcm.wait(Some(timeout.as_millis() as u32)).and_then(|ready| match ready {
            false => Ok(0),
            true => self.pcm.io_i16()?.readi(&mut self.samples),
        });
        match read {
            Ok(0) => Ok(Read::Nothing),
            Ok(frames) => {
                let end = self.end();
                let samples = &self.samples[..frames * self.format.channels as usize];
                Ok(Read::Samples { samples, end })
            }
            Err(error) => self.recover(error),
        }
    }

    fn recover(&self, error: alsa::Error) -> Result<Read<'_>, PcmError> {
        let restart = || self.pcm.prepare().and_then(|()| self.pcm.start()).map(|()| Read::Overrun);
        let recovered = match Errno::from_raw_os_error(error.errno().abs()) {
            Errno::AGAIN | Errno::INTR => Ok(Read::Nothing),
            Errno::PIPE => restart(),
            Errno::STRPIPE => match self.pcm.resume() {
                Ok(()) => Ok(Read::Overrun),
                // Still asleep: it is looked at again after the caller had its turn.
                Err(error) if error.errno().abs() == Errno::AGAIN.raw_os_error() => {
                    std::thread::sleep(Duration::from_millis(u64::from(PERIOD_US / 1000)));
                    Ok(Read::Nothing)
                }
                // Hardware that cannot resume starts anew.
                Err(_) => restart(),
            },
            _ => Err(error),
        };
        recovered.map_err(|error| PcmError::of_call(&self.candidate.pcm, error))
    }

    /// When the frame that was read last was captured: the driver's time stamp, less what waits
    /// behind that frame.
    fn end(&self) -> Timestamp {
        let now = Timestamp::now();
        let Ok(status) = self.pcm.status() else { return now };
        let stamp = status.get_htstamp();
        let stamp = timestamp(stamp.tv_sec, stamp.tv_nsec);
        // Some plugins stamp with zero, or with the wall clock.
        let is_believable = stamp.since(now).max(now.since(stamp)) < BELIEVABLE;
        let waiting = u64::try_from(status.get_avail()).unwrap_or(0);
        let after = Duration::from_micros(waiting * 1_000_000 / u64::from(self.format.rate_hz));
        (if is_believable { stamp } else { now }).before(after)
    }
}

/// A C time as a time stamp, whatever width the system gives its parts.
fn timestamp(seconds: impl Into<i64>, nanos: impl Into<i64>) -> Timestamp {
    let us = seconds.into().saturating_mul(1_000_000).saturating_add(nanos.into() / 1_000);
    Timestamp::from_micros(u64::try_from(us).unwrap_or(0))
}

/// How near the format must come to the one asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Exact,
    Near,
}

/// Why a PCM was not opened.
enum Failed {
    Call(alsa::Error),
    /// It refused this.
    Unfit(&'static str),
}

impl Failed {
    fn is_about_fit(&self) -> bool {
        match self {
            Self::Unfit(_) => true,
            // Without the plug layer its name is unknown; the bare hardware is still there.
            Self::Call(error) => {
                error.func() == "snd_pcm_open" && error.errno().abs() == Errno::NOENT.raw_os_error()
            }
        }
    }

    fn into_error(self, pcm: &str) -> PcmError {
        match self {
            Self::Call(error) => PcmError::of_call(pcm, error),
            Self::Unfit(refused) => PcmError::Unusable { pcm: pcm.to_owned(), refused },
        }
    }
}

impl From<alsa::Error> for Failed {
    fn from(error: alsa::Error) -> Self {
        Self::Call(error)
    }
}

/// Opens a PCM and sets it up; what it then is, and the frames its buffer holds.
fn open(name: &str, wanted: SoundFormat, fit: Fit) -> Result<(PCM, SoundFormat, usize), Failed> {
    // A NUL ends a name in C; defender.conf takes none.
    let name = CString::new(name).map_err(|_| Failed::Unfit("its name"))?;
    let pcm = PCM::open(&name, Direction::Capture, true)?;
    let (format, buffer_frames) = {
        let hardware = HwParams::any(&pcm)?;
        hardware.set_access(Access::RWInterleaved).map_err(|_| Failed::Unfit("interleaved samples"))?;
        hardware.set_format(Format::s16()).map_err(|_| Failed::Unfit("16-bit samples"))?;
        match fit {
            Fit::Exact => {
                hardware.set_channels(wanted.channels).map_err(|_| Failed::Unfit("that many channels"))?;
                hardware
                    .set_rate(wanted.rate_hz, ValueOr::Nearest)
                    .map_err(|_| Failed::Unfit("that rate"))?;
            }
            Fit::Near => {
                hardware.set_channels_near(wanted.channels)?;
                hardware.set_rate_near(wanted.rate_hz, ValueOr::Nearest)?;
            }
        }
        hardware.set_period_time_near(PERIOD_US, ValueOr::Nearest)?;
        hardware.set_buffer_time_near(BUFFER_US, ValueOr::Nearest)?;
        let format = SoundFormat { rate_hz: hardware.get_rate()?, channels: hardware.get_channels()? };
        pcm.hw_params(&hardware)?;
        (format, usize::try_from(hardware.get_buffer_size()?).unwrap_or(0))
    };
    set_clock(&pcm)?;
    Ok((pcm, format, buffer_frames))
}

/// Asks for time stamps of the monotonic clock.
fn set_clock(pcm: &PCM) -> Result<(), Failed> {
    let software = pcm.sw_params_current()?;
    software.set_tstamp_mode(true)?;
    // Plugins that stamp with another clock are found out when their stamps are read.
    let _ = software.set_tstamp_type(TstampType::Monotonic);
    Ok(pcm.sw_params(&software)?)
}
