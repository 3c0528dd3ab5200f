//! Sound of the test tone: formats, codecs, listeners of every kind; what real players make of it.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use crate::support::{Background, PASSWORD, Server, Setup, USER, defender, stderr, stdout, wait_for, watch};

const RATE_HZ: usize = 32_000;
const WAV_HEADER_BYTES: usize = 44;

fn with_tone() -> Server {
    let server = Setup::new().sections("[microphone.front]\ndevice = \"test\"\n").start();
    // The password is checked once, so that many can come at once after it.
    assert_eq!(server.get_on_board("/api/1.0/status").status, 200);
    server
}

fn wait_listeners(server: &Server, count: u32) {
    let expected = format!("\"listeners\":{count}");
    wait_for(&expected, || server.get_on_board("/api/1.0/status").text().contains(&expected).then_some(()));
}

/// The samples of a recording in WAV.
fn samples(file: &Path) -> Vec<i16> {
    let bytes = fs::read(file).unwrap_or_default();
    let data = bytes.get(WAV_HEADER_BYTES..).unwrap_or_default();
    data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Records `path` until there are `seconds` of it.
fn record(server: &Server, path: &str, into: &str, bytes: usize) -> std::path::PathBuf {
    let (listener, file) = watch(server, path, into);
    wait_for("a recording", || {
        fs::metadata(&file).is_ok_and(|found| found.len() as usize >= bytes).then_some(())
    });
    drop(listener);
    file
}

/// Where the 440 Hz of the test tone, between two ticks, does not go on as a sine does: each sample
/// of a sine follows from the two before it.
fn seams(samples: &[i16]) -> Vec<usize> {
    let turn = 2.0 * (std::f64::consts::TAU * 440.0 / RATE_HZ as f64).cos();
    let follows = |three: &[i16]| {
        let [before, last, next] = [three[0], three[1], three[2]].map(f64::from);
        (turn * last - before - next).abs() <= 4.0
    };
    let found = samples.windows(3).enumerate().filter(|(_, three)| !follows(three)).map(|(at, _)| at);
    found.filter(|at| !is_tick(samples, *at)).collect()
}

/// Whether a tick is near: 20 ms long and louder than the tone.
fn is_tick(samples: &[i16], at: usize) -> bool {
    let around = &samples[at.saturating_sub(800)..(at + 800).min(samples.len())];
    around.iter().any(|sample| sample.unsigned_abs() > 900)
}

#[test]
fn the_stream_is_an_endless_wav() {
    let server = with_tone();
    let file = record(&server, "/audio", "tone.wav", 50_000);
    let header = fs::read(file).unwrap();
    assert_eq!(&header[..16], b"RIFF\xff\xff\xff\xffWAVEfmt ");
    assert_eq!(&header[36..44], b"data\xff\xff\xff\xff");
    let head = server.curl("/audio", &["-u", &format!("{USER}:{PASSWORD}"), "-I"]);
    assert_eq!((head.status, head.field("content-type").as_deref()), (200, Some("audio/wav")));
    assert_eq!(head.field("cache-control").as_deref(), Some("no-store"));
    assert!(head.field("x-timestamp").is_some_and(|stamp| stamp.contains('.')), "{}", head.head);
}

#[test]
fn twenty_listeners_hear_every_sample_beside_five_that_stall() {
    let server = with_tone();
    let stalled: Vec<_> = (0..5)
        .map(|_| {
            let mut curl = Command::new("curl");
            curl.args([
                "-sk",
                "-N",
                "-u",
                &format!("{USER}:{PASSWORD}"),
                "--limit-rate",
                "100",
                "-o",
                "/dev/null",
            ]);
            Background::start(curl.arg(server.url("/audio")))
        })
        .collect();
    let listeners: Vec<_> =
        (0..20).map(|number| watch(&server, "/audio", &format!("{number}.wav"))).collect();
    for (_, file) in &listeners {
        wait_for("four seconds of sound", || (samples(file).len() > 4 * RATE_HZ).then_some(()));
    }
    drop(stalled);
    for (_, file) in &listeners {
        let heard = samples(file);
        assert_eq!(seams(&heard), Vec::<usize>::new(), "of {} samples", heard.len());
    }
}

#[test]
fn a_stalled_listener_loses_sound_and_rejoins_without_a_click() {
    let server = Setup::new().plain().sections("[microphone.front]\ndevice = \"test\"\n").start();
    let mut socket = server.connect();
    let login =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{USER}:{PASSWORD}"));
    let request = format!("GET /audio HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n\r\n");
    std::io::Write::write_all(&mut socket, request.as_bytes()).unwrap();
    // A small buffer on this side, so that the server notices a stall soon; a tiny one would be what
    // slows the stream.
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 32 * 1024).unwrap();
    let mut heard = vec![0; 16_000];
    socket.read_exact(&mut heard).unwrap();
    let counted = |name: &str| -> usize {
        let metrics = server.get("/metrics").text();
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
    };
    let captured = || counted("defender_sound_frames_captured_total");
    let skipped = || counted("defender_sound_frames_skipped_total");
    let before = captured();
    wait_for("eight seconds of sound that nobody takes", || {
        (captured() - before > 8 * RATE_HZ).then_some(())
    });
    let mut hear = |seconds: usize| {
        let mut more = vec![0; seconds * 2 * RATE_HZ];
        socket.read_exact(&mut more).unwrap();
        heard.extend_from_slice(&more);
    };
    // What was on its way comes first.
    wait_for("the server to leave out what is late", || {
        hear(1);
        (skipped() > 0).then_some(())
    });
    hear(2);
    let body_at = heard.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4 + WAV_HEADER_BYTES;
    let heard: Vec<i16> =
        heard[body_at..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    // Most of the eight seconds are lost, not late.
    assert!(skipped() > 3 * RATE_HZ, "{} samples were left out", skipped());
    // The tone's steps are at most 57; from peak to peak would be 1,300.
    let steps = heard.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
    let clicks: Vec<_> =
        steps.enumerate().filter(|(at, step)| *step > 120 && !is_tick(&heard, *at)).collect();
    assert_eq!(clicks, [], "where the sound goes on");
}

#[test]
fn each_codec_is_what_ffmpeg_says_it_is_and_flac_loses_nothing() {
    let server = with_tone();
    for (codec, name, bytes) in
        [("wav", "pcm_s16le", 200_000), ("ulaw", "pcm_mulaw", 100_000), ("flac", "flac", 60_000)]
    {
        let file = record(&server, &format!("/audio/front?codec={codec}"), codec, bytes);
        let raw = server.path().join("decoded");
        let output = Command::new("ffmpeg")
            .args(["-hide_banner", "-y", "-i"])
            .arg(&file)
            .args(["-f", "s16le"])
            .arg(&raw)
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.contains(&format!("Audio: {name}")) && output.contains("32000 Hz"), "{output}");
        let decoded: Vec<i16> = fs::read(raw)
            .unwrap()
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        assert!(decoded.len() > RATE_HZ, "{codec}: {} samples", decoded.len());
        if codec != "ulaw" {
            assert_eq!(seams(&decoded), Vec::<usize>::new(), "{codec}");
        }
    }
}

#[test]
fn flac_takes_fewer_bytes_and_later_listeners_share_it() {
    let server = with_tone();
    let early = watch(&server, "/audio?codec=flac", "early");
    wait_for("sound before the second listener comes", || {
        fs::metadata(&early.1).is_ok_and(|found| found.len() > 4_000).then_some(())
    });
    let late = watch(&server, "/audio?codec=flac", "late");
    for (_, file) in [&early, &late] {
        wait_for("sound", || fs::metadata(file).is_ok_and(|found| found.len() > 40_000).then_some(()));
        let begin = fs::read(file).unwrap();
        assert_eq!(&begin[..8], b"fLaC\x80\0\0\x22");
        // The first frame of every stream has the number 0 (RFC 9639 section 9.1.5).
        assert_eq!((&begin[42..44], begin[46]), (&b"\xff\xf8"[..], 0));
    }
}

#[test]
fn the_status_has_level_rate_and_listeners() {
    let server = Setup::new()
        .sections(
            "[microphone.front]\ndevice = \"test\"\nrate_hz = 48000\nchannels = 2\n\
             [microphone.yard]\ndevice = \"no such card\"\n",
        )
        .start();
    let _listener = watch(&server, "/audio/front", "sound");
    let status = wait_for("a listener and a level in the status", || {
        let status = server.get_on_board("/api/1.0/status").text();
        (status.contains("\"listeners\":1") && status.contains("\"rms_dbfs\":-3")).then_some(status)
    });
    for part in [
        "\"name\":\"front\",\"source\":\"test tone\",\"online\":true,\"problem\":null,\"rate_hz\":48000,\"channels\":2",
        "\"overruns\":0",
        "\"name\":\"yard\",\"source\":\"no such card\",\"online\":false,\"problem\":\"no such card: no such microphone",
    ] {
        assert!(status.contains(part), "{part} is missing in {status}");
    }
}

#[test]
fn prometheus_learns_of_cameras_and_microphones() {
    let server = Setup::new()
        .sections("[camera.yard]\ndevice = \"test\"\n[microphone.front]\ndevice = \"test\"\n")
        .start();
    let online = [
        "defender_camera_online{camera=\"yard\"} 1\n",
        "defender_microphone_online{microphone=\"front\"} 1\n",
    ];
    let answer = wait_for("both to be online", || {
        let answer = server.get("/metrics");
        online.iter().all(|line| answer.text().contains(line)).then_some(answer)
    });
    assert_eq!(answer.field("content-type").as_deref(), Some("text/plain; version=0.0.4"));
    let text = answer.text();
    for line in [
        "# TYPE defender_frames_captured_total counter\n",
        "defender_sound_overruns_total{microphone=\"front\"} 0\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert_eq!(server.curl("/metrics", &[]).status, 401);
}

#[test]
fn a_missing_microphone_is_silent_and_keeps_its_listeners() {
    let server = Setup::new().sections("[microphone.front]\ndevice = \"hw:9,0\"\n").start();
    server.wait_log("microphone front: hw:9,0: no such microphone");
    let file = record(&server, "/audio", "silence.wav", RATE_HZ * 2);
    assert!(samples(&file).iter().all(|sample| *sample == 0));
    let log = server.log_until_now();
    let warnings = log.lines().filter(|line| line.contains("WARN")).count();
    assert_eq!(warnings, 1, "one warning:\n{log}");
}

#[test]
fn a_reload_ends_only_sound_streams_whose_format_changed() {
    let server = with_tone();
    let (mut same, _) = watch(&server, "/audio", "same");
    wait_listeners(&server, 1);
    let write = |section: &str| {
        fs::write(
            server.path().join("defender.conf"),
            format!("[server]\naddress = \"127.0.0.1\"\nport = 0\n{section}"),
        )
        .unwrap();
        server.signal("HUP");
    };
    write("[microphone.front]\ndevice = \"hw:9,0\"\n");
    server.wait_log("no such microphone");
    assert!(same.is_running(), "the format is the same: its listeners stay");
    write("[microphone.front]\ndevice = \"test\"\nrate_hz = 16000\n");
    wait_for("the stream to end", || (!same.is_running()).then_some(()));
    let file = record(&server, "/audio", "new.wav", 20_000);
    assert_eq!(&fs::read(file).unwrap()[24..28], 16_000_u32.to_le_bytes());
}

#[test]
fn bad_queries_are_refused_with_what_would_be_valid() {
    let server = with_tone();
    let rows = [
        ("/audio?codec=mp3", 400, "codec must be one of wav, ulaw, flac"),
        ("/audio/attic", 404, "no microphone is named attic; there are: front"),
    ];
    for (path, status, why) in rows {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(why), "{path}: {}", answer.text());
    }
    let none = Setup::new().start();
    assert!(none.get("/audio").text().contains("no microphone is configured"));
    for (key, said) in
        [("rate_hz = 0", "8000 to 192000"), ("channels = 9", "1 to 8"), ("device = \"\"", "ALSA name")]
    {
        let setup = Setup::new().sections(&format!("[microphone.front]\n{key}\n"));
        setup.write_config();
        let refused = defender(setup.path(), &["check", "-c", "defender.conf"], "");
        assert!(!refused.status.success(), "{key}");
        let output = stderr(&refused) + &stdout(&refused);
        assert!(output.contains("defender.conf:") && output.contains(said), "{key}: {output}");
    }
}
