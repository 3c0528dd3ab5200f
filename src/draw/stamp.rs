//! Lettering for a corner of a camera's pictures: a text with conversions of strftime, drawn light on a dark box.
//!
//! It is a box, and not letters with an outline over the picture. A box replaces whole blocks of a JPEG by blocks that were
//! prepared once a second, whatever the frame holds. Letters over the picture need the pixels around them: each block that
//! they touch would be decoded, blended and encoded again in each frame, with a loss. And a box is read more easily on a
//! bright or a noisy picture, where the few bits of a camera's JPEG blur a thin outline.
//!
//! The letters are 13 pixels high at 320x240 and a 24th of the height of larger pictures, so that a picture of 1080 rows can
//! be read on a telephone.

use std::fmt::{self, Write};

use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use time::OffsetDateTime;

use super::canvas::{Canvas, Ink};
use super::lettering::Lettering;
use super::local_time::offset_name;
use super::palette::BRIGHT;

/// What stands for the name of the camera.
const CAMERA: &str = "{camera}";

/// Of the lettering, in grey: dark enough for light letters on any picture.
const GROUND: Ink = Ink::grey(32);

/// The conversions that there are.
const CONVERSIONS: &str = "YmdHMSyjabABpIZz%";

/// Sides grow to whole units of the coarsest JPEG.
const UNIT: u32 = 16;

/// A conversion that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownConversion(Option<char>);

/// Checks a text with conversions.
///
/// # Errors
/// The first unknown conversion.
pub(crate) fn check_stamp(text: &str) -> Result<(), UnknownConversion> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            let conversion = chars.next();
            conversion.filter(|c| CONVERSIONS.contains(*c)).ok_or(UnknownConversion(conversion))?;
        }
    }
    Ok(())
}

/// The text at a moment, for a camera. What is no conversion stays as it is.
pub(crate) fn stamp_text(text: &str, camera: &str, now: OffsetDateTime) -> String {
    let mut out = String::with_capacity(64);
    // The name comes last: a conversion must not be read in it, nor a name in what a conversion gives.
    for (number, part) in text.split(CAMERA).enumerate() {
        if number > 0 {
            out.push_str(camera);
        }
        let mut chars = part.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => convert(chars.next().unwrap_or('%'), now, &mut out),
                c => out.push(c),
            }
        }
    }
    out
}

/// Lettering for a picture of `size`: its width, and the grey of each pixel, row by row. What does not fit is cut.
pub(crate) fn stamp_pixels(text: &str, (width, height): (u32, u32)) -> (usize, Vec<u8>) {
    let columns = text.chars().count() as u32;
    let wanted = (height / 24).max(13);
    let lettering = Lettering::fitting(columns, width.saturating_sub(UNIT), wanted);
    let indent = lettering.line_height() / 4;
    let up = |side: u32, most: u32| side.next_multiple_of(UNIT).min((most / UNIT * UNIT).max(UNIT));
    let box_width = up(lettering.width(text) + indent * 2, width);
    let box_height = up(lettering.line_height() + 2, height);
    let mut canvas = Canvas::new(box_width, box_height, GROUND);
    let line = Rectangle::new(
        Point::new(0, (box_height.saturating_sub(lettering.line_height()) / 2) as i32),
        Size::new(box_width, lettering.line_height()),
    );
    lettering.draw_centred(&mut canvas, text, &line, BRIGHT);
    let luma = box_width as usize * box_height as usize;
    (box_width as usize, canvas.image().data[..luma].to_vec())
}

fn convert(conversion: char, now: OffsetDateTime, out: &mut String) {
    let (year, month, day) = now.to_calendar_date();
    let (hour, minute, second) = now.to_hms();
    let half_day = |hour: u8| if hour.is_multiple_of(12) { 12 } else { hour % 12 };
    let (month_name, day_name) = (month.to_string(), now.weekday().to_string());
    let short = |name: &str| name.chars().take(3).collect::<String>();
    // Writing to a string never fails.
    let _ = match conversion {
        'Y' => write!(out, "{year:04}"),
        'y' => write!(out, "{:02}", year.rem_euclid(100)),
        'm' => write!(out, "{:02}", u8::from(month)),
        'd' => write!(out, "{day:02}"),
        'j' => write!(out, "{:03}", now.ordinal()),
        'H' => write!(out, "{hour:02}"),
        'I' => write!(out, "{:02}", half_day(hour)),
        'M' => write!(out, "{minute:02}"),
        'S' => write!(out, "{second:02}"),
        'p' => out.write_str(if hour < 12 { "AM" } else { "PM" }),
        'a' => out.write_str(&short(&day_name)),
        'A' => out.write_str(&day_name),
        'b' => out.write_str(&short(&month_name)),
        'B' => out.write_str(&month_name),
        'Z' => out.write_str(&offset_name(now.offset())),
        'z' => {
            let (hours, minutes, _) = now.offset().as_hms();
            let sign = if now.offset().is_negative() { '-' } else { '+' };
            write!(out, "{sign}{:02}{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
        }
        '%' => out.write_char('%'),
        other => write!(out, "%{other}"),
    };
}

impl fmt::Display for UnknownConversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(conversion) => write!(f, "unknown conversion `%{conversion}`"),
            None => f.write_str("`%` at its end"),
        }
    }
}

impl std::error::Error for UnknownConversion {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::testing::NOW;

    #[test]
    fn each_conversion_is_that_of_strftime() {
        let text = "%Y-%m-%d %H:%M:%S %y %j %a %b %A %B %p %I %Z %z %% {camera}";
        let expected =
            "2026-11-23 14:05:17 26 327 Mon Nov Monday November PM 02 +01:00 +0100 % front%Y{camera}";
        assert_eq!(check_stamp(text), Ok(()));
        assert_eq!(stamp_text(text, "front%Y{camera}", NOW), expected);
    }

    #[test]
    fn an_unknown_conversion_is_named() {
        assert_eq!(check_stamp("%Y %Q").unwrap_err().to_string(), "unknown conversion `%Q`");
        assert_eq!(check_stamp("100%").unwrap_err().to_string(), "`%` at its end");
        assert_eq!(check_stamp("100%%"), Ok(()));
    }

    #[test]
    fn lettering_is_light_on_dark_and_grows_with_the_picture() {
        for (size, least_height) in [((320, 240), 16), ((1280, 720), 32), ((1920, 1080), 48)] {
            let (width, grey) = stamp_pixels("2026-11-23 14:05:17 front", size);
            let height = grey.len() / width;
            assert!(width.is_multiple_of(16) && width <= size.0 as usize, "{width}");
            assert_eq!((grey.len() % width, height), (0, least_height), "{size:?}");
            let light = grey.iter().filter(|&&grey| grey > 200).count();
            assert!(grey[0] < 64 && light * 20 > grey.len() && light * 2 < grey.len(), "{size:?}: {light}");
        }
        for size in [(1, 1), (16, 16), (17, 4000), (65_535, 20)] {
            stamp_pixels("long text that has no room there", size);
        }
    }
}
