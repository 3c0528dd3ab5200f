//! The microphone (USB Audio 1.0): a tone of one kilohertz.

use std::f32::consts::TAU;
use std::time::Instant;

use super::bus::Packet;
use super::webcam::Setup;

/// What it can be set to, in samples a second.
pub const RATES_HZ: [u32; 2] = [16_000, 48_000];

/// What it hears.
pub const TONE_HZ: f32 = 1000.0;

/// The microphone of a device.
pub struct Microphone {
    rate_hz: u32,
    /// Since when it is listened to, and for how many milliseconds sound was given.
    since: Option<(Instant, u64)>,
}

impl Default for Microphone {
    fn default() -> Self {
        Self { rate_hz: RATES_HZ[0], since: None }
    }
}

impl Microphone {
    /// Requests to its endpoint: the rate is all that can be set.
    pub fn control(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>> {
        const SET_CUR: u8 = 0x01;
        const GET_CUR: u8 = 0x81;
        match setup.request {
            SET_CUR => {
                let rate_hz = u32::from_le_bytes([*data.first()?, *data.get(1)?, *data.get(2)?, 0]);
                self.rate_hz = RATES_HZ.contains(&rate_hz).then_some(rate_hz)?;
                println!("rate {rate_hz}");
                Some(Vec::new())
            }
            GET_CUR => Some(self.rate_hz.to_le_bytes()[..3].to_vec()),
            _ => None,
        }
    }

    /// Starts or stops.
    pub fn stream(&mut self, is_on: bool) {
        self.since = is_on.then(|| (Instant::now(), 0));
        println!("microphone {}", if is_on { "on" } else { "off" });
    }

    /// The sound since the last call, a packet for each millisecond.
    pub fn packets(&mut self) -> Vec<Packet> {
        let Some((begin, given_ms)) = &mut self.since else { return Vec::new() };
        let now_ms = begin.elapsed().as_millis() as u64;
        let each = u64::from(self.rate_hz / 1000);
        let packet = |ms: u64| {
            let samples = (ms * each..(ms + 1) * each).map(|at| {
                let turn = (at as f64 * f64::from(TONE_HZ) / f64::from(self.rate_hz)).fract() as f32;
                ((turn * TAU).sin() * 16_000.0) as i16
            });
            Packet { bytes: samples.flat_map(i16::to_le_bytes).collect(), is_lost: false }
        };
        let packets = (*given_ms..now_ms).map(packet).collect();
        *given_ms = now_ms;
        packets
    }
}
