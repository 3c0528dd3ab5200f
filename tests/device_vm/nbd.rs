//! A server of the Network Block Device protocol, as much of it as qemu speaks with one disk. (The protocol:
//! <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>.)

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// What is behind the protocol.
pub trait Store: Send + Sync + 'static {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Failed>;
    /// It need not be on the disk before the next flush.
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Failed>;
    fn flush(&self) -> Result<(), Failed>;
}

/// An error of the disk, EIO for the guest.
pub struct Failed;

const EIO: u32 = 5;

// Options and their replies.
const GO: u32 = 7;
const ABORT: u32 = 2;
const ACK: u32 = 1;
const INFO: u32 = 3;
const UNSUPPORTED: u32 = 1 << 31 | 1;

/// Has flags, and takes flushes.
const FLAGS: u16 = 1 | 1 << 2;

// Commands.
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

/// Serves a disk of so many bytes at `socket`, in a thread that lives as long as the process.
pub fn serve(socket: &Path, bytes: u64, store: Arc<impl Store>) {
    let listener = UnixListener::bind(socket).expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Its end is that of the machine.
            let _ = stream.and_then(|stream| converse(stream, bytes, &*store));
        }
    });
}

fn converse(mut stream: UnixStream, bytes: u64, store: &impl Store) -> io::Result<()> {
    stream.write_all(b"NBDMAGICIHAVEOPT")?;
    stream.write_all(&3_u16.to_be_bytes())?; // of fixed newstyle, without zeroes
    let _clients_flags: [u8; 4] = take(&mut stream)?;
    loop {
        let _magic: [u8; 8] = take(&mut stream)?;
        let option = u32::from_be_bytes(take(&mut stream)?);
        let mut content = vec![0; u32::from_be_bytes(take(&mut stream)?) as usize];
        stream.read_exact(&mut content)?;
        match option {
            GO => {
                let export = [&[0; 2][..], &bytes.to_be_bytes(), &FLAGS.to_be_bytes()].concat();
                reply(&mut stream, option, INFO, &export)?;
                reply(&mut stream, option, ACK, &[])?;
                return transmit(&mut stream, store);
            }
            ABORT => return reply(&mut stream, option, ACK, &[]),
            _ => reply(&mut stream, option, UNSUPPORTED, &[])?,
        }
    }
}

fn reply(stream: &mut UnixStream, option: u32, kind: u32, content: &[u8]) -> io::Result<()> {
    let numbers = [option, kind, content.len() as u32].map(u32::to_be_bytes).concat();
    stream.write_all(&[&0x0003_E889_0455_65A9_u64.to_be_bytes()[..], &numbers, content].concat())
}

fn transmit(stream: &mut UnixStream, store: &impl Store) -> io::Result<()> {
    loop {
        let _magic: [u8; 4] = take(stream)?;
        let _flags: [u8; 2] = take(stream)?;
        let command = u16::from_be_bytes(take(stream)?);
        let cookie: [u8; 8] = take(stream)?;
        let offset = u64::from_be_bytes(take(stream)?);
        let length = u32::from_be_bytes(take(stream)?) as usize;
        let mut content = vec![0; if command == READ || command == WRITE { length } else { 0 }];
        let done = match command {
            READ => store.read(offset, &mut content),
            WRITE => {
                stream.read_exact(&mut content)?;
                store.write(offset, &content)
            }
            FLUSH => store.flush(),
            DISCONNECT => return Ok(()),
            _ => Err(Failed),
        };
        let error = if done.is_ok() { 0 } else { EIO };
        let head = [&0x6744_6698_u32.to_be_bytes()[..], &error.to_be_bytes(), &cookie].concat();
        stream.write_all(&head)?;
        if command == READ && done.is_ok() {
            stream.write_all(&content)?;
        }
    }
}

fn take<const N: usize>(stream: &mut UnixStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
