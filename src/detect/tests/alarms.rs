//! Alarms of the scene.

use super::*;

/// What began (`+`) and ended (`-`).
fn alarms(changes: &[Change]) -> Vec<(char, Kind)> {
    let reported = changes.iter().filter_map(|change| match change {
        Change::Began(detection) => Some(('+', detection.kind)),
        Change::Ended(detection, _) => Some(('-', detection.kind)),
        Change::Rose(_) => None,
    });
    reported.filter(|(_, kind)| *kind != Kind::Motion).collect()
}

/// A camera that has seen its room for half a minute.
fn camera() -> Camera {
    let mut camera = Camera::new(Settings::default());
    assert_eq!(alarms(&camera.looks(150, |_, _, grey| grey)), []);
    camera
}

#[test]
fn a_hand_before_the_lens_is_covered_until_it_goes() {
    let mut camera = camera();
    assert_eq!(alarms(&camera.looks(10, |_, _, _| 400)), [], "for two seconds");
    assert_eq!(alarms(&camera.looks(25, |_, _, _| 400)), [('+', Kind::Covered)]);
    assert_eq!(alarms(&camera.looks(500, |_, _, _| 400)), []);
    assert_eq!(alarms(&camera.looks(30, |_, _, grey| grey)), [('-', Kind::Covered)]);
}

#[test]
fn a_room_without_light_is_dark_and_not_covered() {
    let mut camera = camera();
    assert_eq!(alarms(&camera.looks(40, |_, _, grey| grey / 15)), []);
    assert_eq!(alarms(&camera.looks(100, |_, _, grey| grey / 15)), [('+', Kind::Dark)]);
    assert_eq!(alarms(&camera.looks(50, |_, _, grey| grey / 3)), [('-', Kind::Dark)]);
    assert_eq!(alarms(&camera.looks(100, |_, _, grey| grey / 2)), [], "less light than before is no alarm");
}

#[test]
fn a_picture_that_repeats_is_frozen_if_it_varied_before() {
    let mut camera = camera();
    let (moving, same) = (camera.repeats(45), camera.repeats(10));
    assert_eq!((alarms(&moving), alarms(&same)), (vec![], vec![('+', Kind::Frozen)]));
    assert_eq!(alarms(&camera.looks(10, |_, _, grey| grey)), [('-', Kind::Frozen)]);
    // One that never varies is drawn by a program.
    let mut drawn = Camera::new(Settings::default());
    drawn.noise = 0;
    drawn.looks(150, |_, _, grey| grey);
    assert_eq!(alarms(&drawn.repeats(200)), []);
}

#[test]
fn blocks_that_never_change_are_frozen_too() {
    let mut camera = camera();
    camera.noise = 0;
    assert_eq!(alarms(&camera.looks(100, |_, _, grey| grey)), []);
    assert_eq!(alarms(&camera.looks(100, |_, _, grey| grey)), [('+', Kind::Frozen)]);
}

#[test]
fn a_camera_that_is_turned_has_moved_and_knows_its_new_view() {
    let mut camera = camera();
    let turned = |_: u64, (x, y): (usize, usize), _: i32| room((x + 5) % WIDTH, y + 4);
    assert_eq!(alarms(&camera.looks(20, turned)), []);
    assert_eq!(alarms(&camera.looks(30, turned)), [('+', Kind::Moved)]);
    assert_eq!(alarms(&camera.looks(500, turned)), [('-', Kind::Moved)]);
    assert_eq!(alarms(&camera.looks(100, |_, _, grey| grey)), [('+', Kind::Moved)]);
}

#[test]
fn less_detail_in_the_same_view_and_light_is_defocused() {
    let mut camera = camera();
    camera.detail = 30_000;
    camera.looks(150, |_, _, grey| grey);
    camera.detail = 16_000;
    assert_eq!(alarms(&camera.looks(40, |_, _, grey| grey)), []);
    assert_eq!(alarms(&camera.looks(40, |_, _, grey| grey)), [('+', Kind::Defocused)]);
    camera.detail = 29_000;
    assert_eq!(alarms(&camera.looks(40, |_, _, grey| grey)), [('-', Kind::Defocused)]);
    camera.detail = 16_000;
    assert_eq!(alarms(&camera.looks(100, |_, _, grey| grey / 2)), [], "less light has less detail");
}

#[test]
fn people_and_light_are_no_alarm() {
    let mut camera = camera();
    assert_eq!(alarms(&camera.looks(75, |look, at, grey| person(look as usize, at, grey))), []);
    assert_eq!(alarms(&camera.looks(100, |_, (x, _), grey| grey + 8 * x as i32)), []);
}
