//! A picture to draw on: I420 planes at full range, which the JPEG encoder takes as they are.
//!
//! What belongs here: pixels and rectangles. [`super::card`] and [`super::no_signal`] decide what a picture shows.

use std::convert::Infallible;
use std::ops::Range;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::PixelColor;
use embedded_graphics::primitives::Rectangle;

use crate::media::{PixelFormat, Range601, RawImage};

/// A colour in full-range BT.601.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ink {
    y: u8,
    cb: u8,
    cr: u8,
}

impl Ink {
    /// A grey from 0 (black) to 255 (white).
    pub(super) const fn grey(level: u8) -> Self {
        Self { y: level, cb: 128, cr: 128 }
    }

    /// The ink nearest to an RGB colour (JFIF 1.02, "Conversion to and from RGB").
    pub(super) const fn rgb(r: u8, g: u8, b: u8) -> Self {
        let (r, g, b) = (r as i32, g as i32, b as i32);
        Self {
            y: from_thousandths(299 * r + 587 * g + 114 * b),
            cb: from_thousandths(128_000 - 169 * r - 331 * g + 500 * b),
            cr: from_thousandths(128_000 + 500 * r - 419 * g - 81 * b),
        }
    }
}

impl PixelColor for Ink {
    /// Inks never come from packed image data.
    type Raw = ();
}

/// The picture. Whatever is drawn outside of it is dropped.
#[derive(Debug)]
pub(super) struct Canvas {
    width: u32,
    height: u32,
    /// The planes of Y, Cb and Cr, one after the other, without padding.
    data: Vec<u8>,
}

impl Canvas {
    /// A canvas of `width` by `height` pixels, all `ink`. It takes one and a half bytes a pixel.
    pub(super) fn new(width: u32, height: u32, ink: Ink) -> Self {
        let luma_bytes = width as usize * height as usize;
        let chroma_bytes = width.div_ceil(2) as usize * height.div_ceil(2) as usize;
        let mut data = vec![ink.y; luma_bytes];
        data.resize(luma_bytes + chroma_bytes, ink.cb);
        data.resize(luma_bytes + chroma_bytes * 2, ink.cr);
        Self { width, height, data }
    }

    /// The whole canvas.
    pub(super) fn area(&self) -> Rectangle {
        Rectangle::new(Point::zero(), Size::new(self.width, self.height))
    }

    /// Fills `area` with `ink`. Where its edges are odd, the chroma of the pixels next to it
    /// changes too, for two by two pixels share theirs.
    pub(super) fn fill(&mut self, area: &Rectangle, ink: Ink) {
        let area = area.intersection(&self.area());
        if area.is_zero_sized() {
            return;
        }
        // Not negative, and not beyond the canvas: that is what the intersection did.
        let (left, top) = (area.top_left.x as usize, area.top_left.y as usize);
        let (right, bottom) = (left + area.size.width as usize, top + area.size.height as usize);
        let (luma, cb, cr) = self.planes();
        luma.fill(left..right, top..bottom, ink.y);
        let (columns, rows) = (left / 2..right.div_ceil(2), top / 2..bottom.div_ceil(2));
        cb.fill(columns.clone(), rows.clone(), ink.cb);
        cr.fill(columns, rows, ink.cr);
    }

    /// The picture, ready to be encoded.
    pub(super) fn image(&self) -> RawImage<'_> {
        RawImage {
            format: PixelFormat::I420,
            width: self.width,
            height: self.height,
            stride_bytes: self.width,
            range: Range601::Full,
            data: &self.data,
        }
    }

    fn planes(&mut self) -> (Plane<'_>, Plane<'_>, Plane<'_>) {
        let (width, chroma_width) = (self.width as usize, self.width.div_ceil(2) as usize);
        let chroma_bytes = chroma_width * self.height.div_ceil(2) as usize;
        let (luma, chroma) = self.data.split_at_mut(width * self.height as usize);
        let (cb, cr) = chroma.split_at_mut(chroma_bytes);
        (
            Plane { samples: luma, width },
            Plane { samples: cb, width: chroma_width },
            Plane { samples: cr, width: chroma_width },
        )
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Ink;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Ink>>,
    {
        for Pixel(point, ink) in pixels {
            self.fill(&Rectangle::new(point, Size::new(1, 1)), ink);
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, ink: Ink) -> Result<(), Infallible> {
        self.fill(area, ink);
        Ok(())
    }
}

/// A canvas seen through a lens: each pixel drawn becomes a square of `scale` by `scale` pixels,
/// the pixel (0, 0) the one at `origin`.
#[derive(Debug)]
pub(super) struct Magnified<'a> {
    /// Where the squares go.
    pub(super) canvas: &'a mut Canvas,
    /// Place of the pixel (0, 0) on the canvas.
    pub(super) origin: Point,
    /// Side of a square in pixels.
    pub(super) scale: u32,
}

impl OriginDimensions for Magnified<'_> {
    fn size(&self) -> Size {
        self.canvas.size() / self.scale.max(1)
    }
}

impl DrawTarget for Magnified<'_> {
    type Color = Ink;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Ink>>,
    {
        let square = Size::new(self.scale, self.scale);
        for Pixel(point, ink) in pixels {
            let corner = self.origin + point * self.scale as i32;
            self.canvas.fill(&Rectangle::new(corner, square), ink);
        }
        Ok(())
    }
}

struct Plane<'a> {
    samples: &'a mut [u8],
    width: usize,
}

impl Plane<'_> {
    fn fill(self, columns: Range<usize>, rows: Range<usize>, value: u8) {
        for row in self.samples.chunks_exact_mut(self.width).take(rows.end).skip(rows.start) {
            row[columns.clone()].fill(value);
        }
    }
}

/// Rounds, and clamps to a byte.
const fn from_thousandths(value: i32) -> u8 {
    let rounded = (value + 500) / 1000;
    if rounded < 0 {
        0
    } else if rounded > 255 {
        255
    } else {
        rounded as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Ink = Ink::rgb(191, 0, 0);

    #[test]
    fn inks_are_those_of_jfif() {
        assert_eq!(Ink::rgb(255, 255, 255), Ink::grey(255));
        assert_eq!(Ink::rgb(0, 0, 0), Ink::grey(0));
        assert_eq!(Ink::rgb(255, 0, 0), Ink { y: 76, cb: 85, cr: 255 });
        assert_eq!(Ink::rgb(0, 0, 255), Ink { y: 29, cb: 255, cr: 107 });
    }

    #[test]
    fn a_filled_area_covers_its_pixels_in_every_plane() {
        let mut canvas = Canvas::new(8, 4, Ink::grey(0));
        canvas.fill(&Rectangle::new(Point::new(2, 2), Size::new(4, 2)), RED);
        let Ink { y, cb, cr } = RED;
        let luma = [[0; 8], [0; 8], [0, 0, y, y, y, y, 0, 0], [0, 0, y, y, y, y, 0, 0]].concat();
        let cb = [[128; 4], [128, cb, cb, 128]].concat();
        let cr = [[128; 4], [128, cr, cr, 128]].concat();
        assert_eq!(canvas.image().data, [luma, cb, cr].concat());
    }

    #[test]
    fn what_lies_outside_is_dropped() {
        for (width, height) in [(0, 0), (0, 5), (1, 1), (7, 5), (64, 48)] {
            let mut canvas = Canvas::new(width, height, Ink::grey(0));
            let far = Rectangle::new(Point::new(70_000, 70_000), Size::new(9, 9));
            canvas.fill(&far, RED);
            canvas.fill(&Rectangle::new(Point::new(-9, -9), Size::new(9, 9)), RED);
            assert_eq!(canvas.image().data, Canvas::new(width, height, Ink::grey(0)).image().data);
            canvas.fill(&Rectangle::new(Point::new(-9, -9), Size::new(9999, 9999)), RED);
            assert_eq!(canvas.image().data, Canvas::new(width, height, RED).image().data);
        }
    }

    #[test]
    fn a_magnified_pixel_is_a_square() {
        let mut canvas = Canvas::new(12, 12, Ink::grey(0));
        let mut lens = Magnified { canvas: &mut canvas, origin: Point::new(2, 4), scale: 3 };
        lens.draw_iter([Pixel(Point::new(1, 2), Ink::grey(255))]).unwrap();
        let mut wanted = Canvas::new(12, 12, Ink::grey(0));
        wanted.fill(&Rectangle::new(Point::new(5, 10), Size::new(3, 3)), Ink::grey(255));
        assert_eq!(canvas.image().data, wanted.image().data);
    }
}
