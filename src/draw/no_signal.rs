//! The no-signal frame: a still picture that says why a camera gives none.

use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;

use super::canvas::Canvas;
use super::lettering::{Lettering, wrap};
use super::palette::{BRIGHT, DIM, PANEL};
use crate::media::RawImage;

/// A still picture with a few lines of text, for while there is nothing else to show.
#[derive(Debug)]
pub(crate) struct NoSignalPicture {
    canvas: Canvas,
}

impl NoSignalPicture {
    /// One of `width` by `height` pixels.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { canvas: Canvas::new(width, height, PANEL) }
    }

    /// Draws `lines` in the middle, the first one large. Long lines are wrapped, and what does
    /// not fit is left out, with `...` where it is missing.
    pub(crate) fn draw(&mut self, lines: &[&str]) -> RawImage<'_> {
        let all = self.canvas.area();
        self.canvas.fill(&all, PANEL);
        let [heading, body @ ..] = lines else { return self.canvas.image() };
        let Size { width, height } = all.size;
        let text_width = width - width / 8;
        let large = Lettering::fitting(heading.chars().count() as u32, text_width, height / 6);
        let small = Lettering::fitting(BODY_COLUMNS, text_width, large.line_height().min(height / 12));

        let gap = large.line_height() / 2;
        let body_height = height.saturating_sub(large.line_height() + gap);
        let body = body_lines(body, small.columns(text_width), body_height / spaced(small));
        let used = large.line_height() + gap + spaced(small) * body.len() as u32;
        let mut line = Rectangle::new(
            Point::new((width / 16) as i32, (height.saturating_sub(used) / 2) as i32),
            Size::new(text_width, large.line_height()),
        );
        large.draw_centred(&mut self.canvas, heading, &line, BRIGHT);
        line.top_left.y += (large.line_height() + gap) as i32;
        for text in &body {
            small.draw_centred(&mut self.canvas, text, &line, DIM);
            line.top_left.y += spaced(small) as i32;
        }
        self.canvas.image()
    }
}

/// How many characters of the small text are to fit side by side.
const BODY_COLUMNS: u32 = 36;

/// The height of a line with the space below it.
fn spaced(lettering: Lettering) -> u32 {
    lettering.line_height() + lettering.line_height() / 4
}

/// Wraps `lines`; of more than `rows` lines the first ones, the last of them with dots behind.
fn body_lines(lines: &[&str], columns: u32, rows: u32) -> Vec<String> {
    let mut wrapped: Vec<String> = lines.iter().flat_map(|line| wrap(line, columns)).collect();
    let rows = rows as usize;
    if wrapped.len() > rows {
        wrapped.truncate(rows);
        if let Some(last) = wrapped.last_mut() {
            let start = last.chars().take((columns as usize).saturating_sub(3));
            *last = start.chain("...".chars()).collect();
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::testing::{SIZES, long_text, luma};

    #[test]
    fn any_size_and_any_text_can_be_drawn() {
        let long = long_text();
        for (width, height) in SIZES {
            let image_bytes = Canvas::new(width, height, PANEL).image().data.len();
            let mut picture = NoSignalPicture::new(width, height);
            for text in ["", "front", &long] {
                for lines in [&[][..], &[text], &[text; 3], &[text; 90]] {
                    assert_eq!(picture.draw(lines).data.len(), image_bytes, "{width}x{height}");
                }
            }
        }
    }

    #[test]
    fn lines_replace_the_ones_before() {
        let mut picture = NoSignalPicture::new(640, 480);
        let empty = picture.draw(&[]).data.to_vec();
        let lost = picture.draw(&["NO SIGNAL", "since 2026-11-23 14:02:11 +01:00"]).data.to_vec();
        let gone = picture.draw(&["NO SIGNAL", "front: /dev/video0 is gone"]).data.to_vec();
        assert_ne!(lost, empty);
        assert_ne!(gone, lost);
        assert_eq!(picture.draw(&["NO SIGNAL", "since 2026-11-23 14:02:11 +01:00"]).data, lost);
        assert_eq!(picture.draw(&[]).data, empty);
    }

    #[test]
    fn text_stays_clear_of_the_edges() {
        for (width, height) in [(160, 120), (640, 480), (1280, 720)] {
            let mut picture = NoSignalPicture::new(width, height);
            let long = "no such device: ".repeat(60);
            let blank = picture.draw(&[]).data[0];
            let image = picture.draw(&["NO SIGNAL", &long]);
            let is_blank = |row: &[u8]| row.iter().all(|&y| y == blank);
            let rows: Vec<&[u8]> = luma(&image).chunks_exact(width as usize).collect();
            assert!(is_blank(rows[0]) && is_blank(rows[height as usize - 1]), "{width}x{height}");
            assert!(rows.iter().all(|row| is_blank(&row[..width as usize / 16])), "{width}x{height}");
        }
    }

    #[test]
    fn dots_stand_for_text_that_does_not_fit() {
        assert_eq!(body_lines(&["one two", "three"], 5, 9), ["one", "two", "three"]);
        assert_eq!(body_lines(&["one two", "three"], 5, 2), ["one", "tw..."]);
        assert_eq!(body_lines(&["one two"], 5, 0), [""; 0]);
    }
}
