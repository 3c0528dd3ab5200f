//! How two components lie to each other that may be one thing in two looks: the way between them, in sixteenths of a cell, and
//! whether one may have become the other.

use crate::detect::components::Component;

/// Whether two components are of about the same size.
pub(super) fn is_alike(one: &Component, two: &Component) -> bool {
    one.area <= 3 * two.area && two.area <= 3 * one.area
}

/// How many cells a component may be away from itself in the last look: a runner leaves a gap of half their width in a fifth
/// of a second, and a car none. An insect near the lens leaves more than its own size.
pub(super) fn reach(component: &Component, since_us: u64) -> i32 {
    let looks = (since_us / 100_000).clamp(1, 10) as i32;
    let size = (4 * component.shorter_side()).max(3 * component.longer_side());
    (size * looks / 16 + 1).min(2 * component.longer_side())
}

/// How far two places are from each other, within an eighth.
pub(super) fn apart((x, y): (i32, i32), (other_x, other_y): (i32, i32)) -> i32 {
    let (across, down) = ((x - other_x).abs(), (y - other_y).abs());
    across.max(down) + 3 * across.min(down) / 8
}

/// How far something has gone with both of its sides, in sixteenths of a cell: what fades at one side, or grows, has not.
pub(super) fn advance(from: &Component, to: &Component) -> (i32, i32) {
    let moved = |to: u16, from: u16| 16 * (i32::from(to) - i32::from(from));
    let both = |one: i32, other: i32| match (one < 0) == (other < 0) {
        true if one.abs() < other.abs() => one,
        true => other,
        false => 0,
    };
    let across = both(moved(to.left, from.left), moved(to.right, from.right));
    (across, both(moved(to.top, from.top), moved(to.bottom, from.bottom)))
}

/// The step of the centre, in sixteenths of a cell; across the direction only as far as both sides have gone. Legs that come into view are no
/// step, but an insect grows along its way.
pub(super) fn step(from: &Component, to: &Component) -> (i32, i32) {
    let (advanced, before, now) = (advance(from, to), from.centre(), to.centre());
    let (across, down) = (now.0 - before.0, now.1 - before.1);
    if across.abs() > down.abs() { (across, advanced.1) } else { (advanced.0, down) }
}

/// Cells between two boxes; 0 if they touch.
pub(super) fn gap(one: &Component, two: &Component) -> i32 {
    let between = |start: u16, end: u16, other_start: u16, other_end: u16| {
        (i32::from(start) - i32::from(other_end)).max(i32::from(other_start) - i32::from(end)).max(0)
    };
    between(one.left, one.right, two.left, two.right).max(between(one.top, one.bottom, two.top, two.bottom))
}

pub(super) fn distance(one: &Component, two: &Component) -> i32 {
    let ((x, y), (other_x, other_y)) = (one.centre(), two.centre());
    (x - other_x).abs() + (y - other_y).abs()
}
