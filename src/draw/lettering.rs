//! Text on a canvas: which font fits, where lines break, where they are cut.
//!
//! Text is ASCII; every other character is shown as `?`, because the fonts have nothing else.

use embedded_graphics::geometry::Point;
use embedded_graphics::mono_font::ascii::{FONT_4X6, FONT_5X8, FONT_6X10, FONT_8X13, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::Baseline;
use embedded_graphics::text::renderer::TextRenderer;

use super::canvas::{Canvas, Ink, Magnified};

/// The unscaled fonts, smallest first.
const FONTS: [&MonoFont<'static>; 5] = [&FONT_4X6, &FONT_5X8, &FONT_6X10, &FONT_8X13, &FONT_10X20];

/// A font, and the whole factor it is magnified by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lettering {
    font: &'static MonoFont<'static>,
    scale: u32,
}

impl Lettering {
    /// The largest lettering in which `columns` characters fit into `width` pixels and one line
    /// into `height`; the smallest font if none does.
    pub(super) fn fitting(columns: u32, width: u32, height: u32) -> Self {
        let fits = |lettering: &Self| {
            lettering.line_height() <= height && u64::from(columns) <= u64::from(lettering.columns(width))
        };
        let [smallest, .., largest] = FONTS;
        let large = (height / largest.character_size.height).min(width / largest.character_size.width);
        (2..=large)
            .rev()
            .map(|scale| Self { font: largest, scale })
            .chain(FONTS.into_iter().rev().map(|font| Self { font, scale: 1 }))
            .find(fits)
            .unwrap_or(Self { font: smallest, scale: 1 })
    }

    /// Pixels from the top of a line to the top of the next.
    pub(super) fn line_height(self) -> u32 {
        self.font.character_size.height * self.scale
    }

    /// Characters that fit side by side into `width` pixels.
    pub(super) fn columns(self, width: u32) -> u32 {
        width / self.advance()
    }

    /// Pixels `text` is wide.
    pub(super) fn width(self, text: &str) -> u32 {
        (text.chars().count() as u32).saturating_mul(self.advance())
    }

    /// Draws one line with its left upper corner at `corner`.
    pub(super) fn draw(self, canvas: &mut Canvas, text: &str, corner: Point, ink: Ink) {
        let mut lens = Magnified { canvas, origin: corner, scale: self.scale };
        let style = MonoTextStyle::new(self.font, ink);
        let Ok(_end) = style.draw_string(text, Point::zero(), Baseline::Top, &mut lens);
    }

    /// Draws one line in the middle of the upper edge of `area`, cut to its width.
    pub(super) fn draw_centred(self, canvas: &mut Canvas, text: &str, area: &Rectangle, ink: Ink) {
        let text = cut(text, self.columns(area.size.width));
        let indent = area.size.width.saturating_sub(self.width(&text)) / 2;
        self.draw(canvas, &text, area.top_left + Point::new(indent as i32, 0), ink);
    }

    fn advance(self) -> u32 {
        (self.font.character_size.width + self.font.character_spacing) * self.scale
    }
}

/// `text`, or as much of it as fits into `columns` characters with `...` behind it.
pub(super) fn cut(text: &str, columns: u32) -> String {
    let columns = columns as usize;
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let shown = columns.saturating_sub(3);
    text.chars().take(shown).chain("...".chars()).take(columns).collect()
}

/// Breaks `text` into lines of at most `columns` characters, between words where it can.
pub(super) fn wrap(text: &str, columns: u32) -> Vec<String> {
    let columns = columns.max(1) as usize;
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        let used = line.chars().count();
        if used > 0 && used + 1 + word.len() > columns {
            lines.push(std::mem::take(&mut line));
        } else if used > 0 {
            line.push(' ');
        }
        while word.len() > columns {
            lines.push(word.drain(..columns).collect());
        }
        line.extend(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_lettering_that_fits_is_taken() {
        let cases =
            [(10, 100, 20, 20), (10, 200, 40, 40), (10, 200, 39, 20), (10, 60, 500, 10), (10, 5, 5, 6)];
        for (columns, width, height, line_height) in cases {
            let lettering = Lettering::fitting(columns, width, height);
            assert_eq!(lettering.line_height(), line_height, "{columns} columns in {width}x{height}");
        }
    }

    #[test]
    fn long_text_is_cut_with_dots() {
        assert_eq!(cut("front door", 10), "front door");
        assert_eq!(cut("front door", 9), "front ...");
        assert_eq!(cut("front door", 2), "..");
        assert_eq!(cut("front door", 0), "");
    }

    #[test]
    fn lines_break_between_words_and_long_words_break_anywhere() {
        assert_eq!(wrap("front: no such device", 10), ["front: no", "such", "device"]);
        assert_eq!(wrap("a /dev/v4l/by-id/x b", 6), ["a", "/dev/v", "4l/by-", "id/x b"]);
        assert_eq!(wrap("", 6), [""]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }

    #[test]
    fn a_character_no_font_has_is_shown_as_a_question_mark() {
        let draw = |text: &str| {
            let mut canvas = Canvas::new(60, 20, Ink::grey(0));
            Lettering::fitting(4, 60, 20).draw(&mut canvas, text, Point::zero(), Ink::grey(255));
            canvas.image().data.to_vec()
        };
        assert_eq!(draw("a\u{e9}\u{1f4f7}\n"), draw("a???"));
        assert_ne!(draw("a???"), draw("abcd"));
    }
}
