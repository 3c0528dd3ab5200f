//! Further streams of a camera: smaller, fewer and lighter pictures, made once and only while somebody watches.

use crate::support::{Server, Setup, USER, defender, parts, stderr, wait_for, watch};

const STREAMS: &str = "[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
                       [camera.front.stream.small]\nscale = \"1/2\"\n\
                       [camera.front.stream.light]\nquality = 10\n\
                       [camera.front.stream.slow]\nscale = \"1/8\"\nfps = 1\n";

fn server() -> Server {
    Setup::new().plain().sections(STREAMS).start()
}

/// Width and height of a JPEG, from its frame header (ITU-T T.81, section B.2.2).
pub fn size(jpeg: &[u8]) -> (u16, u16) {
    let mut at = 2;
    loop {
        let (marker, length) = (jpeg[at + 1], u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if (0xC0..=0xC2).contains(&marker) {
            let side = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
            return (side(at + 7), side(at + 5));
        }
        at += 2 + usize::from(length);
    }
}

/// A number of the metrics, by the beginning of its line.
pub fn metric(server: &Server, name: &str) -> f64 {
    known_metric(server, name).unwrap_or_else(|| panic!("no {name}"))
}

/// The same; `None` before the server knows it, for example before the recorder's first round.
pub fn known_metric(server: &Server, name: &str) -> Option<f64> {
    let text = server.get("/metrics").text();
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn pictures_of_each_stream_have_its_size() {
    let server = server();
    let picture = |path: &str| {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        (size(&answer.body), answer.body.len())
    };
    let (whole, bytes) = picture("/snapshot/front");
    assert_eq!(whole, (320, 240));
    assert_eq!(picture("/snapshot/front/small").0, (160, 120));
    assert_eq!(picture("/snapshot/front/slow").0, (40, 30));
    let (light, light_bytes) = picture("/snapshot/front/light");
    assert_eq!(light, (320, 240));
    assert!(light_bytes * 3 < bytes * 2, "{light_bytes} bytes at quality 10, {bytes} at full");
    assert_eq!(picture("/snapshot/front?scale=1/4").0, (80, 60));
    assert_eq!(picture("/snapshot/front/small?scale=1%2F2").0, (80, 60));
}

#[test]
fn a_stream_is_made_once_and_only_while_watched() {
    let server = server();
    let (_whole, whole) = watch(&server, "/video/front", "whole");
    wait_for("pictures of the camera", || (parts(&whole) > 5).then_some(()));
    assert_eq!(metric(&server, "defender_stream_frames_total{camera=\"front\",stream=\"small\"}"), 0.0);
    let watchers: Vec<_> =
        (0..5).map(|number| watch(&server, "/video/front/small", &format!("small-{number}"))).collect();
    for (_, file) in &watchers {
        wait_for("pictures of the stream", || (parts(file) >= 20).then_some(()));
    }
    let seen: usize = watchers.iter().map(|(_, file)| parts(file)).sum();
    let made = wait_for("the count of the stream", || {
        let made = metric(&server, "defender_stream_frames_total{camera=\"front\",stream=\"small\"}");
        (made >= 20.0).then_some(made)
    });
    // Counts are handed over once a second: more may have been made meanwhile, and is counted later.
    assert!(made < seen as f64, "{made} pictures were made for {seen} sent to five viewers");
    assert_eq!(metric(&server, "defender_stream_frames_total{camera=\"front\",stream=\"light\"}"), 0.0);
    let status = server.get("/api/1.0/cameras/front").text();
    assert!(status.contains("\"viewers\":6"), "{status}");
    drop(watchers);
    wait_for("the viewers of the stream to be gone", || {
        server.get("/api/1.0/cameras/front").text().contains("\"viewers\":1,").then_some(())
    });
}

/// What has been encoded of the camera's own pictures.
fn encoded(server: &Server) -> f64 {
    metric(server, "defender_frames_encoded_total{camera=\"front\"}")
}

#[test]
fn a_raw_camera_is_encoded_small_where_only_that_is_watched() {
    let server = server();
    let (_small, small) = watch(&server, "/video/front/small", "small");
    let (_tiny, tiny) = watch(&server, "/video/front/slow", "tiny");
    wait_for("pictures of the streams", || (parts(&small) > 5 && parts(&tiny) > 0).then_some(()));
    // Until the streams have noticed that the camera gives raw pictures they read its JPEGs.
    let before = wait_for("no more pictures to be encoded", || {
        let (shown, before) = (parts(&small), encoded(&server));
        wait_for("more pictures of the stream", || (parts(&small) > shown + 10).then_some(()));
        (encoded(&server) == before).then_some(before)
    });
    let status = server.get("/api/1.0/cameras/front").text();
    assert!(status.contains("\"online\":true") && status.contains("\"viewers\":2,\"since_s\""), "{status}");
    assert_eq!(server.get("/snapshot/front").status, 200);
    wait_for("the picture to be encoded", || (encoded(&server) > before).then_some(()));
    let picture = server.get("/snapshot/front/small");
    assert_eq!((picture.status, size(&picture.body)), (200, (160, 120)));
}

#[test]
fn a_camera_on_demand_runs_for_a_stream() {
    let sections = STREAMS.replace("height = 240", "height = 240\non_demand = true");
    let server = Setup::new().plain().sections(&sections).start();
    let (_small, file) = watch(&server, "/video/front/small", "small");
    wait_for("pictures of the stream", || (parts(&file) > 3).then_some(()));
}

#[test]
fn a_stream_that_is_not_there_is_named() {
    let server = server();
    for path in ["/video/front/tiny", "/snapshot/front/tiny"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("it has small, light, slow"), "{}", answer.text());
    }
    assert_eq!(server.get("/video/yard/small").status, 404);
    let answer = server.get("/snapshot/front?scale=1/3");
    assert_eq!((answer.status, answer.text().contains("1, 1/2, 1/4, 1/8")), (400, true), "{}", answer.text());
    assert_eq!(server.curl("/video/front/small", &[]).status, 401);
}

#[test]
fn streams_follow_the_scope_of_their_camera() {
    let sections =
        format!("{STREAMS}[camera.yard]\ndevice = \"test\"\n[camera.yard.stream.small]\nscale = \"1/4\"\n");
    let server = Setup::new().plain().sections(&sections).start();
    let scoped = defender(server.path(), &["user", "edit", USER, "--cameras", "yard", "-u", "users"], "");
    assert!(scoped.status.success(), "{}", stderr(&scoped));
    wait_for("the new scope", || (server.get("/snapshot/front/small").status == 404).then_some(()));
    assert_eq!(server.get("/snapshot/yard/small").status, 200);
}

#[test]
fn a_mistake_in_a_stream_names_its_line_and_key() {
    for (line, expected) in [
        ("scale = \"1/3\"", "scale in [camera.front.stream.small]"),
        ("fps = 0", "a whole number from 1 to 240"),
        ("quality = 101", "a whole number from 1 to 100"),
        ("scael = \"1/2\"", "did you mean `scale`?"),
    ] {
        let setup = Setup::new()
            .sections(&format!("[camera.front]\ndevice = \"test\"\n[camera.front.stream.small]\n{line}\n"));
        setup.write_config();
        let checked = defender(setup.path(), &["check", "-c", "defender.conf"], "");
        let text = stderr(&checked);
        assert!(!checked.status.success() && text.contains(expected), "{line}: {text}");
    }
}
