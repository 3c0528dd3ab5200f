//! Lettering in a corner of a picture.

use super::header::{Header, Quantization};
use super::layout::Layout;
use super::overlay::Overlay;
use crate::media::Corner;

/// A small grey picture that replaces a part of another one, as the turned picture is seen. It grows to whole units of
/// blocks by repeating its edge, and what has no room is cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Where it goes.
    pub corner: Corner,
    /// Pixels in a row.
    pub width: usize,
    /// The brightness of each pixel, row by row. A row that is not whole is left out.
    pub grey: Vec<u8>,
}

impl Stamp {
    /// Replaces blocks of a picture of `size` in pixels and of layout `layout`, with these quantization tables of its
    /// components. `header` is that of the camera.
    pub(super) fn put(
        &self,
        header: &Header,
        (layout, size): (&Layout, (u32, u32)),
        quantization: &[Quantization],
        overlay: &mut Overlay,
    ) {
        let Some(height) = self.grey.len().checked_div(self.width).filter(|&height| height > 0) else {
            return;
        };
        let (unit_width, unit_height) = (layout.unit_width as usize, layout.unit_height as usize);
        // A unit that the edge cuts would cut the lettering, too.
        let whole = (size.0 / layout.unit_width, size.1 / layout.unit_height);
        let across = place(self.width, unit_width, whole.0 as usize, self.corner.is_right());
        let down = place(height, unit_height, whole.1 as usize, self.corner.is_bottom());
        let (Some((left, right)), Some((top, bottom))) = (across, down) else { return };
        for component in 0..layout.planes().len() {
            let plane = layout.planes()[component];
            let quantization = &quantization[component];
            let (step_x, step_y) = (unit_width / 8 / plane.across, unit_height / 8 / plane.down);
            let is_chroma = header.is_chroma(component);
            let neutral = if is_chroma { overlay.prepare_flat(128, quantization) } else { None };
            for row in top * plane.down..bottom * plane.down {
                for column in left * plane.across..right * plane.across {
                    let pixel = |at: usize| {
                        let x = ((column * 8 + at % 8) * step_x - left * unit_width).min(self.width - 1);
                        let y = ((row * 8 + at / 8) * step_y - top * unit_height).min(height - 1);
                        self.grey[y * self.width + x]
                    };
                    let kind = match is_chroma {
                        true => neutral,
                        false => overlay.prepare_samples(&std::array::from_fn(pixel), quantization),
                    };
                    let Some(kind) = kind else { return };
                    let number = layout.column(component, column) + layout.row(component, row);
                    overlay.replace(layout, number, kind);
                }
            }
        }
    }
}

impl Corner {
    fn is_right(self) -> bool {
        matches!(self, Self::TopRight | Self::BottomRight)
    }

    fn is_bottom(self) -> bool {
        matches!(self, Self::BottomLeft | Self::BottomRight)
    }
}

/// The first and the last unit of `length` pixels, at the start or at the end of `units`; `None` if there is no unit.
fn place(length: usize, unit: usize, units: usize, is_at_end: bool) -> Option<(usize, usize)> {
    let taken = length.div_ceil(unit).min(units);
    let start = if is_at_end { units - taken } else { 0 };
    (taken > 0).then_some((start, start + taken))
}
