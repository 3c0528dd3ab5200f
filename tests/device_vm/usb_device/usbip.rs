//! USB/IP as the kernel's `vhci-hcd` speaks it (Documentation/usb/usbip_protocol.rst): requests of the host, and
//! the device's answers. All numbers are big-endian.

use std::io::{self, Read, Write};

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

const HEADER_BYTES: usize = 48;
const PACKET_BYTES: usize = 16;

/// The device does not do what was asked for: EPIPE.
const STALL: i32 = -32;
/// The request was taken back: ECONNRESET.
const TAKEN_BACK: i32 = -104;
/// A packet was lost on the bus: EPROTO.
const LOST: i32 = -71;

/// What the host sends.
pub enum Message {
    /// A transfer.
    Submit(Transfer),
    /// The transfer of number `victim` is not wanted any more.
    Unlink { number: u32, victim: u32 },
}

/// A transfer that the host asks for.
pub struct Transfer {
    number: u32,
    pub endpoint: u8,
    pub is_in: bool,
    /// Room for the answer, or length of the data.
    length: usize,
    /// The setup packet of a control transfer.
    pub setup: [u8; 8],
    /// What the host sends.
    pub data: Vec<u8>,
    /// Offset and room of each packet of an isochronous transfer.
    packets: Vec<(u32, u32)>,
}

/// A packet of an isochronous transfer.
#[derive(Clone, Default)]
pub struct Packet {
    pub bytes: Vec<u8>,
    /// Whether it does not arrive.
    pub is_lost: bool,
}

impl Transfer {
    pub fn is_number(&self, number: u32) -> bool {
        self.number == number
    }

    /// How many packets it takes.
    pub fn packet_count(&self) -> usize {
        self.packets.len()
    }
}

/// The next message of the host.
pub fn read(stream: &mut impl Read) -> io::Result<Message> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header)?;
    let word = |index: usize| u32::from_be_bytes(header[index * 4..][..4].try_into().expect("four bytes"));
    let number = word(1);
    match word(0) {
        CMD_UNLINK => return Ok(Message::Unlink { number, victim: word(5) }),
        CMD_SUBMIT => {}
        other => return Err(io::Error::other(format!("command {other}"))),
    }
    let (is_in, endpoint, length) = (word(3) == 1, word(4) as u8, word(6) as usize);
    let mut data = vec![0; if is_in { 0 } else { length }];
    stream.read_exact(&mut data)?;
    // Control transfers have none, or -1 of them.
    let count = if endpoint == 0 { 0 } else { word(8) as usize };
    let mut packets = Vec::with_capacity(count);
    for _ in 0..count {
        let mut packet = [0; PACKET_BYTES];
        stream.read_exact(&mut packet)?;
        let word =
            |index: usize| u32::from_be_bytes(packet[index * 4..][..4].try_into().expect("four bytes"));
        packets.push((word(0), word(1)));
    }
    let setup = header[40..].try_into().expect("eight bytes");
    Ok(Message::Submit(Transfer { number, endpoint, is_in, length, setup, data, packets }))
}

/// Answers a control transfer; without an answer it is stalled.
pub fn answer(stream: &mut impl Write, transfer: &Transfer, answer: Option<Vec<u8>>) -> io::Result<()> {
    let status = if answer.is_some() { 0 } else { STALL };
    let mut data = answer.unwrap_or_default();
    data.truncate(transfer.length);
    let actual = if transfer.is_in || status != 0 { data.len() } else { transfer.length };
    let mut message = header(RET_SUBMIT, transfer.number, status);
    put(&mut message, 6, actual);
    if transfer.is_in {
        message.extend(data);
    }
    stream.write_all(&message)
}

/// Answers an isochronous transfer with one packet after the other; those that are not there are empty.
pub fn answer_packets(
    stream: &mut impl Write,
    transfer: &Transfer,
    mut packets: impl Iterator<Item = Packet>,
) -> io::Result<()> {
    let (mut data, mut list, mut lost) = (Vec::<u8>::new(), Vec::<u8>::new(), 0);
    for (offset, room) in &transfer.packets {
        let packet = packets.next().unwrap_or_default();
        let bytes = if packet.is_lost { &[][..] } else { &packet.bytes };
        assert!(bytes.len() <= *room as usize, "a packet of {} in a room of {room}", bytes.len());
        let status = if packet.is_lost { LOST } else { 0 };
        lost += usize::from(packet.is_lost);
        for word in [*offset, *room, bytes.len() as u32, status.cast_unsigned()] {
            list.extend(word.to_be_bytes());
        }
        data.extend(bytes);
    }
    let mut message = header(RET_SUBMIT, transfer.number, 0);
    put(&mut message, 6, data.len());
    put(&mut message, 8, transfer.packets.len());
    put(&mut message, 9, lost);
    message.extend(data);
    message.extend(list);
    stream.write_all(&message)
}

/// Says whether a transfer was still to be answered when it was taken back.
pub fn answer_unlink(stream: &mut impl Write, number: u32, was_pending: bool) -> io::Result<()> {
    stream.write_all(&header(RET_UNLINK, number, if was_pending { TAKEN_BACK } else { 0 }))
}

fn header(command: u32, number: u32, status: i32) -> Vec<u8> {
    let mut header = vec![0; HEADER_BYTES];
    put(&mut header, 0, command as usize);
    put(&mut header, 1, number as usize);
    put(&mut header, 5, status.cast_unsigned() as usize);
    header
}

fn put(header: &mut [u8], index: usize, value: usize) {
    header[index * 4..][..4].copy_from_slice(&(value as u32).to_be_bytes());
}
