//! What a person chooses about a camera's detector.

use crate::media::{Polygon, Zone};

/// What is chosen about the motion of one camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The smallest size of what is reported, in ten-thousandths of the picture's area: `size_percent = 0.5` is 50. What is
    /// below one block counts as one block, and what is above the whole picture as the whole picture.
    pub size: u16,
    /// Looks a second, 1 to 30, that the caller means to make. Only how long a pause may be follows from it; everything
    /// else from the times of the looks.
    pub looks: u32,
    /// Where motion counts, by name; everywhere if there is none. At most the first [`Settings::MOST_ZONES`] count.
    ///
    /// A block is in a polygon if its centre is. A polygon that crosses itself covers all that it goes around; what is
    /// outside of the picture is cut off; one without an area (of less than three corners, or so thin that no centre of a
    /// block is in it) covers nothing, so a camera whose zones all are such has no motion.
    pub zones: Vec<Zone>,
    /// Where motion does not count, not even in a zone. Polygons as for zones. Scene alarms look at masks as well.
    pub masks: Vec<Polygon>,
}

impl Settings {
    /// Most zones of a camera.
    pub const MOST_ZONES: usize = 32;
}

impl Default for Settings {
    /// Half a percent of the picture, five looks a second, everywhere.
    fn default() -> Self {
        Self { size: 50, looks: 5, zones: Vec::new(), masks: Vec::new() }
    }
}
