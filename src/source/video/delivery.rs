//! One run of an open source, from its first picture to its last: takes each picture, drops what is broken, counts
//! both, and publishes while somebody watches.

use std::time::Duration;

use log::info;

use super::context::Context;
use super::output::Prepared;
use super::{Content, Description, Picture, Stall, Unusable, VideoError, VideoSource};
use crate::hub::CameraState;
use crate::media::Timestamp;
use crate::source::clock::POLL;

/// How long pictures may be unusable for a reason that all of them have.
const HOPELESS_AFTER: Duration = Duration::from_secs(1);

/// One run of one source.
pub(super) struct Delivery<'c, 'a> {
    context: &'c mut Context<'a>,
    description: Description,
    /// The size of the pictures, as the state has it.
    size: (u32, u32),
    /// What a turn has cut off, as the state has it.
    trimmed: (u32, u32),
    /// Whether `size` is that of a picture turned to its side.
    is_sideways: bool,
    /// What is not done to the pictures, and why.
    warning: Option<String>,
    /// The interval of a slow camera, as the state has it.
    slow_interval: Option<Duration>,
    /// When the first whole picture came.
    began: Option<Timestamp>,
    /// When the last whole picture came; at first when the source was opened.
    last_whole: Timestamp,
    /// What was wrong with the last picture, if it was not whole.
    unusable: Option<Unusable>,
    /// When the last frame was published.
    published: Option<Timestamp>,
}

impl<'c, 'a> Delivery<'c, 'a> {
    /// A run of a source that was just opened and is so described.
    pub(super) fn new(context: &'c mut Context<'a>, description: Description) -> Self {
        context.output.begin_source(description.size);
        let last_whole = context.session.now();
        let edits = context.output.edits();
        let (size, is_sideways) = (edits.turned(description.size.unwrap_or((0, 0))), edits.swaps_sides());
        Self {
            context,
            description,
            size,
            trimmed: (0, 0),
            is_sideways,
            warning: None,
            slow_interval: None,
            began: None,
            last_whole,
            unusable: None,
            published: None,
        }
    }

    /// Delivers pictures until the thread is to end, nobody watches a source on demand any more, or it is `until`.
    ///
    /// # Errors
    /// When the source is gone or stalled.
    pub(super) fn run(
        &mut self,
        source: &mut dyn VideoSource,
        until: Option<Timestamp>,
    ) -> Result<(), VideoError> {
        if self.description.is_drawn {
            self.announce();
        }
        while self.goes_on() && until.is_none_or(|until| self.context.session.now() < until) {
            self.follow_turn();
            if self.description.is_drawn && !self.context.output.wait_for_viewer(POLL) {
                continue;
            }
            self.take_next(source)?;
            if self.began.is_none() {
                self.context.show_no_signal();
            }
            self.check_stall(source)?;
        }
        Ok(())
    }

    /// For how long the source gave pictures.
    pub(super) fn ran_for(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| self.last_whole.since(began))
    }

    fn goes_on(&self) -> bool {
        if self.description.is_drawn {
            return !self.context.is_over();
        }
        self.context.session.is_wanted() && !self.context.output.is_closed()
    }

    /// Corrects the size if pictures are turned otherwise than before: it must be right while nobody watches, too.
    fn follow_turn(&mut self) {
        let is_sideways = self.context.output.edits().swaps_sides();
        if is_sideways != self.is_sideways {
            self.is_sideways = is_sideways;
            self.size = (self.size.1, self.size.0);
            self.trimmed = (self.trimmed.1, self.trimmed.0);
            if self.began.is_some() || self.description.is_drawn {
                self.set_state();
            }
        }
    }

    fn take_next(&mut self, source: &mut dyn VideoSource) -> Result<(), VideoError> {
        let arrival = source.next(POLL)?;
        self.context.feed.counters.dropped.add(arrival.lost);
        let picture = match arrival.picture {
            None => return Ok(()),
            Some(Ok(picture)) => picture,
            Some(Err(why)) => {
                self.drop_picture(why);
                return Ok(());
            }
        };
        let is_description_new = picture.is_description_new;
        let finished =
            match self.is_needed(&picture).then(|| self.context.output.prepare(&picture)).transpose() {
                Ok(finished) => finished,
                Err(why) => {
                    self.drop_picture(why);
                    return Ok(());
                }
            };
        let has_changed = is_description_new && self.describe_anew(source.description());
        // In this order: a viewer who sees the picture finds its camera online.
        self.count_whole(finished.as_ref().map(Prepared::size), has_changed);
        if let Some(finished) = finished {
            self.published = Some(self.context.session.now());
            self.context.output.publish(finished);
        }
        Ok(())
    }

    /// Whether the picture is to be looked at. A slow camera's picture is kept for requests that come before the next one.
    /// The first JPEG of a camera shows whether its JPEGs are whole, and how large they are.
    fn is_needed(&self, picture: &Picture<'_>) -> bool {
        let is_jpeg = !matches!(picture.content, Content::Raw(_));
        (self.context.output.is_watched() && self.is_look_due())
            || self.context.pace.slow_interval().is_some()
            || (is_jpeg && self.began.is_none())
    }

    /// Whether it is time for the next frame, while only a detector watches: it needs few.
    fn is_look_due(&self) -> bool {
        let (Some(motion), Some(published)) = (self.context.feed.only_motion(), self.published) else {
            return true;
        };
        motion.is_due(self.context.session.now().since(published))
    }

    /// Takes a new description; whether the camera there came or went.
    fn describe_anew(&mut self, description: Description) -> bool {
        let former = std::mem::replace(&mut self.description, description);
        former.is_online != self.description.is_online || former.problem != self.description.problem
    }

    /// Counts a whole picture, of this size if it was looked at, and says what is new of the source, whose description
    /// may have changed.
    fn count_whole(&mut self, size: Option<(u32, u32)>, has_changed: bool) {
        self.context.feed.counters.captured.add(1);
        let now = self.context.session.now();
        let is_first = self.began.is_none();
        let is_interval = match self.description.stall {
            Stall::Measured => true,
            Stall::Learned | Stall::Starting(_) => !is_first,
            Stall::Unusable(_) | Stall::Never => false,
        };
        if is_interval {
            self.context.pace.came(now.since(self.last_whole));
        }
        self.last_whole = now;
        self.unusable = None;
        let is_other_warning = size.is_some() && self.find_warning();
        let is_other_trim = size.is_some() && self.find_trim();
        if size.is_some() {
            self.is_sideways = self.context.output.edits_used().swaps_sides();
        }
        let size = size.unwrap_or(self.size);
        self.began = self.began.or(Some(now));
        let is_other_size = size != self.size;
        self.size = size;
        // A source that is drawn was announced when it was opened.
        if (is_first && !self.description.is_drawn) || has_changed {
            self.announce();
        } else if is_other_size
            || is_other_warning
            || is_other_trim
            || self.context.pace.slow_interval() != self.slow_interval
        {
            self.set_state();
        }
    }

    /// Looks whether pictures are passed through unchanged, and says why once; whether that is new.
    fn find_warning(&mut self) -> bool {
        let refused = self.context.output.refused_edit();
        let warning = refused.map(|why| format!("its pictures are neither turned nor stamped: {why}"));
        if let Some(warning) = warning.as_ref().filter(|_| warning != self.warning) {
            self.context.log.problem(warning);
        }
        let is_new = warning != self.warning;
        self.warning = warning;
        is_new
    }

    /// Looks what a turn cuts off, and says it once; whether that is new.
    fn find_trim(&mut self) -> bool {
        let trimmed = self.context.output.trimmed();
        let is_new = trimmed != self.trimmed;
        if is_new && trimmed != (0, 0) {
            let (subject, (columns, rows)) = (self.context.log.subject(), trimmed);
            info!(
                "{subject}: the turn cuts off {columns} columns and {rows} rows of pixels, which are no whole blocks"
            );
        }
        self.trimmed = trimmed;
        is_new
    }

    /// Logs what the source delivers. Only the first whole picture makes a camera online: some open, start, and then
    /// give nothing.
    fn announce(&mut self) {
        let Description { source, mode, size: promised, problem, .. } = &self.description;
        if problem.is_none() {
            let (width, height) = self.size;
            let true_size = match promised {
                Some(promised) if self.context.output.edits().turned(*promised) != self.size => {
                    format!("; its pictures are {width}x{height}")
                }
                _ => String::new(),
            };
            let separator = if mode.is_empty() { "" } else { ": " };
            self.context.log.running(&format!("{source}{separator}{mode}{true_size}"));
        }
        self.context.no_signal.end();
        self.set_state();
    }

    fn set_state(&mut self) {
        self.slow_interval = self.context.pace.slow_interval();
        let described = &self.description;
        self.context.set_state(CameraState {
            source: described.source.clone(),
            online: described.is_online,
            starting: false,
            slow_interval: self.slow_interval,
            problem: described.problem.clone().or_else(|| self.warning.clone()),
            format: described.format,
            width: self.size.0,
            height: self.size.1,
            trimmed: self.trimmed,
            fps: described.fps,
            since: None,
            node: described.node.clone(),
        });
    }

    fn drop_picture(&mut self, why: Unusable) {
        self.context.drop_picture(&self.description, &why);
        self.unusable = Some(why);
    }

    /// For how long the next whole picture is waited for.
    fn limit(&self) -> Duration {
        let limit = self.context.pace.limit(self.description.fps);
        match self.description.stall {
            Stall::Starting(start) if self.began.is_none() => limit.max(start),
            _ => limit,
        }
    }

    fn check_stall(&mut self, source: &dyn VideoSource) -> Result<(), VideoError> {
        let waited = self.context.session.now().since(self.last_whole);
        let is_hopeless = self.unusable.as_ref().is_some_and(Unusable::is_lasting);
        let device = || self.description.device.clone();
        match self.description.stall {
            Stall::Measured | Stall::Learned | Stall::Starting(_) => {
                let limit = self.limit();
                let limit = if is_hopeless { limit.min(HOPELESS_AFTER) } else { limit };
                if waited < limit {
                    return Ok(());
                }
                let is_lone =
                    self.description.stall != Stall::Measured && self.began == Some(self.last_whole);
                if self.began.is_none() || is_lone {
                    self.context.pace.gave_nothing();
                }
                if let Some(why) = self.unusable.take_if(|why| why.is_telling()) {
                    return Err(VideoError::Unusable { device: device(), why });
                }
                let is_broken = self.unusable.is_some();
                let reason = source.stall_reason().filter(|_| !is_broken);
                Err(reason.unwrap_or(VideoError::Stalled { device: device(), waited: limit, is_broken }))
            }
            Stall::Unusable(limit) if waited >= limit || (is_hopeless && waited >= HOPELESS_AFTER) => {
                match self.unusable.take() {
                    Some(why) => Err(VideoError::Unusable { device: device(), why }),
                    None => Ok(()),
                }
            }
            Stall::Unusable(_) | Stall::Never => Ok(()),
        }
    }
}
