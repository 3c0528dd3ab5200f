//! Footage that the server did not write itself: made by these tests with the segment writer, forged, or put in the way
//! of what it writes, as a disk from elsewhere would have it.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use defender::media::SoundFormat;
use defender::segment::{Block, Group, Moment, SegmentHead, SegmentWriter, SoundTrack, Track};

use crate::support::{Answer, PASSWORD, Server, Setup, USER, add_user, wait_for};

const FRONT: &str =
    "[record]\nmin_free_gb = 0\nsegment_mb = 4\n[camera.front]\ndevice = \"test\"\n[camera.front.record]\n";

/// 2026-11-20T10:00:00Z, when the footage of these tests begins, in microseconds since 1970.
const START_US: u64 = 1_795_168_800_000_000;

/// Where the sealed parts of a summary lie in the file: the head's content and the counts, each with its checksum.
const HEAD: (u64, usize) = (4096 + 16, 512 - 16);
const COUNTS: (u64, usize) = (4096 + 512, 4096 - 512);

/// Writes a segment of the camera `front` below `folder`, with pictures and sound at these milliseconds; its path.
fn segment(folder: &Path, sequence: u64, pictures_ms: &[u64]) -> PathBuf {
    let day = folder.join("recordings/front/2026-11-20");
    fs::create_dir_all(&day).unwrap();
    let path = day.join(format!("100000.000-{sequence:09}.mkv"));
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    let head = SegmentHead {
        camera: "front".to_owned(),
        sequence,
        first_frame: sequence * 1000,
        boot_id: [1; 16],
        uuid: [sequence as u8; 16],
        start: Moment { monotonic_us: 5_000_000, wall_us: START_US + sequence * 3_600_000_000 },
        is_clock_synchronised: true,
        is_thinned: false,
        size: (64, 48),
        sound: Some(SoundTrack::Pcm { format: SoundFormat { rate_hz: 8000, channels: 1 } }),
        microphone: "front".to_owned(),
    };
    let mut writer = SegmentWriter::create(file, 1 << 20, &head).unwrap();
    let jpegs: Vec<Vec<u8>> = (0..pictures_ms.len()).map(|at| vec![at as u8; 500]).collect();
    let sound = [0; 320];
    let block = |track, at_ms: u64, bytes| Block { track, at_us: at_ms * 1000, bytes };
    let pictures = pictures_ms.iter().zip(&jpegs).map(|(at_ms, jpeg)| block(Track::Picture, *at_ms, jpeg));
    let mut blocks: Vec<Block<'_>> = pictures.collect();
    blocks.extend((0..5).map(|number| block(Track::Sound, number * 20, &sound)));
    blocks.sort_by_key(|block| block.at_us);
    writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).unwrap();
    writer.close().unwrap();
    path
}

/// Changes bytes of a sealed part, and seals it again.
fn forge(path: &Path, (at, length): (u64, usize), offset: usize, bytes: &[u8]) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut part = vec![0; length];
    file.read_exact_at(&mut part, at).unwrap();
    part[offset..][..bytes.len()].copy_from_slice(bytes);
    let (body, crc) = part.split_last_chunk_mut::<4>().unwrap();
    *crc = crc32fast::hash(body).to_be_bytes();
    file.write_all_at(&part, at).unwrap();
}

fn seconds(at_us: u64) -> String {
    format!("{}.{:06}", at_us / 1_000_000, at_us % 1_000_000)
}

fn recordings(server: &Server, rest: &str) -> Answer {
    server.get(&format!("/api/1.0/recordings/front{rest}"))
}

fn stamps(answer: &Answer) -> Vec<String> {
    let text = answer.text();
    text.split("X-Timestamp: ").skip(1).filter_map(|rest| Some(rest.lines().next()?.to_owned())).collect()
}

fn start(setup: Setup) -> Server {
    let server = setup.plain().sections(FRONT).start();
    wait_for("the folder to be read", || {
        server.get("/api/1.0/recordings").text().contains(r#""read":true"#).then_some(())
    });
    server
}

#[test]
fn frames_of_one_millisecond_are_all_played_and_stepped_over() {
    let setup = Setup::new();
    segment(setup.path(), 1, &[0, 100, 100, 100, 200, 300]);
    let server = start(setup);
    let begin = START_US + 3_600_000_000;
    let times: Vec<String> = [0, 100, 100, 100, 200, 300].map(|at_ms| seconds(begin + at_ms * 1000)).to_vec();
    let played = |query: &str| {
        let answer = server.get(&format!("/api/1.0/recordings/front/stream?{query}"));
        stamps(&answer)
    };
    let (first, last) = (seconds(begin), seconds(begin + 300_000));
    assert_eq!(played(&format!("from={first}&to={last}")), times);
    let backwards: Vec<String> = times.iter().rev().cloned().collect();
    assert_eq!(played(&format!("from={last}&to={first}&speed=-1")), backwards);
    // Whoever follows the times of the neighbours comes through, in both directions.
    let step = |at: &str, field: &str| recordings(&server, &format!("/frame?at={at}")).field(field);
    let through = |field: &str, from: &str| {
        std::iter::successors(Some(from.to_owned()), |at| step(at, field)).take(9).collect::<Vec<_>>()
    };
    let mut distinct = times.clone();
    distinct.dedup();
    assert_eq!(through("X-Next", &first), distinct);
    distinct.reverse();
    assert_eq!(through("X-Previous", &last), distinct);
}

#[test]
fn a_time_line_of_no_length_has_no_steps() {
    let setup = Setup::new();
    segment(setup.path(), 1, &[0, 100, 200]);
    let server = start(setup);
    let at = seconds(START_US + 3_600_100_000);
    let answer = recordings(&server, &format!("/timeline?from={at}&to={at}"));
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{}", answer.text());
    let whole = recordings(
        &server,
        &format!("/timeline?from={at}&to={}&step_s=0.1", seconds(START_US + 3_600_600_000)),
    );
    assert_eq!(whole.body, [0, 0, 255, 255, 255]);
}

#[test]
fn a_time_line_and_a_list_show_what_happened() {
    let setup = Setup::new();
    segment(setup.path(), 1, &[0, 1000, 2000, 3000, 4000]);
    let begin = START_US + 3_600_000_000;
    fs::create_dir_all(setup.path().join("events")).unwrap();
    let event = |id: u32, kind: &str, (from_s, to_s): (u64, u64), score: u8| {
        let (wall_us, start_us, end_us) = (begin + from_s * 1_000_000, from_s * 1_000_000, to_s * 1_000_000);
        format!(
            r#"{{"n":{id},"do":"event","id":{id},"camera":"front","kind":"{kind}","wall_us":{wall_us},"boot":1,"#
        ) + &format!("\"start_us\":{start_us},\"end_us\":{end_us},\"score\":{score}}}\n")
    };
    let events =
        [event(1, "motion", (1, 2), 255), event(2, "motion", (2, 9), 70), event(3, "dark", (0, 4), 99)];
    fs::write(setup.path().join("events/2026-11-20.events"), events.concat()).unwrap();
    let server = start(setup);
    let span = format!("from={}&to={}", seconds(begin), seconds(begin + 7_000_000));
    let bytes = recordings(&server, &format!("/timeline?{span}&step_s=1")).body;
    assert_eq!(bytes, [0, 254, 254, 70, 70, 255, 255], "the strongest; 255 where nothing is recorded");
    let list = recordings(&server, &format!("?{span}")).text();
    let one = server.get("/api/1.0/events/2").text();
    assert!(list.contains(&format!("{one},")) && list.matches("\"kind\"").count() == 3, "{list}");
}

#[test]
fn stretches_are_parted_by_deletions_and_by_steps_of_the_clock() {
    let setup = Setup::new();
    for sequence in [0, 1, 3] {
        segment(setup.path(), sequence, &[0, 1000]);
    }
    let server = start(setup);
    let span = format!("?from={}&to={}", seconds(START_US), seconds(START_US + 20 * 3_600_000_000));
    let text = recordings(&server, &span).text();
    let stretch = |hour: u64, gap: &str| {
        let from_s = (START_US + hour * 3_600_000_000) / 1_000_000;
        format!(r#"{{"from":{from_s}.0,"to":{}.0,"gap":{gap}}}"#, from_s + 1)
    };
    let stretches = [stretch(0, "null"), stretch(1, "null"), stretch(3, r#""deleted""#)].join(",");
    assert!(text.replace(".0", "").contains(&stretches.replace(".0", "")), "{text} without {stretches}");
}

#[test]
fn footage_of_a_disk_that_is_read_only_is_shown() {
    let setup = Setup::new();
    segment(setup.path(), 1, &[0, 100]);
    let dir = setup.path().join("recordings");
    fs::create_dir(dir.join("pool")).unwrap();
    fs::write(dir.join("lock"), "").unwrap();
    let script = format!("mount --bind {0} {0} && mount -o remount,bind,ro {0}", dir.display());
    let run = |after: &str| {
        vec![
            "unshare".to_owned(),
            "-m".to_owned(),
            "sh".to_owned(),
            "-c".to_owned(),
            format!("{script} && {after}"),
        ]
    };
    let tried = run("true");
    if !Command::new(&tried[0]).args(&tried[1..]).status().is_ok_and(|status| status.success()) {
        return eprintln!("skipped: nothing can be mounted here (root is needed)");
    }
    let under = run("exec \"$0\" \"$@\"");
    let under: Vec<&str> = under.iter().map(String::as_str).collect();
    let always = FRONT.replace("[camera.front.record]\n", "[camera.front.record]\nwhen = \"always\"\n");
    let server = setup.plain().sections(&always).under(&under).start();
    server.wait_log("nothing is recorded: ");
    let at = seconds(START_US + 3_600_000_000);
    wait_for("the picture", || (recordings(&server, &format!("/frame?at={at}")).status == 200).then_some(()));
    let found = server.get("/api/1.0/recordings").text();
    assert!(found.contains(r#""state":"failed""#) && found.contains("read-only"), "{found}");
}

#[test]
fn forged_files_cost_no_more_than_themselves() {
    let setup = Setup::new();
    let times = [0, 100, 200];
    segment(setup.path(), 1, &times);
    let huge = u64::MAX.to_be_bytes();
    let forged = |sequence: u64, part, offset, bytes: &[u8]| {
        forge(&segment(setup.path(), sequence, &times), part, offset, bytes);
    };
    // First frame, wall clock, rate and channels of the sound.
    forged(2, HEAD, 50, &huge);
    forged(3, HEAD, 66, &huge);
    forged(4, HEAD, 94, &[0; 8]);
    forged(5, HEAD, 98, &[0; 4]);
    // A stretch that ends before it starts, and one that ends in 49 days; more frames than fit.
    forged(6, COUNTS, 64, &[0, 1, 0, 0, 0, 0, 0, 0]);
    forged(7, COUNTS, 64, &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    forged(8, COUNTS, 8, &[0xff; 4]);
    // Another segment's bytes under a name of this camera, and names with numbers that cannot be counted on from.
    let path = segment(setup.path(), 9, &times);
    fs::copy(&path, path.with_file_name("100000.000-000000010.mkv")).unwrap();
    fs::copy(&path, path.with_file_name("100000.000-9999999999999999999.mkv")).unwrap();
    fs::write(path.with_file_name("110000.000-000000011.mkv"), vec![0x1a; 9000]).unwrap();
    let server = start(setup);
    let from = seconds(START_US);
    let to = seconds(START_US + 20 * 3_600_000_000);
    for rest in [
        format!("?from={from}&to={to}"),
        format!("/timeline?from={from}&to={to}"),
        format!("/frame?at={to}"),
        format!("/clip.mkv?from={from}&to={to}"),
        "/frame?at=9999-12-31T23:59:59Z".to_owned(),
        format!("/stream?from={from}&to={to}&speed=512"),
    ] {
        let answer = recordings(&server, &rest);
        assert_eq!(answer.status, 200, "{rest}: {}", answer.text());
    }
    for sequence in 1..10 {
        let at = START_US + sequence * 3_600_000_000;
        let span = format!("from={}&to={}", seconds(at), seconds(at + 90_000));
        assert!([200, 404].contains(&recordings(&server, &format!("/sound?{span}")).status), "{sequence}");
        assert_eq!(recordings(&server, &format!("/frame?at={}", seconds(at))).status, 200, "{sequence}");
    }
    let log = server.log_until_now();
    assert!(!log.contains("fault in thread"), "{log}");
    assert!(log.contains("its name is that of another segment"), "{log}");
    // Recording goes on from a number that can be counted on from.
    let user = format!("{USER}:{PASSWORD}");
    assert_eq!(server.curl("/api/1.0/recordings", &["-u", &user]).status, 200);
}

#[test]
fn a_disk_from_elsewhere_does_not_say_where_defender_writes() {
    for (name, is_folder) in [("tombstones", false), ("pool", true), ("front", true)] {
        let setup = Setup::new();
        let (elsewhere, dir) = (setup.path().join("elsewhere"), setup.path().join("recordings"));
        fs::create_dir_all(&elsewhere).unwrap();
        fs::create_dir_all(&dir).unwrap();
        fs::write(elsewhere.join("film.mkv"), "mine").unwrap();
        let target = if is_folder { elsewhere.clone() } else { elsewhere.join("film.mkv") };
        symlink(target, dir.join(name)).unwrap();
        add_user(setup.path(), "boss", "admin");
        if name == "tombstones" {
            segment(setup.path(), 1, &[0, 100]);
        }
        let always = FRONT.replace("[camera.front.record]\n", "[camera.front.record]\nwhen = \"always\"\n");
        let server = setup.plain().sections(&always).start();
        if is_folder {
            server.wait_log("is a link or a file, and has to be a folder");
        } else {
            let path = "/api/1.0/recordings/front?from=0&to=9999-12-31T23:59:59Z";
            wait_for("the deletion to be asked for", || {
                let answer = server.curl(path, &["-u", &format!("boss:{PASSWORD}"), "-X", "DELETE"]);
                answer.text().contains(r#""segments":1"#).then_some(())
            });
            server.wait_log("the deletion cannot be noted");
        }
        assert_eq!(fs::read_to_string(elsewhere.join("film.mkv")).unwrap(), "mine", "{name}");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1, "{name}");
    }
}

#[test]
fn a_fifo_in_the_place_of_a_file_stops_nothing() {
    let setup = Setup::new();
    segment(setup.path(), 1, &[0, 100]);
    let fifos = ["tombstones", "front/2026-11-20/100000.000-000000002.mkv", "pool"];
    for name in fifos {
        let path = setup.path().join("recordings").join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    }
    let mut server = setup.plain().sections(FRONT).start();
    server.wait_log("has to be a folder");
    assert_eq!(server.get("/snapshot").status, 200);
    server.signal("TERM");
    assert!(server.wait_end().is_some_and(|status| status.success()));
}

#[test]
fn a_deletion_counts_what_will_be_deleted() {
    let setup = Setup::new();
    segment(setup.path(), 1, &[0, 100]);
    segment(setup.path(), 2, &[0, 100]);
    add_user(setup.path(), "boss", "admin");
    let server = start(setup);
    let boss = format!("boss:{PASSWORD}");
    let delete = |query: &str| {
        server.curl(&format!("/api/1.0/recordings/front?{query}"), &["-u", &boss, "-X", "DELETE"])
    };
    let swapped = delete("from=9&to=5");
    assert_eq!((swapped.status, swapped.text().contains("to is before from")), (404, true));
    let first = START_US + 3_600_000_000;
    let deleted = delete(&format!("from={}&to={}", seconds(first), seconds(first + 1_000_000)));
    assert!(deleted.text().contains(r#""segments":1"#), "{}", deleted.text());
    wait_for("the file to be gone", || {
        recordings(&server, "?from=0&to=9999-12-31T23:59:59Z")
            .text()
            .contains(&seconds(first)[..10])
            .eq(&false)
            .then_some(())
    });
    assert!(delete("from=0&to=5").text().contains(r#""segments":0"#));
}
