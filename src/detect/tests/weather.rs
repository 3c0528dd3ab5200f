//! Changes all over the picture, and somebody who only seems to cause such.

use super::*;

/// Rain: one block of five is brighter, each time others.
fn rain(look: u64, (x, y): (usize, usize), grey: i32) -> i32 {
    let drop = (x as u64 * 73 + y as u64 * 151 + look * 997).wrapping_mul(0x9E37_79B9) >> 8;
    if drop.is_multiple_of(5) { grey + 400 } else { grey }
}

#[test]
fn rain_that_begins_is_no_motion() {
    let mut camera = Camera::watching();
    assert_eq!(began(&camera.looks(200, rain)), 0);
}

#[test]
fn who_leaves_cells_behind_is_seen_in_a_narrow_zone() {
    // 8 by 16 blocks, of which somebody who walks 2 a look uncovers as many as a storm changes.
    let side = |cells: usize, of: usize| (cells * 10_000 / of) as u16;
    let [left, right, top, bottom] = [side(30, WIDTH), side(38, WIDTH), side(28, HEIGHT), side(44, HEIGHT)];
    let points = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let points = points.map(|(x, y)| Point { x, y }).to_vec();
    let zones = vec![Zone { name: "door".to_owned(), points }];
    let mut camera = Camera::new(Settings { zones, ..Settings::default() });
    camera.looks(50, |_, _, grey| grey);
    let changes = camera.looks(30, |look, at, grey| person(14 + 2 * look as usize, at, grey));
    assert_eq!(began(&changes), 1, "{changes:?}");
}
