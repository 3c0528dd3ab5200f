//! The test card: a moving picture for where there is no camera.

use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use time::OffsetDateTime;

use super::canvas::{Canvas, Ink};
use super::lettering::Lettering;
use super::local_time::moment_tenths;
use super::palette::{BLACK, BRIGHT, DIM, PANEL, WHITE};
use crate::media::RawImage;

/// The colour bars from left to right: BT.601 primaries and their mixtures at 75 %, in RGB.
pub(crate) const BARS: [[u8; 3]; 7] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191]];

const LABEL: &str = "DEFENDER TEST CARD";
/// As wide as the clock will ever be.
const CLOCK_COLUMNS: u32 = "2026-11-23 13:05:17.3 +00:00".len() as u32;

const GREYS: u32 = 11;

/// A moving picture that looks like one and says what it is: colour bars, greys from black to
/// white, a block that sweeps from side to side, the camera's name, a clock and a frame counter.
#[derive(Debug)]
pub(crate) struct TestCard {
    canvas: Canvas,
    layout: Layout,
    /// Where the moving block was drawn last.
    block: Rectangle,
}

impl TestCard {
    /// A card of `width` by `height` pixels for the camera called `title`; `note` says why there
    /// is a card, such as "no camera found".
    pub(crate) fn new(width: u32, height: u32, title: &str, note: &str) -> Self {
        let mut canvas = Canvas::new(width, height, PANEL);
        let layout = Layout::of(width, height);
        for (i, [r, g, b]) in BARS.into_iter().enumerate() {
            canvas.fill(&layout.bars.column(i as u32, BARS.len() as u32), Ink::rgb(r, g, b));
        }
        for i in 0..GREYS {
            let level = (i * 255 / (GREYS - 1)) as u8;
            canvas.fill(&layout.greys.column(i, GREYS), Ink::grey(level));
        }
        canvas.fill(&layout.track, BLACK);
        layout.large.draw_centred(&mut canvas, LABEL, &layout.label, BRIGHT);
        let subtitle = format!("{title} - {note}");
        layout.small.draw_centred(&mut canvas, &subtitle, &layout.subtitle, DIM);
        Self { canvas, layout, block: Rectangle::zero() }
    }

    /// Draws the card's next picture; only what moves is drawn anew.
    ///
    /// `now` is the time to show, with its offset from UTC. From 64x48 pixels up, pictures with
    /// successive numbers always differ.
    pub(crate) fn draw(&mut self, frame_number: u32, now: OffsetDateTime) -> RawImage<'_> {
        self.canvas.fill(&self.block, BLACK);
        self.block = self.layout.block(frame_number);
        self.canvas.fill(&self.block, WHITE);

        let line = self.layout.clock;
        self.canvas.fill(&line, PANEL);
        let small = self.layout.small;
        let (clock, counter) = (moment_tenths(now), format!("frame {frame_number}"));
        if small.width(&clock) + small.width("  frame 4294967295") <= line.size.width {
            small.draw(&mut self.canvas, &clock, line.top_left, BRIGHT);
            let indent = line.size.width - small.width(&counter);
            small.draw(&mut self.canvas, &counter, line.top_left + Point::new(indent as i32, 0), DIM);
        } else {
            small.draw_centred(&mut self.canvas, &clock, &line, BRIGHT);
        }
        self.canvas.image()
    }
}

/// Where the parts of a test card go. Sixteenths of the height from the top: bars 9, greys 1,
/// track of the block 1, text 5.
#[derive(Debug)]
struct Layout {
    bars: Band,
    greys: Band,
    track: Rectangle,
    label: Rectangle,
    subtitle: Rectangle,
    clock: Rectangle,
    large: Lettering,
    small: Lettering,
}

/// A rectangle over the whole width that is cut into columns.
#[derive(Debug)]
struct Band {
    top: u32,
    width: u32,
    height: u32,
}

impl Layout {
    fn of(width: u32, height: u32) -> Self {
        // Even edges: two by two pixels share their chroma.
        let edge = |sixteenths: u32| (u64::from(height) * u64::from(sixteenths) / 16) as u32 / 2 * 2;
        let (greys, track, text) = (edge(9), edge(10), edge(11));
        let margin = width / 32;
        let (text_width, text_height) = (width - margin * 2, height - text);
        let large = Lettering::fitting(LABEL.len() as u32, text_width, text_height * 2 / 5);
        let small = Lettering::fitting(CLOCK_COLUMNS, text_width, text_height / 5);
        let free = text_height.saturating_sub(large.line_height() + small.line_height() * 2);
        let line = |top: u32, lettering: Lettering| {
            Rectangle::new(
                Point::new(margin as i32, top as i32),
                Size::new(text_width, lettering.line_height()),
            )
        };
        let label = text + free / 4;
        let subtitle = label + large.line_height() + free / 4;
        let clock = subtitle + small.line_height() + free / 4;
        Self {
            bars: Band { top: 0, width, height: greys },
            greys: Band { top: greys, width, height: track - greys },
            track: Rectangle::new(Point::new(0, track as i32), Size::new(width, text - track)),
            label: line(label, large),
            subtitle: line(subtitle, small),
            clock: line(clock, small),
            large,
            small,
        }
    }

    /// Where the block is in picture `frame_number`: it goes from side to side in 60 pictures
    /// and back in 60.
    fn block(&self, frame_number: u32) -> Rectangle {
        const STEPS: u32 = 60;
        let Size { width, height } = self.track.size;
        let side = (height * 2).min(width);
        let step = frame_number % (STEPS * 2);
        let step = step.min(STEPS * 2 - step);
        let x = u64::from(width - side) * u64::from(step) / u64::from(STEPS);
        Rectangle::new(self.track.top_left + Point::new(x as i32, 0), Size::new(side, height))
    }
}

impl Band {
    /// The column number `i` of `count`; its edges are even.
    fn column(&self, i: u32, count: u32) -> Rectangle {
        let edge = |i: u32| match i {
            i if i == count => self.width,
            i => (u64::from(self.width) * u64::from(i) / u64::from(count)) as u32 / 2 * 2,
        };
        let size = Size::new(edge(i + 1) - edge(i), self.height);
        Rectangle::new(Point::new(edge(i) as i32, self.top as i32), size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg::{Encoder, Settings};
    use crate::draw::testing::{NOW, SIZES, long_text, luma};
    use crate::media::Chroma;

    /// RGB pixels as a viewer sees them.
    fn shown(image: &RawImage<'_>) -> Vec<[u8; 3]> {
        let mut jpeg = Vec::new();
        let settings = Settings { quality: 90, chroma: Chroma::AsCaptured, threads: 1 };
        Encoder::new(settings).encode(image, &mut jpeg).unwrap();
        let rgb = jpeg_decoder::Decoder::new(&jpeg[..]).decode().unwrap();
        rgb.as_chunks::<3>().0.to_vec()
    }

    #[test]
    fn the_bars_have_their_colours_at_their_places() {
        for (width, height) in [(64, 48), (640, 480), (1280, 720)] {
            let mut card = TestCard::new(width, height, "front", "test card");
            let pixels = shown(&card.draw(0, NOW));
            for (i, wanted) in BARS.into_iter().enumerate() {
                let x = (2 * i + 1) * width as usize / (2 * BARS.len());
                for y in [0, height as usize / 4, height as usize / 2] {
                    let seen = pixels[y * width as usize + x];
                    let is_near = seen.iter().zip(wanted).all(|(seen, wanted)| seen.abs_diff(wanted) < 12);
                    assert!(is_near, "{width}x{height} bar {i} row {y}: {seen:?}, not {wanted:?}");
                }
            }
        }
    }

    #[test]
    fn successive_pictures_differ_within_a_tick_of_the_clock() {
        for (width, height) in [(64, 48), (640, 480), (3840, 2160)] {
            let mut card = TestCard::new(width, height, "front", "test card");
            let mut before = luma(&card.draw(u32::MAX - 1, NOW)).to_vec();
            for frame_number in [u32::MAX, 0, 1, 2, 59, 60, 61, 119, 120, 121] {
                let picture = luma(&card.draw(frame_number, NOW)).to_vec();
                assert_ne!(picture, before, "{width}x{height}, frame {frame_number}");
                before = picture;
            }
        }
    }

    #[test]
    fn a_picture_depends_on_its_number_and_time_alone() {
        let mut card = TestCard::new(640, 480, "front", "test card");
        for frame_number in [5, 999_999, 70, 3] {
            card.draw(frame_number, NOW + time::Duration::seconds(frame_number.into()));
        }
        let mut fresh = TestCard::new(640, 480, "front", "test card");
        assert_eq!(card.draw(8, NOW).data, fresh.draw(8, NOW).data);
    }

    #[test]
    fn the_name_and_the_note_are_drawn() {
        let draw = |title, note| TestCard::new(640, 480, title, note).draw(1, NOW).data.to_vec();
        assert_ne!(draw("front", "test card"), draw("back", "test card"));
        assert_ne!(draw("front", "test card"), draw("front", "no camera found"));
    }

    #[test]
    fn a_card_of_any_size_with_any_text_can_be_drawn() {
        for (width, height) in SIZES {
            for text in ["", "front", &long_text()] {
                let drawn_bytes = TestCard::new(width, height, text, text).draw(7, NOW).data.len();
                assert_eq!(
                    drawn_bytes,
                    Canvas::new(width, height, PANEL).image().data.len(),
                    "{width}x{height}"
                );
            }
        }
    }
}
