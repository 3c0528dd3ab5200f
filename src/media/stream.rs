//! The settings of a further stream of a camera.

/// How much smaller a picture is in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// As large as the camera's picture.
    #[default]
    Whole,
    /// Half as wide and half as high.
    Half,
    /// A quarter as wide and as high.
    Quarter,
    /// An eighth as wide and as high.
    Eighth,
}

impl Scale {
    /// By the names used in defender.conf and in the API.
    pub const NAMES: [(&'static str, Scale); 4] =
        [("1", Self::Whole), ("1/2", Self::Half), ("1/4", Self::Quarter), ("1/8", Self::Eighth)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, scale)| *scale == self).map_or("", |(name, _)| name)
    }

    /// The scale of a name; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, scale)| scale)
    }

    /// What width and height are divided by: 1, 2, 4 or 8.
    pub fn divisor(self) -> u32 {
        match self {
            Self::Whole => 1,
            Self::Half => 2,
            Self::Quarter => 4,
            Self::Eighth => 8,
        }
    }

    /// The size of a picture of `width` x `height` at this scale. A part of a pixel counts as one, as in libjpeg.
    pub fn of(self, (width, height): (u32, u32)) -> (u32, u32) {
        (width.div_ceil(self.divisor()), height.div_ceil(self.divisor()))
    }
}

/// A further stream of a camera: the same pictures, smaller, fewer, or with fewer bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Its name in defender.conf and in URLs, below the camera's.
    pub name: String,
    /// The size of its pictures.
    pub scale: Scale,
    /// Frames a second at the most; `None` takes every frame of the camera.
    pub fps: Option<u32>,
    /// JPEG quality, 1 to 100; `None` keeps that of the camera.
    pub quality: Option<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scale_is_found_by_its_name() {
        for (name, scale) in Scale::NAMES {
            assert_eq!((Scale::from_name(name), scale.name()), (Some(scale), name));
        }
        assert_eq!(Scale::from_name("1/3"), None);
    }

    #[test]
    fn a_part_of_a_pixel_counts_as_one() {
        assert_eq!(Scale::Half.of((1280, 719)), (640, 360));
        assert_eq!(Scale::Eighth.of((1281, 720)), (161, 90));
        assert_eq!(Scale::Whole.of((5, 3)), (5, 3));
    }
}
