//! `defender --list-devices`.

use std::fmt::Write;

use crate::base::text::{printable, printable_lines};
use crate::media::{CameraDevice, DeviceSize, SoundDevice};
use crate::source::alsa::cards;
use crate::source::ribbon;
use crate::source::v4l2::devices;

/// The cameras and microphones of this machine, for people.
pub fn list() -> String {
    let cameras = devices::list();
    let describe = |camera| describe_camera(camera, shares_links(camera, &cameras));
    let mut parts: Vec<String> = cameras.iter().map(describe).collect();
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

/// Whether a name in /dev/v4l/by-id may lead to this camera now and to another one of its model later: those
/// without a serial number have one link together, which leads to one of them.
fn shares_links(camera: &CameraDevice, all: &[CameraDevice]) -> bool {
    let lacks_link = |one: &CameraDevice| one.by_id.is_empty() && !one.by_path.is_empty();
    let is_twin = |one: &&CameraDevice| {
        one.node != camera.node && (&one.card, &one.driver) == (&camera.card, &camera.driver)
    };
    !camera.by_path.is_empty()
        && camera.problem.is_none()
        && all.iter().filter(is_twin).any(|twin| lacks_link(twin) || lacks_link(camera))
}

fn describe_camera(camera: &CameraDevice, shares_links: bool) -> String {
    let mut text = match &camera.problem {
        // The text names the node, and nothing else is known of it.
        Some(problem) => problem.clone(),
        None => format!("{}  {} ({})", camera.node.display(), camera.card, camera.driver),
    };
    // One line each: the names come from the device.
    text = printable(&text).into_owned() + "\n";
    for name in camera.by_id.iter().chain(&camera.by_path) {
        let _ = writeln!(text, "  {}", printable(&name.to_string_lossy()));
    }
    if shares_links {
        text += "  Another camera of this model cannot be told apart by name; use the name of its port, by-path.\n";
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
        let camera = CameraDevice {
            node: "/dev/video0".into(),
            card: "C210".to_owned(),
            driver: "uvcvideo".to_owned(),
            by_id: vec!["/dev/v4l/by-id/usb-C210".into()],
            by_path: vec!["/dev/v4l/by-path/usb-0:2".into()],
            formats: vec![format("MJPG", true), format("H264", false)],
            problem: None,
        };
        let text = describe_camera(&camera, false);
        for part in [
            "/dev/video0  C210 (uvcvideo)\n  /dev/v4l/by-id/usb-C210\n  /dev/v4l/by-path/usb-0:2\n  MJPG",
            "MJPG what it is\n",
            "640x480 at 30, 7.5 fps",
            "H264 what it is  (not usable)",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn cameras_that_share_a_link_are_named_by_their_ports() {
        let camera = |number: u32, by_id: &[&str]| CameraDevice {
            node: format!("/dev/video{number}").into(),
            card: "C210".to_owned(),
            driver: "uvcvideo".to_owned(),
            by_id: by_id.iter().map(Into::into).collect(),
            by_path: vec![format!("/dev/v4l/by-path/usb-0:{number}").into()],
            formats: Vec::new(),
            problem: None,
        };
        let twins = [camera(0, &["/dev/v4l/by-id/usb-C210"]), camera(2, &[])];
        assert!(twins.iter().all(|twin| shares_links(twin, &twins)));
        assert!(describe_camera(&twins[1], true).contains("use the name of its port, by-path"));
        let with_numbers =
            [camera(0, &["/dev/v4l/by-id/usb-C210_1"]), camera(2, &["/dev/v4l/by-id/usb-C210_2"])];
        assert!(!with_numbers.iter().any(|one| shares_links(one, &with_numbers)));
        let other = CameraDevice { card: "C920".to_owned(), ..camera(4, &[]) };
        let strangers = [twins[0].clone(), other];
        assert!(!strangers.iter().any(|one| shares_links(one, &strangers)));
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
        let camera = CameraDevice {
            node: "/dev/video0".into(),
            card: String::new(),
            driver: String::new(),
            by_id: vec!["/dev/v4l/by-id/usb-C210".into()],
            by_path: Vec::new(),
            formats: Vec::new(),
            problem: Some("/dev/video0: permission denied".to_owned()),
        };
        let text = describe_camera(&camera, false);
        assert_eq!(text, "/dev/video0: permission denied\n  /dev/v4l/by-id/usb-C210\n");
    }
}
