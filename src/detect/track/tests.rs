//! Components that are followed, drawn as boxes.

use super::*;

fn component((left, top): (u16, u16), (width, height): (u16, u16)) -> Component {
    let area = u32::from(width * height);
    Component {
        area,
        left,
        right: left + width,
        top,
        bottom: top + height,
        columns: area * u32::from(2 * left + width - 1) / 2,
        rows: area * u32::from(2 * top + height - 1) / 2,
        active: area,
        zones: 1,
        ..Component::default()
    }
}

fn at(look: u64) -> Timestamp {
    Timestamp::from_micros(1_000_000 + look * 200_000)
}

/// How many looks of a component at each of these places are motion.
fn moving(components: &[Component]) -> Vec<bool> {
    let mut tracks = Tracks::default();
    (0..)
        .zip(components)
        .map(|(look, component)| {
            tracks.follow(at(look), 200_000, &[*component], Disturbance::None);
            tracks.moving(at(look)).count() > 0
        })
        .collect()
}

#[test]
fn what_is_seen_twice_in_a_place_is_motion() {
    let walks: Vec<_> = (0..4).map(|look| component((10 + 2 * look, 10), (4, 8))).collect();
    assert_eq!(moving(&walks), [false, true, true, true]);
}

#[test]
fn what_runs_by_its_width_takes_three_looks() {
    let runs: Vec<_> = (0..4).map(|look| component((10 + 4 * look, 10), (4, 9))).collect();
    assert_eq!(moving(&runs), [false, false, true, true]);
}

#[test]
fn what_jumps_through_the_picture_is_no_motion() {
    let flies: Vec<_> = (0..6).map(|look| component((5 + 25 * (look % 3), 9 * look), (3, 3))).collect();
    assert_eq!(moving(&flies), [false; 6]);
}

#[test]
fn what_flies_by_its_own_length_is_an_insect() {
    let flies: Vec<_> = (0..8).map(|look| component((5 + 7 * look, 10), (8, 8))).collect();
    assert_eq!(moving(&flies), [false; 8]);
    // As fast, and longer across its way: the upper half of somebody who runs.
    let runs: Vec<_> = (0..8).map(|look| component((5 + 7 * look, 10), (6, 10))).collect();
    assert_eq!(moving(&runs)[3..], [true; 5]);
    // It seems slower at first, when only a part of it is in the picture.
    let comes: Vec<_> = (0..3).map(|look| component((30 + 3 * look, 0), (8, 2 + 3 * look))).collect();
    assert!(!moving(&comes)[1], "not by one step");
}

#[test]
fn a_jump_in_a_new_light_is_no_motion() {
    let (mut tracks, mut seen) = (Tracks::default(), Vec::new());
    for (look, left) in (0..).zip([10, 10, 20, 20, 20]) {
        tracks.follow(at(look), 200_000, &[component((left, 10), (8, 12))], Disturbance::Light);
        seen.push(tracks.moving(at(look)).count());
    }
    assert_eq!(seen, [0; 5]);
}

#[test]
fn what_passes_what_stands_does_not_take_its_place() {
    let mut tracks = Tracks::default();
    let stands = component((30, 10), (8, 12));
    for look in 0..10 {
        let passes = component((12 + 5 * look as u16, 8), (8, 16));
        tracks.follow(at(look), 200_000, &[passes, stands], Disturbance::Light);
        let mut moving = tracks.moving(at(look));
        assert!(moving.all(|track| track.component.left != 30), "{look}");
    }
    assert_eq!(tracks.moving(at(9)).count(), 1);
}

#[test]
fn what_a_new_light_has_left_is_known_when_it_stands() {
    let disturbances =
        [(Disturbance::Light, 1), (Disturbance::None, 0), (Disturbance::Weather, 0), (Disturbance::Storm, 0)];
    for (disturbance, wanted) in disturbances {
        let mut tracks = Tracks::default();
        for look in 0..8 {
            let active = if look < 2 { 96 } else { 0 };
            let stands = Component { active, ..component((30, 10), (8, 12)) };
            tracks.follow(at(look), 200_000, &[stands], disturbance);
        }
        assert_eq!(tracks.remains(at(7)).count(), wanted, "{disturbance:?}");
    }
}

#[test]
fn what_does_not_change_any_more_has_stopped() {
    let mut stays = vec![component((10, 10), (4, 8)); 12];
    stays.iter_mut().skip(2).for_each(|component| component.active = 0);
    let seen = moving(&stays);
    assert_eq!(seen[..3], [false, true, true]);
    assert!(!seen[11], "{seen:?}");
}

#[test]
fn what_is_first_seen_in_a_new_light_must_travel() {
    for (speed, wanted) in [(0, false), (2, true)] {
        let mut tracks = Tracks::default();
        for look in 0..8 {
            let component = component((10 + speed * look as u16, 10), (4, 8));
            tracks.follow(
                at(look),
                200_000,
                &[component],
                if look < 3 { Disturbance::Light } else { Disturbance::None },
            );
        }
        assert_eq!(tracks.moving(at(7)).count() > 0, wanted, "{speed}");
    }
}

#[test]
fn where_it_flickers_only_what_travels_is_motion() {
    let swaying = |look: u16| Component { flicker: 32 * 100, ..component((10 + look % 2, 10), (4, 8)) };
    assert_eq!(moving(&(0..8).map(swaying).collect::<Vec<_>>()), [false; 8]);
    let walking = |look: u16| Component { flicker: 32 * 100, ..component((10 + 2 * look, 10), (4, 8)) };
    assert!(moving(&(0..8).map(walking).collect::<Vec<_>>())[4]);
}

#[test]
fn who_runs_near_the_camera_is_seen_within_a_second() {
    let places = [(0, 8), (12, 13), (32, 12), (51, 13)];
    let runs = places.map(|(left, width)| component((left, 24), (width, 36)));
    assert_eq!(moving(&runs), [false, false, false, true]);
    // As fast, and not taller than wide.
    let flies = places.map(|(left, width)| component((left, 24), (width, 16)));
    assert_eq!(moving(&flies), [false; 4]);
}

#[test]
fn who_runs_is_no_insect_when_more_of_them_is_seen() {
    // The upper half, and then the legs too: the middle jumps down, and nobody does.
    let runs = [((75, 26), (5, 14)), ((59, 26), (10, 14)), ((44, 26), (10, 31))];
    assert_eq!(moving(&runs.map(|(place, size)| component(place, size))), [false, false, true]);
}

#[test]
fn who_runs_before_a_beam_is_followed_in_every_size() {
    let places = [
        ((71, 19), (9, 34)),
        ((54, 18), (12, 17)),
        ((33, 4), (17, 51)),
        ((16, 17), (14, 36)),
        ((1, 18), (11, 36)),
    ];
    let mut tracks = Tracks::default();
    let looks = (0..).zip(places).map(|(look, (place, size))| {
        tracks.follow(at(look), 200_000, &[component(place, size)], Disturbance::Beam);
        tracks.moving(at(look)).count()
    });
    assert_eq!(looks.collect::<Vec<_>>(), [0, 0, 0, 1, 1]);
}

#[test]
fn an_insect_that_grows_along_its_way_stays_one() {
    let flies = [((20, 10), (5, 5)), ((24, 10), (5, 5)), ((27, 10), (9, 5))];
    assert_eq!(moving(&flies.map(|(place, size)| component(place, size))), [false; 3]);
}

#[test]
fn an_insect_that_is_joined_with_light_stays_one() {
    let mut tracks = Tracks::default();
    let places =
        [((10, 30), (6, 6)), ((18, 30), (6, 6)), ((25, 13), (8, 40)), ((34, 30), (6, 6)), ((42, 30), (6, 6))];
    for (look, (place, size)) in (0..).zip(places) {
        tracks.follow(at(look), 200_000, &[component(place, size)], Disturbance::Beam);
        assert_eq!(tracks.moving(at(look)).count(), 0, "{look}");
    }
}

#[test]
fn a_few_cells_must_travel() {
    assert_eq!(moving(&[component((10, 10), (3, 5)); 8]), [false; 8]);
    let walks: Vec<_> = (0..8).map(|look| component((10 + look, 10), (3, 5))).collect();
    assert_eq!(moving(&walks)[3..], [true; 5]);
}

#[test]
fn what_becomes_stronger_where_it_is_is_no_motion() {
    let grows = |active: u32, look: u16| Component { active, ..component((10, 10), (4, 8 + look)) };
    assert_eq!(moving(&(0..8).map(|look| grows(10, look)).collect::<Vec<_>>()), [false; 8]);
    let comes: Vec<_> = (0..8).map(|look| grows(if look == 0 { 32 } else { 8 }, look)).collect();
    assert!(moving(&comes)[1]);
}

#[test]
fn a_light_that_shrinks_does_not_travel() {
    // Its edges change: more than stands still, and less than a front.
    let shrinks = |look: u16| {
        let width = 24 - 2 * look;
        let active = u32::from(width * 10) * 15 / 100;
        Component { active, ..component((10 + 2 * look, 10), (width, 10)) }
    };
    assert_eq!(moving(&(0..10).map(shrinks).collect::<Vec<_>>()), [false; 10]);
}

#[test]
fn a_light_that_fades_from_one_side_does_not_travel() {
    let mut tracks = Tracks::default();
    for look in 0..9 {
        let fades = component((10 + 2 * look, 10), (24 - 2 * look, 4));
        tracks.follow(at(look.into()), 200_000, &[fades], Disturbance::Light);
        assert_eq!(tracks.moving(at(look.into())).count(), 0, "{look}");
    }
}

#[test]
fn who_comes_nearer_in_weather_is_motion() {
    let seen = |draw: &dyn Fn(u16) -> Component| {
        let mut tracks = Tracks::default();
        (0..20).any(|look| {
            tracks.follow(at(look.into()), 200_000, &[draw(look)], Disturbance::Weather);
            tracks.moving(at(look.into())).count() > 0
        })
    };
    // Down and to both sides; and from the left edge of the picture, which it does not leave.
    assert!(seen(&|look| component((40 - look / 2, 10), (4 + look, 8 + 2 * look))));
    assert!(seen(&|look| component((0, 10), (6 + 2 * look, 50))));
}

#[test]
fn what_was_lost_in_weather_must_be_seen_twice_again() {
    let seen = |looks: &[Option<Component>]| {
        let mut tracks = Tracks::default();
        let counts = (0..).zip(looks).map(|(look, component)| {
            tracks.follow(at(look), 200_000, component.as_slice(), Disturbance::Weather);
            tracks.moving(at(look)).count()
        });
        counts.collect::<Vec<_>>()
    };
    let flake = [((16, 0), (3, 4)), ((16, 3), (3, 5)), ((16, 6), (4, 7))];
    let flake = flake.map(|(place, size)| Some(component(place, size)));
    let other = [None, None, Some(component((18, 8), (3, 6)))];
    assert_eq!(seen(&[flake, other].concat()), [0; 6]);
    // A look in which something larger hides it is none.
    let hidden = [None, Some(component((14, 5), (10, 10))), Some(component((18, 8), (3, 6)))];
    assert_eq!(seen(&[flake, hidden].concat()), [0; 6]);
    let walks = |look: u16| Some(component((10 + 3 * look, 10), (3, 8)));
    assert_eq!(seen(&[walks(0), walks(1), None, walks(3), walks(4)]), [0, 0, 0, 0, 1]);
}

#[test]
fn what_jumps_once_and_flickers_there_is_no_motion() {
    let mut tracks = Tracks::default();
    for look in 0..40 {
        let left = if look == 0 { 11 } else { 22 + look as u16 % 2 };
        tracks.follow(at(look), 200_000, &[component((left, 10), (8, 6))], Disturbance::Light);
        assert_eq!(tracks.moving(at(look)).count(), 0, "{look}");
    }
}

#[test]
fn what_is_round_and_goes_unevenly_is_an_insect() {
    let places = [((35, 8), (5, 5)), ((32, 8), (5, 5)), ((30, 10), (6, 5))];
    assert_eq!(moving(&places.map(|(place, size)| component(place, size))), [false; 3]);
    // As fast and uneven, and longer across its way: somebody of whom only a part is seen.
    let places = [((35, 8), (5, 10)), ((32, 8), (5, 10)), ((29, 9), (5, 11))];
    assert_eq!(moving(&places.map(|(place, size)| component(place, size))), [false, true, true]);
}

#[test]
fn nothing_begins_to_move_in_a_storm() {
    let mut tracks = Tracks::default();
    for look in 0..20 {
        let walks = component((10 + 2 * look as u16, 10), (4, 8));
        let disturbance = if look < 10 { Disturbance::Storm } else { Disturbance::None };
        tracks.follow(at(look), 200_000, &[walks], disturbance);
        assert_eq!(tracks.moving(at(look)).count() > 0, look >= 10, "{look}");
    }
}
