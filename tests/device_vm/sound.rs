//! Sound captured from a real kernel's sound card.

use std::f64::consts::TAU;
use std::sync::MutexGuard;

use crate::server::{DEFENDER, Server, Viewer};
use crate::soundcard::{Known, MICROPHONE, RATE_HZ, heard};
use crate::vm::{self, Job, Vm, wait_for};

const TONE_HZ: f64 = 997.0;

fn microphone(device: &str) -> String {
    format!("[microphone.front]\ndevice = \"{device}\"\nrate_hz = {RATE_HZ}\n")
}

fn tone(seconds: u32) -> Vec<i16> {
    let turn = TAU * TONE_HZ / f64::from(RATE_HZ);
    (0..seconds * RATE_HZ).map(|at| ((f64::from(at) * turn).sin() * 16_000.0) as i16).collect()
}

/// What may make a gap in the sound and is counted where it happens: an emulated machine is held up at times.
#[derive(Debug, PartialEq)]
struct Disturbances {
    /// Samples that the card had to drop because the server was late.
    overruns: u64,
    /// Samples that were left out for listeners that were late.
    skipped_samples: u64,
    /// Times that the player was late.
    underruns: usize,
}

impl Disturbances {
    fn of(server: &Server, player: &Job) -> Self {
        Self {
            overruns: server.metric("defender_sound_overruns_total"),
            skipped_samples: server.metric("defender_sound_frames_skipped_total"),
            underruns: player.stderr().matches("underrun").count(),
        }
    }
}

/// Waits until every listener has heard twenty seconds of `known`; every gap in them must be one that was
/// counted. On a machine that is not held up nothing is counted, and nothing may be missing.
fn assert_gaps_are_counted(server: &Server, player: &Job, known: &Known, listeners: &[Viewer]) {
    wait_for("twenty seconds at everybody", || {
        listeners.iter().all(|one| heard(one).len() > 20 * RATE_HZ as usize).then_some(())
    });
    let all: Vec<_> = listeners.iter().map(|one| known.stretches(&heard(one))).collect();
    // Read last: whatever is missing in what was heard is counted by now.
    let counted = Disturbances::of(server, player);
    let mut left_out_samples = 0;
    for stretches in &all {
        assert!(!stretches.is_empty(), "nothing of what was played is heard: {counted:?}");
        for pair in stretches.windows(2) {
            let heard_gap = pair[1].0 - (pair[0].0 + pair[0].2);
            let played_gap = pair[1].1.checked_sub(pair[0].1 + pair[0].2).expect("nothing is heard twice");
            let left_out = played_gap.saturating_sub(heard_gap) as u64;
            left_out_samples += if counted.overruns == 0 { left_out } else { 0 };
            assert!(
                counted.overruns + counted.underruns as u64 > 0 || left_out > 0,
                "a gap of {heard_gap} samples, {played_gap} of what was played, that nothing explains: \
                 {stretches:?}, {counted:?}\n{}",
                server.log()
            );
        }
    }
    assert!(
        left_out_samples <= counted.skipped_samples,
        "{left_out_samples} samples are missing, {counted:?}\n{}",
        server.log()
    );
}

/// A machine with its sound card as after a boot.
fn with_card(vm: MutexGuard<'static, Vm>) -> MutexGuard<'static, Vm> {
    vm.plug_card();
    vm
}

#[test]
fn twenty_seconds_are_heard_without_a_gap() {
    let vm = with_card(vm::counted());
    let known = Known::new(120);
    let player = vm.play(0, known.samples(), RATE_HZ, 1);
    let server = Server::start(&vm, &microphone(MICROPHONE));
    server.wait_log("microphone front: hw:0,1,0");
    assert_gaps_are_counted(&server, &player, &known, &[server.watch("/audio", "alone")]);
}

#[test]
fn twenty_hear_sound_without_a_gap_while_five_stall() {
    let vm = with_card(vm::counted());
    let known = Known::new(120);
    let player = vm.play(0, known.samples(), RATE_HZ, 1);
    let server = Server::start(&vm, &microphone(MICROPHONE));
    server.wait_log("microphone front: hw:0,1,0");
    let _stalled: Vec<_> = (0..5).map(|_| server.listen_slowly("/audio", 100)).collect();
    let listeners: Vec<_> =
        (0..20).map(|number| server.watch("/audio", &format!("listener{number}"))).collect();
    assert_gaps_are_counted(&server, &player, &known, &listeners);
}

#[test]
fn what_an_overrun_loses_is_silence_of_the_same_length() {
    let vm = with_card(vm::counted());
    let known = Known::new(90);
    let _player = vm.play(0, known.samples(), RATE_HZ, 1);
    let server = Server::start(&vm, &microphone(MICROPHONE));
    server.wait_log("microphone front: hw:0,1,0");
    let listener = server.watch("/audio", "listener");
    wait_for("a second", || (heard(&listener).len() > RATE_HZ as usize).then_some(()));
    let overruns_before = server.count("overruns");
    server.pause(2);
    let before = heard(&listener).len();
    wait_for("sound after it", || (heard(&listener).len() > before + 3 * RATE_HZ as usize).then_some(()));
    assert!(server.count("overruns") > overruns_before, "{}", server.log());
    let found = known.stretches(&heard(&listener));
    let [first, .., last] = found[..] else { panic!("heard before and after: {found:?}") };
    let lost: usize = found.windows(2).map(|pair| pair[1].1 - (pair[0].1 + pair[0].2)).sum();
    assert!(lost > RATE_HZ as usize, "more than a second was lost: {found:?}");
    // Where what was played last stands, if nothing had been lost: within 20 ms for each overrun.
    let off = (last.0 - first.0).abs_diff(last.1 - first.1);
    let may_be_off = server.count("overruns") as usize * RATE_HZ as usize / 50;
    assert!(off < may_be_off, "{off} samples off: {found:?}");
}

#[test]
fn a_card_that_is_pulled_and_put_back_is_heard_again() {
    let vm = with_card(vm::lock());
    let known = Known::new(60);
    let player = vm.play(0, known.samples(), RATE_HZ, 1);
    let server = Server::start(&vm, &microphone("loopback,dev=1"));
    let mut listener = server.watch("/audio", "listener");
    wait_for("sound", || (!known.stretches(&heard(&listener)).is_empty()).then_some(()));
    drop(player);
    vm.unplug_card();
    server.wait_status("\"online\":false");
    let before = heard(&listener).len();
    // The stream goes on, in silence.
    wait_for("silence", || (heard(&listener).len() > before + RATE_HZ as usize).then_some(()));
    assert!(heard(&listener)[before + RATE_HZ as usize / 2..].iter().all(|sample| *sample == 0));
    vm.plug_card();
    server.wait_status("\"online\":true");
    let _player = vm.play(0, known.samples(), RATE_HZ, 1);
    let quiet = heard(&listener).len();
    wait_for("sound again", || (!known.stretches(&heard(&listener)[quiet..]).is_empty()).then_some(()));
    assert!(listener.is_watching());
}

#[test]
fn two_microphones_are_separate_and_converted_if_needed() {
    let vm = with_card(vm::counted());
    // The other end of a loopback takes only what is played: asked for something else it refuses,
    // and ALSA has to convert.
    let stereo: Vec<i16> = tone(300).iter().flat_map(|sample| [*sample, *sample]).collect();
    let _players = [vm.play(0, &stereo, RATE_HZ, 2), vm.play(1, &tone(300), RATE_HZ / 2, 1)];
    let server = Server::start(
        &vm,
        "[microphone.left]\ndevice = \"hw:0,1,0\"\nrate_hz = 32000\nchannels = 1\n\
         [microphone.right]\ndevice = \"plughw:CARD=Loopback,DEV=1,SUBDEV=1\"\nrate_hz = 32000\n",
    );
    let (left, right) = (server.watch("/audio/left", "left"), server.watch("/audio/right", "right"));
    for (listener, expected_hz) in [(&left, TONE_HZ), (&right, TONE_HZ / 2.0)] {
        // In a second in which the machine was held up there is silence.
        wait_for(&format!("a second of {expected_hz} Hz"), || {
            let heard = heard(listener);
            let second = heard.get(heard.len().checked_sub(RATE_HZ as usize)?..)?;
            let crossings = second.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count() as f64;
            ((crossings - expected_hz).abs() <= 2.0).then_some(())
        });
    }
}

#[test]
fn an_unusable_microphone_says_why_and_is_used_once_it_works() {
    let vm = with_card(vm::lock());
    let other = vm.spawn("exec arecord -q -D hw:0,1,0 -f S16_LE -r 32000 /dev/null");
    wait_for("the other program to record", || {
        let state = vm.run("cat /proc/asound/card0/pcm1c/sub0/status").stdout;
        String::from_utf8_lossy(&state).contains("RUNNING").then_some(())
    });
    let server = Server::start(&vm, &microphone(MICROPHONE));
    server.wait_log("microphone front: hw:0,1,0: busy, another program is using it");
    drop(other);
    server.wait_status("\"online\":true");
    server.reconfigure(&microphone("Webcam of mine"));
    server.wait_log(
        "Webcam of mine: no such microphone; there are: Loopback, Loopback PCM (plughw:CARD=Loopback,DEV=",
    );
}

#[test]
fn the_cards_are_listed_with_the_names_to_write() {
    let vm = vm::lock();
    vm.plug_card();
    crate::server::bring_binary(&vm);
    let listed = vm.run_ok(&format!("{DEFENDER} --list-devices"));
    assert!(listed.contains("plughw:CARD=Loopback,DEV=1  Loopback, Loopback PCM\n"), "{listed}");
    assert!(listed.contains("8000 to 192000 Hz, 1 to 32 channels"), "{listed}");
}

#[test]
fn a_card_that_this_server_listens_to_is_used_and_not_busy() {
    let vm = with_card(vm::lock());
    let server = Server::start(&vm, &microphone(MICROPHONE));
    server.wait_status("\"online\":true");
    let devices = server.get("/api/1.0/devices").1;
    let microphones = devices.split("\"microphones\":").nth(1).unwrap();
    let ours = microphones.split('{').find(|device| device.contains("CARD=Loopback,DEV=1\""));
    let ours = ours.unwrap_or_else(|| panic!("no such card in {devices}"));
    assert!(ours.contains("\"problem\":null,\"used_by\":\"front\""), "{ours}");
    assert!(!microphones.contains("busy"), "{microphones}");
}

#[test]
fn a_machine_without_alsas_own_files_is_heard_too() {
    let vm = with_card(vm::lock());
    crate::server::bring_binary(&vm);
    // As on a board that has nothing but the static binary.
    let without = format!("ALSA_CONFIG_PATH=/none ALSA_CONFIG_DIR=/none {DEFENDER}");
    let config = "[microphone.a]\ndevice = \"auto\"\n[microphone.b]\ndevice = \"hw:0,1\"\nrate_hz = 44100\n\
                  [microphone.c]\ndevice = \"default\"\n";
    std::fs::write(vm.work().join("bare.conf"), config).unwrap();
    let listed = vm.run_ok(&format!("{without} --list-devices"));
    assert!(listed.contains("plughw:CARD=Loopback,DEV=1"), "{listed}");
    let checked = vm.run(&format!("{without} check -c /mnt/bare.conf"));
    let output = String::from_utf8_lossy(&checked.stdout).into_owned();
    for part in ["microphone a", "microphone b", "microphone c"] {
        let line = output.lines().find(|line| line.starts_with(part)).unwrap_or_default();
        assert!(line.contains("Hz, 1 channel") && !line.contains("SILENT"), "{output}");
    }
    assert!(!checked.stderr.contains("ALSA lib"), "libasound writes past the log: {}", checked.stderr);
}

#[test]
fn sound_and_picture_are_of_one_clock() {
    let vm = with_card(vm::counted());
    let known = Known::new(30);
    let server = Server::start(
        &vm,
        &format!(
            "[camera.front]\ndevice = \"/dev/video0\"\nwidth = 320\nheight = 180\nfps = 10\n{}",
            microphone(MICROPHONE)
        ),
    );
    server.wait_log("microphone front: hw:0,1,0");
    let listener = server.watch("/audio", "sound");
    wait_for("silence", || (!heard(&listener).is_empty()).then_some(()));
    let _player = vm.play(0, known.samples(), RATE_HZ, 1);
    wait_for("sound", || (!known.stretches(&heard(&listener)).is_empty()).then_some(()));

    // When a sample was played, by the kernel's own account, and when the stream says that it was
    // heard.
    let (at, place, _) = known.stretches(&heard(&listener))[0];
    let heard_s = stamp_s(&listener.head()) + at as f64 / f64::from(RATE_HZ);
    let played_s = vm.began_playing_s(0) + place as f64 / f64::from(RATE_HZ);
    assert!((heard_s - played_s).abs() < 0.040, "sound is {} s off", heard_s - played_s);

    // When the picture turned dark, and when the control was set.
    let viewer = server.watch("/video", "pictures");
    viewer.wait_parts(3);
    let around = vm.run_ok("date +%s.%N; v4l2-ctl -d /dev/video0 --set-ctrl brightness=0; date +%s.%N");
    let (frames, dark) = wait_for("a dark picture", || {
        let frames = viewer.frames();
        let dark = frames.iter().position(|(_, grey)| *grey < frames[0].1 / 2.0)?;
        Some((frames, dark))
    });
    let set_s: Vec<f64> = around.split_whitespace().map(|word| word.parse().expect("seconds")).collect();
    let (before_s, dark_s) = (frames[dark - 1].0, frames[dark].0);
    // The first dark frame is later than the command, the one before it no later than its end; each
    // frame takes a tenth of a second to be made.
    assert!(dark_s > set_s[0] - 0.040, "dark {} s before the control was set", set_s[0] - dark_s);
    assert!(before_s < set_s[1] + 0.140, "bright {} s after the control was set", before_s - set_s[1]);
}

/// The `X-Timestamp` of a response's head, in seconds.
fn stamp_s(head: &str) -> f64 {
    let value = head.split("X-Timestamp: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no time stamp in {head}"))
}
