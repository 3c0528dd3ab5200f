//! What is done to a camera's pictures before anybody sees them.

use super::Polygon;

/// What is done to each picture of a camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PictureEdits {
    /// How far it is turned.
    pub rotation: Rotation,
    /// How it is mirrored after that.
    pub flip: Flip,
    /// The lettering, with conversions of strftime; empty for none.
    pub stamp: String,
    /// Where the lettering is, as the turned picture is seen.
    pub stamp_corner: Corner,
    /// Which time the lettering shows.
    pub stamp_clock: StampClock,
    /// What nobody may see, in the picture as the camera sends it.
    pub masks: Vec<Polygon>,
}

/// A turn clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// None.
    #[default]
    None,
    /// 90 degrees.
    Right,
    /// 180 degrees.
    Around,
    /// 270 degrees.
    Left,
}

/// How a picture is mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flip {
    /// Not at all.
    #[default]
    None,
    /// Left and right change places.
    Horizontal,
    /// Top and bottom change places.
    Vertical,
}

/// A corner of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corner {
    /// Left and top.
    TopLeft,
    /// Right and top.
    TopRight,
    /// Left and bottom.
    #[default]
    BottomLeft,
    /// Right and bottom.
    BottomRight,
}

/// Which time lettering shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StampClock {
    /// That of the board's time zone.
    #[default]
    Local,
    /// Coordinated Universal Time.
    Utc,
}

impl PictureEdits {
    /// Whether pictures stay as they are.
    pub fn is_none(&self) -> bool {
        self.rotation == Rotation::None
            && self.flip == Flip::None
            && self.stamp.is_empty()
            && self.masks.is_empty()
    }

    /// Whether width and height change places.
    pub fn swaps_sides(&self) -> bool {
        matches!(self.rotation, Rotation::Right | Rotation::Left)
    }

    /// The size of a turned picture, without what may be trimmed.
    pub fn turned(&self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }
}

impl Rotation {
    /// By degrees.
    pub const ALL: [(u32, Rotation); 4] =
        [(0, Self::None), (90, Self::Right), (180, Self::Around), (270, Self::Left)];

    /// Degrees clockwise.
    pub fn degrees(self) -> u32 {
        Self::ALL.into_iter().find(|(_, rotation)| *rotation == self).map_or(0, |(degrees, _)| degrees)
    }

    /// The rotation by so many degrees.
    pub fn from_degrees(degrees: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == degrees).map(|(_, rotation)| rotation)
    }
}

impl Flip {
    /// By the names used in defender.conf and in the API.
    pub const NAMES: [(&'static str, Flip); 3] =
        [("none", Self::None), ("horizontal", Self::Horizontal), ("vertical", Self::Vertical)];

    /// Its name.
    pub fn name(self) -> &'static str {
        name_of(&Self::NAMES, self)
    }
}

impl Corner {
    /// By the names used in defender.conf and in the API.
    pub const NAMES: [(&'static str, Corner); 4] = [
        ("top-left", Self::TopLeft),
        ("top-right", Self::TopRight),
        ("bottom-left", Self::BottomLeft),
        ("bottom-right", Self::BottomRight),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        name_of(&Self::NAMES, self)
    }
}

impl StampClock {
    /// By the names used in defender.conf and in the API.
    pub const NAMES: [(&'static str, StampClock); 2] = [("local", Self::Local), ("utc", Self::Utc)];

    /// Its name.
    pub fn name(self) -> &'static str {
        name_of(&Self::NAMES, self)
    }
}

fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}
