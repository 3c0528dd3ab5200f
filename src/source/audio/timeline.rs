//! Keeps a microphone's time: what it hears goes into the ring, and what was not heard becomes
//! silence of the same length, so that a recording stays as long as what it recorded.

use std::time::Duration;

use super::level::Meter;
use crate::hub::{MicrophoneFeed, SoundWriter};
use crate::media::{Level, SoundFormat, Timestamp};

/// How long sound takes to fade at the edges of silence: a cut would click.
const FADE: Duration = Duration::from_millis(5);

/// The end of what is in the ring, and how to go on from there.
pub(super) struct Timeline<'a> {
    feed: &'a MicrophoneFeed,
    writer: &'a mut SoundWriter,
    meter: Meter,
    /// When the last frame in the ring ended.
    end: Timestamp,
    /// The last frame that was heard, faded out where silence follows.
    last: Vec<i16>,
    /// Whether the last thing written was silence.
    is_silent: bool,
}

impl<'a> Timeline<'a> {
    /// A timeline that starts `now`, in the format the ring has.
    pub(super) fn new(feed: &'a MicrophoneFeed, writer: &'a mut SoundWriter, now: Timestamp) -> Self {
        let format = writer.format();
        Self { feed, writer, meter: Meter::new(format), end: now, last: Vec::new(), is_silent: true }
    }

    /// Rate and channels of what is written.
    pub(super) fn format(&self) -> SoundFormat {
        self.writer.format()
    }

    /// Goes on in another format. The streams of the old one end, for it was promised to their listeners.
    pub(super) fn set_format(&mut self, format: SoundFormat) {
        if format != self.writer.format() {
            self.feed.reshape(self.writer, format);
            self.meter = Meter::new(format);
            self.last.clear();
        }
    }

    /// Frames that follow the last ones directly; the last of them was captured at `end`.
    pub(super) fn add(&mut self, samples: &[i16], end: Timestamp) {
        self.last.clear();
        self.last.extend_from_slice(&samples[samples.len().saturating_sub(self.channels())..]);
        self.put(samples, end);
        self.is_silent = false;
    }

    /// Frames that may come long after the last ones: the time between becomes silence. What
    /// the ring's time has passed already is left out.
    pub(super) fn add_after_gap(&mut self, samples: &[i16], end: Timestamp) {
        let frames = samples.len() / self.channels();
        self.silence_until(end.before(self.format().length_of(frames as u64)));
        let start = end.before(self.format().length_of(frames as u64));
        let late = (self.format().frames_in(self.end.since(start)) as usize).min(frames);
        let mut rest = samples[late * self.channels()..].to_vec();
        if self.is_silent {
            self.fade_in(&mut rest);
        }
        if !rest.is_empty() {
            self.add(&rest, end);
        }
    }

    /// Silence up to `until`.
    pub(super) fn silence_until(&mut self, until: Timestamp) {
        let mut missing = self.format().frames_in(until.since(self.end));
        // In pieces, so that no reader is lapped by one write, and time stamps stay close.
        let piece = u64::from(self.format().rate_hz / 10).max(1);
        while missing > 0 {
            let frames = missing.min(piece);
            let silence = self.fade_out(frames as usize);
            let end = self.end.after(self.format().length_of(frames));
            self.put(&silence, end);
            self.is_silent = true;
            missing -= frames;
        }
    }

    fn put(&mut self, samples: &[i16], end: Timestamp) {
        self.end = end;
        self.writer.write(samples, end);
        if let Some(level) = self.meter.take(samples) {
            self.feed.set_level(level);
        }
    }

    /// Forgets the level of what is heard no more.
    pub(super) fn reset_level(&mut self) {
        self.meter = Meter::new(self.format());
        self.feed.set_level(Level::SILENCE);
    }

    /// Silence that the last frame heard fades into.
    fn fade_out(&mut self, frames: usize) -> Vec<i16> {
        let (channels, fade) = (self.channels(), self.fade_frames());
        let mut silence = vec![0; frames * channels];
        for (at, frame) in silence.chunks_exact_mut(channels).take(fade).enumerate() {
            for (sample, last) in frame.iter_mut().zip(&self.last) {
                *sample = scaled(*last, fade - at - 1, fade);
            }
        }
        self.last.clear();
        silence
    }

    fn fade_in(&self, samples: &mut [i16]) {
        let fade = self.fade_frames();
        for (at, frame) in samples.chunks_exact_mut(self.channels()).take(fade).enumerate() {
            for sample in frame {
                *sample = scaled(*sample, at, fade);
            }
        }
    }

    fn fade_frames(&self) -> usize {
        (self.format().frames_in(FADE) as usize).max(1)
    }

    fn channels(&self) -> usize {
        self.format().channels as usize
    }
}

/// `sample` times `part / whole`, which is at most one.
fn scaled(sample: i16, part: usize, whole: usize) -> i16 {
    (i64::from(sample) * part as i64 / whole as i64) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 1000, channels: 1 };

    /// Runs `write` on a timeline that starts at 10 s, and returns what a listener hears.
    fn heard(write: impl FnOnce(&mut Timeline<'_>)) -> Vec<i16> {
        let (mut writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let mut listener = feed.listen();
        let mut timeline = Timeline::new(&feed, &mut writer, at(10_000));
        write(&mut timeline);
        let mut buffer = vec![0; 8000];
        let frames = listener.reader.read(&mut buffer).frames;
        buffer.truncate(frames);
        buffer
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(ms * 1000)
    }

    #[test]
    fn lost_samples_become_silence_of_their_length() {
        let heard = heard(|timeline| {
            timeline.add(&[1000; 100], at(10_100));
            timeline.add_after_gap(&[1000; 100], at(12_300));
        });
        assert_eq!(heard.len(), 2300);
        assert_eq!(heard[..100], [1000; 100]);
        assert!(heard[105..2200].iter().all(|sample| *sample == 0), "the gap is silent");
        assert_eq!(heard[2205..], [1000; 95]);
    }

    #[test]
    fn the_edges_of_silence_do_not_click() {
        let heard = heard(|timeline| {
            timeline.add(&[1000; 100], at(10_100));
            timeline.add_after_gap(&[1000; 100], at(12_300));
        });
        let steps = heard.windows(2).map(|pair| (pair[0] - pair[1]).abs());
        assert!(steps.max().unwrap() <= 200, "one step of a fade over five frames");
    }

    #[test]
    fn what_silence_has_passed_is_left_out() {
        let heard = heard(|timeline| {
            timeline.silence_until(at(10_500));
            timeline.add_after_gap(&[1000; 100], at(10_550));
        });
        assert_eq!(heard.len(), 550);
        assert!(heard[..500].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn the_ring_knows_when_its_frames_were() {
        let (mut writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let listener = feed.listen();
        let mut timeline = Timeline::new(&feed, &mut writer, at(39_000));
        timeline.add(&[5; 20], at(40_000));
        assert_eq!(listener.next_captured(), Some(at(39_980)));
    }
}
