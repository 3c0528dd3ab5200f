//! Figures of recording, for people: `cargo test --test device_vm figures -- --ignored --nocapture`. They do not depend on how
//! busy this machine is: sectors are counted, and the guest's clock counts 2 ns for each instruction.

use std::fs::{self, File};
use std::time::Duration;

use defender::segment::{Block, Group, Moment, SegmentHead, SegmentWriter, Track};

use crate::footage::Recording;
use crate::vm;

#[test]
#[ignore = "it measures"]
fn sectors_written_for_what_is_recorded() {
    let vm = vm::with_cards();
    // F2fs has less room on a card of this size, and smaller files are dearer.
    for (kind, used, most) in [("ext4", (4, 16), "max_gb = 0.07"), ("f2fs", (3, 8), "max_gb = 0.026")] {
        // All files were used before, so that this is any round but the first.
        let recording = Recording::with_used(&vm, kind, used);
        recording.mount();
        let server = recording.start(most);
        server.wait_recorded(100);
        let now = || (recording.sectors_written() * 512, server.metric("defender_recorded_bytes_total"));
        let (written_before, recorded_before) = now();
        recording.feed.wait(Duration::from_secs(60));
        let (written, recorded) = now();
        let (written, recorded) = (written - written_before, recorded - recorded_before);
        let ratio = written as f64 / recorded as f64;
        println!("{kind}: {written} bytes written for {recorded} of pictures and sound: {ratio:.4}");
        recording.take_out(server);
    }
}

#[test]
#[ignore = "it measures"]
fn a_start_with_1000_segments() {
    const SEGMENTS: u64 = 1000;
    let vm = vm::with_cards();
    let recording = Recording::with_used(&vm, "ext4", (0, 4));
    let files = tempfile::tempdir().expect("a temporary folder");
    let day = files.path().join("old/2026-11-28");
    fs::create_dir_all(&day).expect("made");
    for sequence in 0..SEGMENTS {
        let at_s = sequence * 60;
        let name = format!("{:02}{:02}00.000-{sequence:09}.mkv", at_s / 3600, at_s / 60 % 60);
        let file = File::create_new(day.join(name)).expect("made");
        write_short(file, sequence, at_s);
    }
    vm.card("card").format("ext4", files.path());
    recording.mount();
    let server = recording.start("");
    server.wait_log("segments in ");
    let log = server.log();
    assert!(log.lines().any(|line| line.ends_with(&format!(": {SEGMENTS}"))), "{log}");
    let time = |text: &str| log.lines().find(|line| line.contains(text)).map(|line| line[11..23].to_owned());
    println!("the first line of the log: {:?}", time(" INFO "));
    println!("listening:                 {:?}", time("listening on"));
    println!("all segments are known:    {:?}", time("segments in"));
    println!("{}", vm.run_ok("grep -E 'VmRSS|VmHWM' /proc/$(pgrep -of /run/defender)/status"));
    recording.take_out(server);
}

fn write_short(file: File, sequence: u64, at_s: u64) {
    const BYTES: u64 = 64 << 10;
    file.set_len(BYTES).expect("sparse");
    let wall_us = (1_795_824_000 + at_s) * 1_000_000;
    let head = SegmentHead {
        camera: "old".to_owned(),
        sequence,
        first_frame: sequence,
        boot_id: [1; 16],
        uuid: sequence.to_be_bytes().repeat(2).try_into().expect("16 bytes"),
        start: Moment { monotonic_us: at_s * 1_000_000, wall_us },
        is_clock_synchronised: true,
        is_thinned: false,
        size: (320, 240),
        sound: None,
        microphone: String::new(),
    };
    let mut writer = SegmentWriter::create(file, BYTES, &head).expect("a segment");
    let blocks = [Block { track: Track::Picture, at_us: 0, bytes: &[7; 1000] }];
    writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).expect("written");
    writer.close().expect("closed");
}
