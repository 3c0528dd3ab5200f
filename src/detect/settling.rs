//! Changes of the whole picture: nothing counts until it is calm, and another view is learnt anew.

use std::time::Duration;

use super::cells::{OCTAVE, Scale};
use super::detector::{Detector, Mode};
use super::motion::{STRENGTH_MIN, STRENGTH_ONE};
use crate::media::Timestamp;

/// The picture as a whole has changed when so many of its cells have, in percent, since the last look.
const WHOLE_PERCENT: usize = 50;

/// Or when its brightness has, by so much.
const JUMP: i32 = OCTAVE / 6;

/// It is calm when so few do, for so many looks: somebody near the camera changes less of it.
const CALM_PERCENT: usize = 20;
const CALM_LOOKS: u32 = 2;

/// So many grey steps to a look before are none.
const LIKE_GREY: i32 = 4;

/// It is looked at again after this time, calm or not.
const SETTLE: Duration = Duration::from_secs(4);

/// Less of the picture than this, in percent, differs when the light is as before.
const BACK_PERCENT: usize = 12;

impl Detector {
    /// Whether the whole picture has changed, and has become calm again.
    pub(super) fn judge_whole(&mut self, at: Timestamp) {
        let cells = self.grid.cells().max(1);
        let is_jump = self.light.since_last.abs() > JUMP;
        match self.mode {
            Mode::Settling { since, calm_looks } => {
                let is_calm = !is_jump && self.unlike_last() * 100 < cells * CALM_PERCENT;
                let calm_looks = if is_calm { calm_looks + 1 } else { 0 };
                self.mode = Mode::Settling { since, calm_looks };
                if calm_looks >= CALM_LOOKS || at.since(since) >= SETTLE {
                    (self.settled, self.calm) = (at, at);
                    self.settle(at);
                }
            }
            Mode::Watching if self.active_cells * 100 >= cells * WHOLE_PERCENT || is_jump => {
                self.tracks.clear();
                self.mode = Mode::Settling { since: at, calm_looks: 0 };
            }
            _ => {}
        }
    }

    /// Another view meanwhile would be taken for how much each cell varies: learning begins anew then. Not for ever, because the light of
    /// lamps on mains current may be another one in each look.
    pub(super) fn go_on_learning(&mut self, at: Timestamp, since: Timestamp, until: Timestamp) {
        let is_other = self.unlike_last() * 100 >= self.grid.cells() * WHOLE_PERCENT;
        if is_other && at.since(since) < SETTLE {
            return self.learn_anew(at, since);
        }
        for ((cell, &level), &rest) in self.cells.iter_mut().zip(&self.levels).zip(&self.rests) {
            cell.learn_first(level, rest.into());
        }
        if at >= until {
            self.mode = Mode::Watching;
        }
    }

    /// What is seen now is the background. If most is as before, what is left may be somebody.
    fn settle(&mut self, at: Timestamp) {
        self.mode = Mode::Watching;
        let other = self.strengths.iter().filter(|&&strength| strength >= STRENGTH_ONE).count();
        if other * 100 < self.grid.cells() * BACK_PERCENT {
            return;
        }
        if self.scene.is_another_view(&self.levels, self.grid) {
            return self.learn_anew(at, at);
        }
        for ((cell, &level), &strength) in self.cells.iter_mut().zip(&self.levels).zip(&self.strengths) {
            if strength >= STRENGTH_MIN {
                cell.become_known(level);
            }
        }
    }

    /// How many cells have changed since the last look by something else than the light of all.
    fn unlike_last(&self) -> usize {
        let light = self.light.since_last;
        let steps = self
            .levels
            .iter()
            .zip(&self.last)
            .map(|(&level, &last)| (level, i32::from(level) - i32::from(last)));
        let unlike = |&(level, step): &(u16, i32)| {
            (step - light).abs() > LIKE_GREY * Scale::grey_step(level) + light.abs() / 2
        };
        steps.filter(unlike).count()
    }
}
