//! Polygons as cells of a grid.

use super::settings::Settings;
use crate::media::{Point, Polygon};

/// For each cell of a grid, row by row, the zones that it counts for: bit n for zone n. Without zones, all cells count for
/// one that has no name.
pub(super) fn of_cells(settings: &Settings, (width, height): (usize, usize), out: &mut Vec<u32>) {
    out.clear();
    let zones = &settings.zones[..settings.zones.len().min(Settings::MOST_ZONES)];
    out.resize(width * height, u32::from(zones.is_empty()));
    for (number, zone) in zones.iter().enumerate() {
        paint(&zone.points, (width, height), |cell| out[cell] |= 1 << number);
    }
    for mask in &settings.masks {
        paint(mask, (width, height), |cell| out[cell] = 0);
    }
}

/// Calls `set` for each cell whose centre the polygon goes around.
fn paint(polygon: &Polygon, (width, height): (usize, usize), mut set: impl FnMut(usize)) {
    if polygon.len() < 3 {
        return;
    }
    let full = i64::from(Point::FULL);
    let centre = |at: usize, of: usize| (2 * at as i64 + 1) * full / (2 * of as i64);
    for row in 0..height {
        for column in 0..width {
            if goes_around(polygon, centre(column, width), centre(row, height)) {
                set(row * width + column);
            }
        }
    }
}

/// Whether the polygon winds around a point.
fn goes_around(polygon: &Polygon, x: i64, y: i64) -> bool {
    let next = polygon.iter().cycle().skip(1);
    let mut turns = 0;
    for (from, to) in polygon.iter().zip(next) {
        let (from_x, from_y) = (i64::from(from.x), i64::from(from.y));
        let (to_x, to_y) = (i64::from(to.x), i64::from(to.y));
        let side = (to_x - from_x) * (y - from_y) - (x - from_x) * (to_y - from_y);
        match (from_y <= y, to_y <= y) {
            (true, false) if side > 0 => turns += 1,
            (false, true) if side < 0 => turns -= 1,
            _ => {}
        }
    }
    turns != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Zone;

    fn polygon(points: &[(u16, u16)]) -> Polygon {
        points.iter().map(|&(x, y)| Point { x, y }).collect()
    }

    fn cells(zones: &[&[(u16, u16)]], masks: &[&[(u16, u16)]]) -> Vec<u32> {
        let zone = |points: &&[(u16, u16)]| Zone { name: "z".to_owned(), points: polygon(points) };
        let settings = Settings {
            zones: zones.iter().map(zone).collect(),
            masks: masks.iter().map(|points| polygon(points)).collect(),
            ..Settings::default()
        };
        let mut out = Vec::new();
        of_cells(&settings, (4, 2), &mut out);
        out
    }

    const LEFT: &[(u16, u16)] = &[(0, 0), (5000, 0), (5000, 10_000), (0, 10_000)];

    #[test]
    fn without_zones_everything_counts_but_masks() {
        assert_eq!(cells(&[], &[]), [1; 8]);
        assert_eq!(cells(&[], &[LEFT]), [0, 0, 1, 1, 0, 0, 1, 1]);
    }

    #[test]
    fn cells_know_their_zones() {
        let top: &[_] = &[(0, 0), (10_000, 0), (10_000, 5000), (0, 5000)];
        assert_eq!(cells(&[LEFT, top], &[]), [3, 3, 2, 2, 1, 1, 0, 0]);
    }

    #[test]
    fn a_polygon_without_an_area_covers_nothing() {
        for odd in [&[][..], &[(2000, 2000)], &[(0, 0), (9000, 9000)], &[(7, 7), (7, 7), (7, 7)]] {
            assert_eq!(cells(&[odd], &[]), [0; 8]);
            assert_eq!(cells(&[], &[odd]), [1; 8]);
        }
    }

    #[test]
    fn a_polygon_outside_or_crossing_itself_is_cut_or_whole() {
        let far: &[_] = &[(5000, 0), (65_535, 0), (65_535, 65_535), (5000, 65_535)];
        assert_eq!(cells(&[far], &[]), [0, 0, 1, 1, 0, 0, 1, 1]);
        let bow: &[_] = &[(0, 0), (10_000, 10_000), (10_000, 0), (0, 10_000)];
        assert_eq!(cells(&[bow], &[]), [1, 0, 0, 1, 1, 0, 0, 1]);
    }
}
