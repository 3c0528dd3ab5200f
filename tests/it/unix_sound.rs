//! Microphones behind Unix sockets.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::feeder::{Feeder, ffmpeg};
use crate::support::{Setup, wait_for, watch};

#[test]
fn sound_of_ffmpeg_is_heard_and_silence_while_it_is_gone() {
    let setup = Setup::new();
    let path = setup.path().join("mic");
    let tone =
        ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=32000", "-ac", "1", "-f", "s16le"];
    let short = [&tone[..5], &["-t", "2"], &tone[5..]].concat();
    let feeder = Feeder::start(&path, move |stream, _| ffmpeg(stream, &short));
    let server =
        setup.sections(&format!("[microphone.front]\ndevice = \"unix:{}\"\n", path.display())).start();
    let online = || server.get_on_board("/api/1.0/status").text().contains("\"online\":true").then_some(());
    wait_for("sound", online);
    let (_listener, file) = watch(&server, "/audio", "sound.wav");
    let samples = || {
        let bytes = fs::read(&file).unwrap_or_default();
        let sound = bytes.get(44..).unwrap_or_default();
        sound.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect::<Vec<_>>()
    };
    // The tone, the silence after it, and the tone of the next connection.
    let is_loud = |piece: &[i16]| piece.iter().any(|sample| sample.unsigned_abs() > 1000);
    wait_for("tone, silence and tone", || {
        let heard: Vec<bool> = samples().chunks_exact(3200).map(is_loud).collect();
        let silence = heard.iter().skip_while(|is_loud| !**is_loud).position(|is_loud| !is_loud)?;
        heard.iter().skip_while(|is_loud| !**is_loud).skip(silence).any(|is_loud| *is_loud).then_some(())
    });
    assert!(feeder.connections() >= 2);
    server.wait_log("closed by the program that feeds it");
}

#[test]
fn on_demand_a_microphone_is_connected_while_somebody_listens() {
    let setup = Setup::new();
    let path = setup.path().join("mic");
    let open = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&open);
    let feeder = Feeder::start(&path, move |mut stream, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        // 20 ms of sound at a time.
        while stream.write_all(&[1; 1280]).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
        counted.fetch_sub(1, Ordering::Relaxed);
    });
    let section = format!("[microphone.front]\ndevice = \"unix:{}\"\non_demand = true\n", path.display());
    let server = setup.sections(&section).start();
    let status = || server.get_on_board("/api/1.0/status").text();
    wait_for("a closed microphone", || status().contains("closed until somebody listens").then_some(()));
    assert_eq!(feeder.connections(), 0);
    for number in 1..=2 {
        let (listener, file) = watch(&server, "/audio", &format!("listener{number}"));
        let is_loud = || fs::read(&file).is_ok_and(|sound| sound.ends_with(&[1; 64]));
        wait_for("sound", || is_loud().then_some(()));
        assert_eq!(feeder.connections(), number, "one connection, and another after a hang-up");
        drop(listener);
        wait_for("the hang-up", || (open.load(Ordering::Relaxed) == 0).then_some(()));
    }
    drop(feeder);
    fs::remove_file(&path).unwrap();
    wait_for("the reason", || status().contains("no such socket; start the program").then_some(()));
}
