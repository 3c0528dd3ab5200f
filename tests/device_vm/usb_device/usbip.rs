//! USB/IP as the kernel's `vhci-hcd` speaks it (Documentation/usb/usbip_protocol.rst): requests of the host, and
//! the device's answers. All numbers are big-endian.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use super::bus::{Answers, Message, Packet, Requests, Transfer};

/// Of the virtual host controllers the first, which takes the devices of all.
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";

/// USB_SPEED_HIGH of the kernel.
const HIGH_SPEED: u32 = 3;

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

/// Hands a socket to the host controller. The port may be in use for a moment by what was there before.
pub fn plug_in(port: u32) -> (Box<dyn Requests>, Box<dyn Answers>) {
    let (ours, kernels) = UnixStream::pair().expect("a pair of sockets");
    let words = format!("{port} {} {} {HIGH_SPEED}", kernels.as_raw_fd(), port + 1);
    while let Err(error) = fs::write(format!("{CONTROLLER}/attach"), &words) {
        let is_taken = error.raw_os_error() == Some(16) || error.kind() == io::ErrorKind::InvalidInput;
        assert!(is_taken, "no port {port}: {error}");
        thread::sleep(Duration::from_millis(20));
    }
    let reader = ours.try_clone().expect("a second handle");
    (Box::new(Cable(reader)), Box::new(Cable(ours)))
}

/// The device's end of the socket.
struct Cable(UnixStream);

impl Requests for Cable {
    fn next(&mut self) -> io::Result<Message> {
        let mut header = [0; HEADER_BYTES];
        self.0.read_exact(&mut header)?;
        let word =
            |index: usize| u32::from_be_bytes(header[index * 4..][..4].try_into().expect("four bytes"));
        let number = u64::from(word(1));
        match word(0) {
            CMD_UNLINK => return Ok(Message::Unlink { number, victim: word(5).into() }),
            CMD_SUBMIT => {}
            other => return Err(io::Error::other(format!("command {other}"))),
        }
        let (is_in, endpoint, length) = (word(3) == 1, word(4) as u8, word(6) as usize);
        let mut data = vec![0; if is_in { 0 } else { length }];
        self.0.read_exact(&mut data)?;
        // Control transfers have none, or -1 of them.
        let count = if endpoint == 0 { 0 } else { word(8) as usize };
        let mut packets = Vec::with_capacity(count);
        for _ in 0..count {
            let mut packet = [0; PACKET_BYTES];
            self.0.read_exact(&mut packet)?;
            let word =
                |index: usize| u32::from_be_bytes(packet[index * 4..][..4].try_into().expect("four bytes"));
            packets.push((word(0), word(1)));
        }
        let setup = header[40..].try_into().expect("eight bytes");
        Ok(Message::Submit(Transfer { number, endpoint, is_in, length, setup, data, packets }))
    }
}

impl Answers for Cable {
    fn control(&mut self, transfer: &Transfer, answer: Option<Vec<u8>>) -> io::Result<()> {
        let status = if answer.is_some() { 0 } else { STALL };
        let mut data = answer.unwrap_or_default();
        data.truncate(transfer.length);
        let actual = if transfer.is_in || status != 0 { data.len() } else { transfer.length };
        let mut message = header(RET_SUBMIT, transfer.number, status);
        put(&mut message, 6, actual);
        if transfer.is_in {
            message.extend(data);
        }
        self.0.write_all(&message)
    }

    fn packets(&mut self, transfer: &Transfer, packets: &mut dyn Iterator<Item = Packet>) -> io::Result<()> {
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
        self.0.write_all(&message)
    }

    fn unlink(&mut self, number: u64, _victim: u64, was_pending: bool) -> io::Result<()> {
        self.0.write_all(&header(RET_UNLINK, number, if was_pending { TAKEN_BACK } else { 0 }))
    }
}

fn header(command: u32, number: u64, status: i32) -> Vec<u8> {
    let mut header = vec![0; HEADER_BYTES];
    put(&mut header, 0, command as usize);
    put(&mut header, 1, number as usize);
    put(&mut header, 5, status.cast_unsigned() as usize);
    header
}

fn put(header: &mut [u8], index: usize, value: usize) {
    header[index * 4..][..4].copy_from_slice(&(value as u32).to_be_bytes());
}
