//! A Pi Zero: ARMv6, one core, 512 MB. Qemu gives it no network, so it signs in to itself.

use std::fs;

use crate::bars::assert_shows_bars;
use crate::machine::Machine;
use crate::{binary, tone};

#[test]
fn the_same_binary_serves_a_pi_zeros_camera_and_microphone() {
    let files = tempfile::tempdir().expect("a temporary folder");
    fs::copy(binary("arm"), files.path().join("defender")).expect("copied");
    // Without TLS because busybox's wget speaks none that is still allowed; the others do.
    let config = "[server]\naddress = \"127.0.0.1\"\ntls = false\n[camera.front]\n[microphone.front]\n";
    fs::write(files.path().join("defender.conf"), config).expect("written");

    let zero = Machine::boot(&["zero", files.path().to_str().expect("a plain path")]);
    let console = zero.console_until("ZERO end");
    assert!(console.contains("ARMv6"), "{console}");
    let status = printed(&console, "status").concat();
    assert!(status.contains("\"online\":true") && status.contains("vivid"), "{console}");
    assert_shows_bars(&from_base64(&printed(&console, "snapshot").concat()));
    let sound = from_base64(&printed(&console, "audio").concat());
    assert!(tone::is_heard(&sound), "{} bytes of sound without the tone: {console}", sound.len());
}

/// What the Pi Zero printed about `what`, line by line.
fn printed(console: &str, what: &str) -> Vec<String> {
    let mark = format!("ZERO {what} ");
    let lines = console.lines().filter_map(|line| line.trim_end().split_once(&mark));
    lines.map(|(_, rest)| rest.to_owned()).collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}
