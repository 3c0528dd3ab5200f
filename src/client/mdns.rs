//! Names in `.local`: every device of the local network is asked for its own one (multicast DNS, RFC 6762). The system's
//! resolver does that only where it was set up to, and that of the binaries for boards never does.
//!
//! One question is asked as in section 5.1, from a port of its own, so that the answer comes to that port only. Whoever answers
//! is believed, as in all of DNS: whom to trust is for TLS.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::base::hex;

/// Whom to ask: all devices of the network (section 3).
const GROUP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)), 5353);

/// How long an answer is waited for, each time that the question is asked.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// Longest answer that is read, in bytes: one packet of Ethernet.
const ANSWER_BYTES: usize = 1500;

/// Most records of an answer that are looked at.
const RECORDS: u16 = 64;

/// Longest name, in bytes (RFC 1035, section 2.3.4).
const NAME_BYTES: usize = 255;

/// Type A and class IN (RFC 1035, section 3.2).
const ADDRESS: [u8; 4] = [0, 1, 0, 1];

/// Whether a device of the local network may have this name.
pub(super) fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.').as_bytes();
    host.len().checked_sub(6).is_some_and(|at| host[at..].eq_ignore_ascii_case(b".local"))
}

/// The addresses of the device that has this name.
///
/// # Errors
/// When no device answers, or the system refuses to ask.
pub(super) fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = ask(host, GROUP, &WAITS)?;
    Ok(found.into_iter().map(|address| SocketAddr::new(address.into(), port)).collect())
}

fn ask(host: &str, group: SocketAddr, waits: &[Duration]) -> io::Result<Vec<Ipv4Addr>> {
    let random = hex::random_id()?;
    let id = u16::from_str_radix(&random[..4], 16).unwrap_or(1);
    let question = question(id, host).ok_or(ErrorKind::InvalidInput)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut answer = [0; ANSWER_BYTES];
    for wait in waits {
        socket.send_to(&question, group)?;
        let end = Instant::now() + *wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut answer) {
                Ok(count) => {
                    let found = addresses(&answer[..count], id, host);
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(io::Error::new(ErrorKind::NotFound, "no device of the local network has it"))
}

/// The question for the addresses of `host` (RFC 1035, section 4.1); `None` for what is no name.
fn question(id: u16, host: &str) -> Option<Vec<u8>> {
    let mut message = id.to_be_bytes().to_vec();
    // No flags, one question, and nothing else.
    message.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in host.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&ADDRESS);
    (message.len() <= 12 + NAME_BYTES + ADDRESS.len()).then_some(message)
}

/// The addresses of `host` in an answer to the question with this number.
pub(crate) fn addresses(answer: &[u8], id: u16, host: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    // What is behind a damaged record is not read.
    let _ = read_records(answer, id, |name, address| {
        if name.eq_ignore_ascii_case(host.trim_end_matches('.')) {
            found.push(address);
        }
    });
    found
}

/// Calls `take` with the name and address of each record of type A; `None` where the message ends early.
fn read_records(answer: &[u8], id: u16, mut take: impl FnMut(&str, Ipv4Addr)) -> Option<()> {
    let head: &[u8; 12] = answer.first_chunk()?;
    let [questions, records] = [4, 6].map(|at| u16::from_be_bytes([head[at], head[at + 1]]).min(RECORDS));
    let is_answer = head[..2] == id.to_be_bytes() && head[2] & 0x80 != 0;
    if !is_answer {
        return None;
    }
    let mut at = head.len();
    for _ in 0..questions {
        at = read_name(answer, at)?.1 + ADDRESS.len();
    }
    for _ in 0..records {
        let (name, fields_at) = read_name(answer, at)?;
        // Type, class, time to live, and length of the data (RFC 1035, section 4.1.3).
        let fields: &[u8; 10] = answer.get(fields_at..)?.first_chunk()?;
        let data_at = fields_at + fields.len();
        let length = usize::from(u16::from_be_bytes([fields[8], fields[9]]));
        let data = answer.get(data_at..data_at + length)?;
        // The highest bit of the class says something to caches (RFC 6762, section 10.2).
        let kind = [fields[0], fields[1], fields[2] & 0x7F, fields[3]];
        if let (ADDRESS, Ok(address)) = (kind, <[u8; 4]>::try_from(data)) {
            take(&name, Ipv4Addr::from(address));
        }
        at = data_at + length;
    }
    Some(())
}

/// The name at `at`, and the offset of what is behind it. A part of it may stand earlier in the message (RFC 1035, section 4.1.4).
fn read_name(message: &[u8], at: usize) -> Option<(String, usize)> {
    let (mut name, mut at, mut behind) = (Vec::new(), at, None);
    loop {
        let length = *message.get(at)?;
        match length {
            0 => break,
            1..=63 => {
                let label = message.get(at + 1..at + 1 + usize::from(length))?;
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend_from_slice(label);
                if name.len() > NAME_BYTES {
                    return None;
                }
                at += 1 + label.len();
            }
            0xC0.. => {
                let to = usize::from(u16::from_be_bytes([length & 0x3F, *message.get(at + 1)?]));
                behind = behind.or(Some(at + 2));
                // Only backwards, so that it ends.
                if to >= at {
                    return None;
                }
                at = to;
            }
            _ => return None,
        }
    }
    Some((String::from_utf8_lossy(&name).into_owned(), behind.unwrap_or(at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const HOST: &str = "esp32.local";

    /// The answer of a device, with the question in it and the address twice.
    fn answer(id: u16) -> Vec<u8> {
        let mut message = question(id, HOST).unwrap();
        message[2] = 0x84;
        message[7] = 2;
        // The whole name by its place; then a label, and the rest by its place.
        message.extend_from_slice(b"\xc0\x0c\0\x01\x80\x01\0\0\0\x0a\0\x04\x0a\x01\x02\x03");
        message.extend_from_slice(b"\x05ESP32\xc0\x12\0\x01\0\x01\0\0\0\x0a\0\x04\x0a\x01\x02\x04");
        message
    }

    #[test]
    fn names_of_the_local_network_are_known_by_their_end() {
        for host in [HOST, "A.B.LOCAL", "esp32.local."] {
            assert!(is_local(host), "{host}");
        }
        for host in ["local", "esp32.local.example", "esp32-local", "10.0.0.1", ""] {
            assert!(!is_local(host), "{host}");
        }
        assert_eq!(question(7, "a..local"), None);
        assert_eq!(question(7, &format!("{}.local", "a".repeat(64))), None);
        assert_eq!(question(7, &format!("{}local", "a.".repeat(200))), None);
    }

    #[test]
    fn a_device_is_asked_until_it_answers() {
        let device = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = device.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let mut asked = [0; ANSWER_BYTES];
            // The first question is lost on its way.
            device.recv(&mut asked).unwrap();
            let (count, asker) = device.recv_from(&mut asked).unwrap();
            let id = u16::from_be_bytes([asked[0], asked[1]]);
            assert_eq!(asked[..count], question(id, HOST).unwrap());
            device.send_to(b"noise", asker).unwrap();
            let mut other = answer(id ^ 1);
            *other.last_mut().unwrap() = 9;
            device.send_to(&other, asker).unwrap();
            device.send_to(&answer(id), asker).unwrap();
        });
        let waits = [Duration::from_millis(1), Duration::from_secs(60)];
        let found = ask(HOST, address, &waits).unwrap();
        assert_eq!(found, [Ipv4Addr::new(10, 1, 2, 3), Ipv4Addr::new(10, 1, 2, 4)]);
        answering.join().unwrap();
    }

    #[test]
    fn without_an_answer_the_name_is_unknown() {
        let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let waits = [Duration::from_millis(1); 2];
        let unknown = ask(HOST, nobody.local_addr().unwrap(), &waits).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn damaged_answers_give_no_address_that_is_not_theirs() {
        let whole = answer(7);
        assert_eq!(addresses(&whole, 7, "ESP32.local.").len(), 2);
        assert!(addresses(&whole, 7, "other.local").is_empty());
        for end in 0..whole.len() {
            let found = addresses(&whole[..end], 7, HOST);
            assert!(found.len() < 2, "cut at {end}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 12, 63, 64, 0xC0, 0xFF] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                assert!(addresses(&damaged, 7, HOST).len() <= 2, "{value} at {at}");
            }
        }
        // A name that leads to itself.
        let mut endless = whole[..12].to_vec();
        endless.extend_from_slice(b"\xc0\x0c\0\x01\0\x01");
        assert!(addresses(&endless, 7, HOST).is_empty());
    }
}
