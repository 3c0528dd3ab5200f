//! Pictures that Defender draws itself: the test card, and the no-signal frame that says why a camera gives none.
//!
//! What belongs here: pixels, letters, and local time as people read it. What must not: the decision when a picture
//! is shown, and the wall clock: the caller says what time it is. Only [`LocalClock`] reads a file, for the time zone.

mod canvas;
mod card;
mod lettering;
mod local_time;
mod no_signal;
mod palette;
mod stamp;
mod zone;

pub(crate) use card::TestCard;
pub(crate) use local_time::{LocalClock, moment};
pub(crate) use no_signal::NoSignalPicture;
pub(crate) use stamp::{check_stamp, stamp_pixels, stamp_text};

/// What the tests of several pictures share.
#[cfg(test)]
mod testing {
    use time::OffsetDateTime;
    use time::macros::datetime;

    use crate::media::RawImage;

    pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 14:05:17.3 +01:00);

    pub(super) const SIZES: [(u32, u32); 9] =
        [(0, 0), (1, 1), (7, 5), (64, 48), (161, 121), (640, 480), (1280, 720), (3840, 2160), (48, 4000)];

    pub(super) fn long_text() -> String {
        "very long \u{e9}\n name/of/a/device ".repeat(40)
    }

    pub(super) fn luma<'a>(image: &RawImage<'a>) -> &'a [u8] {
        &image.data[..(image.width * image.height) as usize]
    }
}
