//! The supervisor with microphones and a clock of the tests' own: nothing sleeps, and no device is needed.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::hub::{Listening, MicrophoneFeed, MicrophoneState, SoundWriter, Stop};
use crate::source::clock::Clock;
use crate::source::clock::fake::FakeClock;
use crate::source::settings::{MicrophoneSettings, testing};

const FORMAT: SoundFormat = SoundFormat { rate_hz: 1_000, channels: 1 };

/// One microphone's thread, and who listens to it.
struct World {
    settings: MicrophoneSettings,
    stopped_by: Option<&'static str>,
    writer: RefCell<SoundWriter>,
    feed: MicrophoneFeed,
    stop: Stop,
    listener: RefCell<Option<Listening>>,
    states: RefCell<Vec<MicrophoneState>>,
}

impl World {
    fn new() -> Self {
        let settings = MicrophoneSettings { format: FORMAT, ..testing::microphone() };
        let (writer, feed) = MicrophoneFeed::new(&settings.name, settings.format);
        Self {
            settings,
            stopped_by: None,
            writer: RefCell::new(writer),
            feed,
            stop: Stop::new(),
            listener: RefCell::default(),
            states: RefCell::default(),
        }
    }

    /// Runs the supervisor until it is stopped at `stop_ms`.
    fn run<'w>(
        &'w self,
        clock: &FakeClock<'w>,
        microphone: &mut FakeMicrophone<'_, 'w>,
        is_on_demand: bool,
        stop_ms: u64,
    ) {
        clock.at(stop_ms, || self.stop.request());
        let session = Session::new(clock, &self.stop, &self.feed, is_on_demand).stopped_by(self.stopped_by);
        supervise(&self.settings, &self.feed, &mut self.writer.borrow_mut(), &session, microphone);
    }

    fn listen(&self) {
        *self.listener.borrow_mut() = Some(self.feed.listen());
    }

    /// What was heard since [`Self::listen`], at most four seconds.
    fn heard(&self) -> Vec<i16> {
        let mut samples = vec![0; 8_000];
        let mut listener = self.listener.borrow_mut();
        let frames = listener.as_mut().expect("somebody listens").reader.read(&mut samples).frames;
        samples.truncate(frames);
        samples
    }

    fn note_state(&self) {
        self.states.borrow_mut().push(self.feed.state());
    }

    fn state(&self, at: usize) -> MicrophoneState {
        self.states.borrow()[at].clone()
    }
}

/// A microphone that does as its plan says for each try to open it.
struct FakeMicrophone<'c, 't> {
    clock: &'c FakeClock<'t>,
    plan: Box<dyn Fn(usize) -> Result<Recording, AudioError>>,
    opened_ms: Vec<u64>,
    closed_ms: Rc<RefCell<Vec<u64>>>,
}

/// What an open microphone gives, in pieces of 20 ms.
#[derive(Clone, Copy)]
struct Recording {
    pieces: u32,
    /// Behind this piece, samples of 300 ms are lost.
    overrun_after: Option<u32>,
    format: SoundFormat,
}

const RECORDING: Recording = Recording { pieces: u32::MAX, overrun_after: None, format: FORMAT };

impl<'c, 't> FakeMicrophone<'c, 't> {
    fn new(
        clock: &'c FakeClock<'t>,
        plan: impl Fn(usize) -> Result<Recording, AudioError> + 'static,
    ) -> Self {
        Self { clock, plan: Box::new(plan), opened_ms: Vec::new(), closed_ms: Rc::default() }
    }
}

fn gone() -> AudioError {
    AudioError::of(std::io::Error::other("gone"))
}

impl<'s, 'c: 's, 't: 's> OpenAudio<'s> for FakeMicrophone<'c, 't> {
    fn open(&mut self, _session: &'s Session<'s>) -> Result<Box<dyn AudioSource + 's>, AudioError> {
        let recording = (self.plan)(self.opened_ms.len());
        self.opened_ms.push(self.clock.elapsed_ms());
        let closed_ms = Rc::clone(&self.closed_ms);
        Ok(Box::new(FakeSource { clock: self.clock, recording: recording?, given: 0, closed_ms }))
    }
}

struct FakeSource<'c, 't> {
    clock: &'c FakeClock<'t>,
    recording: Recording,
    given: u32,
    closed_ms: Rc<RefCell<Vec<u64>>>,
}

impl AudioSource for FakeSource<'_, '_> {
    fn description(&self) -> AudioDescription {
        AudioDescription {
            source: "fake microphone".to_owned(),
            mode: self.recording.format.to_string(),
            device: "fake".to_owned(),
            format: self.recording.format,
            pcm: None,
            problem: None,
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<AudioArrival<'_>, AudioError> {
        if self.given == self.recording.pieces {
            self.clock.pass(timeout, || false);
            return Ok(AudioArrival::Nothing);
        }
        if self.recording.overrun_after == Some(self.given) {
            self.recording.overrun_after = None;
            self.clock.pass(Duration::from_millis(300), || false);
            return Ok(AudioArrival::Overrun);
        }
        self.clock.pass(Duration::from_millis(20), || false);
        self.given += 1;
        Ok(AudioArrival::Samples(Samples {
            samples: &[1_000; 20],
            end: self.clock.now(),
            is_after_gap: false,
            is_description_new: false,
        }))
    }
}

impl Drop for FakeSource<'_, '_> {
    fn drop(&mut self) {
        self.closed_ms.borrow_mut().push(self.clock.elapsed_ms());
    }
}

#[test]
fn without_a_microphone_there_is_silence_and_a_reason() {
    let world = World::new();
    let clock = FakeClock::new();
    world.listen();
    clock.at(1_000, || world.note_state());
    let mut microphone = FakeMicrophone::new(&clock, |_| Err(gone()));
    world.run(&clock, &mut microphone, false, 2_000);
    assert_eq!(microphone.opened_ms, [0, 500, 1_500]);
    let state = world.state(0);
    assert_eq!((state.online, state.problem.as_deref()), (false, Some("gone")));
    let heard = world.heard();
    assert!(
        (1_880..=1_900).contains(&heard.len()),
        "{} ms of silence, a tenth of a second behind",
        heard.len()
    );
    assert!(heard.iter().all(|sample| *sample == 0));
}

#[test]
fn a_microphone_is_online_from_its_first_sample_on() {
    let world = World::new();
    let clock = FakeClock::new();
    [10, 30].into_iter().for_each(|at_ms| clock.at(at_ms, || world.note_state()));
    let mut microphone = FakeMicrophone::new(&clock, |_| Ok(RECORDING));
    world.run(&clock, &mut microphone, false, 1_000);
    assert!(!world.state(0).online);
    let state = world.state(1);
    assert_eq!((state.online, state.source.as_str()), (true, "fake microphone"));
    assert_eq!(world.feed.captured.get(), 1_000);
}

#[test]
fn a_microphone_that_falls_silent_is_opened_anew() {
    let world = World::new();
    let clock = FakeClock::new();
    clock.at(4_200, || world.note_state());
    let mut microphone = FakeMicrophone::new(&clock, |_| Ok(Recording { pieces: 50, ..RECORDING }));
    world.run(&clock, &mut microphone, false, 5_000);
    assert_eq!(world.state(0).problem.as_deref(), Some("fake: no sound for 3 s"));
    assert_eq!(microphone.opened_ms, [0, 4_500]);
    assert_eq!(microphone.closed_ms.borrow()[0], 4_000, "closed before the pause");
}

#[test]
fn a_microphone_has_longer_for_its_first_sample() {
    let world = World::new();
    let clock = FakeClock::new();
    clock.at(10_200, || world.note_state());
    let mut microphone = FakeMicrophone::new(&clock, |_| Ok(Recording { pieces: 0, ..RECORDING }));
    world.run(&clock, &mut microphone, false, 11_000);
    assert_eq!(world.state(0).problem.as_deref(), Some("fake: no sound for 10 s"));
    assert_eq!(microphone.opened_ms, [0, 10_500]);
}

#[test]
fn a_microphone_without_a_sample_has_longer_each_time() {
    let world = World::new();
    let clock = FakeClock::new();
    // None five times, then a second of sound, then none.
    let mut microphone = FakeMicrophone::new(&clock, |tried| {
        Ok(Recording { pieces: if tried == 5 { 50 } else { 0 }, ..RECORDING })
    });
    world.run(&clock, &mut microphone, false, 250_000);
    let opened_s: Vec<u64> = microphone.opened_ms.iter().map(|opened_ms| opened_ms / 1000).collect();
    assert_eq!(
        opened_s,
        [0, 10, 31, 71, 152, 232, 237, 248],
        "10, 20, 40, 80, 80, 4 and 10 s, and the pauses"
    );
}

#[test]
fn a_long_run_makes_pauses_short_again() {
    let world = World::new();
    let clock = FakeClock::new();
    // Three failures, then 12 s of sound and 3 s without.
    let film = Recording { pieces: 600, ..RECORDING };
    let mut microphone =
        FakeMicrophone::new(&clock, move |tried| if tried == 3 { Ok(film) } else { Err(gone()) });
    world.run(&clock, &mut microphone, false, 20_200);
    assert_eq!(microphone.opened_ms, [0, 500, 1_500, 3_500, 19_000, 20_000]);
}

#[test]
fn an_overrun_is_counted_and_becomes_silence_of_its_length() {
    let world = World::new();
    let clock = FakeClock::new();
    world.listen();
    let recording = Recording { overrun_after: Some(25), ..RECORDING };
    let mut microphone = FakeMicrophone::new(&clock, move |_| Ok(recording));
    world.run(&clock, &mut microphone, false, 2_000);
    assert_eq!(world.feed.overruns.get(), 1);
    let heard = world.heard();
    assert_eq!(heard.len(), 2_000, "as long as it lasted");
    let silent = heard[500..800].iter().filter(|sample| **sample == 0).count();
    assert!(silent >= 290, "{silent} of 300, but for the fades");
    assert_eq!(heard[810..], vec![1_000; 1_190]);
}

#[test]
fn the_feed_takes_the_format_that_the_source_has() {
    let world = World::new();
    let clock = FakeClock::new();
    let stereo = SoundFormat { rate_hz: 1_000, channels: 2 };
    let mut microphone = FakeMicrophone::new(&clock, move |_| Ok(Recording { format: stereo, ..RECORDING }));
    world.run(&clock, &mut microphone, false, 500);
    assert_eq!(world.feed.format(), stereo);
}

#[test]
fn on_demand_a_microphone_is_open_only_while_heard() {
    let world = World::new();
    let clock = FakeClock::new();
    clock.at(1_000, || world.note_state());
    clock.at(3_000, || world.listen());
    clock.at(5_000, || *world.listener.borrow_mut() = None);
    let mut microphone = FakeMicrophone::new(&clock, |_| Ok(RECORDING));
    world.run(&clock, &mut microphone, true, 20_000);
    let closed = world.state(0);
    assert!(closed.online && closed.problem.is_none(), "{closed:?}");
    assert!((3_000..=3_100).contains(&microphone.opened_ms[0]), "{:?}", microphone.opened_ms);
    let closed_ms = microphone.closed_ms.borrow().clone();
    assert!(closed_ms.len() == 1 && (7_000..=7_100).contains(&closed_ms[0]), "{closed_ms:?}");
}

#[test]
fn a_microphone_that_was_stopped_stays_closed() {
    let world = World { stopped_by: Some("ada"), ..World::new() };
    let clock = FakeClock::new();
    let mut microphone = FakeMicrophone::new(&clock, |_| Ok(RECORDING));
    world.run(&clock, &mut microphone, false, 5_000);
    assert!(microphone.opened_ms.is_empty());
    assert_eq!(world.feed.state().problem.as_deref(), Some("stopped by ada"));
}
