//! What a host asks of a device, whichever way the two are connected.

use std::io;

/// What the host sends.
pub enum Message {
    /// A transfer.
    Submit(Transfer),
    /// The transfer of number `victim` is not wanted any more.
    Unlink { number: u64, victim: u64 },
}

/// A transfer that the host asks for.
pub struct Transfer {
    pub number: u64,
    pub endpoint: u8,
    pub is_in: bool,
    /// Room for the answer, or length of the data.
    pub length: usize,
    /// The setup packet of a control transfer.
    pub setup: [u8; 8],
    /// What the host sends.
    pub data: Vec<u8>,
    /// Offset and room of each packet of an isochronous transfer; one for a whole bulk transfer.
    pub packets: Vec<(u32, u32)>,
}

/// A packet of an isochronous transfer, or what a bulk transfer brings.
#[derive(Clone, Default)]
pub struct Packet {
    pub bytes: Vec<u8>,
    /// Whether it does not arrive.
    pub is_lost: bool,
}

/// Where the host's messages come from.
pub trait Requests {
    /// Waits for the next message. An error is the end: the host lets go of the device.
    fn next(&mut self) -> io::Result<Message>;
}

/// Where the device's answers go.
pub trait Answers: Send {
    /// Answers a control transfer; without an answer it is stalled.
    fn control(&mut self, transfer: &Transfer, answer: Option<Vec<u8>>) -> io::Result<()>;

    /// Answers any other transfer with one packet after the other; those that are not there are empty.
    fn packets(&mut self, transfer: &Transfer, packets: &mut dyn Iterator<Item = Packet>) -> io::Result<()>;

    /// Answers message `number`, which takes back the transfer `victim`: whether it was still to be answered.
    fn unlink(&mut self, number: u64, victim: u64, was_pending: bool) -> io::Result<()>;
}
