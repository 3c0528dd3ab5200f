//! The supervisor with cameras and a clock of the tests' own: nothing sleeps, and no device is needed.

use std::cell::Cell;
use std::rc::Rc;

use super::fake::{FILM, FakeCamera, Film, SILENT, World, gone};
use super::*;
use crate::source::clock::fake::FakeClock;
use crate::source::settings::{CameraSettings, testing};

#[test]
fn pauses_between_tries_double_to_five_seconds() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    let mut camera = FakeCamera::new(&clock, |_| Err(gone()));
    world.run(&clock, &mut camera, 20_000);
    assert_eq!(camera.opened_ms, [0, 500, 1_500, 3_500, 7_500, 12_500, 17_500]);
}

#[test]
fn only_a_long_run_makes_pauses_short_again() {
    let opened_ms = |frames| {
        let world = World::new(testing::settings());
        let clock = FakeClock::new();
        let film = Film { frames, ends: true, ..FILM };
        let mut camera =
            FakeCamera::new(&clock, move |tried| if tried == 3 { Ok(film) } else { Err(gone()) });
        world.run(&clock, &mut camera, 3_500 + u64::from(frames) * 100 + 4_500);
        camera.opened_ms[4..].to_vec()
    };
    // It fails 12 s, or 5 s, after it was opened at 3.5 s.
    assert_eq!(opened_ms(120), [16_000, 17_000, 19_000]);
    assert_eq!(opened_ms(50), [12_500]);
}

#[test]
fn an_outage_is_in_the_state_and_before_viewers_twice_a_second() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    world.watch();
    clock.at(1_000, || world.note_state());
    let mut camera = FakeCamera::new(&clock, |_| Err(gone()));
    world.run(&clock, &mut camera, 2_050);
    let state = world.state(0);
    assert_eq!((state.online, state.problem.as_deref()), (false, Some("gone")));
    assert_eq!((state.width, state.height), (160, 120), "the size asked for");
    assert!(world.newest().is_no_signal());
    assert_eq!(world.feed.counters.encoded.get(), 5);
    assert_eq!(world.feed.counters.captured.get(), 0, "a no-signal frame is no capture");
}

#[test]
fn a_camera_is_online_from_its_first_whole_frame_on() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    [50, 150].into_iter().for_each(|at_ms| clock.at(at_ms, || world.note_state()));
    let mut camera = FakeCamera::new(&clock, |_| Ok(FILM));
    world.run(&clock, &mut camera, 1_000);
    assert!(world.state(0).starting && !world.state(0).online);
    let state = world.state(1);
    assert!(!state.starting && state.online && state.problem.is_none());
    assert_eq!(
        (state.source.as_str(), state.width, state.format),
        ("fake camera", 16, Some(PixelFormat::Grey))
    );
}

#[test]
fn a_source_that_is_away_is_online_when_it_says_so() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    [350, 550].into_iter().for_each(|at_ms| clock.at(at_ms, || world.note_state()));
    let mut camera = FakeCamera::new(&clock, |_| Ok(Film { away: 5, ..FILM }));
    world.run(&clock, &mut camera, 1_000);
    assert_eq!((world.state(0).online, world.state(0).problem.as_deref()), (false, Some("away")));
    assert_eq!((world.state(1).online, world.state(1).problem), (true, None));
    assert_eq!(camera.opened_ms, [0]);
}

#[test]
fn nothing_is_encoded_unless_somebody_watches() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    clock.at(1_050, || {
        assert_eq!((world.feed.counters.captured.get(), world.feed.counters.encoded.get()), (10, 0));
        world.watch();
    });
    let mut camera = FakeCamera::new(&clock, |_| Ok(FILM));
    world.run(&clock, &mut camera, 2_000);
    assert_eq!((world.feed.counters.captured.get(), world.feed.counters.encoded.get()), (20, 10));
    assert!(!world.newest().is_no_signal());
}

#[test]
fn a_camera_that_falls_silent_is_opened_anew() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    clock.at(6_200, || world.note_state());
    let mut camera = FakeCamera::new(&clock, |_| Ok(Film { frames: 10, ..FILM }));
    world.run(&clock, &mut camera, 13_000);
    assert_eq!(world.state(0).problem.as_deref(), Some("fake: stalled, no frame for 5 seconds"));
    assert_eq!(camera.opened_ms, [0, 6_500]);
    assert_eq!(*camera.closed_ms.borrow(), [6_000, 12_500], "closed before the pause");
}

#[test]
fn a_camera_of_broken_frames_only_is_stalled() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    clock.at(5_200, || world.note_state());
    let mut camera = FakeCamera::new(&clock, |_| Ok(Film { are_broken: true, ..FILM }));
    world.run(&clock, &mut camera, 5_300);
    assert_eq!(world.state(0).problem.as_deref(), Some("fake: stalled, only broken frames for 5 seconds"));
    assert_eq!(world.feed.counters.dropped.get(), 50);
}

#[test]
fn a_camera_without_frames_is_given_longer_each_time() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    let mut camera = FakeCamera::new(&clock, |_| Ok(SILENT));
    world.run(&clock, &mut camera, 38_000);
    // It is given 5, 10 and 20 s, with pauses of 0.5 and 1 s between.
    assert_eq!(camera.opened_ms, [0, 5_500, 16_500]);
    assert_eq!(camera.closed_ms.borrow()[2], 36_500);
}

#[test]
fn a_slow_camera_is_not_stalled_between_two_frames() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    clock.at(20_000, || world.note_state());
    let mut camera = FakeCamera::new(&clock, |_| Ok(Film { interval_ms: 4_000, ..FILM }));
    world.run(&clock, &mut camera, 60_000);
    assert_eq!(camera.opened_ms, [0]);
    assert_eq!(world.state(0).slow_interval, Some(Duration::from_secs(4)));
}

#[test]
fn bad_pictures_alone_can_stall_a_source_that_says_so() {
    let opened_ms = |film: Film| {
        let world = World::new(testing::settings());
        let clock = FakeClock::new();
        let stall = Stall::Unusable(Duration::from_secs(5));
        let mut camera = FakeCamera::new(&clock, move |_| Ok(Film { stall, ..film }));
        world.run(&clock, &mut camera, 10_000);
        let problem = world.feed.state().problem;
        (camera.opened_ms, problem)
    };
    assert_eq!(opened_ms(SILENT), (vec![0], None));
    let (opened_ms, problem) = opened_ms(Film { are_broken: true, ..FILM });
    assert_eq!(opened_ms, [0, 5_500]);
    let problem = problem.unwrap();
    assert!(problem.starts_with("fake: none of its pictures can be shown"), "{problem}");
}

#[test]
fn a_program_is_given_time_to_start_and_no_longer() {
    let opened_ms = |first_ms| {
        let world = World::new(testing::settings());
        let clock = FakeClock::new();
        let stall = Stall::Starting(Duration::from_secs(30));
        let mut camera = FakeCamera::new(&clock, move |_| Ok(Film { first_ms, stall, ..FILM }));
        clock.at(29_500, || world.note_state());
        world.run(&clock, &mut camera, 60_000);
        (camera.opened_ms.len(), world.state(0).online, world.feed.state().slow_interval)
    };
    assert_eq!(opened_ms(29_000), (1, true, None), "and its start is not the pace of its pictures");
    let (opened, is_online, _) = opened_ms(31_000);
    assert!(opened > 1 && !is_online, "{opened}");
}

#[test]
fn on_demand_a_camera_is_open_while_watched_and_2_s_more() {
    let world = World::new(CameraSettings { on_demand: true, ..testing::settings() });
    let clock = FakeClock::new();
    [3_000, 6_500].into_iter().for_each(|at_ms| clock.at(at_ms, || world.watch()));
    [5_000, 8_000].into_iter().for_each(|at_ms| clock.at(at_ms, || world.leave()));
    [2_500, 12_000].into_iter().for_each(|at_ms| clock.at(at_ms, || world.note_state()));
    let mut camera = FakeCamera::new(&clock, |_| Ok(FILM));
    world.run(&clock, &mut camera, 20_000);
    assert_eq!(camera.opened_ms, [3_000]);
    let closed_ms = camera.closed_ms.borrow()[0];
    assert!((10_000..=10_200).contains(&closed_ms), "{closed_ms}");
    let states = [world.state(0), world.state(1)];
    assert!(states.iter().all(|state| state.online && state.problem.is_none()), "{states:?}");
    assert_eq!(states[0].source, "test (closed until somebody watches)");
    assert_eq!(states[1].source, "fake camera (closed until somebody watches)");
}

#[test]
fn on_demand_an_outage_ends_when_nobody_watches() {
    let world = World::new(CameraSettings { on_demand: true, ..testing::settings() });
    let clock = FakeClock::new();
    world.watch();
    clock.at(1_000, || world.leave());
    let mut camera = FakeCamera::new(&clock, |_| Err(gone()));
    world.run(&clock, &mut camera, 20_000);
    assert_eq!(camera.opened_ms, [0, 500]);
}

#[test]
fn the_test_card_stands_in_until_there_is_a_camera() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    world.watch();
    let no_camera = || VideoError::NoCamera { problem: None };
    clock.at(1_950, || {
        world.note_state();
        assert!(!world.newest().is_no_signal());
        let shown = world.feed.counters.captured.get();
        assert!((38..=40).contains(&shown), "{shown} cards of 20 a second");
    });
    clock.at(6_550, || world.note_state());
    clock.at(7_100, || world.note_state());
    let film = Film { frames: 10, ends: true, ..FILM };
    let mut camera = FakeCamera::new(&clock, move |tried| match tried {
        0..3 => Err(no_camera()),
        3 => Ok(film),
        _ => Err(gone()),
    });
    camera.has_stand_in = true;
    world.run(&clock, &mut camera, 9_000);
    assert_eq!(camera.opened_ms[..4], [0, 2_000, 4_000, 6_000]);
    let card = world.state(0);
    assert_eq!((card.source.as_str(), card.online), ("test card", true));
    assert_eq!(card.problem.as_deref(), Some("no camera found"));
    let live = world.state(1);
    assert_eq!((live.source.as_str(), live.online, live.problem), ("fake camera", true, None));
    let lost = world.state(2);
    assert_eq!((lost.online, lost.problem.as_deref()), (false, Some("gone")), "no card for a lost camera");
}

#[test]
fn a_missing_device_is_opened_as_soon_as_it_is_there() {
    let world = World::new(testing::settings());
    let is_missing = Rc::new(Cell::new(true));
    let clock = FakeClock::new();
    clock.at(3_700, || is_missing.set(false));
    let mut camera = FakeCamera::new(&clock, |tried| if tried < 4 { Err(gone()) } else { Ok(FILM) });
    camera.is_missing = Rc::clone(&is_missing);
    world.run(&clock, &mut camera, 6_000);
    assert_eq!(camera.opened_ms, [0, 500, 1_500, 3_500, 3_800], "udev is given 0.1 s");
}

#[test]
fn a_stop_ends_the_thread_at_once_whatever_it_does() {
    let plans: [fn(usize) -> Result<Film, VideoError>; 3] = [|_| Ok(FILM), |_| Ok(SILENT), |_| Err(gone())];
    for plan in plans {
        let world = World::new(testing::settings());
        let clock = FakeClock::new();
        let mut camera = FakeCamera::new(&clock, plan);
        world.run(&clock, &mut camera, 4_321);
        assert!(clock.elapsed_ms() <= 4_421, "{}", clock.elapsed_ms());
    }
}

#[test]
fn a_closed_hub_ends_the_thread() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    clock.at(500, || world.feed.frames().close());
    let mut camera = FakeCamera::new(&clock, |_| Ok(FILM));
    world.run(&clock, &mut camera, 60_000);
    assert!(clock.elapsed_ms() <= 600);
}

#[test]
fn a_camera_that_was_stopped_stays_closed() {
    let world = World { stopped_by: Some("ada"), ..World::new(testing::settings()) };
    let clock = FakeClock::new();
    world.watch();
    let mut camera = FakeCamera::new(&clock, |_| Ok(FILM));
    world.run(&clock, &mut camera, 5_000);
    assert!(camera.opened_ms.is_empty());
    assert_eq!(world.feed.state().problem.as_deref(), Some("stopped by ada"));
    assert!(world.newest().is_no_signal());
}

#[test]
fn a_camera_of_one_picture_at_each_try_is_given_longer() {
    let opened_ms = |stall, stop_ms| {
        let world = World::new(testing::settings());
        let clock = FakeClock::new();
        let mut camera = FakeCamera::new(&clock, move |_| Ok(Film { frames: 1, stall, ..FILM }));
        world.run(&clock, &mut camera, stop_ms);
        camera.opened_ms
    };
    // 5, 10 and 20 s after the picture at its 100 ms, with pauses of 0.5 and 1 s between.
    for stall in [Stall::Learned, Stall::Starting(Duration::from_secs(30))] {
        assert_eq!(opened_ms(stall, 38_000), [0, 5_600, 16_700], "{stall:?}");
    }
    // One of which nothing is learned would be given 5 s each time.
    assert_eq!(opened_ms(Stall::Measured, 15_000), [0, 5_600, 11_700]);
}

#[test]
fn a_slow_camera_that_repeats_its_last_picture_is_learned() {
    let world = World::new(testing::settings());
    let clock = FakeClock::new();
    clock.at(290_000, || world.note_state());
    // Each connection begins with a picture; the next comes a minute later.
    let film = Film { first_ms: 100, interval_ms: 60_000, stall: Stall::Learned, ..FILM };
    let mut camera = FakeCamera::new(&clock, move |_| Ok(film));
    world.run(&clock, &mut camera, 300_000);
    assert_eq!(
        camera.opened_ms.len(),
        5,
        "{:?}: 5, 10, 20 and 40 s are too short, 80 s are not",
        camera.opened_ms
    );
    assert!(world.state(0).online && world.state(0).slow_interval == Some(Duration::from_secs(60)));
}
