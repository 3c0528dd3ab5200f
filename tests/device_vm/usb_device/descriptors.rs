//! What the device says of itself (USB 2.0, 9.5; USB Video 1.1; USB Audio 1.0). Interface 0 controls the camera, 1
//! streams its pictures; 2 and 3 are the microphone's.

use super::Plan;
use super::audio;
use super::camera::{FORMATS, Format, INTERVALS_100NS, PAYLOAD_BYTES, frame_bytes};

pub const VIDEO_ENDPOINT: u8 = 1;
pub const AUDIO_ENDPOINT: u8 = 2;

/// Entities of the camera's control interface.
pub const CAMERA_TERMINAL: u8 = 1;
pub const PROCESSING_UNIT: u8 = 2;
const OUTPUT_TERMINAL: u8 = 3;

const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const STRING: u8 = 3;
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;
const ASSOCIATION: u8 = 11;
const CLASS_INTERFACE: u8 = 0x24;
const CLASS_ENDPOINT: u8 = 0x25;

const AUDIO: u8 = 1;
pub const VIDEO: u8 = 14;

/// In the IN direction, and isochronous with a clock of its own.
const IN: u8 = 0x80;
const ISOCHRONOUS: u8 = 0x05;
/// The kind of an endpoint for bulk transfers.
pub const BULK_ENDPOINT: u8 = 0x02;
/// The size of its packets at high speed (USB 2.0, 5.8.3).
pub const BULK_PACKET_BYTES: u16 = 512;

/// The descriptor of a kind and number.
pub fn descriptor(plan: &Plan, value: u16) -> Option<Vec<u8>> {
    let [number, kind] = value.to_le_bytes();
    match (kind, number) {
        (DEVICE, _) => Some(device(plan)),
        (CONFIGURATION, 0) => Some(configuration(plan)),
        (STRING, 0) => Some(vec![4, STRING, 0x09, 0x04]),
        (STRING, 1) => Some(string("Defender")),
        (STRING, 2) => Some(string("Test Camera")),
        (STRING, 3) => plan.serial.as_deref().map(string),
        _ => None,
    }
}

fn device(plan: &Plan) -> Vec<u8> {
    // Its classes are those of its interfaces (EF 02 01). Numbers of the Linux Foundation's gadgets.
    let serial = if plan.serial.is_some() { 3 } else { 0 };
    vec![18, DEVICE, 0x00, 0x02, 0xEF, 2, 1, 64, 0x6B, 0x1D, 0x02, 0x01, 0x10, 0x00, 1, 2, serial, 1]
}

fn string(text: &str) -> Vec<u8> {
    let mut string = vec![0, STRING];
    string.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    string[0] = string.len() as u8;
    string
}

fn configuration(plan: &Plan) -> Vec<u8> {
    let mut interfaces = video_control();
    interfaces.extend(video_streaming(plan.is_bulk()));
    if plan.has_microphone {
        interfaces.extend(microphone());
    }
    let total = (interfaces.len() + 9) as u16;
    let count = if plan.has_microphone { 4 } else { 2 };
    let [low, high] = total.to_le_bytes();
    let mut all = vec![9, CONFIGURATION, low, high, count, 1, 0, 0x80, 250];
    all.extend(interfaces);
    all
}

fn video_control() -> Vec<u8> {
    // Exposure mode, exposure time, pan and tilt; brightness and contrast.
    let camera_controls = [0x0A, 0x08, 0x00];
    let unit_controls = [0x03, 0x00];
    let mut entities = vec![18, CLASS_INTERFACE, 2, CAMERA_TERMINAL, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3];
    entities.extend(camera_controls);
    entities.extend([12, CLASS_INTERFACE, 5, PROCESSING_UNIT, CAMERA_TERMINAL, 0, 0, 2]);
    entities.extend(unit_controls);
    entities.extend([0, 0]);
    entities.extend([9, CLASS_INTERFACE, 3, OUTPUT_TERMINAL, 0x01, 0x01, 0, PROCESSING_UNIT, 0]);

    let [low, high] = (entities.len() as u16 + 13).to_le_bytes();
    let mut all = vec![8, ASSOCIATION, 0, 2, VIDEO, 3, 0, 2];
    all.extend([9, INTERFACE, 0, 0, 0, VIDEO, 1, 0, 2]);
    // Version 1.1, a clock of 1 MHz, one streaming interface: the next.
    all.extend([13, CLASS_INTERFACE, 1, 0x10, 0x01, low, high]);
    all.extend(1_000_000_u32.to_le_bytes());
    all.extend([1, 1]);
    all.extend(entities);
    all
}

fn video_streaming(is_bulk: bool) -> Vec<u8> {
    let mut formats = Vec::new();
    for (format, index) in FORMATS.iter().zip(1..) {
        formats.extend(video_format(format, index));
    }
    let [low, high] = (formats.len() as u16 + 15).to_le_bytes();
    let mut all = vec![9, INTERFACE, 1, 0, is_bulk.into(), VIDEO, 2, 0, 0];
    all.extend([15, CLASS_INTERFACE, 1, FORMATS.len() as u8, low, high, IN | VIDEO_ENDPOINT]);
    all.extend([0, OUTPUT_TERMINAL, 0, 0, 0, 1, 0, 0]);
    all.extend(formats);
    if is_bulk {
        let [low, high] = BULK_PACKET_BYTES.to_le_bytes();
        all.extend([7, ENDPOINT, IN | VIDEO_ENDPOINT, BULK_ENDPOINT, low, high, 0]);
        return all;
    }
    // One packet in a microframe, or three.
    for (setting, packet) in [(1, 0x0400_u16), (2, 0x1400)] {
        let [low, high] = packet.to_le_bytes();
        all.extend([9, INTERFACE, 1, setting, 1, VIDEO, 2, 0, 0]);
        all.extend([7, ENDPOINT, IN | VIDEO_ENDPOINT, ISOCHRONOUS, low, high, 1]);
    }
    all
}

fn video_format(format: &Format, index: u8) -> Vec<u8> {
    const YUY2: [u8; 16] = *b"YUY2\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71";
    let count = format.sizes.len() as u8;
    let (mut all, frame_kind) = if format.is_jpeg {
        (vec![11, CLASS_INTERFACE, 6, index, count, 0, 1, 0, 0, 0, 0], 7)
    } else {
        let mut all = vec![27, CLASS_INTERFACE, 4, index, count];
        all.extend(YUY2);
        all.extend([16, 1, 0, 0, 0, 0]);
        (all, 5)
    };
    for (size, number) in format.sizes.iter().zip(1..) {
        let bytes = frame_bytes(*size);
        let length = 26 + 4 * INTERVALS_100NS.len() as u8;
        all.extend([length, CLASS_INTERFACE, frame_kind, number, 0]);
        all.extend([size.0, size.1].iter().flat_map(|side| side.to_le_bytes()));
        all.extend((PAYLOAD_BYTES as u32 * 8).to_le_bytes());
        all.extend((bytes * 8 * 30).to_le_bytes());
        all.extend(bytes.to_le_bytes());
        all.extend(INTERVALS_100NS[0].to_le_bytes());
        all.push(INTERVALS_100NS.len() as u8);
        all.extend(INTERVALS_100NS.iter().flat_map(|interval| interval.to_le_bytes()));
    }
    // Colours as JPEG has them.
    all.extend([6, CLASS_INTERFACE, 13, 1, 1, 4]);
    all
}

fn microphone() -> Vec<u8> {
    let mut all = vec![8, ASSOCIATION, 2, 2, AUDIO, 1, 0, 2];
    all.extend([9, INTERFACE, 2, 0, 0, AUDIO, 1, 0, 0]);
    all.extend([9, CLASS_INTERFACE, 1, 0x00, 0x01, 9 + 12 + 9, 0, 1, 3]);
    // A microphone of one channel, and the way from there to USB.
    all.extend([12, CLASS_INTERFACE, 2, 1, 0x01, 0x02, 0, 1, 0, 0, 0, 0]);
    all.extend([9, CLASS_INTERFACE, 3, 2, 0x01, 0x01, 0, 1, 0]);
    all.extend([9, INTERFACE, 3, 0, 0, AUDIO, 2, 0, 0]);
    all.extend([9, INTERFACE, 3, 1, 1, AUDIO, 2, 0, 0]);
    all.extend([7, CLASS_INTERFACE, 1, 2, 1, 1, 0]);
    let rates = audio::RATES_HZ;
    all.extend([8 + 3 * rates.len() as u8, CLASS_INTERFACE, 2, 1, 1, 2, 16, rates.len() as u8]);
    all.extend(rates.iter().flat_map(|rate| rate.to_le_bytes().into_iter().take(3)));
    // A packet each millisecond, eight microframes, with room for some samples more.
    let [low, high] = (rates[rates.len() - 1] as u16 / 1000 * 2 + 8).to_le_bytes();
    all.extend([9, ENDPOINT, IN | AUDIO_ENDPOINT, ISOCHRONOUS, low, high, 4, 0, 0]);
    all.extend([7, CLASS_ENDPOINT, 1, 1, 0, 0, 0]);
    all
}
