//! Clips of every kind: their bytes, ranges of them, and what other programs read in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::footage::{ALWAYS, number, recorded, server, stretches};
use crate::support::{Answer, PASSWORD, Server, Setup, USER, add_user, wait_for};

/// Samples of the microphone a second.
const RATE_HZ: f64 = 16_000.0;

/// The path of a clip, without what is behind its last frame by half a second.
fn path(kind: &str, (first, last): (f64, f64)) -> String {
    format!("/api/1.0/recordings/front/clip.{kind}?from={first:.3}&to={:.3}", last - 0.5)
}

/// The whole clip, and the file that it was stored in.
pub fn store(server: &Server, kind: &str, span: (f64, f64)) -> (Answer, PathBuf) {
    let answer = server.get(&path(kind, span));
    assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
    let file = server.path().join(format!("clip.{kind}"));
    fs::write(&file, &answer.body).unwrap();
    (answer, file)
}

/// Runs a program, which must have nothing to say against the file.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{program} {arguments:?}:\n{out}\n{err}");
    out.into_owned()
}

/// The packets of a track (`v` or `a`) as ffprobe finds them: their time in seconds, and the checksum of their bytes.
pub fn packets(file: &Path, track: &str) -> Vec<(f64, String)> {
    let entries = ["-show_entries", "packet=pts_time,data_hash", "-show_data_hash", "md5", "-of", "csv=p=0"];
    let name = file.to_str().unwrap();
    let out = run("ffprobe", &[&["-v", "error", "-select_streams", track], &entries[..], &[name]].concat());
    let line = |line: &str| {
        let (time, hash) = line.trim_end_matches(',').split_once(',').unwrap();
        (time.parse().unwrap(), hash.trim_start_matches("MD5:").to_owned())
    };
    out.lines().map(line).collect()
}

/// The samples of a file.
pub fn samples(file: &Path, folder: &Path) -> Vec<i16> {
    let out = folder.join("samples.pcm");
    let (from, to) = (file.to_str().unwrap(), out.to_str().unwrap());
    run("ffmpeg", &["-v", "error", "-y", "-i", from, "-map", "0:a", "-c:a", "pcm_s16le", "-f", "s16le", to]);
    fs::read(out).unwrap().chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Every packet of the recorded sound is heard in `stream`, within 40 ms of its time.
fn check_sound(mkv: &Path, stream: &[i16], what: &str) {
    let (times, recorded) = (packets(mkv, "a"), samples(mkv, mkv.parent().unwrap()));
    let length = recorded.len() / times.len();
    assert!(times.len() > 40 && length == 640, "{} packets of {length}", times.len());
    for ((time, _), packet) in times.iter().zip(recorded.chunks_exact(length)) {
        let expected = (time * RATE_HZ).round() as usize;
        let half = &packet[length / 2..];
        // A tone is the same after each of its periods: the nearest place counts. The second half begins 20 ms later.
        let wanted = expected + length / 2;
        let places = (wanted.saturating_sub(960)..wanted + 960)
            .filter(|at| stream.get(*at..at + half.len()).is_some_and(|heard| heard == half));
        let found = places.min_by_key(|at| at.abs_diff(wanted));
        let found = found.unwrap_or_else(|| panic!("{what}: the sound of {time} is not there"));
        let late_ms = (found as f64 - wanted as f64) / RATE_HZ * 1000.0;
        assert!(late_ms.abs() < 40.0, "{what}: the sound of {time} is {late_ms} ms late");
    }
    // A gap is as silent as it is long, to 40 ms at either end.
    let gaps = times.windows(2).map(|pair| (pair[0].0 + 0.04, pair[1].0));
    let gaps: Vec<_> = gaps.filter(|(end, next)| next - end > 0.2).collect();
    assert!(!gaps.is_empty(), "there is a gap");
    for (end, next) in gaps {
        let heard = |from: f64, to: f64| {
            let at = |seconds: f64| (seconds * RATE_HZ).round() as usize;
            stream[at(from)..at(to)].iter().any(|sample| *sample != 0)
        };
        assert!(!heard(end + 0.04, next - 0.04), "{what}: sound from {end} to {next}");
        assert!(
            heard(end - 0.08, end - 0.04) && heard(next + 0.04, next + 0.08),
            "{what}: silence beside it"
        );
    }
}

/// Unpacks a ZIP by Python's reader: each name with the checksum of its bytes, in the order of the directory.
fn unpack(zip: &Path, folder: &Path) -> Vec<(String, String)> {
    let script = "import hashlib, sys, zipfile\n\
                  zip = zipfile.ZipFile(sys.argv[1])\n\
                  assert zip.testzip() is None\n\
                  zip.extractall(sys.argv[2])\n\
                  for name in zip.namelist(): print(name, hashlib.md5(zip.read(name)).hexdigest())\n";
    let out = run("python3", &["-c", script, zip.to_str().unwrap(), folder.to_str().unwrap()]);
    let pair =
        |line: &str| line.split_once(' ').map(|(name, hash)| (name.to_owned(), hash.to_owned())).unwrap();
    out.lines().map(pair).collect()
}

#[test]
fn a_clip_is_the_same_in_ranges_and_as_a_whole() {
    let server = server(ALWAYS);
    let span = recorded(&server, 80.0);
    let user = format!("{USER}:{PASSWORD}");
    let mut tags = BTreeMap::new();
    for kind in ["mkv", "mov", "zip"] {
        let (whole, _) = store(&server, kind, span);
        let length = whole.body.len();
        assert_eq!(whole.field("Content-Length"), Some(length.to_string()), "{kind}");
        let name = whole.field("Content-Disposition").unwrap();
        assert!(name.contains("filename=\"front-") && name.ends_with(&format!(".{kind}\"")), "{name}");
        let ask = |arguments: &[&str]| server.curl(&path(kind, span), &[&["-u", &user], arguments].concat());
        // Ranges of odd lengths, from the end on: whatever a range needs of the bytes before it, it does not wait for them.
        let step = length / 23 + 1;
        let mut parts = vec![Vec::new(); length.div_ceil(step)];
        for (number, part) in parts.iter_mut().enumerate().rev() {
            let (from, to) = (number * step, ((number + 1) * step).min(length) - 1);
            let answer = ask(&["-r", &format!("{from}-{to}")]);
            assert_eq!((answer.status, answer.body.len()), (206, to - from + 1), "{kind}");
            *part = answer.body;
        }
        assert!(parts.concat() == whole.body, "{kind}: the ranges are other bytes");
        assert!(ask(&["-r", "-99"]).body == whole.body[length - 99..], "{kind}");
        assert_eq!(ask(&["-r", &format!("{length}-")]).status, 416, "{kind}");
        let head = ask(&["-I"]);
        assert_eq!(
            (head.status, head.field("Content-Length")),
            (200, whole.field("Content-Length")),
            "{kind}"
        );
        let tag = whole.field("ETag").unwrap();
        let of_this = ask(&["-r", "5-9", "-H", &format!("If-Range: {tag}")]);
        let of_another = ask(&["-r", "5-9", "-H", "If-Range: \"other\""]);
        assert_eq!((of_this.status, of_another.status), (206, 200), "{kind}");
        assert!(of_another.body == whole.body && of_this.body == whole.body[5..10], "{kind}");
        assert_eq!(ask(&["-H", &format!("If-None-Match: {tag}")]).status, 304, "{kind}");
        server.wait_log(&format!(" as {kind}"));
        assert_eq!(tags.insert(tag, kind), None, "{kind} has a tag of its own");
    }
}

#[test]
fn pictures_in_every_clip_are_the_bytes_of_the_camera() {
    let server = server(ALWAYS);
    let span = recorded(&server, 80.0);
    let (_, mkv) = store(&server, "mkv", span);
    let (_, mov) = store(&server, "mov", span);
    let (_, zip) = store(&server, "zip", span);
    let pictures = packets(&mkv, "v");
    assert!(pictures.len() > 40, "{}", pictures.len());
    assert_eq!(packets(&mov, "v"), pictures, "with their times");
    for file in [&mkv, &mov] {
        let name = file.to_str().unwrap();
        let decode = ["-v", "error", "-xerror", "-err_detect", "explode", "-i", name, "-map", "0:v"];
        // In units of its usual frame rate, ffmpeg takes two times of frames that a busy machine captured late for one.
        let with_times = ["-vsync", "passthrough", "-enc_time_base", "1/1000"];
        run("ffmpeg", &[&decode[..], &with_times[..], &["-f", "rawvideo", "-y", "/dev/null"]].concat());
    }
    let streams =
        ["-show_entries", "stream=codec_name,codec_tag_string,width,height,sample_rate", "-of", "csv=p=0"];
    let found = run("ffprobe", &[&["-v", "error"], &streams[..], &[mov.to_str().unwrap()]].concat());
    assert_eq!(found, "mjpeg,jpeg,320,240\npcm_s16le,sowt,16000\n");

    let folder = server.path().join("unpacked");
    let names = unpack(&zip, &folder);
    let first = &names[1].0;
    let jpegs: Vec<&String> =
        names.iter().filter(|(name, _)| name.ends_with(".jpg")).map(|(_, hash)| hash).collect();
    assert!(jpegs.iter().copied().eq(pictures.iter().map(|(_, hash)| hash)), "as many, and the same");
    // The name has the time, and names are in the order of time.
    assert!(names.windows(2).skip(1).take(jpegs.len() - 1).all(|pair| pair[0].0 < pair[1].0), "{names:?}");
    let frame = server.get(&format!("/api/1.0/recordings/front/frame?at={:.3}", span.0));
    assert!(frame.body == fs::read(folder.join(first)).unwrap(), "{first}");
    let millis = (span.0 * 1000.0).round() as u64 % 1000;
    assert!(
        first.starts_with("front/20") && first.ends_with(&format!(".{millis:03}Z-000001.jpg")),
        "{first}"
    );
    let about = fs::read_to_string(folder.join("front/clip.json")).unwrap();
    let about = crate::footage::document(&about);
    assert_eq!(number(&about["pictures"]) as usize, pictures.len());
    run("unzip", &["-tqq", zip.to_str().unwrap()]);
}

#[test]
fn sound_in_every_clip_is_in_time() {
    let setup = Setup::new().plain().sections(ALWAYS);
    add_user(setup.path(), "boss", "admin");
    let server = setup.start();
    let (first, _) = recorded(&server, 40.0);
    // A gap in the middle.
    let boss = format!("boss:{PASSWORD}");
    let put = |body| server.curl("/api/1.0/services/recording", &["-u", &boss, "-X", "PUT", "-d", body]);
    assert_eq!(put(r#"{"running":false}"#).status, 200);
    wait_for("the end of recording", || {
        server.get("/api/1.0/status").text().contains(r#""recording":"stopped""#).then_some(())
    });
    assert_eq!(put(r#"{"running":true}"#).status, 200);
    let last = wait_for("two seconds after the gap", || {
        let stretches = stretches(&server);
        let (from, to) = (number(&stretches.last()?["from"]), number(&stretches.last()?["to"]));
        (stretches.len() > 1 && to - from > 2.5).then_some(to)
    });
    let (_, mkv) = store(&server, "mkv", (first, last));
    let (_, mov) = store(&server, "mov", (first, last));
    let (_, zip) = store(&server, "zip", (first, last));
    let of_mov = samples(&mov, server.path());
    check_sound(&mkv, &of_mov, "mov");
    // Pictures and sound begin and end together.
    let (pictures, sound) = (packets(&mov, "v"), packets(&mov, "a"));
    assert_eq!((pictures[0].0, sound[0].0), (0.0, 0.0));
    let (seen_s, heard_s) = (pictures[pictures.len() - 1].0, of_mov.len() as f64 / RATE_HZ);
    // A camera that the machine holds up there has its last picture before the end of the clip.
    let asked_s = last - 0.5 - first;
    assert!(heard_s > seen_s - 0.04 && heard_s < asked_s + 0.1, "{heard_s} s heard, {seen_s} s seen");
    let folder = server.path().join("unpacked");
    unpack(&zip, &folder);
    assert!(samples(&folder.join("front/sound.wav"), &folder) == of_mov, "the same samples");
    let wav = fs::read(folder.join("front/sound.wav")).unwrap();
    assert_eq!(wav[4..8], (wav.len() as u32 - 8).to_le_bytes(), "it says how long it is");
}

#[test]
fn clips_of_every_kind_are_refused_where_one_is() {
    let setup = Setup::new().plain().sections(ALWAYS);
    add_user(setup.path(), "guest", "viewer");
    let edit = ["user", "edit", "guest", "--past", "no", "-u", "users"];
    assert!(crate::support::defender(setup.path(), &edit, "").status.success());
    let server = setup.start();
    let (first, last) = recorded(&server, 20.0);
    for kind in ["mkv", "mov", "zip"] {
        let of_guest = server.curl(&path(kind, (first, last)), &["-u", &format!("guest:{PASSWORD}")]);
        assert_eq!(
            (of_guest.status, server.curl(&path(kind, (first, last)), &[]).status),
            (403, 401),
            "{kind}"
        );
        assert_eq!(server.get(&path(kind, (first, first + 100_000.0))).status, 400, "{kind}: too long");
        assert_eq!(server.get(&path(kind, (1000.0, 1001.0))).status, 404, "{kind}: nothing there");
        assert_eq!(server.get(&format!("/api/1.0/recordings/front/clip.{kind}")).status, 400, "{kind}");
    }
}

/// The pixels of a picture in shades of grey, made `width` pixels wide and `height` high.
fn greys(file: &Path, (width, height): (usize, usize)) -> Vec<u8> {
    let out = file.with_extension("grey");
    let (from, to) = (file.to_str().unwrap(), out.to_str().unwrap());
    let filter = format!("scale={width}:{height}:flags=area:out_range=full,format=gray");
    run("ffmpeg", &["-v", "error", "-y", "-i", from, "-vf", &filter, "-f", "rawvideo", to]);
    let pixels = fs::read(out).unwrap();
    assert_eq!(pixels.len(), width * height);
    pixels
}

#[test]
fn thumbnails_show_the_frames_of_their_times() {
    let server = server(ALWAYS);
    let (first, last) = recorded(&server, 80.0);
    // The first two of eight parts are before everything.
    let part = (last - first) / 6.0;
    let base = "/api/1.0/recordings/front/thumbnails";
    let answer = server.get(&format!("{base}?from={:.3}&to={last:.3}&n=8", first - 2.0 * part));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let file = server.path().join("strip.jpg");
    fs::write(&file, &answer.body).unwrap();
    let strip = greys(&file, (8 * 40, 30));
    let times = answer.field("X-Times").unwrap();
    let times: Vec<&str> = times.split(' ').collect();
    assert_eq!(
        (times.len(), times[0], times[1] == "-" || times[1].contains('.')),
        (8, "-", true),
        "{times:?}"
    );
    for (number, time) in times.iter().enumerate() {
        let cell: Vec<u8> = (0..30).flat_map(|y| strip[y * 320 + number * 40..][..40].to_vec()).collect();
        let shown = if *time == "-" {
            vec![40; cell.len()]
        } else {
            let frame = server.get(&format!("/api/1.0/recordings/front/frame?at={time}"));
            assert_eq!(frame.field("X-Timestamp").as_deref(), Some(*time));
            let file = server.path().join("frame.jpg");
            fs::write(&file, &frame.body).unwrap();
            greys(&file, (40, 30))
        };
        let differences = cell.iter().zip(&shown).map(|(one, other)| u32::from(one.abs_diff(*other)));
        let mean = differences.sum::<u32>() as f64 / cell.len() as f64;
        assert!(mean < 6.0, "picture {number} at {time} differs by {mean}");
    }
    assert_eq!(server.get(&format!("{base}?n=51")).status, 400);
    assert_eq!(server.get(&format!("{base}?from=1000&to=1001")).status, 404);
}
