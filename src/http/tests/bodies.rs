//! How large bodies may be.

use super::*;

#[test]
fn zones_and_masks_at_their_limits_fit_in_a_body() {
    let fixture = Fixture::new();
    // As many polygons and corners as there may be, with all digits that a number of a page has.
    let points = format!("[{}]", ["[0.12345678901234567,0.98765432109876543]"; 32].join(","));
    let zone = format!("{{\"name\":\"{}\",\"points\":{points}}}", "z".repeat(32));
    let list = |one: &str| format!("[{}]", vec![one; 32].join(","));
    let motion = format!("\"motion\":{{\"zones\":{},\"masks\":{}}}", list(&zone), list(&points));
    let all = format!("\"masks\":{},{motion}", list(&points));
    for (method, path, body) in
        [("POST", "/api/1.0/cameras/front/motion/replay", motion), ("PUT", "/api/1.0/cameras/front", all)]
    {
        let bearer = format!("Bearer {}", fixture.admin);
        let body = format!("{{{body}}}").leak();
        let status = fixture.ask(method, path, &[("Authorization", &bearer)], body);
        // It is read: what is refused is to change a camera that no file names.
        assert!(![400, 413].contains(&status), "{method} {path}: {status}, {} bytes", body.len());
    }
}

#[test]
fn a_login_is_no_longer_than_64_kib() {
    let fixture = Fixture::new();
    let body = format!("{{\"user\":\"{}\",\"password\":\"\"}}", "x".repeat(64 * 1024)).leak();
    assert_eq!(fixture.ask("POST", "/api/1.0/login", &[], body), 413);
}
