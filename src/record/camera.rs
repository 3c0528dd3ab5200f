//! Records one camera: takes its frames and its sound from memory, as its plan asks for, and writes them.

mod judge;

use std::io;
use std::sync::Arc;

use log::{info, warn};

use super::changes::Changes;
use super::error::RecordError;
use super::intake::Intake;
use super::open::OpenSegment;
use super::pending::{self, Pending, Picture, Times};
use super::plan::Plan;
use super::recordings::Recordings;
use super::sounds::{self, Sounds};
use super::space::Space;
use super::status::{CameraStatus, State};
use crate::hub::{CameraFeed, MicrophoneFeed, Named, RecentItem, RecentReader};
use crate::media::{Event, Frame, GapReason, Polygon, RecordSettings, RecordWhen, Timestamp};
use crate::segment::{SegmentError, SoundTrack};
use judge::Judged;

/// Time without a frame after which a segment ends, in microseconds: a player would show a standing picture for as long.
const LONGEST_GAP_US: u64 = 60_000_000;

/// Pause after a failure to write.
const RETRY_US: u64 = 2_000_000;

/// Sound without a frame for this time is not kept, in microseconds.
const SOUND_ALONE_US: u64 = 2_000_000;

/// How long a frame waits for the sound that was captured with it, which comes a little later, in microseconds.
const LATE_SOUND_US: u64 = 300_000;

/// The recording of one camera.
pub(super) struct CameraRecorder {
    pub(super) feed: Arc<CameraFeed>,
    settings: Arc<RecordSettings>,
    plan: Plan,
    intake: Intake,
    frames: RecentReader<Frame>,
    sound: Sounds,
    next_frame: Option<RecentItem<Frame>>,
    judged: Option<Judged>,
    pending: Pending,
    times: Times,
    open: Option<OpenSegment>,
    /// When the last frame that was kept was captured.
    last_us: Option<u64>,
    /// When the last frame that was judged was captured.
    judged_us: Option<u64>,
    sizes: Changes<(u32, u32)>,
    /// Frames that were lost before the next one that is kept.
    missed: u32,
    /// Why frames before the next one are missing.
    gap: Option<GapReason>,
    is_urgent: bool,
    /// When frames were taken last.
    taken_us: u64,
    retry_at_us: u64,
    status: CameraStatus,
    /// How often the edits of the pictures had been replaced, and the masks of that time.
    masks: (u32, Vec<Polygon>),
    /// Whether its camera has other masks by now.
    pub(super) is_stale: bool,
}

impl CameraRecorder {
    /// Begins to read the camera, with a plan that may know of events that are under way.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        feed: &Arc<CameraFeed>,
        settings: Arc<RecordSettings>,
        plan: Plan,
        microphone: Option<Arc<MicrophoneFeed>>,
        gap: GapReason,
    ) -> io::Result<Self> {
        // Before the first frame is taken: other masks would be noticed from here on.
        let (edits, version) = feed.edits();
        let intake = Intake::start(feed, microphone, settings.pre)?;
        let (frames, sound) = (intake.frames.reader(), intake.sound.reader());
        let (frames, sound) = (frames.expect("it is the first one"), sound.expect("it is the first one"));
        Ok(Self {
            plan,
            status: CameraStatus { camera: feed.name().to_owned(), ..CameraStatus::default() },
            feed: Arc::clone(feed),
            settings,
            intake,
            frames,
            sound: Sounds::new(sound),
            next_frame: None,
            judged: None,
            pending: Pending::default(),
            times: Times::default(),
            open: None,
            last_us: None,
            judged_us: None,
            sizes: Changes::new(),
            missed: 0,
            gap: Some(gap),
            is_urgent: false,
            taken_us: 0,
            retry_at_us: 0,
            masks: (version, edits.masks.clone()),
            is_stale: false,
        })
    }

    /// Takes other settings; false if recording has to be begun anew for them.
    pub(super) fn set(&mut self, settings: &Arc<RecordSettings>) -> bool {
        if self.settings == *settings {
            return true;
        }
        // What is in memory is encoded already.
        let is_same = self.settings.sound == settings.sound
            && self.settings.pre == settings.pre
            && self.settings.microphone == settings.microphone;
        if is_same {
            self.plan.set(settings);
            self.settings = Arc::clone(settings);
        }
        is_same
    }

    /// Whether it has to be begun anew: its camera is gone, or has other masks.
    pub(super) fn has_ended(&self) -> bool {
        self.is_stale || self.intake.has_ended()
    }

    /// Notes an event of this camera. What came before a new one is written at once.
    pub(super) fn note(&mut self, event: &Event) {
        self.is_urgent |= self.plan.note(event);
    }

    /// Takes what can be judged, and writes what is due.
    pub(super) fn work(&mut self, recordings: &Recordings, space: &Space<'_>) {
        self.check_masks();
        let now_us = Timestamp::now().as_micros();
        if self.is_stale || now_us < self.retry_at_us {
            return;
        }
        self.intake.attend();
        let done = self.take_and_write(now_us, false, recordings, space);
        if self.pending.is_empty() {
            self.frames.release();
        }
        self.sound.release();
        if let Err(error) = done {
            self.fail(&error, now_us);
        }
    }

    /// When there is something to write, in microseconds of the monotonic clock.
    pub(super) fn due_us(&self, flush_us: u64) -> Option<u64> {
        self.pending.due_us(flush_us).map(|due_us| due_us.max(self.retry_at_us))
    }

    /// Writes what is left and closes the segment. The plan knows of the events that are under way.
    pub(super) fn finish(mut self, recordings: &Recordings, space: &Space<'_>) -> Plan {
        self.check_masks();
        let now_us = Timestamp::now().as_micros();
        let done = if self.is_stale { Ok(()) } else { self.take_and_write(now_us, true, recordings, space) };
        let done = done.and_then(|()| self.write(recordings, space)).and_then(|()| self.close(recordings));
        if let Err(error) = done {
            self.fail(&error, now_us);
        }
        self.plan
    }

    /// Forgets the file that it writes to: the folder is not there any more.
    pub(super) fn lose_file(&mut self) {
        self.open = None;
        self.gap.get_or_insert(GapReason::Disk);
    }

    /// How it is going.
    pub(super) fn status(&mut self) -> &CameraStatus {
        let is_event = self.plan.is_event(Timestamp::now().as_micros());
        self.status.is_event = is_event;
        self.status.state = match () {
            () if self.status.problem.is_some() => State::Failed,
            () if !self.feed.state().online => State::NoPicture,
            () if self.settings.when == RecordWhen::Events && !is_event => State::Waiting,
            () => State::Recording,
        };
        &self.status
    }

    /// Takes what can be judged, or all there is, and writes what is due.
    fn take_and_write(
        &mut self,
        now_us: u64,
        is_end: bool,
        recordings: &Recordings,
        space: &Space<'_>,
    ) -> Result<(), RecordError> {
        let horizon_us = if is_end { now_us } else { self.plan.horizon_us(now_us) };
        let waits_for_sound = !is_end && self.intake.sound_format().is_some();
        let before_us = std::mem::replace(&mut self.taken_us, now_us);
        loop {
            if let Some(judged) = self.judged.take() {
                self.add(judged, (before_us, now_us), recordings, space)?;
            }
            let next = self.next_frame.take().or_else(|| self.frames.read());
            let Some(item) = next else { break };
            let at_us = item.captured_us;
            let is_heard = |camera: &mut Self| {
                camera.take_sound(at_us, now_us) || !waits_for_sound || at_us + LATE_SOUND_US <= now_us
            };
            if at_us > horizon_us || !is_heard(self) {
                self.next_frame = Some(item);
                break;
            }
            self.judge(item);
        }
        let flush_us = recordings.store().flush.as_micros() as u64;
        let is_due = self.pending.due_us(flush_us).is_some_and(|due_us| due_us <= now_us);
        if is_due || self.is_urgent && !self.pending.is_empty() {
            self.flush(horizon_us, now_us, recordings, space)?;
            self.is_urgent = false;
        }
        if self.last_us.is_some_and(|last| horizon_us.saturating_sub(last) > LONGEST_GAP_US) {
            self.close(recordings)?;
        }
        Ok(())
    }

    /// Writes what is pending before more has come, but for the last frame and its sound if more sound will follow.
    fn flush(
        &mut self,
        horizon_us: u64,
        now_us: u64,
        recordings: &Recordings,
        space: &Space<'_>,
    ) -> Result<(), RecordError> {
        let last = self.pending.split_last();
        if last.is_none() {
            // The next frame will come late, or never.
            self.take_sound(horizon_us.min(now_us.saturating_sub(LATE_SOUND_US)), now_us);
        }
        let written = self.write(recordings, space);
        if let Some(last) = last {
            self.pending.join(last);
        }
        written
    }

    /// Forgets what is in memory if the camera has other masks by now: what they hide must not be written any more.
    fn check_masks(&mut self) {
        if self.masks.0 == self.feed.edits_version() {
            return;
        }
        let (edits, version) = self.feed.edits();
        if edits.masks != self.masks.1 {
            self.pending = Pending::default();
            self.is_stale = true;
        }
        self.masks.0 = version;
    }

    /// Adds a frame that came after the last look to what is pending. A gap, and another size, are between two groups: what is pending is
    /// written before. If that fails, the frame waits.
    fn add(
        &mut self,
        judged: Judged,
        (before_us, now_us): (u64, u64),
        recordings: &Recordings,
        space: &Space<'_>,
    ) -> Result<(), RecordError> {
        let frame = &judged.frame;
        let is_other_size = self.pending.size().is_some_and(|size| size != frame.size());
        let most = pending::group_bytes(recordings.store().segment_bytes);
        let is_too_much = self.pending.extent().0 + frame.jpeg().len() > most;
        let is_over = judged.gap.is_some() || is_other_size || is_too_much || self.pending.is_full(most);
        if is_over && !self.pending.is_empty() {
            let written = self.write(recordings, space);
            if written.is_err() {
                self.judged = Some(judged);
                return written;
            }
        }
        let after_us = judged.frame.captured().as_micros().saturating_sub(self.pending.start_us());
        if self.pending.is_empty() && (judged.gap.is_some() || after_us > SOUND_ALONE_US) {
            // It is from before the gap.
            self.pending.begin_with_picture();
        }
        self.pending.gap = judged.gap.or(self.pending.gap);
        self.pending.missed = self.pending.missed.saturating_add(judged.lost);
        self.pending.has_event |= judged.is_event;
        let captured_us = judged.frame.captured().as_micros();
        let picture = Picture { at_us: self.times.next_us(captured_us), frame: judged.frame };
        self.pending.add_picture(picture, captured_us.max(before_us).min(now_us));
        Ok(())
    }

    /// Takes the sound that was captured before the moment `until_us`. Returns whether that is all.
    fn take_sound(&mut self, until_us: u64, now_us: u64) -> bool {
        let (last_us, plan) = (self.last_us, &self.plan);
        let is_kept = |at_us: u64| {
            last_us.is_some_and(|last| at_us <= last + SOUND_ALONE_US) && plan.keeps_sound(at_us)
        };
        let form = (self.feed.name(), self.settings.sound);
        self.sound.take((until_us, now_us), is_kept, form, &mut self.pending)
    }

    /// Writes what is pending as one group. If that fails, it stays pending.
    fn write(&mut self, recordings: &Recordings, space: &Space<'_>) -> Result<(), RecordError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let sound = self.sound_track();
        if self.open.as_ref().is_some_and(|open| !open.fits(&self.pending, sound.as_ref())) {
            self.close(recordings)?;
        }
        if self.open.is_none() {
            self.pending.begin_with_picture();
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let microphone = self.settings.microphone.as_deref().unwrap_or_default();
                let sound = sound.map(|sound| (sound, microphone));
                let open = OpenSegment::begin(self.feed.name(), &self.pending, sound, recordings, space)?;
                self.open.insert(open)
            }
        };
        match open.append(&self.pending, recordings) {
            Ok(bytes) => {
                self.status.frames += self.pending.pictures.len() as u64;
                self.status.bytes += bytes;
                self.pending = Pending::default();
                // Not before: the memory of a frame is used again if nobody holds it any more when it is removed.
                self.frames.release();
                if self.status.problem.take().is_some() {
                    info!("camera {}: recording goes on", self.feed.name());
                }
                Ok(())
            }
            Err(error) => {
                // An error of writing is final for the file: what the kernel has of it is not known.
                let was_empty = open.is_empty();
                self.open.take().into_iter().for_each(|open| open.abandon(recordings));
                // What an empty file refuses, every file does.
                let refused = match &error {
                    RecordError::Segment(_, SegmentError::Full) if was_empty => {
                        Some(RecordError::Frame(recordings.store().segment_bytes))
                    }
                    RecordError::Segment(_, SegmentError::Unfit(_)) if was_empty => None,
                    _ => return Err(error),
                };
                self.status.missed += std::mem::take(&mut self.pending).pictures.len() as u64;
                Err(refused.unwrap_or(error))
            }
        }
    }

    fn close(&mut self, recordings: &Recordings) -> Result<(), RecordError> {
        self.open.take().map_or(Ok(()), |open| open.close(recordings))
    }

    /// The sound track that a new segment gets.
    fn sound_track(&self) -> Option<SoundTrack> {
        let pending = self.pending.sound.first().map(|sound| sound.format);
        let format = pending.or(self.sound.format()).or_else(|| self.intake.sound_format());
        format.map(|format| sounds::track(self.settings.sound, format))
    }

    fn fail(&mut self, error: &RecordError, now_us: u64) {
        self.retry_at_us = now_us + RETRY_US;
        let problem = error.to_string();
        if self.status.problem.as_ref() != Some(&problem) {
            warn!("camera {}: not recorded: {problem}", self.feed.name());
        }
        self.status.problem = Some(problem);
    }
}

#[cfg(test)]
mod tests;
