//! Cards that stall, fail, fill up and are pulled while they are recorded on. In each case live pictures go on, the status
//! says what is wrong, and recording goes on by itself when that is over.

use std::time::Duration;

use crate::card::Mood;
use crate::footage::{CARD, Found, Recording, check};
use crate::server::{Server, Viewer};
use crate::vm::{self, Vm, wait_for};

/// A recording that is under way, and a viewer of its first camera.
fn recording<'a>(vm: &'a Vm, kind: &'static str, more: &str) -> (Recording<'a>, Server<'a>, Viewer) {
    let recording = Recording::new(vm, kind);
    recording.mount();
    let server = recording.start(more);
    let viewer = server.watch("/video/front?fps=2", "live");
    server.wait_recorded(1);
    (recording, server, viewer)
}

/// Waits until recording is said to have failed for a reason; pictures come nevertheless.
fn wait_failed(server: &Server, viewer: &Viewer, why: &str) {
    server.wait_recordings("\"state\":\"failed\"");
    server.wait_recordings(why);
    viewer.wait_parts(2);
}

/// Waits until both cameras are recorded again.
fn wait_well(server: &Server) {
    wait_for("the end of the failure", || {
        let recordings = server.get("/api/1.0/recordings").1;
        (recordings.matches("\"state\":\"recording\"").count() == 2).then_some(())
    });
    server.wait_recorded(20);
}

#[test]
fn a_stall_of_5_s_loses_nothing_and_one_of_60_s_is_counted() {
    let vm = vm::with_cards();
    let (recording, server, viewer) = recording(&vm, "ext4", "");
    let stall = |seconds| {
        vm.card("card").set(Mood::Stalls);
        wait_for("a request", || (vm.card("card").asked() > 0).then_some(()));
        recording.feed.wait(Duration::from_secs(seconds));
    };
    stall(5);
    wait_failed(&server, &viewer, "the disk has not answered for");
    vm.card("card").set(Mood::Works);
    wait_well(&server);
    server.wait_log("the disk did not answer for");
    let before = recording.feed.last();
    assert_eq!(server.metric("defender_recording_missed_frames_total"), 0);
    stall(60);
    wait_failed(&server, &viewer, "the disk has not answered for");
    vm.card("card").set(Mood::Works);
    wait_well(&server);
    for (footage, before) in recording.take_out(server).iter().zip(before) {
        let tags = check(&footage.files);
        footage.check_counted(&tags[..tags.partition_point(|tag| tag.number <= before.number)], 0);
        let missed = footage.files.iter().map(|file| u64::from(file.summary.missed)).sum();
        footage.check_counted(&tags, missed);
    }
}

#[test]
fn a_card_that_fails_to_write_loses_nothing_synced() {
    let vm = vm::with_cards();
    let (recording, server, viewer) = recording(&vm, "ext4", "");
    recording.feed.wait(Duration::from_secs(2));
    vm.card("card").set(Mood::FailsToWriteMuch);
    wait_failed(&server, &viewer, "Input/output error");
    vm.card("card").set(Mood::Works);
    wait_well(&server);
    // The keeper repairs what was left.
    server.wait_log("was cut off and is repaired");
    // What the kernel remembers of the card is gone then.
    for files in recording.look(vm.card("card").after_a_cut()) {
        check(&files);
    }
    for footage in recording.take_out(server) {
        footage.check_complete();
    }
}

#[test]
fn a_card_that_is_pulled_and_put_back_is_recorded_on_again() {
    let vm = vm::with_cards();
    let (recording, server, viewer) = recording(&vm, "f2fs", "");
    recording.pull();
    wait_failed(&server, &viewer, "nput/output error");
    recording.put_back();
    wait_failed(&server, &viewer, "");
    vm.run_ok(&format!("umount -l {CARD}"));
    server.wait_recordings("nothing is mounted there");
    assert_eq!(vm.run_ok(&format!("ls {CARD}")), "", "nothing is written beside the card");
    recording.mount();
    wait_well(&server);
    for footage in recording.take_out(server) {
        check(&footage.files);
    }
}

#[test]
fn a_card_that_is_read_only_for_a_time_loses_no_footage() {
    let vm = vm::with_cards();
    let (recording, server, viewer) = recording(&vm, "ext4", "max_gb = 0.02");
    let bytes = || server.count_in("/api/1.0/recordings", "dir_bytes");
    // As after an error of the file system, and where files are open for writing.
    vm.run_ok("echo u >/proc/sysrq-trigger");
    wait_failed(&server, &viewer, "Read-only file system");
    let known = bytes();
    recording.feed.wait(Duration::from_secs(8));
    assert_eq!(bytes(), known, "what cannot be deleted is there still");
    vm.run_ok(&format!("mount -o remount,rw {CARD}"));
    wait_well(&server);
    for footage in recording.take_out(server) {
        footage.check_complete();
    }
}

#[test]
fn a_card_that_another_program_fills_is_recorded_on() {
    let vm = vm::with_cards();
    let recording = Recording::new(&vm, "ext4");
    recording.mount();
    // Nothing is left, and nothing is there that may go.
    vm.run_ok(&format!("rm -r {CARD}/pool; dd if=/dev/zero of={CARD}/other bs=1M 2>/dev/null; true"));
    let server = recording.start("");
    let viewer = server.watch("/video/front?fps=2", "live");
    wait_failed(&server, &viewer, "No space left on device");
    vm.run_ok(&format!("truncate -s 75M {CARD}/other"));
    wait_well(&server);
    // From now on its own oldest footage goes.
    server.wait_recordings("\"reason\":\"space\"");
    vm.run_ok(&format!("dd if=/dev/zero of={CARD}/another bs=1M 2>/dev/null; true"));
    wait_well(&server);
    for footage in recording.take_out(server) {
        footage.check_complete();
    }
}

#[test]
fn footage_outlives_a_clock_that_jumps() {
    let vm = vm::with_cards();
    let step = |seconds: i64| vm.run_ok(&format!("date -s @$(($(date +%s) + {seconds})) >/dev/null"));
    let (recording, server, _viewer) = recording(&vm, "ext4", "");
    let year = 365 * 86_400;
    // The first one only waits for files of both cameras. The last one is a board's first minute: it has no clock until the network tells the time.
    for seconds in [0, -3600, 3600, 50 * year, -50 * year, -40 * year, 40 * year] {
        step(seconds);
        wait_for("files of the new time", || {
            recording.ages_s().iter().all(|age_s| age_s.abs() < 1800).then_some(())
        });
    }
    // The keeper has looked at all of it.
    recording.feed.wait(Duration::from_secs(11));
    let recordings = server.get("/api/1.0/recordings").1;
    assert!(recordings.contains("\"deleted\":[]"), "{recordings}");
    for footage in recording.take_out(server) {
        footage.check_complete();
        let offset_s = |found: &Found| {
            let start = found.summary.head.start;
            (start.wall_us as i64 - start.monotonic_us as i64) / 1_000_000
        };
        let jumps =
            footage.files.windows(2).filter(|pair| offset_s(&pair[0]).abs_diff(offset_s(&pair[1])) > 1000);
        assert_eq!(jumps.count(), 6, "{} files", footage.files.len());
    }
}

#[test]
fn a_camera_that_was_lost_is_a_gap_in_its_footage() {
    let vm = vm::with_cards();
    let (recording, server, _viewer) = recording(&vm, "ext4", "");
    recording.feed.pause(true);
    server.wait_recordings("\"state\":\"no picture\"");
    recording.feed.pause(false);
    wait_well(&server);
    let (_, document) = server.get("/api/1.0/recordings/front");
    assert!(document.contains("\"gap\":\"camera lost\""), "{document}");
    for footage in recording.take_out(server) {
        check(&footage.files);
    }
}
