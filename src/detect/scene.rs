//! Alarms of the scene: covered, dark, frozen, moved, defocused.
//!
//! The scene is known by the signs of its gradients, from cell to cell: they stay the same in any light. Each sign must
//! last for seconds before it is known, so that nothing that passes is.

use super::cells::{Grid, OCTAVE, Scale};
use super::detection::{Change, Detection, Kind};
use crate::media::{Area, Timestamp};

/// What a look says of the whole picture.
pub(super) struct Whole<'w> {
    pub(super) at: Timestamp,
    pub(super) levels: &'w [u16],
    pub(super) last: &'w [u16],
    /// The mean brightness, in eighths of a grey step.
    pub(super) mean: u16,
    /// As in a look.
    pub(super) detail: u32,
    pub(super) step_eighths: u16,
}

/// How often the signs are compared.
const JUDGE_US: u64 = 500_000;

/// A sign is known after so many comparisons, and forgotten after at most as many as [`SIGN_MAX`].
const SIGN_KNOWN: i8 = 16;
const SIGN_MAX: i8 = 64;

/// Mean brightness, in eighths of a grey step: below the first it is dark, above the second it is not any more; below the
/// third, a picture without edges may be dark rather than covered.
const DARK: u16 = 8 * 16;
const LIGHT: u16 = 8 * 22;
const DIM: u16 = 8 * 26;

/// Signs, wherever they are, in percent of the known ones: with less, the lens is covered; with more, the picture is as
/// detailed as before.
const COVERED_PERCENT: i32 = 25;
const DETAILED_PERCENT: i32 = 40;

/// Signs that are as before, less those that are not, in percent of the known ones: less is another view.
const MOVED_PERCENT: i32 = 25;
const SAME_PERCENT: i32 = 50;

/// Percent of the usual detail: less is defocused, more is not any more.
const DEFOCUSED_PERCENT: u32 = 60;
const FOCUSED_PERCENT: u32 = 75;

/// A picture varies if it has in so many looks.
const VARIES: u8 = 20;

/// After this time another view is the usual one.
const NEW_VIEW_US: u64 = 60_000_000;

/// For how long a condition must last, and must not be there, for an alarm to begin and to end.
struct Hold {
    kind: Kind,
    begin_us: u64,
    end_us: u64,
}

const HOLDS: [Hold; 5] = [
    Hold { kind: Kind::Covered, begin_us: 3_000_000, end_us: 2_000_000 },
    Hold { kind: Kind::Dark, begin_us: 10_000_000, end_us: 3_000_000 },
    Hold { kind: Kind::Frozen, begin_us: 10_000_000, end_us: 1_000_000 },
    Hold { kind: Kind::Moved, begin_us: 5_000_000, end_us: 2_000_000 },
    Hold { kind: Kind::Defocused, begin_us: 10_000_000, end_us: 3_000_000 },
];

/// One alarm.
#[derive(Clone, Copy, Default)]
struct Alarm {
    /// Since when the condition is there although the alarm is off, or is not although it is on.
    other_since: Option<Timestamp>,
    detection: Option<Detection>,
}

/// The alarms of one camera.
#[derive(Default)]
pub(super) struct Scene {
    /// Signs of the gradients to the next column and to the next row, counted.
    signs: Vec<[i8; 2]>,
    judged: Option<Timestamp>,
    alarms: [Alarm; 5],
    /// Slow means of detail and brightness, in sixteenths; 0 before the first.
    usual_detail: u32,
    usual_mean: u32,
    step_eighths: u16,
    /// When the picture last differed from the one before, and in how many looks it has.
    changed: Option<Timestamp>,
    varied: u8,
    /// In percent of the known signs: how many there are anywhere, and how many more are right than wrong; `None` if too
    /// few are known.
    view: Option<(i32, i32)>,
}

impl Scene {
    /// Forgets the view if `is_new`; ends what goes on.
    pub(super) fn start(&mut self, at: Timestamp, grid: Grid, is_new: bool, out: &mut Vec<Change>) {
        self.end_all(at, out);
        if is_new {
            self.signs.clear();
            self.signs.resize(grid.cells(), [0; 2]);
            (self.varied, self.usual_detail) = (0, 0);
        }
        (self.judged, self.view, self.changed) = (None, None, Some(at));
    }

    pub(super) fn end_all(&mut self, at: Timestamp, out: &mut Vec<Change>) {
        for alarm in &mut self.alarms {
            alarm.other_since = None;
            out.extend(alarm.detection.take().map(|detection| Change::Ended(detection, at)));
        }
    }

    /// A frame with the bytes of the one before.
    pub(super) fn repeat(&mut self, at: Timestamp, numbers: &mut u32, out: &mut Vec<Change>) {
        self.judge(Kind::Frozen, at, self.varied >= VARIES, numbers, out);
    }

    /// Another frame.
    pub(super) fn look(&mut self, whole: &Whole<'_>, grid: Grid, numbers: &mut u32, out: &mut Vec<Change>) {
        let at = whole.at;
        self.judge_frozen(whole, numbers, out);
        let is_dark = whole.mean < if self.is_on(Kind::Dark) { LIGHT } else { DARK };
        self.judge(Kind::Dark, at, is_dark, numbers, out);
        if self.judged.is_some_and(|last| at.as_micros().saturating_sub(last.as_micros()) < JUDGE_US) {
            return;
        }
        self.judged = Some(at);
        self.view = self.compare(whole.levels, grid);
        let (present, same) = self.view.unwrap_or((100, 100));
        let is_covered = whole.mean >= DIM
            && if self.is_on(Kind::Covered) { same < SAME_PERCENT } else { present < COVERED_PERCENT };
        self.judge(Kind::Covered, at, is_covered, numbers, out);
        let is_other =
            if self.is_on(Kind::Moved) { same < SAME_PERCENT } else { is_elsewhere((present, same)) };
        self.judge(Kind::Moved, at, is_other && !is_covered && !is_dark, numbers, out);
        self.judge_detail(whole, same, numbers, out);
        let is_old = self.alarm(Kind::Moved).detection.is_some_and(|detection| {
            at.as_micros().saturating_sub(detection.first.as_micros()) > NEW_VIEW_US
        });
        if is_old {
            self.signs.fill([0; 2]);
            self.usual_detail = 0;
        } else if !is_covered && !is_other && !is_dark {
            self.learn(whole.levels, grid);
        }
    }

    /// Frozen is also a camera that encodes the same picture again and again, and only now and then.
    fn judge_frozen(&mut self, whole: &Whole<'_>, numbers: &mut u32, out: &mut Vec<Change>) {
        if whole.levels != whole.last {
            self.varied = self.varied.saturating_add(1);
            self.changed = Some(whole.at);
        }
        let since = self.changed.unwrap_or(whole.at);
        // Bytes that differ are a sign of life, for longer.
        let is_still = whole.at.as_micros().saturating_sub(since.as_micros()) > 20_000_000;
        self.judge(Kind::Frozen, whole.at, is_still && self.varied >= VARIES, numbers, out);
    }

    fn judge_detail(&mut self, whole: &Whole<'_>, same: i32, numbers: &mut u32, out: &mut Vec<Change>) {
        let mean = u32::from(whole.mean);
        if whole.detail == 0 || self.usual_detail == 0 || whole.step_eighths != self.step_eighths {
            self.usual_detail = whole.detail.min(1 << 26) * 16;
            (self.usual_mean, self.step_eighths) = (mean * 16, whole.step_eighths);
        }
        let percent = if self.is_on(Kind::Defocused) { FOCUSED_PERCENT } else { DEFOCUSED_PERCENT };
        let is_less = whole.detail.min(1 << 26) < self.usual_detail / 1600 * percent;
        let is_same_light = (mean * 16).abs_diff(self.usual_mean) * 4 < self.usual_mean;
        let is_defocused = is_less && is_same_light && same >= SAME_PERCENT && whole.detail > 0;
        self.judge(Kind::Defocused, whole.at, is_defocused, numbers, out);
        if !is_defocused {
            // Within about two minutes.
            let follow = |usual: &mut u32, now: u32| *usual = *usual - *usual / 256 + now / 256;
            follow(&mut self.usual_detail, whole.detail.min(1 << 26) * 16);
            follow(&mut self.usual_mean, mean * 16);
        }
    }

    fn compare(&self, levels: &[u16], grid: Grid) -> Option<(i32, i32)> {
        let (mut known, mut present, mut same) = (0, 0, 0);
        self.each_sign(levels, grid, |at, side, sign| {
            let usual = self.signs[at][side];
            present += i32::from(sign != 0);
            if usual.abs() >= SIGN_KNOWN {
                known += 1;
                same += i32::from(usual.signum() * sign);
            }
        });
        // A picture without edges says nothing.
        (known * 25 > grid.cells() as i32).then(|| (present * 100 / known, same * 100 / known))
    }

    fn learn(&mut self, levels: &[u16], grid: Grid) {
        let mut signs = std::mem::take(&mut self.signs);
        self.each_sign(levels, grid, |at, side, sign| {
            let count = &mut signs[at][side];
            *count = match sign {
                0 => *count - count.signum(),
                sign => (*count + sign).clamp(-SIGN_MAX, SIGN_MAX),
            };
        });
        self.signs = signs;
    }

    /// The sign of each gradient, to the right (0) and down (1); 0 for what noise may have made.
    fn each_sign(&self, levels: &[u16], grid: Grid, mut see: impl FnMut(usize, usize, i8)) {
        let right = levels.get(1..).unwrap_or_default();
        let below = levels.get(grid.width..).unwrap_or_default();
        for (at, ((&level, &right), &below)) in levels.iter().zip(right).zip(below).enumerate() {
            let least = 3 * Scale::grey_step(level) + OCTAVE / 32;
            for (side, next) in [right, below].into_iter().enumerate() {
                let gradient = i32::from(next) - i32::from(level);
                let sign = i8::from(gradient >= least) - i8::from(gradient <= -least);
                see(at, side, sign);
            }
        }
    }

    /// Whether these levels have edges, but not where they were.
    pub(super) fn is_another_view(&self, levels: &[u16], grid: Grid) -> bool {
        self.compare(levels, grid).is_some_and(is_elsewhere)
    }

    fn alarm(&self, kind: Kind) -> &Alarm {
        let place = HOLDS.iter().position(|hold| hold.kind == kind).unwrap_or(0);
        &self.alarms[place]
    }

    fn is_on(&self, kind: Kind) -> bool {
        self.alarm(kind).detection.is_some()
    }

    fn judge(&mut self, kind: Kind, at: Timestamp, is_there: bool, numbers: &mut u32, out: &mut Vec<Change>) {
        let Some((hold, alarm)) = HOLDS.iter().zip(&mut self.alarms).find(|(hold, _)| hold.kind == kind)
        else {
            return;
        };
        if is_there == alarm.detection.is_some() {
            alarm.other_since = None;
            return;
        }
        let since = *alarm.other_since.get_or_insert(at);
        let waited_us = at.as_micros().saturating_sub(since.as_micros());
        if let Some(detection) = alarm.detection {
            if waited_us >= hold.end_us {
                out.push(Change::Ended(detection, since));
                *alarm = Alarm::default();
            }
        } else if waited_us >= hold.begin_us {
            *numbers += 1;
            let area = Area { left: 0, top: 0, right: u16::MAX, bottom: u16::MAX };
            let detection =
                Detection { number: *numbers, kind, score: 255, area, zone: None, first: since, best: at };
            *alarm = Alarm { other_since: None, detection: Some(detection) };
            out.push(Change::Began(detection));
        }
    }
}

/// Whether a view, as in [`Scene::view`], has its edges elsewhere.
fn is_elsewhere((present, same): (i32, i32)) -> bool {
    same < MOVED_PERCENT && present >= DETAILED_PERCENT
}
