//! The device as a whole: its requests, and the endpoints that send while the host listens.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::Plan;
use super::audio::Microphone;
use super::bus::{Answers, Message, Packet, Transfer};
use super::camera::Camera;
use super::descriptors::{self, VIDEO_ENDPOINT};
use super::{usbip, usbredir};

/// How often an endpoint that is not listened to looks whether it is.
const IDLE: Duration = Duration::from_millis(20);

/// A device that is plugged in.
struct Webcam {
    plan: Plan,
    camera: Camera,
    microphone: Microphone,
    video: Endpoint,
    audio: Endpoint,
    answers: Box<dyn Answers>,
}

/// An endpoint that sends: isochronous, or the bulk endpoint of a camera.
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
    let (mut requests, answers) = match &plan.redirected_to {
        Some(path) => usbredir::plug_in(&plan, path),
        None => usbip::plug_in(plan.port),
    };
    let camera = Camera::new(plan.chroma, plan.defect.clone());
    let webcam = Arc::new(Mutex::new(Webcam {
        plan,
        camera,
        microphone: Microphone::default(),
        video: Endpoint::default(),
        audio: Endpoint { fills_transfers: true, ..Endpoint::default() },
        answers,
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
    println!("plugged in");
    while let Ok(message) = requests.next() {
        let mut webcam = webcam.lock().unwrap_or_else(PoisonError::into_inner);
        if webcam.take(message).is_err() {
            break;
        }
    }
    println!("unplugged");
}

impl Webcam {
    fn take(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Unlink { number, victim } => {
                let was_pending = self.video.take_back(victim) | self.audio.take_back(victim);
                self.answers.unlink(number, victim, was_pending)
            }
            Message::Submit(transfer) if transfer.endpoint == 0 => {
                let answer = self.control(Setup::of(transfer.setup), &transfer.data);
                self.answers.control(&transfer, answer)
            }
            Message::Submit(transfer) => {
                let endpoint =
                    if transfer.endpoint == VIDEO_ENDPOINT { &mut self.video } else { &mut self.audio };
                endpoint.pending.push_back(transfer);
                endpoint.send(&mut *self.answers)
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
                (1, 1) => {
                    let answer = self.camera.stream_control(setup, data);
                    if self.plan.is_bulk() && self.camera.was_committed(setup) {
                        self.camera.stream(true);
                    }
                    answer
                }
                (2, _) => self.microphone.control(setup, data),
                _ => None,
            },
            _ => None,
        }
    }

    /// Requests that every device knows (USB 2.0, 9.4).
    fn standard(&mut self, setup: Setup) -> Option<Vec<u8>> {
        const ENDPOINT: u8 = 2;
        const GET_STATUS: u8 = 0;
        const CLEAR_FEATURE: u8 = 1;
        const SET_FEATURE: u8 = 3;
        const GET_DESCRIPTOR: u8 = 6;
        const SET_CONFIGURATION: u8 = 9;
        const SET_INTERFACE: u8 = 11;
        match setup.request {
            GET_STATUS => Some(vec![0, 0]),
            // With this the driver ends a stream of bulk transfers.
            CLEAR_FEATURE if setup.kind == ENDPOINT && setup.index == (0x80 | u16::from(VIDEO_ENDPOINT)) => {
                self.camera.stream(false);
                self.video.packets.clear();
                Some(Vec::new())
            }
            CLEAR_FEATURE | SET_FEATURE | SET_CONFIGURATION => Some(Vec::new()),
            GET_DESCRIPTOR => descriptors::descriptor(&self.plan, setup.value),
            SET_INTERFACE => {
                let is_on = setup.value > 0;
                match setup.index {
                    1 if !self.plan.is_bulk() => {
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
        if self.plan.is_bulk() && !self.video.packets.is_empty() {
            return IDLE; // nothing of a picture is lost on the way: the host is slower than the camera
        }
        let Some((packets, interval)) = self.camera.frame() else { return IDLE };
        // What the host did not fetch in time is lost.
        self.video.packets.clear();
        self.video.packets.extend(packets);
        // The reader finds out that the socket is closed.
        let _ = self.video.send(&mut *self.answers);
        interval
    }

    /// Sends the sound of the time since the last call.
    fn send_audio(&mut self) -> Duration {
        self.audio.packets.extend(self.microphone.packets());
        let _ = self.audio.send(&mut *self.answers);
        let late = self.audio.packets.len().saturating_sub(100);
        self.audio.packets.drain(..late);
        IDLE / 2
    }
}

impl Endpoint {
    fn send(&mut self, answers: &mut dyn Answers) -> io::Result<()> {
        while let Some(transfer) = self.pending.front() {
            let needed = if self.fills_transfers { transfer.packets.len() } else { 1 };
            if self.packets.len() < needed {
                break;
            }
            let count = transfer.packets.len().min(self.packets.len());
            answers.packets(transfer, &mut self.packets.drain(..count))?;
            self.pending.pop_front();
        }
        Ok(())
    }

    fn take_back(&mut self, number: u64) -> bool {
        let before = self.pending.len();
        self.pending.retain(|transfer| transfer.number != number);
        self.pending.len() < before
    }
}

impl Setup {
    fn of(bytes: [u8; 8]) -> Self {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Self { kind: bytes[0], request: bytes[1], value: word(2), index: word(4) }
    }
}
