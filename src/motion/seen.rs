//! Settings for the picture as the camera sends it, made settings for the picture as it is seen: frames of the hub are turned already.

use crate::detect::settings::Settings;
use crate::draw;
use crate::media::{Corner, Flip, MotionSettings, PictureEdits, Point, Polygon, Rotation, Zone};

/// Where lettering changes each second, nothing counts. So much more than its box is left out, in pixels.
const MARGIN: u32 = 8;

/// The detector's settings. `lettering` is that of the pictures now; `size` that of the pictures as they are seen.
pub(super) fn settings(
    motion: &MotionSettings,
    edits: &PictureEdits,
    lettering: &str,
    size: (u32, u32),
) -> Settings {
    let turned = |points: &Polygon| points.iter().map(|point| turn(*point, edits)).collect::<Polygon>();
    let mut masks: Vec<Polygon> = motion.masks.iter().map(turned).collect();
    masks.extend(stamp_box(edits, lettering, size));
    Settings {
        size: motion.size,
        looks: motion.looks,
        zones: motion
            .zones
            .iter()
            .map(|zone| Zone { name: zone.name.clone(), points: turned(&zone.points) })
            .collect(),
        masks,
    }
}

/// Where a point of the picture is seen.
fn turn(Point { x, y }: Point, edits: &PictureEdits) -> Point {
    let other = |side: u16| Point::FULL.saturating_sub(side);
    let (x, y) = match edits.rotation {
        Rotation::None => (x, y),
        Rotation::Right => (other(y), x),
        Rotation::Around => (other(x), other(y)),
        Rotation::Left => (y, other(x)),
    };
    match edits.flip {
        Flip::None => Point { x, y },
        Flip::Horizontal => Point { x: other(x), y },
        Flip::Vertical => Point { x, y: other(y) },
    }
}

/// The box of the lettering, where there is any.
fn stamp_box(edits: &PictureEdits, lettering: &str, size: (u32, u32)) -> Option<Polygon> {
    if edits.stamp.is_empty() || size.0 == 0 || size.1 == 0 {
        return None;
    }
    let (width, pixels) = draw::stamp_pixels(lettering, size);
    let height = pixels.len() / width.max(1);
    let share = |side: usize, of: u32| {
        let side = (side as u32 + MARGIN) * u32::from(Point::FULL) / of;
        side.min(u32::from(Point::FULL)) as u16
    };
    let (width, height) = (share(width, size.0), share(height, size.1));
    let (is_right, is_bottom) = match edits.stamp_corner {
        Corner::TopLeft => (false, false),
        Corner::TopRight => (true, false),
        Corner::BottomLeft => (false, true),
        Corner::BottomRight => (true, true),
    };
    let (left, right) = if is_right { (Point::FULL - width, Point::FULL) } else { (0, width) };
    let (top, bottom) = if is_bottom { (Point::FULL - height, Point::FULL) } else { (0, height) };
    let corner = |x, y| Point { x, y };
    Some(vec![corner(left, top), corner(right, top), corner(right, bottom), corner(left, bottom)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_seen_where_the_turned_picture_has_it() {
        let at = |rotation, flip| {
            let edits = PictureEdits { rotation, flip, ..PictureEdits::default() };
            let point = turn(Point { x: 1000, y: 3000 }, &edits);
            (point.x, point.y)
        };
        assert_eq!(at(Rotation::None, Flip::None), (1000, 3000));
        assert_eq!(at(Rotation::Right, Flip::None), (7000, 1000));
        assert_eq!(at(Rotation::Around, Flip::None), (9000, 7000));
        assert_eq!(at(Rotation::Left, Flip::None), (3000, 9000));
        assert_eq!(at(Rotation::Right, Flip::Horizontal), (3000, 1000));
        assert_eq!(at(Rotation::None, Flip::Vertical), (1000, 7000));
    }

    #[test]
    fn what_lettering_changes_does_not_count() {
        let edits = PictureEdits {
            stamp: "%H:%M:%S".to_owned(),
            stamp_corner: Corner::TopRight,
            ..PictureEdits::default()
        };
        let found = settings(&MotionSettings::default(), &edits, "12:34:56", (640, 480)).masks;
        let [mask] = found.as_slice() else { panic!("{found:?}") };
        let (left, bottom) = (mask[0].x, mask[2].y);
        assert!((5000..9500).contains(&left) && mask[1].x == 10_000, "{mask:?}");
        assert!((200..2000).contains(&bottom) && mask[0].y == 0, "{mask:?}");
        let plain = settings(&MotionSettings::default(), &PictureEdits::default(), "", (640, 480));
        assert!(plain.masks.is_empty());
    }
}
