//! The camera (USB Video 1.1): its controls, the choice of a format, and pictures in payloads.

use std::fs;
use std::time::Duration;

use super::bus::Packet;
use super::descriptors::{CAMERA_TERMINAL, PROCESSING_UNIT};
use super::picture;
use super::webcam::Setup;

/// A format and the sizes it is offered in.
pub struct Format {
    pub is_jpeg: bool,
    pub sizes: &'static [(u16, u16)],
}

pub const FORMATS: [Format; 2] = [
    Format { is_jpeg: true, sizes: &[(320, 240), (640, 480)] },
    Format { is_jpeg: false, sizes: &[(160, 120), (320, 240)] },
];

/// Times between frames, in units of 100 ns: 30, 15, 5 and 1 frames a second.
pub const INTERVALS_100NS: [u32; 4] = [333_333, 666_666, 2_000_000, 10_000_000];

/// A payload fills a packet of each microframe.
pub const PAYLOAD_BYTES: usize = 3 * 1024;

/// What is wrong with every other frame. A file names it by its word.
#[derive(Clone, Copy, PartialEq)]
enum Defect {
    None,
    /// `truncated`: its second half is missing.
    Truncated,
    /// `garbage`: bytes that are no picture.
    Garbage,
    /// `zeros`: zeros come behind the picture.
    Zeros,
    /// `no-end`: the picture has no end marker.
    NoEnd,
    /// `error`: a payload says that it is not what the camera saw.
    ErrorBit,
    /// `lost`: a packet does not arrive.
    LostPacket,
    /// `nothing`: there is no frame, and none between those either.
    Nothing,
}

/// A control of a terminal or unit.
struct Control {
    entity: u8,
    selector: u8,
    names: &'static [&'static str],
    /// Bytes of each of its numbers.
    width: usize,
    least: i32,
    most: i32,
    /// GET_RES: the step, or of a choice the set of what there is.
    step: i32,
    default: i32,
    values: [i32; 2],
}

/// The camera of a device.
pub struct Camera {
    chroma: (u8, u8),
    defect_file: Option<String>,
    controls: Vec<Control>,
    /// Why the last request that was refused was.
    error_code: u8,
    /// Number of the format and of the size, from 1, and the interval: as asked for, and as agreed.
    probed: (u8, u8, u32),
    committed: (u8, u8, u32),
    is_streaming: bool,
    frames: u32,
    /// The picture as it was encoded last, and for what.
    encoded: Option<((u8, u8, i32), Vec<u8>)>,
}

const SET_CUR: u8 = 0x01;
const GET_CUR: u8 = 0x81;
const GET_MIN: u8 = 0x82;
const GET_MAX: u8 = 0x83;
const GET_RES: u8 = 0x84;
const GET_LEN: u8 = 0x85;
const GET_INFO: u8 = 0x86;
const GET_DEF: u8 = 0x87;

/// Selectors of the streaming interface.
const PROBE: u16 = 1;
const COMMIT: u16 = 2;

/// Modes of exposure, and that in which its time can be set.
const MANUAL: i32 = 1;
const APERTURE_PRIORITY: i32 = 8;

const EXPOSURE_MODE: usize = 0;
const EXPOSURE_TIME: usize = 1;
const BRIGHTNESS: usize = 3;
const CONTRAST: usize = 4;

/// A contrast that it says it has, and refuses.
const REFUSED_CONTRAST: u8 = 13;

/// Why a request was refused (USB Video 1.1, 4.2.1.2).
const WRONG_STATE: u8 = 0x02;
const OUT_OF_RANGE: u8 = 0x04;

impl Camera {
    /// A camera whose pictures have these differences of colour.
    pub fn new(chroma: (u8, u8), defect_file: Option<String>) -> Self {
        let control = |entity, selector, names, width, (least, most, step, default)| Control {
            entity,
            selector,
            names,
            width,
            least,
            most,
            step,
            default,
            values: [default; 2],
        };
        let modes = (0, 0, MANUAL | APERTURE_PRIORITY, APERTURE_PRIORITY);
        let turn = 36_000; // ten degrees, in seconds of arc
        let controls = vec![
            control(CAMERA_TERMINAL, 0x02, &["exposure mode"] as &[_], 1, modes),
            control(CAMERA_TERMINAL, 0x04, &["exposure time"], 4, (3, 2047, 1, 250)),
            control(CAMERA_TERMINAL, 0x0D, &["pan", "tilt"], 4, (-turn, turn, 3600, 0)),
            control(PROCESSING_UNIT, 0x02, &["brightness"], 2, (0, 255, 1, 128)),
            control(PROCESSING_UNIT, 0x03, &["contrast"], 2, (0, 255, 1, 32)),
        ];
        let first = (1, 1, INTERVALS_100NS[0]);
        let (probed, committed) = (first, first);
        Self {
            chroma,
            defect_file,
            controls,
            error_code: 0,
            probed,
            committed,
            is_streaming: false,
            frames: 0,
            encoded: None,
        }
    }

    /// Requests to its control interface.
    pub fn control(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>> {
        const ERROR_CODE: u16 = 0x02;
        let [_, entity] = setup.index.to_le_bytes();
        let selector = setup.value >> 8;
        if (entity, selector) == (0, ERROR_CODE) {
            return Some(vec![self.error_code]);
        }
        let is_automatic = self.controls[EXPOSURE_MODE].values[0] != MANUAL;
        let is_it = |control: &Control| control.entity == entity && u16::from(control.selector) == selector;
        let at = self.controls.iter().position(is_it)?;
        let control = &mut self.controls[at];
        let of_each = |value: i32| Some(control.bytes(&[value; 2]));
        match setup.request {
            SET_CUR if at == EXPOSURE_TIME && is_automatic => {
                self.error_code = WRONG_STATE;
                None
            }
            SET_CUR if at == CONTRAST && data == [REFUSED_CONTRAST, 0] => {
                self.error_code = OUT_OF_RANGE;
                None
            }
            SET_CUR => control.set(data),
            GET_CUR => Some(control.bytes(&control.values)),
            GET_MIN => of_each(control.least),
            GET_MAX => of_each(control.most),
            GET_RES => of_each(control.step),
            GET_DEF => of_each(control.default),
            GET_LEN => Some(vec![(control.width * control.names.len()) as u8, 0]),
            // It can be read and set.
            GET_INFO => Some(vec![0x03]),
            _ => None,
        }
    }

    /// Requests to its streaming interface: what is asked for, and what is agreed on.
    pub fn stream_control(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>> {
        let selector = setup.value >> 8;
        match (setup.request, selector) {
            (SET_CUR, PROBE) => self.probed = possible(data)?,
            (SET_CUR, COMMIT) => {
                self.committed = possible(data)?;
                let (format, (width, height), interval) = self.mode();
                let name = if format.is_jpeg { "mjpeg" } else { "yuyv" };
                println!("agreed on {name} {width}x{height} every {interval:?}");
            }
            (GET_LEN, _) => return Some(vec![agreement(self.probed).len() as u8, 0]),
            (GET_INFO, _) => return Some(vec![0x03]),
            (GET_CUR, COMMIT) => return Some(agreement(self.committed)),
            (GET_CUR | GET_MIN | GET_MAX | GET_DEF, PROBE) => return Some(agreement(self.probed)),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Whether this request fixed what is streamed.
    pub fn was_committed(&self, setup: Setup) -> bool {
        (setup.request, setup.value >> 8) == (SET_CUR, COMMIT)
    }

    /// Starts or stops.
    pub fn stream(&mut self, is_on: bool) {
        self.is_streaming = is_on;
        println!("camera {}", if is_on { "on" } else { "off" });
    }

    /// The next frame as payloads, and the time until the one after; none while nobody wants it.
    pub fn frame(&mut self) -> Option<(Vec<Packet>, Duration)> {
        if !self.is_streaming {
            return None;
        }
        let (_, _, interval) = self.mode();
        self.frames = self.frames.wrapping_add(1);
        let defect = self.defect();
        let picture = self.picture();
        let half = picture.len() / 2;
        let bytes = match defect {
            Defect::Truncated => picture[..half].to_vec(),
            Defect::Garbage => (0..picture.len()).map(|at| (at * 31 % 251) as u8).collect(),
            Defect::Zeros => [picture, &[0; 1500]].concat(),
            Defect::NoEnd => picture[..picture.len() - 2].to_vec(),
            Defect::Nothing => return Some((Vec::new(), interval)),
            _ => picture.to_vec(),
        };
        let mut packets = payloads(&bytes, self.frames, defect == Defect::ErrorBit);
        packets[0].is_lost = defect == Defect::LostPacket;
        Some((packets, interval))
    }

    fn mode(&self) -> (&'static Format, (u16, u16), Duration) {
        let (format, size, interval) = self.committed;
        let format = &FORMATS[usize::from(format) - 1];
        (format, format.sizes[usize::from(size) - 1], Duration::from_nanos(u64::from(interval) * 100))
    }

    fn picture(&mut self) -> &[u8] {
        let (format, size, _) = self.mode();
        let brightness = self.controls[BRIGHTNESS].values[0];
        let wanted = (self.committed.0, self.committed.1, brightness);
        if self.encoded.as_ref().is_none_or(|(made, _)| *made != wanted) {
            let make = if format.is_jpeg { picture::jpeg } else { picture::yuyv };
            self.encoded = Some((wanted, make(size, brightness as i16, self.chroma)));
        }
        &self.encoded.as_ref().expect("just made").1
    }

    fn defect(&self) -> Defect {
        let word =
            self.defect_file.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let defect = match word.trim() {
            "nothing" => return Defect::Nothing,
            _ if self.frames.is_multiple_of(2) => Defect::None,
            "" => Defect::None,
            "truncated" => Defect::Truncated,
            "garbage" => Defect::Garbage,
            "zeros" => Defect::Zeros,
            "no-end" => Defect::NoEnd,
            "error" => Defect::ErrorBit,
            "lost" => Defect::LostPacket,
            other => panic!("no such defect: {other}"),
        };
        if defect != Defect::None {
            println!("spoilt: {}", word.trim());
        }
        defect
    }
}

impl Control {
    fn bytes(&self, values: &[i32]) -> Vec<u8> {
        let values = values.iter().take(self.names.len());
        values.flat_map(|value| value.to_le_bytes().into_iter().take(self.width)).collect()
    }

    fn set(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        for (at, bytes) in data.chunks_exact(self.width).take(self.names.len()).enumerate() {
            let mut four = [0; 4];
            four[..self.width].copy_from_slice(bytes);
            let value = i32::from_le_bytes(four);
            if self.values[at] != value {
                println!("{} {value}", self.names[at]);
            }
            self.values[at] = value;
        }
        Some(Vec::new())
    }
}

/// The most bytes of a frame of this size, in any format.
pub fn frame_bytes((width, height): (u16, u16)) -> u32 {
    u32::from(width) * u32::from(height) * 2
}

/// What the camera can do that is nearest to what the host asks for.
fn possible(data: &[u8]) -> Option<(u8, u8, u32)> {
    let interval = u32::from_le_bytes(data.get(4..8)?.try_into().ok()?);
    let format = data[2].clamp(1, FORMATS.len() as u8);
    let size = data[3].clamp(1, FORMATS[usize::from(format) - 1].sizes.len() as u8);
    let nearest = INTERVALS_100NS.into_iter().min_by_key(|offered| offered.abs_diff(interval));
    Some((format, size, nearest?))
}

/// The block of numbers about a stream (USB Video 1.1, 4.3.1.1).
fn agreement((format, size, interval): (u8, u8, u32)) -> Vec<u8> {
    let sides = FORMATS[usize::from(format) - 1].sizes[usize::from(size) - 1];
    let mut block = vec![1, 0, format, size];
    block.extend(interval.to_le_bytes());
    block.extend([0; 10]);
    block.extend(frame_bytes(sides).to_le_bytes());
    block.extend((PAYLOAD_BYTES as u32).to_le_bytes());
    block.extend(1_000_000_u32.to_le_bytes());
    // A frame ends with a flag, and begins with another number than the last.
    block.extend([3, 1, 1, 1]);
    block
}

/// A frame in payloads, each with a header (USB Video 1.1, 2.4.3.3).
fn payloads(bytes: &[u8], number: u32, has_error: bool) -> Vec<Packet> {
    const END_OF_HEADER: u8 = 0x80;
    const ERROR: u8 = 0x40;
    const HAS_TIME: u8 = 0x04;
    const END_OF_FRAME: u8 = 0x02;
    const HEADER_BYTES: usize = 6;
    let chunks: Vec<&[u8]> = bytes.chunks(PAYLOAD_BYTES - HEADER_BYTES).collect();
    let packet = |(at, chunk): (usize, &&[u8])| {
        let mut info = END_OF_HEADER | HAS_TIME | (number % 2) as u8;
        if at + 1 == chunks.len() {
            info |= END_OF_FRAME | if has_error { ERROR } else { 0 };
        }
        let mut bytes = vec![HEADER_BYTES as u8, info];
        bytes.extend(number.to_le_bytes());
        bytes.extend(*chunk);
        Packet { bytes, is_lost: false }
    };
    chunks.iter().enumerate().map(packet).collect()
}
