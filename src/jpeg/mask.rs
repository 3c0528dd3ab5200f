//! Which blocks a privacy mask covers.

use super::header::Header;
use super::layout::Layout;
use super::overlay::Overlay;

/// Parts of a picture that nobody may see.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// Polygons: corners as fractions of width and height, from the left upper corner of the picture as the camera
    /// sends it, before it is turned. Where a polygon crosses itself, everything that it goes around is covered.
    pub polygons: Vec<Vec<(f32, f32)>>,
    /// The brightness of what is covered, 0 to 255. It has no colour.
    pub level: u8,
}

/// How far from a block a polygon counts as touching it, in pixels: more than what rounding is off by.
const TOUCH_PIXELS: f32 = 0.02;

impl Mask {
    /// For each square of `side` pixels of a picture of this size, row by row, whether it touches a polygon. Squares at
    /// the right and at the bottom may be cut off.
    pub fn touched(&self, (width, height): (u32, u32), side: u32) -> Vec<bool> {
        let size = (width as f32, height as f32);
        let polygons: Vec<Polygon> =
            self.polygons.iter().map(|corners| Polygon::new(corners, size)).collect();
        let squares = |length: u32| 0..length.div_ceil(side.max(1));
        let is_touched = |(column, row): (u32, u32)| {
            let (left, top) = ((column * side) as f32, (row * side) as f32);
            let square = Area { left, top, right: left + side as f32, bottom: top + side as f32 };
            polygons.iter().any(|polygon| polygon.touches(&square))
        };
        squares(height)
            .flat_map(|row| squares(width).map(move |column| (column, row)))
            .map(is_touched)
            .collect()
    }

    /// Replaces every block that touches a polygon by a flat one. A polygon with a coordinate that is no number
    /// covers everything. `None` if the overlay is full.
    pub(super) fn cover(&self, header: &Header, overlay: &mut Overlay) -> Option<()> {
        let layout = &header.layout;
        let size = (header.width as f32, header.height as f32);
        let polygons: Vec<Polygon> =
            self.polygons.iter().map(|corners| Polygon::new(corners, size)).collect();
        for component in 0..layout.planes().len() {
            let level = if header.is_chroma(component) { 128 } else { self.level };
            let flat = overlay.prepare_flat(level, header.quantization(component))?;
            let (width, height) = block_size(layout, component);
            overlay.replace_blocks(header, layout, component, |column, row| {
                let (left, top) = (column as f32 * width, row as f32 * height);
                let block = Area { left, top, right: left + width, bottom: top + height };
                polygons.iter().any(|polygon| polygon.touches(&block)).then_some(flat)
            });
        }
        Some(())
    }
}

/// Width and height of a component's block in pixels of the picture.
pub(super) fn block_size(layout: &Layout, component: usize) -> (f32, f32) {
    let plane = layout.planes()[component];
    (layout.unit_width as f32 / plane.across as f32, layout.unit_height as f32 / plane.down as f32)
}

/// A rectangle, in pixels.
struct Area {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

/// A polygon, in pixels.
struct Polygon {
    corners: Vec<(f32, f32)>,
    /// A rectangle around it.
    around: Area,
    covers_all: bool,
}

impl Polygon {
    fn new(corners: &[(f32, f32)], (width, height): (f32, f32)) -> Self {
        let corners: Vec<_> = corners.iter().map(|&(x, y)| (x * width, y * height)).collect();
        let least = |axis: fn(&(f32, f32)) -> f32| corners.iter().map(axis).fold(f32::INFINITY, f32::min);
        let most = |axis: fn(&(f32, f32)) -> f32| corners.iter().map(axis).fold(f32::NEG_INFINITY, f32::max);
        let around = Area {
            left: least(|corner| corner.0) - TOUCH_PIXELS,
            top: least(|corner| corner.1) - TOUCH_PIXELS,
            right: most(|corner| corner.0) + TOUCH_PIXELS,
            bottom: most(|corner| corner.1) + TOUCH_PIXELS,
        };
        let covers_all = corners.iter().any(|(x, y)| !x.is_finite() || !y.is_finite());
        Self { corners, around, covers_all }
    }

    /// Whether a point of the area is in the polygon or on its border.
    fn touches(&self, area: &Area) -> bool {
        if self.covers_all {
            return true;
        }
        let is_near = self.around.left <= area.right
            && area.left <= self.around.right
            && self.around.top <= area.bottom
            && area.top <= self.around.bottom;
        is_near
            && (self.edges().any(|(from, to)| crosses(from, to, area))
                || self.goes_around(area.left, area.top))
    }

    fn edges(&self) -> impl Iterator<Item = ((f32, f32), (f32, f32))> {
        let next = self.corners.iter().cycle().skip(1);
        self.corners.iter().copied().zip(next.copied())
    }

    /// Whether the polygon winds around a point.
    fn goes_around(&self, x: f32, y: f32) -> bool {
        let mut turns = 0;
        for ((from_x, from_y), (to_x, to_y)) in self.edges() {
            let side = (to_x - from_x) * (y - from_y) - (x - from_x) * (to_y - from_y);
            match (from_y <= y, to_y <= y) {
                (true, false) if side > 0.0 => turns += 1,
                (false, true) if side < 0.0 => turns -= 1,
                _ => {}
            }
        }
        turns != 0
    }
}

/// Whether a part of the edge lies in the area.
fn crosses((from_x, from_y): (f32, f32), (to_x, to_y): (f32, f32), area: &Area) -> bool {
    // The share of the edge that is not beyond any side of the area.
    let (mut first, mut last) = (0.0f32, 1.0f32);
    let sides = [
        (from_x - to_x, from_x - area.left),
        (to_x - from_x, area.right - from_x),
        (from_y - to_y, from_y - area.top),
        (to_y - from_y, area.bottom - from_y),
    ];
    for (towards, room) in sides {
        let room = room + TOUCH_PIXELS;
        if towards == 0.0 {
            if room < 0.0 {
                return false;
            }
        } else if towards < 0.0 {
            first = first.max(room / towards);
        } else {
            last = last.min(room / towards);
        }
    }
    first <= last
}
