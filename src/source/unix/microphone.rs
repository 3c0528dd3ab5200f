//! Sound that comes over a socket: samples of 16 bits, little endian, interleaved by channel, at the rate that
//! defender.conf names.

use std::path::PathBuf;
use std::time::Duration;

use super::connection::{Wire, connect, inspect, read_now};
use super::error::{Fault, FeedError, Heard};
use super::sound_clock::SoundClock;
use crate::media::SoundFormat;
use crate::source::audio::{AudioArrival, AudioDescription, AudioError, AudioSource, OpenAudio, Samples};
use crate::source::clock::POLL;
use crate::source::session::Session;

/// Without sound for so long there is silence. Programs write in pieces of up to this length.
const PATIENCE: Duration = Duration::from_millis(400);

/// Most that is read at once.
const READ_FRAMES: usize = 4096;

/// A microphone behind a socket.
pub(in crate::source) struct UnixMicrophone {
    path: PathBuf,
    format: SoundFormat,
}

impl UnixMicrophone {
    /// The microphone of this format behind the socket at `path`.
    pub(in crate::source) fn new(path: PathBuf, format: SoundFormat) -> Self {
        Self { path, format }
    }
}

impl<'s> OpenAudio<'s> for UnixMicrophone {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn AudioSource + 's>, AudioError> {
        let wire = Box::new(connect(&self.path).map_err(AudioError::of)?);
        Ok(Box::new(SoundFeed::new(self.path.clone(), wire, session, self.format)))
    }

    fn problem(&self) -> Option<String> {
        inspect(&self.path).err().map(|error| error.to_string())
    }
}

/// The sound of one connection.
pub(super) struct SoundFeed<'s> {
    path: PathBuf,
    wire: Box<dyn Wire + 's>,
    session: &'s Session<'s>,
    format: SoundFormat,
    clock: SoundClock,
    /// What was read, and how much of it is not taken: a part of a frame at most.
    bytes: Vec<u8>,
    left: usize,
    samples: Vec<i16>,
    pause: Duration,
    has_sound: bool,
}

impl<'s> SoundFeed<'s> {
    /// What comes over `wire`.
    pub(super) fn new(
        path: PathBuf,
        wire: Box<dyn Wire + 's>,
        session: &'s Session<'s>,
        format: SoundFormat,
    ) -> Self {
        let samples = READ_FRAMES * format.channels as usize;
        Self {
            path,
            wire,
            session,
            format,
            clock: SoundClock::new(format, session.now()),
            bytes: vec![0; samples * 2],
            left: 0,
            samples: Vec::with_capacity(samples),
            pause: Duration::ZERO,
            has_sound: false,
        }
    }

    /// Waits until something can be read; false when nothing came for too long, or the source is unwanted.
    fn wait(&mut self) -> Result<bool, Fault> {
        let end = self.session.now().after(PATIENCE);
        loop {
            if self.wire.wait(POLL).map_err(Fault::Read)? {
                return Ok(true);
            }
            if self.session.now() >= end || !self.session.is_wanted() {
                return Ok(false);
            }
        }
    }

    /// Reads what is there into `samples`: whole frames; returns whether anything came.
    fn read(&mut self) -> Result<bool, Fault> {
        self.samples.clear();
        let Some(count) = read_now(&mut *self.wire, &mut self.bytes[self.left..])? else { return Ok(false) };
        if count == 0 {
            return Err(Fault::Closed(if self.has_sound { Heard::Good } else { Heard::Nothing }));
        }
        self.has_sound = true;
        let came = self.left + count;
        let taken = came - came % (2 * self.format.channels as usize);
        let (samples, _) = self.bytes[..taken].as_chunks::<2>();
        self.samples.extend(samples.iter().map(|sample| i16::from_le_bytes(*sample)));
        self.bytes.copy_within(taken..came, 0);
        self.left = came - taken;
        Ok(true)
    }

    fn fail(&self, fault: Fault) -> AudioError {
        AudioError::of(FeedError { path: self.path.clone(), fault })
    }
}

impl AudioSource for SoundFeed<'_> {
    fn description(&self) -> AudioDescription {
        let name = format!("unix:{}", self.path.display());
        AudioDescription {
            source: name.clone(),
            mode: self.format.to_string(),
            device: name,
            format: self.format,
            pcm: None,
            problem: None,
        }
    }

    fn next(&mut self, _timeout: Duration) -> Result<AudioArrival<'_>, AudioError> {
        let pause = std::mem::take(&mut self.pause);
        if !pause.is_zero() && self.session.sleep(pause) {
            return Ok(AudioArrival::Nothing);
        }
        if !self.wait().map_err(|fault| self.fail(fault))? {
            return Ok(AudioArrival::Nothing);
        }
        let came = self.read().map_err(|fault| self.fail(fault))?;
        let frames = (self.samples.len() / self.format.channels as usize) as u64;
        if !came || frames == 0 {
            return Ok(AudioArrival::Nothing);
        }
        let now = self.session.now();
        let (end, is_after_gap) = self.clock.end_of(frames, now);
        self.pause = self.clock.pause(frames, now);
        Ok(AudioArrival::Samples(Samples {
            samples: &self.samples,
            end,
            is_after_gap,
            is_description_new: false,
        }))
    }
}
