//! What the capture thread of a microphone and its clients share: sound, counters, state.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::public::public;
use super::{Count, Flag, Named, Ring, RingReader, RingWriter, Totals, ring};
use crate::base::lock;
use crate::media::{Level, NoiseSettings, SoundFormat, Timestamp};

/// Seconds of sound that a ring holds. A listener further behind than that cannot catch up; and when the
/// board is busy for a second or two, its listeners still lose nothing.
const KEEP_S: u32 = 4;

/// One microphone as the rest of the program sees it.
pub struct MicrophoneFeed {
    name: String,
    source: Mutex<SoundSource>,
    /// Frames of sound the device delivered; wraps at 2^32.
    pub captured: Count,
    /// How often samples were lost because the capture thread did not fetch them in time.
    pub overruns: Count,
    /// Rounds of the capture thread: increases several times a second, with or without a microphone, and
    /// stops when that thread hangs.
    pub pulse: Count,
    /// What listeners were sent: packets, bytes, and the frames of sound skipped because a listener was too
    /// slow.
    pub sent: Totals,
    /// Whether its sound comes from another Defender.
    pub relayed: Flag,
    /// Whether its device is one of the network.
    pub networked: Flag,
    rms_bits: AtomicU32,
    peak_bits: AtomicU32,
    state: Mutex<MicrophoneState>,
    noise: Mutex<Option<Arc<NoiseSettings>>>,
}

/// The present ring and the format of its samples.
#[derive(Clone)]
struct SoundSource {
    ring: Ring,
    format: SoundFormat,
}

/// The state of a microphone as its capture thread last set it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MicrophoneState {
    /// The source of the sound, as text.
    pub source: String,
    /// Whether it delivers sound. If not, listeners hear silence.
    pub online: bool,
    /// Why it is not online, as text for admins; see [`MicrophoneFeed::public_problem`].
    pub problem: Option<String>,
    /// Since when `online` has its value.
    pub since: Option<Timestamp>,
    /// The open PCM, by the name under which it is listed; `None` while none is open.
    pub pcm: Option<String>,
}

/// The writing end of a microphone's ring.
pub struct SoundWriter {
    ring: RingWriter,
    format: SoundFormat,
}

/// The reading end of a microphone's ring.
pub struct Listening {
    /// Follows the ring from the present on; closed when the format changes.
    pub reader: RingReader,
    /// The format of its samples.
    pub format: SoundFormat,
}

impl MicrophoneFeed {
    /// A feed for the microphone `name`, and the end that writes its sound.
    pub fn new(name: &str, format: SoundFormat) -> (SoundWriter, Self) {
        let (writer, source) = open(format);
        let feed = Self {
            name: name.to_owned(),
            source: Mutex::new(source),
            captured: Count::default(),
            overruns: Count::default(),
            pulse: Count::default(),
            sent: Totals::default(),
            relayed: Flag::default(),
            networked: Flag::default(),
            rms_bits: AtomicU32::new(Level::SILENCE.rms_dbfs.to_bits()),
            peak_bits: AtomicU32::new(Level::SILENCE.peak_dbfs.to_bits()),
            state: Mutex::default(),
            noise: Mutex::default(),
        };
        (writer, feed)
    }

    /// A new listener, whose sound begins at the present moment.
    pub fn listen(&self) -> Listening {
        let source = lock(&self.source);
        Listening { reader: source.ring.reader(), format: source.format }
    }

    /// How many listeners there are; a recorder and a detector count, too.
    pub fn listeners(&self) -> u32 {
        lock(&self.source).ring.readers()
    }

    /// How sound is to be looked for; `None` if it is not.
    pub fn noise(&self) -> Option<Arc<NoiseSettings>> {
        lock(&self.noise).clone()
    }

    /// Replaces how sound is to be looked for.
    pub fn set_noise(&self, settings: Option<&NoiseSettings>) {
        let mut held = lock(&self.noise);
        if held.as_deref() != settings {
            *held = settings.cloned().map(Arc::new);
        }
    }

    /// The present format.
    pub fn format(&self) -> SoundFormat {
        lock(&self.source).format
    }

    /// Continues in another format, on a new ring. The listeners of the old ring find it closed.
    pub fn reshape(&self, writer: &mut SoundWriter, format: SoundFormat) {
        let (new, source) = open(format);
        // The source first: dropping the old writer ends its listeners, who come back at once.
        *lock(&self.source) = source;
        *writer = new;
    }

    /// Ends the streams of all listeners.
    pub fn close(&self) {
        lock(&self.source).ring.close();
    }

    /// The level of the last tenth of a second.
    pub fn level(&self) -> Level {
        // Relaxed: a level meter; the two values may be of two moments.
        let dbfs = |bits: &AtomicU32| f32::from_bits(bits.load(Ordering::Relaxed));
        Level { rms_dbfs: dbfs(&self.rms_bits), peak_dbfs: dbfs(&self.peak_bits) }
    }

    /// Sets the level.
    pub fn set_level(&self, level: Level) {
        self.rms_bits.store(level.rms_dbfs.to_bits(), Ordering::Relaxed);
        self.peak_bits.store(level.peak_dbfs.to_bits(), Ordering::Relaxed);
    }

    /// A copy of the state as of now.
    pub fn state(&self) -> MicrophoneState {
        lock(&self.state).clone()
    }

    /// Why it is not online, for everybody who may hear it: without the address of its device.
    pub fn public_problem(&self) -> Option<String> {
        self.state().problem.map(|problem| public(problem, self.networked.get()))
    }

    /// Replaces the state; `since` is kept while `online` stays what it was.
    pub fn set_state(&self, mut state: MicrophoneState) {
        let mut held = lock(&self.state);
        let unchanged = held.online == state.online && held.since.is_some();
        state.since = if unchanged { held.since } else { Some(Timestamp::now()) };
        *held = state;
    }
}

impl Named for MicrophoneFeed {
    fn name(&self) -> &str {
        &self.name
    }
}

impl SoundWriter {
    /// The format of its samples.
    pub fn format(&self) -> SoundFormat {
        self.format
    }

    /// Appends whole frames, of which the last was captured at `end`.
    pub fn write(&mut self, samples: &[i16], end: Timestamp) {
        self.ring.write(samples, end.as_micros());
    }
}

impl Listening {
    /// When the frame that comes next was captured; `None` before the first one came.
    pub fn next_captured(&self) -> Option<Timestamp> {
        let edge = self.reader.live_edge()?;
        Some(Timestamp::from_micros(edge.end_us).before(self.format.length_of(u64::from(edge.behind))))
    }
}

fn open(format: SoundFormat) -> (SoundWriter, SoundSource) {
    let (writer, ring) = ring(format.rate_hz.saturating_mul(KEEP_S), format.channels);
    (SoundWriter { ring: writer, format }, SoundSource { ring, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 1000, channels: 1 };

    #[test]
    fn a_new_format_closes_the_ring_of_the_old_one() {
        let (mut writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let before = feed.listen();
        let stereo = SoundFormat { channels: 2, ..FORMAT };
        feed.reshape(&mut writer, stereo);
        let after = feed.listen();
        assert!(before.reader.is_closed() && !after.reader.is_closed());
        assert_eq!((before.format, after.format, feed.listeners()), (FORMAT, stereo, 1));
    }

    #[test]
    fn a_listener_knows_when_its_next_frame_was_captured() {
        let (mut writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let listening = feed.listen();
        assert_eq!(listening.next_captured(), None);
        writer.write(&[0; 250], Timestamp::from_micros(9_000_000));
        assert_eq!(listening.next_captured(), Some(Timestamp::from_micros(8_750_000)));
    }

    #[test]
    fn the_level_is_the_one_that_was_set_last() {
        let (_writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let level = Level { rms_dbfs: -20.5, peak_dbfs: -3.25 };
        feed.set_level(level);
        assert_eq!((feed.level().rms_dbfs, feed.level().peak_dbfs), (level.rms_dbfs, level.peak_dbfs));
    }

    #[test]
    fn since_moves_only_when_online_changes() {
        let (_writer, feed) = MicrophoneFeed::new("front", FORMAT);
        feed.set_state(MicrophoneState { online: true, ..MicrophoneState::default() });
        let since = feed.state().since;
        while Some(Timestamp::now()) == since {
            std::hint::spin_loop();
        }
        feed.set_state(MicrophoneState { online: true, ..MicrophoneState::default() });
        assert!(since.is_some() && feed.state().since == since);
        feed.set_state(MicrophoneState::default());
        assert!(feed.state().since > since);
    }

    #[test]
    fn closing_ends_the_streams_of_all_listeners() {
        let (_writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let listening = feed.listen();
        assert!(!listening.reader.is_closed());
        feed.close();
        assert!(listening.reader.is_closed() && feed.listen().reader.is_closed());
    }
}
