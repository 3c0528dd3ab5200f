//! What the real server records: where files begin and end, what is kept between events, and of which cameras.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::clips::run;
use crate::feeder::{Feeder, jpegs};
use crate::footage::{ALWAYS, document, event_start, files, number, probe, recorded, server, stretches};
use crate::remote;
use crate::streams::{known_metric, metric};
use crate::support::{PASSWORD, Server, Setup, USER, add_token, add_user, wait_for};

/// Waits until there are so many files of a camera.
fn wait_files(server: &Server, camera: &str, count: usize) {
    wait_for("files", || (files(server.path(), camera).len() >= count).then_some(()));
}

fn end(server: &mut Server) {
    server.signal("TERM");
    assert!(server.wait_end().is_some_and(|status| status.success()), "{}", server.log());
}

/// What ffprobe says of the first track of a kind (`v` or `a`).
fn probed(file: &Path, track: &str, entries: &str) -> String {
    let of_stream = format!("stream={entries}");
    let name = file.to_str().unwrap();
    let arguments =
        ["-v", "error", "-select_streams", track, "-show_entries", &of_stream, "-of", "csv=p=0", name];
    run("ffprobe", &arguments).trim().trim_end_matches(',').to_owned()
}

/// Checks that a file begins with picture and sound within 40 ms.
fn check_beginning(file: &Path) {
    let (pictures, sound, complaints) = probe(file);
    assert_eq!(complaints, "", "{}", file.display());
    let (Some(picture), Some(sound)) = (pictures.first(), sound.first()) else { return };
    let apart_ms = ((picture - sound) * 1000.0).round();
    assert!(apart_ms.abs() <= 40.0, "{}: picture at {picture}, sound at {sound}", file.display());
}

/// The times of all frames of a camera, in seconds since 1970.
fn times(server: &Server, camera: &str) -> Vec<f64> {
    let mut found = Vec::new();
    let mut at = Some("0".to_owned());
    while let Some(time) = at {
        let answer = server.get(&format!("/api/1.0/recordings/{camera}/frame?at={time}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        found.push(answer.field("X-Timestamp").unwrap().parse().unwrap());
        at = answer.field("X-Next");
    }
    found
}

#[test]
fn files_begin_with_picture_and_sound() {
    // A frame takes longer than a piece of sound.
    let sections = ALWAYS
        .replace("width = 320\nheight = 240\nfps = 20", "width = 640\nheight = 480\nfps = 8\nquality = 100");
    let mut server = server(&sections);
    wait_files(&server, "front", 6);
    let (first, last) = {
        let all = stretches(&server);
        assert_eq!(all.len(), 1, "no gap");
        (number(&all[0]["from"]), number(&all[0]["to"]))
    };
    end(&mut server);
    let files = files(server.path(), "front");
    // At the start of the server the camera may give its first picture before the microphone runs.
    files.iter().skip(1).for_each(|file| check_beginning(file));
    // The sound at the borders is in one of the two files.
    let pieces: usize = files.iter().map(|file| probe(file).1.len()).sum();
    assert!(pieces as f64 * 0.04 >= (last - first) * 0.95, "{pieces} pieces in {first} to {last}");
}

#[test]
fn sound_is_recorded_in_the_form_that_is_asked_for() {
    for (keys, codec) in [("", "flac"), ("\nsound = \"pcm\"", "pcm_s16le")] {
        let mut server = server(&ALWAYS.replace("\"always\"", &format!("\"always\"{keys}")));
        recorded(&server, 60.0);
        end(&mut server);
        for file in files(server.path(), "front") {
            assert_eq!(probed(&file, "a", "codec_name,sample_rate,channels"), format!("{codec},16000,1"));
            assert!(probe(&file).1.len() > 40, "{}", file.display());
        }
    }
}

#[test]
fn a_relayed_camera_is_recorded_and_plays() {
    let board = Setup::new().sections(&ALWAYS.replace("\"always\"", "\"off\""));
    add_user(board.path(), USER, "viewer");
    let token = add_token(board.path());
    let board = board.keep_users().start();
    let sections = format!(
        "[record]\nsegment_mb = 4\nmin_free_gb = 0\n{}[remote.attic.record]\nwhen = \"always\"\n",
        remote::section(&board, &token)
    );
    let mut panel = Setup::new().plain().server("mode = \"server\"").sections(&sections).start();
    wait_for("relayed frames on the disk", || {
        let written = known_metric(&panel, "defender_recorded_frames_total{camera=\"attic-front\"}")?;
        (written >= 60.0).then_some(())
    });
    let found = document(&panel.get("/api/1.0/recordings/attic-front").text());
    let miniserde::json::Value::Array(stretches) = &found["stretches"] else { panic!("no stretches") };
    let miniserde::json::Value::Object(stretch) = &stretches[0] else { panic!("no stretch") };
    let (from, to) = (number(&stretch["from"]), number(&stretch["to"]) - 0.5);
    for part in ["clip.mkv", "sound", "stream"] {
        let path = format!("/api/1.0/recordings/attic-front/{part}?from={from:.3}&to={to:.3}");
        let answer = panel.get(&path);
        assert_eq!((answer.status, answer.body.len() > 10_000), (200, true), "{part}: {}", answer.text());
    }
    end(&mut panel);
    for file in files(panel.path(), "attic-front") {
        assert_eq!(probed(&file, "v", "codec_name,width,height"), "mjpeg,320,240");
        let (pictures, sound, complaints) = probe(&file);
        assert!(complaints.is_empty() && pictures.len() > 20 && sound.len() > 20, "{complaints}");
    }
}

#[test]
fn a_renamed_camera_leaves_its_footage_to_retention() {
    // Room for five files.
    let sections = ALWAYS
        .replace("min_free_gb = 0", "min_free_gb = 0\nmax_gb = 0.021")
        .replace("width = 320\nheight = 240", "width = 640\nheight = 480\nquality = 95");
    let mut server = server(&sections);
    recorded(&server, 60.0);
    end(&mut server);
    let config = server.path().join("defender.conf");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[camera.front", "[camera.yard")).unwrap();
    server.start_again();
    wait_files(&server, "yard", 1);
    let list = server.get("/api/1.0/recordings").text();
    assert!(list.contains("\"name\":\"front\"") && list.contains("\"name\":\"yard\""), "{list}");
    let frame = server.get("/api/1.0/recordings/front/frame?at=0");
    assert_eq!((frame.status, &frame.body[..2]), (200, &[0xff, 0xd8][..]), "what was recorded can be seen");
    assert_eq!(stretches(&server).len(), 1);
    for part in ["", "/timeline"] {
        let unknown = server.get(&format!("/api/1.0/recordings/NOPE{part}"));
        assert_eq!(unknown.status, 404, "{part}");
        assert!(unknown.text().contains("no camera is named NOPE"), "{}", unknown.text());
    }
    // The new camera needs the space of the old one.
    wait_for("the end of the old footage", || files(server.path(), "front").is_empty().then_some(()));
    wait_for("an answer without the old name", || {
        (server.get("/api/1.0/recordings/front").status == 404).then_some(())
    });
    assert!(!files(server.path(), "yard").is_empty());
}

#[test]
fn few_frames_are_recorded_between_events_and_all_in_them() {
    let sections = ALWAYS.replace("\"always\"", "\"idle+events\"\nidle_fps = 1\npre_s = 2\npost_s = 1");
    let setup = Setup::new().plain().sections(&sections);
    setup.write_config();
    add_user(setup.path(), "boss", "admin");
    let server = setup.start();
    recorded(&server, 3.0);
    let login = format!("boss:{PASSWORD}");
    let arguments = ["-u", &login, "-X", "POST", "-d", r#"{"camera":"front"}"#];
    let posted = server.curl("/api/1.0/events", &arguments);
    assert_eq!(posted.status, 201, "{}", posted.text());
    let start = event_start(&posted);
    wait_for("frames after the event", || {
        let last = stretches(&server).pop()?;
        (number(&last["to"]) > start + 4.0).then_some(())
    });
    let times = times(&server, "front");
    let count = |from: f64, to: f64| times.iter().filter(|at| (from..to).contains(*at)).count();
    assert!(count(0.0, start - 2.0) >= 1 && count(start + 1.1, f64::MAX) >= 2, "{times:?}");
    // A machine that is busy captures fewer than 20 a second.
    assert!(count(start - 2.0, start) >= 10 && count(start, start + 1.1) >= 5, "{start}: {times:?}");
    let idle = |at: &f64| *at < start - 2.0 || *at > start + 1.1;
    for pair in times.windows(2).filter(|pair| pair.iter().all(idle)) {
        let is_over = pair[0] < start && pair[1] > start;
        assert!(is_over || pair[1] - pair[0] > 0.98, "{} and {} in {times:?}", pair[0], pair[1]);
    }
    assert_eq!(stretches(&server).len(), 1, "few frames are no gap");
}

/// What a picture of a numbered series says of itself.
const MARK: &str = "picture-";

/// The same JPEG with its number in a comment.
fn numbered(jpeg: &[u8], number: usize) -> Vec<u8> {
    let text = format!("{MARK}{number:06}");
    let comment = [&[0xff, 0xfe, 0, text.len() as u8 + 2][..], text.as_bytes()].concat();
    [&jpeg[..2], &comment, &jpeg[2..]].concat()
}

/// The numbers of the pictures in a file.
fn numbers(file: &Path) -> Vec<usize> {
    let bytes = fs::read(file).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    text.split(MARK).skip(1).filter_map(|rest| rest.get(..6)?.parse().ok()).collect()
}

#[test]
fn each_file_has_pictures_of_one_size() {
    let setup = Setup::new().plain();
    let socket = setup.path().join("cam");
    let sizes = ["320x240", "160x120"];
    let pictures = sizes.map(|size| jpegs(setup.path(), size, 1).remove(0));
    let goes_on = Arc::new(AtomicBool::new(true));
    let mine = Arc::clone(&goes_on);
    // Another size each 30 pictures, which is one and a half seconds.
    let _feeder = Feeder::start(&socket, move |mut stream, _| {
        for number in 0.. {
            let picture = numbered(&pictures[number / 30 % 2], number);
            if !mine.load(Ordering::Relaxed) || stream.write_all(&picture).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let sections = ALWAYS.replace("device = \"test\"\nwidth = 320\nheight = 240\nfps = 20", &{
        format!("device = \"unix:{}\"", socket.display())
    });
    let mut server = setup.sections(&sections).start();
    wait_files(&server, "front", 4);
    server.wait_log("camera front: the size of its pictures changes too often: some is not recorded");
    wait_files(&server, "front", 5);
    goes_on.store(false, Ordering::Relaxed);
    let counted = |name: &str| metric(&server, &format!("{name}{{camera=\"front\"}}"));
    wait_for("the rest", || {
        let before = counted("defender_recorded_frames_total");
        // Up to two until they are written, and up to two until they are counted.
        thread::sleep(Duration::from_secs(8));
        (counted("defender_recorded_frames_total") == before).then_some(())
    });
    let missed = counted("defender_recording_missed_frames_total") as usize;
    let written = counted("defender_recorded_frames_total") as usize;
    let dropped = counted("defender_frames_dropped_total") as usize;
    end(&mut server);
    let mut all = Vec::new();
    let mut before = String::new();
    for file in files(server.path(), "front") {
        let size = probed(&file, "v", "width,height");
        let frames =
            ["-v", "error", "-select_streams", "v", "-show_entries", "frame=width,height", "-of", "csv=p=0"];
        let shown = run("ffprobe", &[&frames[..], &[file.to_str().unwrap()]].concat());
        let shown: BTreeSet<&str> = shown.lines().map(|line| line.trim_end_matches(',')).collect();
        assert_eq!(shown, [size.as_str()].into(), "{}", file.display());
        assert_ne!(size, before, "a file for each change, and no other");
        before = size;
        if !all.is_empty() {
            check_beginning(&file);
        }
        all.extend(numbers(&file));
    }
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "each once, in order: {all:?}");
    assert_eq!(all.len(), written);
    // Those that came last may be of a size that is not recorded: they are missed, too.
    let between = all[all.len() - 1] - all[0] + 1 - all.len();
    assert!(
        missed > 0 && between <= missed + dropped,
        "{between} are not there, {missed} missed, {dropped} dropped"
    );
}

#[test]
fn each_file_has_sound_of_one_format() {
    let mut server = server(ALWAYS);
    recorded(&server, 40.0);
    let config = server.path().join("defender.conf");
    let text = fs::read_to_string(&config).unwrap();
    for change in 1..=6 {
        let rate = [16_000, 8_000][change % 2];
        fs::write(&config, text.replace("rate_hz = 16000", &format!("rate_hz = {rate}"))).unwrap();
        server.signal("HUP");
        wait_for("the other format", || {
            server.get("/api/1.0/status").text().contains(&format!("\"rate_hz\":{rate}")).then_some(())
        });
        let frames = metric(&server, "defender_recorded_frames_total{camera=\"front\"}");
        recorded(&server, frames + 5.0);
    }
    server.wait_log("camera front: the format of its sound changes too often: some is not recorded");
    recorded(&server, metric(&server, "defender_recorded_frames_total{camera=\"front\"}") + 40.0);
    end(&mut server);
    let files = files(server.path(), "front");
    let mut rates = BTreeSet::new();
    for file in &files {
        // Samples of another format would not be decoded without a complaint.
        let name = file.to_str().unwrap();
        run("ffmpeg", &["-v", "error", "-i", name, "-map", "0:a", "-f", "null", "-"]);
        rates.insert(probed(file, "a", "sample_rate"));
    }
    files.iter().skip(1).for_each(|file| check_beginning(file));
    assert_eq!(rates.len(), 2, "{rates:?}");
    assert!((3..=7).contains(&files.len()), "{} files", files.len());
}
