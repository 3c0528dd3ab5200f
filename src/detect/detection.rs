//! What is detected in pictures: begins and ends of motion and of alarms.

use crate::media::{Area, Timestamp};

/// What is detected in pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something moves.
    Motion,
    /// The lens is covered.
    Covered,
    /// There is too little light.
    Dark,
    /// The camera repeats one picture.
    Frozen,
    /// The camera was turned.
    Moved,
    /// The picture has lost its detail.
    Defocused,
}

/// Something that is going on, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The same for all changes of one detection; counts up from 1 with each, and never restarts within a detector.
    pub number: u32,
    /// What it is.
    pub kind: Kind,
    /// How strong it is at its best: of motion 256 times the square root of its share of the picture, so 26 for 1 % and 255
    /// for all of it; of alarms 255.
    pub score: u8,
    /// Where it is at its best; the whole picture for alarms.
    pub area: Area,
    /// The zone, by its place in [`Settings::zones`](super::settings::Settings::zones); `None` without zones, and for
    /// alarms. Motion in two zones is two detections.
    pub zone: Option<u8>,
    /// When the first frame with it was captured. That is before it began to count as a detection.
    pub first: Timestamp,
    /// When the frame with the highest score was captured.
    pub best: Timestamp,
}

/// What a look has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A detection begins.
    Began(Detection),
    /// It has a better score, by a fourth at least, and another area and best frame. At most once a second.
    Rose(Detection),
    /// It has ended: at this time it was seen last.
    Ended(Detection, Timestamp),
}
