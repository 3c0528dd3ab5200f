//! The USB network redirection protocol (usbredir, docs/usb-redirection-protocol.md of its source), as qemu's device
//! `usb-redir` speaks it: qemu plugs what is at the other end of a socket into the host controller that it emulates. All
//! numbers are little-endian.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use super::Plan;
use super::bus::{Answers, Message, Packet, Requests, Transfer};
use super::descriptors::{self, BULK_ENDPOINT, VIDEO_ENDPOINT};

/// Kinds of messages.
const HELLO: u32 = 0;
const DEVICE_CONNECT: u32 = 1;
const RESET: u32 = 3;
const INTERFACE_INFO: u32 = 4;
const ENDPOINT_INFO: u32 = 5;
const SET_CONFIGURATION: u32 = 6;
const CONFIGURATION_STATUS: u32 = 8;
const SET_ALT_SETTING: u32 = 9;
const ALT_SETTING_STATUS: u32 = 11;
const CANCEL_DATA_PACKET: u32 = 21;
const CONTROL_PACKET: u32 = 100;
const BULK_PACKET: u32 = 101;

/// What becomes of a transfer.
const SUCCESS: u8 = 0;
const CANCELLED: u8 = 1;
const STALL: u8 = 4;

/// The options without which qemu plugs nothing into a controller for USB 3: sizes of packets among the properties of
/// endpoints, message numbers of 64 bits, and lengths of bulk transfers of 32 bits.
const OPTIONS: u32 = 1 << 4 | 1 << 5 | 1 << 6;

/// The hello of either side is the first message, and has a number of 32 bits.
const HELLO_BYTES: usize = 12;
/// Kind, length and number of every other message.
const HEADER_BYTES: usize = 16;
/// The text in a hello, before the options.
const VERSION_BYTES: usize = 64;

/// Standard requests that have messages of their own (USB 2.0, 9.4).
const REQUEST_SET_CONFIGURATION: u8 = 9;
const REQUEST_SET_INTERFACE: u8 = 11;

const IN: u8 = 0x80;
const HIGH_SPEED: u8 = 2;

/// Connects to qemu, and describes the device to it.
///
/// # Panics
/// When qemu is not there.
pub fn plug_in(plan: &Plan, path: &str) -> (Box<dyn Requests>, Box<dyn Answers>) {
    let mut socket = UnixStream::connect(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let introduction = [
        hello(),
        message(INTERFACE_INFO, 0, &interfaces()),
        message(ENDPOINT_INFO, 0, &endpoints()),
        message(DEVICE_CONNECT, 0, &device(plan)),
    ];
    socket.write_all(&introduction.concat()).expect("qemu listens");
    let mut reader = socket.try_clone().expect("a second handle");
    read_hello(&mut reader).expect("qemu says hello");
    (Box::new(Cable(reader)), Box::new(Cable(socket)))
}

fn hello() -> Vec<u8> {
    let mut hello = Vec::new();
    for word in [HELLO, VERSION_BYTES as u32 + 4, 0] {
        hello.extend(word.to_le_bytes());
    }
    hello.extend([0; VERSION_BYTES]);
    hello.extend(OPTIONS.to_le_bytes());
    hello
}

/// Qemu knows all options.
fn read_hello(socket: &mut UnixStream) -> io::Result<()> {
    let mut header = [0; HELLO_BYTES];
    socket.read_exact(&mut header)?;
    assert_eq!(word(&header, 0), HELLO, "the first message");
    socket.read_exact(&mut vec![0; word(&header, 4) as usize])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The device's end of the socket.
struct Cable(UnixStream);

impl Requests for Cable {
    fn next(&mut self) -> io::Result<Message> {
        loop {
            let mut header = [0; HEADER_BYTES];
            self.0.read_exact(&mut header)?;
            let number = u64::from(word(&header, 12)) << 32 | u64::from(word(&header, 8));
            let mut body = vec![0; word(&header, 4) as usize];
            self.0.read_exact(&mut body)?;
            let standard = |kind, request, value, index| {
                Transfer::control(number, [kind, request, value, 0, index, 0, 0, 0], Vec::new())
            };
            return Ok(match word(&header, 0) {
                RESET => continue,
                SET_CONFIGURATION => Message::Submit(standard(0, REQUEST_SET_CONFIGURATION, body[0], 0)),
                SET_ALT_SETTING => Message::Submit(standard(1, REQUEST_SET_INTERFACE, body[1], body[0])),
                CANCEL_DATA_PACKET => Message::Unlink { number, victim: number },
                CONTROL_PACKET => Message::Submit(control(number, &body)),
                BULK_PACKET => Message::Submit(bulk(number, &body)),
                other => return Err(io::Error::other(format!("message {other}"))),
            });
        }
    }
}

/// The header of a packet to a control endpoint is the setup packet in another order.
fn control(number: u64, body: &[u8]) -> Transfer {
    let [_, request, kind, _, rest @ ..] = body else { panic!("a short control packet") };
    let (numbers, data) = rest.split_at(6);
    let mut setup = [*kind, *request, 0, 0, 0, 0, 0, 0];
    setup[2..].copy_from_slice(numbers);
    Transfer::control(number, setup, data.to_vec())
}

fn bulk(number: u64, body: &[u8]) -> Transfer {
    // The upper half of the length comes last.
    let length = u32::from_le_bytes([body[2], body[3], body[8], body[9]]);
    Transfer {
        number,
        endpoint: body[0] & !IN,
        is_in: body[0] & IN != 0,
        length: length as usize,
        setup: [0; 8],
        data: Vec::new(),
        packets: vec![(0, length)],
    }
}

impl Transfer {
    fn control(number: u64, setup: [u8; 8], data: Vec<u8>) -> Self {
        let length = u16::from_le_bytes([setup[6], setup[7]]).into();
        let is_in = setup[0] & IN != 0;
        Self { number, endpoint: 0, is_in, length, setup, data, packets: Vec::new() }
    }
}

impl Answers for Cable {
    fn control(&mut self, transfer: &Transfer, answer: Option<Vec<u8>>) -> io::Result<()> {
        let [kind, request, value @ .., _, _] = transfer.setup;
        let status = if answer.is_some() { SUCCESS } else { STALL };
        let number = transfer.number;
        let message = match (kind, request) {
            (0, REQUEST_SET_CONFIGURATION) => message(CONFIGURATION_STATUS, number, &[status, value[0]]),
            (1, REQUEST_SET_INTERFACE) => message(ALT_SETTING_STATUS, number, &[status, value[2], value[0]]),
            _ => {
                let mut data = answer.unwrap_or_default();
                data.truncate(transfer.length);
                let length = if transfer.is_in { data.len() } else { transfer.length };
                let mut body = vec![kind & IN, request, kind, status];
                body.extend(value);
                body.extend((length as u16).to_le_bytes());
                if transfer.is_in {
                    body.extend(data);
                }
                message(CONTROL_PACKET, number, &body)
            }
        };
        self.0.write_all(&message)
    }

    fn packets(&mut self, transfer: &Transfer, packets: &mut dyn Iterator<Item = Packet>) -> io::Result<()> {
        let packet = packets.next().unwrap_or_default();
        assert!(packet.bytes.len() <= transfer.length, "{} in {}", packet.bytes.len(), transfer.length);
        self.0.write_all(&message(BULK_PACKET, transfer.number, &bulk_body(SUCCESS, &packet.bytes)))
    }

    fn unlink(&mut self, _number: u64, victim: u64, was_pending: bool) -> io::Result<()> {
        if !was_pending {
            return Ok(());
        }
        self.0.write_all(&message(BULK_PACKET, victim, &bulk_body(CANCELLED, &[])))
    }
}

fn bulk_body(status: u8, bytes: &[u8]) -> Vec<u8> {
    let mut body = vec![IN | VIDEO_ENDPOINT, status];
    body.extend((bytes.len() as u16).to_le_bytes());
    body.extend([0; 6]);
    body.extend(bytes);
    body
}

fn message(kind: u32, number: u64, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER_BYTES + body.len());
    message.extend(kind.to_le_bytes());
    message.extend((body.len() as u32).to_le_bytes());
    message.extend(number.to_le_bytes());
    message.extend(body);
    message
}

/// Speed, class, and the numbers of maker and model, as the device's descriptor has them.
fn device(plan: &Plan) -> Vec<u8> {
    let descriptor = descriptors::descriptor(plan, 0x0100).expect("every device has one");
    let mut body = vec![HIGH_SPEED];
    body.extend(&descriptor[4..7]);
    body.extend(&descriptor[8..12]);
    body
}

/// Numbers, classes, subclasses and protocols of up to 32 interfaces: control and streaming of a camera.
fn interfaces() -> Vec<u8> {
    let mut body = vec![2, 0, 0, 0];
    for column in [[0, 1], [descriptors::VIDEO; 2], [1, 2], [0, 0]] {
        body.extend(column);
        body.extend([0; 30]);
    }
    body
}

/// Kinds, intervals, interfaces and sizes of packets of the endpoints, 16 for each direction.
fn endpoints() -> Vec<u8> {
    const CONTROL: u8 = 0;
    const NONE: u8 = 255;
    let (mut kinds, mut interfaces) = ([NONE; 32], [0; 32]);
    (kinds[0], kinds[16]) = (CONTROL, CONTROL);
    let video = 16 + usize::from(VIDEO_ENDPOINT);
    (kinds[video], interfaces[video]) = (BULK_ENDPOINT, 1);
    let mut body = [kinds, [0; 32], interfaces].concat();
    let mut packets = [0_u16; 32];
    (packets[0], packets[16], packets[video]) = (64, 64, descriptors::BULK_PACKET_BYTES);
    body.extend(packets.iter().flat_map(|bytes| bytes.to_le_bytes()));
    body
}
