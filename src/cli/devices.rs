//! `defender --list-devices`.

use std::fmt::Write;

use crate::base::text::{printable, printable_lines};
use crate::media::{CameraDevice, DeviceSize, SoundDevice};
use crate::source::alsa::cards;
use crate::source::ribbon;
use crate::source::v4l2::devices;

/// The cameras and microphones of this machine, for people.
pub fn list() -> String {
    let mut parts: Vec<String> = devices::list().iter().map(describe_camera).collect();
    parts.extend(ribbon::list().iter().map(|text| printable_lines(text).into_owned()));
    if parts.is_empty() {
        parts
            .push("no cameras found; is one plugged in, and is this user in the group `video`?\n".to_owned());
    }
    let cameras = parts.len();
    parts.extend(cards::list().iter().map(describe_microphone));
    if parts.len() == cameras {
        parts.push(
            "no microphones found; is one plugged in, and is this user in the group `audio`?\n".to_owned(),
        );
    }
    parts.join("\n")
}

fn describe_microphone(device: &SoundDevice) -> String {
    let SoundDevice { pcm, label, rates_hz, channels, problem } = device;
    match problem {
        // The text names the PCM.
        Some(problem) => format!("{}\n  {}\n", printable(problem), printable(label)),
        None => {
            let name = format!("{pcm}  {label}");
            let plural = if *channels == (1, 1) { "" } else { "s" };
            format!("{}\n  {} Hz, {} channel{plural}\n", printable(&name), span(*rates_hz), span(*channels))
        }
    }
}

fn span((least, most): (u32, u32)) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

fn describe_camera(camera: &CameraDevice) -> String {
    let mut text = match &camera.problem {
        // The text names the node, and nothing else is known of it.
        Some(problem) => problem.clone(),
        None => format!("{}  {} ({})", camera.node.display(), camera.card, camera.driver),
    };
    // One line each: the names come from the device.
    text = printable(&text).into_owned() + "\n";
    for name in &camera.by_id {
        let _ = writeln!(text, "  {}", printable(&name.to_string_lossy()));
    }
    for format in &camera.formats {
        let note = if format.usable { "" } else { "  (not usable)" };
        let name = format!("{} {}", format.fourcc, format.description);
        let _ = writeln!(text, "  {}{note}", printable(&name));
        for size in &format.sizes {
            let _ = writeln!(text, "    {}x{}{}", size.width, size.height, rates(size));
        }
    }
    text
}

fn rates(size: &DeviceSize) -> String {
    if size.rates_fps.is_empty() {
        return String::new();
    }
    let rates: Vec<String> =
        size.rates_fps.iter().map(|rate| format!("{}", (rate * 100.0).round() / 100.0)).collect();
    format!(" at {} fps", rates.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::DeviceFormat;

    #[test]
    fn a_camera_is_shown_with_names_formats_sizes_and_rates() {
        let size = DeviceSize { width: 640, height: 480, rates_fps: vec![30.0, 7.5] };
        let format = |fourcc: &str, usable| DeviceFormat {
            fourcc: fourcc.to_owned(),
            description: "what it is".to_owned(),
            usable,
            sizes: vec![size.clone()],
        };
        let text = describe_camera(&CameraDevice {
            node: "/dev/video0".into(),
            card: "C210".to_owned(),
            driver: "uvcvideo".to_owned(),
            by_id: vec!["/dev/v4l/by-id/usb-C210".into()],
            formats: vec![format("MJPG", true), format("H264", false)],
            problem: None,
        });
        for part in [
            "/dev/video0  C210 (uvcvideo)",
            "/dev/v4l/by-id/usb-C210",
            "MJPG what it is\n",
            "640x480 at 30, 7.5 fps",
            "H264 what it is  (not usable)",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn a_microphone_is_shown_with_its_name_and_formats() {
        let device = SoundDevice {
            pcm: "plughw:CARD=C210,DEV=0".to_owned(),
            label: "Webcam C210, USB Audio".to_owned(),
            rates_hz: (8000, 48_000),
            channels: (1, 1),
            problem: None,
        };
        let expected = "plughw:CARD=C210,DEV=0  Webcam C210, USB Audio\n  8000 to 48000 Hz, 1 channel\n";
        assert_eq!(describe_microphone(&device), expected);
        let busy = SoundDevice { problem: Some("plughw:CARD=C210,DEV=0: busy".to_owned()), ..device };
        assert_eq!(describe_microphone(&busy), "plughw:CARD=C210,DEV=0: busy\n  Webcam C210, USB Audio\n");
    }

    #[test]
    fn a_node_that_cannot_be_opened_is_shown_with_the_reason() {
        let text = describe_camera(&CameraDevice {
            node: "/dev/video0".into(),
            card: String::new(),
            driver: String::new(),
            by_id: vec!["/dev/v4l/by-id/usb-C210".into()],
            formats: Vec::new(),
            problem: Some("/dev/video0: permission denied".to_owned()),
        });
        assert_eq!(text, "/dev/video0: permission denied\n  /dev/v4l/by-id/usb-C210\n");
    }
}
