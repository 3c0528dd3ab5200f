//! What only seems to be another Defender, and what it costs.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::remote::wait_status;
use crate::support::{PASSWORD, PATIENCE, Setup, USER, parts, wait_for, watch};

/// The port of one that lists a camera, and whose pictures are what `pictures` sends. It ends with the
/// test's process, whatever it waits for.
fn stranger(pictures: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pictures = Arc::new(pictures);
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut request = [0; 2048];
            let got = socket.read(&mut request).unwrap_or(0);
            if request[..got].starts_with(b"GET /api/1.0/status") {
                let text = "{\"cameras\":[{\"name\":\"trap\",\"online\":true,\"problem\":null,\"width\":320,\
                            \"height\":240,\"fps\":30}],\"microphones\":[]}";
                let _ = write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            } else {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                let pictures = Arc::clone(&pictures);
                thread::spawn(move || pictures(socket));
            }
        }
    });
    port
}

#[test]
fn a_false_defender_harms_only_its_own_picture() {
    let evil: [&[u8]; 5] = [
        b"--defender-frame\r\nContent-Length: 99999999999999\r\n\r\n",
        b"--defender-frame\r\nContent-Type: image/jpeg\r\n\r\n",
        b"--defender-frame\r\nContent-Length: 5\r\n\r\nnojpg\r\n--defender-frame\r\nContent-Length: 2\r\n\r\n\xff\xd8\r\n",
        &[b'x'; 5000],
        b"",
    ];
    let number = AtomicUsize::new(0);
    let port = stranger(move |mut socket| {
        let _ = socket.write_all(evil[number.fetch_add(1, Ordering::Relaxed) % evil.len()]);
    });
    let sections = format!(
        "[camera.here]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
         [remote.evil]\nurl = \"http://127.0.0.1:{port}/\"\ntoken = \"dft_x\"\n"
    );
    let panel = Setup::new().sections(&sections).start();
    wait_status(&panel, "\"name\":\"evil-trap\"");
    let (mut viewer, file) = watch(&panel, "/video/evil-trap", "stream");
    panel.wait_log("it does not answer as a Defender does");
    wait_for("no-signal frames", || (parts(&file) > 5).then_some(()));
    assert!(viewer.is_running());
    assert_eq!(panel.get("/snapshot/here").status, 200, "the own camera is not disturbed");
}

#[test]
fn a_stranger_whose_pictures_are_all_broken_is_shown_as_lost() {
    let part = b"--defender-frame\r\nContent-Length: 5\r\n\r\nnojpg\r\n";
    let port = stranger(move |mut socket| {
        while socket.write_all(part).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let section = format!("[remote.evil]\nurl = \"http://127.0.0.1:{port}/\"\ntoken = \"dft_x\"\n");
    let panel = Setup::new().server("mode = \"server\"").sections(&section).start();
    wait_status(&panel, "\"name\":\"evil-trap\"");
    let (_viewer, file) = watch(&panel, "/video/evil-trap", "stream");
    panel.wait_log("none of its pictures can be shown");
    wait_for("no-signal frames", || (parts(&file) > 2).then_some(()));
}

#[test]
fn a_slow_remote_does_not_delay_the_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (progress, dripped) = mpsc::channel();
    // It ends with the test's process, whatever it waits for.
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            // A handshake message of 16 KiB, which would take a quarter of an hour.
            let _ = socket.write_all(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc");
            while socket.write_all(b"\0").is_ok() {
                let _ = progress.send(());
                thread::sleep(Duration::from_millis(50));
            }
        }
    });
    let section = format!("[remote.slow]\nurl = \"https://127.0.0.1:{port}/\"\ntoken = \"dft_x\"\n");
    let mut panel = Setup::new().server("mode = \"server\"").sections(&section).start();
    for _ in 0..5 {
        dripped.recv_timeout(PATIENCE).expect("the server comes");
    }
    panel.signal("TERM");
    assert!(panel.wait_end().is_some_and(|status| status.success()));
}

#[test]
fn a_picture_cannot_end_its_part_and_begin_another() {
    let card = Setup::new().start().get("/snapshot/front").body;
    let html =
        b"\r\n--defender-frame\r\nContent-Type: text/html\r\n\r\n<h1>mine</h1>\r\n--defender-frame\r\n";
    let comment = [b"\xff\xfe".as_slice(), &(html.len() as u16 + 2).to_be_bytes(), html].concat();
    let picture = [&card[..2], &comment, &card[2..]].concat();
    let part = [format!("--b\r\nContent-Length: {}\r\n\r\n", picture.len()).as_bytes(), &picture].concat();
    let port = stranger(move |mut socket| {
        while socket.write_all(&part).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let section = format!("[remote.evil]\nurl = \"http://127.0.0.1:{port}/\"\ntoken = \"dft_x\"\n");
    let panel = Setup::new().server("mode = \"server\"").sections(&section).start();
    wait_status(&panel, "\"name\":\"evil-trap\"");
    let head = panel.curl("/video/evil-trap", &["-I", "-u", &format!("{USER}:{PASSWORD}")]).head;
    let boundary = head.split("boundary=").nth(1).unwrap().lines().next().unwrap().to_owned();
    let policy = head.lines().find(|line| line.starts_with("Content-Security-Policy")).unwrap();
    assert!(policy.ends_with("; sandbox"), "{policy}");
    let (_viewer, file) = watch(&panel, "/video/evil-trap", "stream");
    wait_for("its pictures", || {
        let bytes = fs::read(&file).unwrap_or_default();
        bytes.windows(html.len()).any(|window| window == html).then_some(())
    });
    let bytes = fs::read(&file).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for part in text.split(&format!("--{boundary}\r\n")).skip(1).filter(|part| !part.is_empty()) {
        assert!("Content-Type: image/jpeg".starts_with(&part[..part.len().min(24)]), "{part:.60}");
    }
}
