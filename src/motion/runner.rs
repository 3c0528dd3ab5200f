//! The loop of the thread `detect`.

use std::sync::Arc;
use std::time::Duration;

use super::Motion;
use super::camera::CameraRun;
use super::microphone::{MicrophoneRun, PIECE};
use crate::base::{clock, lock};
use crate::draw::LocalClock;
use crate::hub::{CameraFeed, MicrophoneFeed, Named, Stop};
use crate::journal::NewEvent;
use crate::media::{Armed, Timestamp};

/// The shortest pause between two rounds: while a frame is due, it may come at any time.
const ROUND: Duration = Duration::from_millis(20);

/// Time between two looks at the settings, and the longest pause.
const CHOOSE: Duration = Duration::from_millis(200);

/// All that is looked at and listened to.
pub(super) struct Runner<'m> {
    motion: &'m Motion,
    cameras: Vec<CameraRun>,
    microphones: Vec<MicrophoneRun>,
    clock: LocalClock,
    chosen: Option<Timestamp>,
}

impl<'m> Runner<'m> {
    pub(super) fn new(motion: &'m Motion) -> Self {
        let (cameras, microphones) = (Vec::new(), Vec::new());
        Self { motion, cameras, microphones, clock: LocalClock::default(), chosen: None }
    }

    pub(super) fn run(mut self, stop: &Stop) {
        while !stop.sleep(self.pause(Timestamp::now())) {
            self.round(Timestamp::now(), clock::since_epoch());
        }
    }

    /// How long nothing is to be looked at or listened to.
    fn pause(&self, now: Timestamp) -> Duration {
        let cameras = self.cameras.iter().map(|camera| camera.due_in(now));
        let microphones = self.microphones.iter().map(|_| PIECE);
        cameras.chain(microphones).min().unwrap_or(CHOOSE).clamp(ROUND, CHOOSE)
    }

    /// Looks at what is due at `now`, which is `wall` since 1970.
    pub(super) fn round(&mut self, now: Timestamp, wall: Duration) {
        let is_due = self.chosen.is_none_or(|at| now.since(at) >= CHOOSE);
        if is_due {
            self.chosen = Some(now);
            self.choose(wall);
        }
        for camera in &mut self.cameras {
            camera.work(self.motion, now);
        }
        for microphone in &mut self.microphones {
            microphone.work(self.motion);
        }
    }

    /// Begins and ends detection as the settings ask for it, and arms it by the time of the week.
    fn choose(&mut self, wall: Duration) {
        let local = self.clock.at(wall);
        let day = local.weekday().number_days_from_monday();
        let minute = u16::from(local.hour()) * 60 + u16::from(local.minute());
        let is_stopped = self.motion.switch().stopped_by().is_some();
        let is_armed = |armed: &Armed| !is_stopped && armed.at(day, minute);
        let cameras = self.motion.cameras.all();
        let wanted = |feed: &Arc<CameraFeed>| cameras.iter().any(|other| Arc::ptr_eq(other, feed));
        let gone = |camera: &CameraRun| !wanted(&camera.feed) || camera.feed.motion().is_none();
        for mut camera in self.cameras.extract_if(.., |camera| gone(camera)) {
            camera.end(self.motion);
            lock(&self.motion.watches).remove(camera.feed.name());
        }
        for feed in cameras.iter() {
            let Some(settings) = feed.motion() else { continue };
            if !self.cameras.iter().any(|camera| Arc::ptr_eq(&camera.feed, feed)) {
                self.cameras.push(CameraRun::new(self.motion, feed, Arc::clone(&settings)));
            }
            if let Some(camera) = self.cameras.iter_mut().find(|camera| Arc::ptr_eq(&camera.feed, feed)) {
                let is_armed = is_armed(&settings.armed);
                let stamp = &feed.edits().0.stamp;
                let lettering = crate::draw::stamp_text(stamp, feed.name(), local);
                camera.set(self.motion, settings, is_armed, lettering);
            }
        }
        self.choose_microphones(&is_armed);
    }

    fn choose_microphones(&mut self, is_armed: &dyn Fn(&Armed) -> bool) {
        let feeds = self.motion.microphones.all();
        let wanted = |feed: &Arc<MicrophoneFeed>| feeds.iter().any(|other| Arc::ptr_eq(other, feed));
        let gone = |run: &MicrophoneRun| !wanted(&run.feed) || run.feed.noise().is_none();
        for mut run in self.microphones.extract_if(.., |run| gone(run)) {
            run.end(self.motion, Timestamp::now());
        }
        for feed in feeds.iter() {
            let Some(settings) = feed.noise() else { continue };
            if !self.microphones.iter().any(|run| Arc::ptr_eq(&run.feed, feed)) {
                self.microphones.push(MicrophoneRun::new(feed, Arc::clone(&settings)));
            }
            if let Some(run) = self.microphones.iter_mut().find(|run| Arc::ptr_eq(&run.feed, feed)) {
                let is_armed = is_armed(&settings.armed);
                run.set(self.motion, settings, is_armed);
                if !feed.state().online {
                    run.is_lost(self.motion);
                }
            }
        }
    }
}

impl Motion {
    /// Begins an event; `None` where too many go on.
    pub(super) fn begin_event(&self, new: NewEvent) -> Option<u32> {
        let id = self.journal.start(&new).ok()?.event.id;
        lock(&self.open).push(id);
        Some(id)
    }

    /// Ends an event.
    pub(super) fn end_event(&self, id: u32, at: Timestamp) {
        lock(&self.open).retain(|open| *open != id);
        self.journal.end_at(id, at);
    }
}
