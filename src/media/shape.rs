//! Parts of a picture that are drawn by people, for a picture of any size.

/// A point of a picture, in ten-thousandths of its width and height: a decimal number of a configuration is
/// kept exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Distance from the left edge.
    pub x: u16,
    /// Distance from the top edge.
    pub y: u16,
}

impl Point {
    /// The coordinate of the right and of the bottom edge.
    pub const FULL: u16 = 10_000;
}

/// The corners of a polygon in order; the last one is joined to the first.
pub type Polygon = Vec<Point>;

/// A polygon with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its name, as `crate::base::names::is_name` allows.
    pub name: String,
    /// Where it is.
    pub points: Polygon,
}
