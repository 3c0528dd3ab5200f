//! Motion and noise of a real driver's camera and sound card become events.

use std::fs;

use crate::server::Server;
use crate::soundcard::{MICROPHONE, RATE_HZ, player, raw};
use crate::vm::{self, GUEST_WORK, wait_for};

const CAMERA: &str = "[camera.front]\ndevice = \"/dev/video0\"\nformat = \"yuyv\"\nwidth = 320\nheight = 180\n\
                      fps = 5\n[camera.front.motion]\nlooks = 5\n";

/// A picture of colour bars, on which nothing moves.
const STILL: &str = "brightness=128,osd_text_mode=2,show_square=0,test_pattern=0";

/// The events of a kind, as the API lists them.
fn events(server: &Server, kind: &str) -> String {
    let (status, text) = server.get(&format!("/api/1.0/events?kind={kind}"));
    assert_eq!(status, 200, "{text}");
    text
}

fn count(events: &str) -> usize {
    events.matches("\"id\":").count()
}

fn wait_looks(server: &Server, more: u64) {
    let looks = || server.metric("defender_looks_total{camera=\"front\"}");
    let wanted = looks() + more;
    wait_for("more looks", || (looks() >= wanted).then_some(()));
}

fn wait_watching(server: &Server) {
    server.wait_status("\"detection\":\"watching\"");
}

#[test]
fn a_brightness_jump_is_no_motion_and_a_square_is_one() {
    // What appears and stays is motion only if the looks of the next second see it: a machine that is held up misses it.
    let vm = vm::counted();
    vm.set_controls(STILL);
    let server = Server::start(&vm, CAMERA);
    wait_watching(&server);
    vm.set_controls("brightness=200");
    wait_looks(&server, 30);
    wait_watching(&server);
    vm.set_controls("brightness=100");
    wait_looks(&server, 30);
    wait_watching(&server);
    assert_eq!(count(&events(&server, "motion")), 0, "{}", events(&server, "motion"));

    vm.set_controls("show_square=1");
    let seen = wait_for("the end of motion", || {
        let seen = events(&server, "motion");
        (count(&seen) > 0 && !seen.contains("\"end\":null")).then_some(seen)
    });
    wait_looks(&server, 30);
    assert_eq!(count(&events(&server, "motion")), 1, "{seen}");
    vm.set_controls(STILL);
}

#[test]
fn a_tone_in_a_quiet_room_is_one_sound() {
    let vm = vm::counted();
    vm.plug_card();
    // A second of a quiet hiss, and two seconds of a tone in it.
    let mut random = 1_u32;
    let mut samples: Vec<i16> = (0..3 * RATE_HZ)
        .map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 26) as i16 - 32
        })
        .collect();
    samples[RATE_HZ as usize..]
        .iter_mut()
        .enumerate()
        .for_each(|(at, sample)| *sample += if at % 64 < 32 { 8000 } else { -8000 });
    let (hiss, tone) = samples.split_at(RATE_HZ as usize);
    let write = |name: &str, bytes: &[u8]| fs::write(vm.work().join(name), bytes).expect("written");
    write("hiss", &raw(hiss));
    write("tone", &raw(tone));
    let _ = fs::remove_file(vm.work().join("now"));
    let playing = vm.spawn(&format!(
        "cd {GUEST_WORK}; {{ until [ -e now ]; do cat hiss; done; cat tone; while cat hiss; do :; done; }} | {}",
        player(0, RATE_HZ, 1)
    ));
    let section = format!(
        "[microphone.front]\ndevice = \"{MICROPHONE}\"\nrate_hz = {RATE_HZ}\n[microphone.front.noise]\n"
    );
    let server = Server::start(&vm, &section);
    server.wait_status("\"online\":true");
    // What the pipe and the card hold of the hiss comes before the tone.
    write("now", &[]);
    let seen = wait_for("the end of the sound", || {
        let seen = events(&server, "sound");
        (count(&seen) > 0 && !seen.contains("\"end\":null")).then_some(seen)
    });
    assert!(seen.contains("\"note\":\"microphone front\""), "{seen}");
    assert_eq!(count(&seen), 1, "{seen}");
    drop(playing);
}
