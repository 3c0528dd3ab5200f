//! The device as a whole: its requests, and the isochronous endpoints, which send while the host listens.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::Plan;
use super::audio::Microphone;
use super::camera::Camera;
use super::descriptors::{self, VIDEO_ENDPOINT};
use super::usbip::{self, Message, Packet, Transfer};

/// Of the virtual host controllers the first, which takes the devices of all.
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";

/// USB_SPEED_HIGH of the kernel.
const HIGH_SPEED: u32 = 3;

/// How often an endpoint that is not listened to looks whether it is.
const IDLE: Duration = Duration::from_millis(20);

/// A device that is plugged in.
struct Webcam {
    plan: Plan,
    camera: Camera,
    microphone: Microphone,
    video: Endpoint,
    audio: Endpoint,
    socket: UnixStream,
}

/// An isochronous endpoint.
#[derive(Default)]
struct Endpoint {
    /// Transfers of the host that wait for packets.
    pending: VecDeque<Transfer>,
    /// Packets that wait for a transfer.
    packets: VecDeque<Packet>,
    /// Whether a transfer waits until all its packets are there. A camera's does not: the end of a picture is not
    /// held back for the next.
    fills_transfers: bool,
}

/// A request of the host, as its setup packet has it (USB 2.0, 9.3).
#[derive(Clone, Copy)]
pub struct Setup {
    /// bmRequestType: direction, kind and recipient.
    pub kind: u8,
    /// bRequest
    pub request: u8,
    /// wValue
    pub value: u16,
    /// wIndex
    pub index: u16,
}

/// Plugs the device in and is it, until the host controller lets go of it.
pub fn run(plan: Plan) {
    let (ours, kernels) = UnixStream::pair().expect("a pair of sockets");
    let port = plan.port;
    let camera = Camera::new(plan.chroma, plan.defect.clone());
    let mut reader = ours.try_clone().expect("a second handle");
    let webcam = Arc::new(Mutex::new(Webcam {
        plan,
        camera,
        microphone: Microphone::default(),
        video: Endpoint::default(),
        audio: Endpoint { fills_transfers: true, ..Endpoint::default() },
        socket: ours,
    }));
    let sender = |send: fn(&mut Webcam) -> Duration| {
        let webcam = Arc::clone(&webcam);
        thread::spawn(move || {
            loop {
                let pause = send(&mut webcam.lock().unwrap_or_else(PoisonError::into_inner));
                thread::sleep(pause);
            }
        })
    };
    sender(Webcam::send_video);
    sender(Webcam::send_audio);
    plug_in(port, &kernels);
    drop(kernels);
    println!("plugged in");
    while let Ok(message) = usbip::read(&mut reader) {
        let mut webcam = webcam.lock().unwrap_or_else(PoisonError::into_inner);
        if webcam.take(message).is_err() {
            break;
        }
    }
    println!("unplugged");
}

/// Hands a socket to the host controller. The port may be in use for a moment by what was there before.
fn plug_in(port: u32, socket: &UnixStream) {
    let words = format!("{port} {} {} {HIGH_SPEED}", socket.as_raw_fd(), port + 1);
    while let Err(error) = fs::write(format!("{CONTROLLER}/attach"), &words) {
        let is_taken = error.raw_os_error() == Some(16) || error.kind() == io::ErrorKind::InvalidInput;
        assert!(is_taken, "no port {port}: {error}");
        thread::sleep(IDLE);
    }
}

impl Webcam {
    fn take(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Unlink { number, victim } => {
                let was_pending = self.video.take_back(victim) | self.audio.take_back(victim);
                usbip::answer_unlink(&mut self.socket, number, was_pending)
            }
            Message::Submit(transfer) if transfer.endpoint == 0 => {
                let answer = self.control(Setup::of(transfer.setup), &transfer.data);
                usbip::answer(&mut self.socket, &transfer, answer)
            }
            Message::Submit(transfer) => {
                let endpoint =
                    if transfer.endpoint == VIDEO_ENDPOINT { &mut self.video } else { &mut self.audio };
                endpoint.pending.push_back(transfer);
                endpoint.send(&mut self.socket)
            }
        }
    }

    /// The answer to a request, without one it is refused.
    fn control(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>> {
        const STANDARD: u8 = 0x00;
        const CLASS: u8 = 0x20;
        match setup.kind & 0x60 {
            STANDARD => self.standard(setup),
            CLASS => match (setup.kind & 0x1F, setup.index & 0xFF) {
                // The recipient is an interface, or an endpoint.
                (1, 0) => self.camera.control(setup, data),
                (1, 1) => self.camera.stream_control(setup, data),
                (2, _) => self.microphone.control(setup, data),
                _ => None,
            },
            _ => None,
        }
    }

    /// Requests that every device knows (USB 2.0, 9.4).
    fn standard(&mut self, setup: Setup) -> Option<Vec<u8>> {
        const GET_STATUS: u8 = 0;
        const CLEAR_FEATURE: u8 = 1;
        const SET_FEATURE: u8 = 3;
        const GET_DESCRIPTOR: u8 = 6;
        const SET_CONFIGURATION: u8 = 9;
        const SET_INTERFACE: u8 = 11;
        match setup.request {
            GET_STATUS => Some(vec![0, 0]),
            CLEAR_FEATURE | SET_FEATURE | SET_CONFIGURATION => Some(Vec::new()),
            GET_DESCRIPTOR => descriptors::descriptor(&self.plan, setup.value),
            SET_INTERFACE => {
                let is_on = setup.value > 0;
                match setup.index {
                    1 => {
                        self.camera.stream(is_on);
                        self.video.packets.clear();
                    }
                    3 => {
                        self.microphone.stream(is_on);
                        self.audio.packets.clear();
                    }
                    _ => {}
                }
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// Sends a picture, if it is wanted; says when to come again.
    fn send_video(&mut self) -> Duration {
        let Some((packets, interval)) = self.camera.frame() else { return IDLE };
        // What the host did not fetch in time is lost.
        self.video.packets.clear();
        self.video.packets.extend(packets);
        // The reader finds out that the socket is closed.
        let _ = self.video.send(&mut self.socket);
        interval
    }

    /// Sends the sound of the time since the last call.
    fn send_audio(&mut self) -> Duration {
        self.audio.packets.extend(self.microphone.packets());
        let _ = self.audio.send(&mut self.socket);
        let late = self.audio.packets.len().saturating_sub(100);
        self.audio.packets.drain(..late);
        IDLE / 2
    }
}

impl Endpoint {
    fn send(&mut self, socket: &mut UnixStream) -> io::Result<()> {
        while let Some(transfer) = self.pending.front() {
            let needed = if self.fills_transfers { transfer.packet_count() } else { 1 };
            if self.packets.len() < needed {
                break;
            }
            let count = transfer.packet_count().min(self.packets.len());
            let packets = self.packets.drain(..count);
            usbip::answer_packets(socket, transfer, packets)?;
            self.pending.pop_front();
        }
        Ok(())
    }

    fn take_back(&mut self, number: u32) -> bool {
        let before = self.pending.len();
        self.pending.retain(|transfer| !transfer.is_number(number));
        self.pending.len() < before
    }
}

impl Setup {
    fn of(bytes: [u8; 8]) -> Self {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Self { kind: bytes[0], request: bytes[1], value: word(2), index: word(4) }
    }
}
