//! Many clips at once to slow clients, and viewers that drag through the past: recording and live viewers go on.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::footage::{number, recorded, stretches};
use crate::streams::metric;
use crate::support::{PASSWORD, Server, Setup, USER, parts, wait_for, watch};

/// Frames of about 40 KB, so that a clip is much more than the kernel has room for.
const SECTIONS: &str = "[record]\nsegment_mb = 4\nmin_free_gb = 0\n\
                        [camera.front]\ndevice = \"test\"\nwidth = 640\nheight = 480\nfps = 10\nquality = 95\n\
                        [camera.front.record]\nwhen = \"always\"\n\
                        [microphone.front]\ndevice = \"test\"\nrate_hz = 16000\n";

const CLIENTS: usize = 20;

fn server() -> Server {
    let limits = "max_connections_per_address = 100";
    Setup::new().plain().server(limits).sections(SECTIONS).start()
}

/// Memory that the server takes, in KiB.
fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Sends a request of [`USER`] without reading the answer.
fn ask(server: &Server, path: &str) -> TcpStream {
    let mut socket = server.connect();
    let login = format!("{USER}:{PASSWORD}");
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, login);
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n\r\n");
    socket.write_all(head.as_bytes()).expect("sent");
    socket
}

/// Frames that are on the disk, and those that were lost.
fn counted(server: &Server) -> (f64, f64) {
    let of = |name: &str| metric(server, &format!("{name}{{camera=\"front\"}}"));
    (of("defender_recorded_frames_total"), of("defender_recording_missed_frames_total"))
}

/// Waits until so many more frames are on the disk.
fn wait_recorded(server: &Server, frames: f64) {
    // The metric is renewed once a second: the first value may be old.
    let (shown, _) = counted(server);
    let before = wait_for("more frames", || Some(counted(server).0).filter(|now| *now > shown));
    wait_for("frames on the disk", || (counted(server).0 >= before + frames).then_some(()));
}

/// Waits until the server has no more threads and open files than before.
fn wait_calm(server: &Server, before: (usize, usize)) {
    // A file of the pool is opened now and then.
    wait_at_most(server, (before.0, before.1 + 2));
}

/// Waits until the server has at most so many threads and open files: those of answers that ended go a little later.
fn wait_at_most(server: &Server, most: (usize, usize)) {
    wait_for("the end of other connections", || {
        let (threads, files) = server.threads_and_descriptors();
        (threads <= most.0 && files <= most.1).then_some(())
    });
}

#[test]
fn twenty_slow_clips_hold_up_neither_recording_nor_viewers() {
    let server = server();
    let (first, last) = recorded(&server, 80.0);
    let (_viewer, seen) = watch(&server, "/video", "seen");
    wait_for("a viewer", || (parts(&seen) > 2).then_some(()));
    let (before, calm, missed) =
        (resident_kib(&server), server.threads_and_descriptors(), counted(&server).1);
    let path = |number: usize| {
        let kind = ["mkv", "mov", "zip"][number % 3];
        format!("/api/1.0/recordings/front/clip.{kind}?from={first:.3}&to={last:.3}")
    };
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|number| ask(&server, &path(number))).collect();
    let mut read: Vec<Vec<u8>> = vec![Vec::new(); CLIENTS];
    let (recorded_before, seen_before) = (counted(&server).0, parts(&seen));
    for _ in 0..8 {
        for (client, read) in clients.iter_mut().zip(&mut read) {
            let mut piece = [0; 1500];
            let count = client.read(&mut piece).expect("a clip goes on");
            assert!(count > 0, "a clip ended early");
            read.extend(&piece[..count]);
        }
        wait_recorded(&server, 5.0);
    }
    assert!(
        read.iter().all(|read| read.starts_with(b"HTTP/1.1 200")),
        "{:?}",
        String::from_utf8_lossy(&read[0])
    );
    // Counted, not timed: a viewer that is held up sees fewer frames than were recorded meanwhile.
    let (recorded, missed_now) = counted(&server);
    wait_for("what the viewer sees", || {
        (parts(&seen) - seen_before >= (recorded - recorded_before) as usize * 9 / 10).then_some(())
    });
    // A machine that is busy with other things costs a frame now and then; a recorder that is held up loses nearly all.
    let lost = missed_now - missed;
    assert!(lost * 10.0 <= recorded - recorded_before, "{lost} frames were lost beside {recorded}");
    assert_eq!(stretches(&server).len(), 1, "no gap");
    // Of each a thread; its socket, three descriptors for the request, one file of footage.
    wait_at_most(&server, (calm.0 + CLIENTS + 2, calm.1 + CLIENTS * 5 + 2));
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB for {CLIENTS} clips");
    // One of them hurries after all, and has the whole.
    let (mut client, mut whole) = (clients.swap_remove(0), read.swap_remove(0));
    let head_bytes = whole.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let head = String::from_utf8_lossy(&whole[..head_bytes]).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    let mut rest = vec![0; head_bytes + length.parse::<usize>().unwrap() - whole.len()];
    client.read_exact(&mut rest).expect("the rest of the clip");
    whole.append(&mut rest);
    let again = server.get(&path(0));
    assert!(whole[head_bytes..] == again.body, "the same bytes as of a fast client");
    drop((client, clients));
    wait_calm(&server, calm);
}

#[test]
fn clips_wait_for_memory_and_take_no_more_than_their_part() {
    let limits = "max_connections_per_address = 100\nmemory_mb = 1";
    let server = Setup::new().plain().server(limits).sections(SECTIONS).start();
    let (first, last) = recorded(&server, 100.0);
    let path = format!("/api/1.0/recordings/front/clip.mkv?from={first:.3}&to={last:.3}");
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| ask(&server, &path)).collect();
    let heads: Vec<String> = clients
        .iter_mut()
        .map(|client| {
            let mut head = [0; 12];
            client.read_exact(&mut head).expect("an answer");
            String::from_utf8_lossy(&head).into_owned()
        })
        .collect();
    let count = |status: &str| heads.iter().filter(|head| head.ends_with(status)).count();
    assert!(count("200") > 0 && count("503") > 0 && count("200") + count("503") == CLIENTS, "{heads:?}");
    let used = metric(&server, "defender_buffer_used_bytes{for=\"requests\"}");
    let limit = metric(&server, "defender_buffer_limit_bytes{for=\"requests\"}");
    assert!(used > 0.0 && used <= limit * 0.75, "{used} of {limit} bytes: a quarter is for other answers");
    assert_eq!(server.get("/snapshot").status, 200);
    drop(clients);
    wait_for("free memory", || (server.get(&path).status == 200).then_some(()));
    wait_recorded(&server, 5.0);
    assert_eq!(stretches(&server).len(), 1, "no gap");
}

#[test]
fn a_viewer_who_drags_leaves_nothing_behind() {
    let server = server();
    let (first, last) = recorded(&server, 60.0);
    let calm = server.threads_and_descriptors();
    for turn in 0..40 {
        let mut dragged = Vec::new();
        for step in 0..8_u32 {
            let at = first + (last - first) * f64::from((turn * 5 + step * 3) % 17) / 17.0;
            let speed = [1, -16, 512, 2][step as usize % 4];
            let what = match step % 4 {
                0 => format!("frame?at={at:.3}"),
                1 => format!("thumbnails?from={first:.3}&to={at:.3}&n=50"),
                2 => format!("sound?from={at:.3}"),
                _ => format!("stream?from={at:.3}&speed={speed}"),
            };
            dragged.push(ask(&server, &format!("/api/1.0/recordings/front/{what}")));
        }
        // Some are gone before the first byte of the answer, others after it.
        for (number, mut client) in dragged.into_iter().enumerate() {
            if number % 2 == turn as usize % 2 {
                let mut piece = [0; 100];
                let _ = client.read(&mut piece);
            }
        }
    }
    wait_calm(&server, calm);
    wait_recorded(&server, 10.0);
    assert_eq!(stretches(&server).len(), 1, "no gap");
    let used = metric(&server, "defender_buffer_used_bytes{for=\"requests\"}");
    assert_eq!(used, 0.0, "memory is given back");
    let answer = server.get(&format!("/api/1.0/recordings/front/frame?at={last:.3}"));
    let time: f64 = answer.field("X-Timestamp").unwrap().parse().unwrap();
    // Footage ends with its last picture or with the sound behind it.
    let next: f64 = answer.field("X-Next").expect("a frame was recorded since").parse().unwrap();
    assert!(time <= last && next > last, "{time}, {next} for {last}");
    let found = crate::footage::document(&server.get("/api/1.0/recordings").text());
    assert!(number(&found["dir_bytes"]) > 0.0);
}
