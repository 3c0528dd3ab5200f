//! The guest's sound card: playing into it, unplugging it; and knowing what was played again.

use std::collections::HashMap;
use std::fs;

use crate::server::Viewer;
use crate::vm::{GUEST_WORK, Job, Vm, wait_for};

pub const RATE_HZ: u32 = 32_000;

/// The sound card as defender.conf names it, first substream.
pub const MICROPHONE: &str = "hw:0,1,0";

const WAV_HEADER_BYTES: usize = 44;

/// Sound of which every stretch is unique: a known sequence without repetition.
pub struct Known {
    samples: Vec<i16>,
    /// Where four samples in a row stand.
    places: HashMap<[i16; 4], usize>,
}

impl Vm {
    /// Takes the card away, as a pulled USB plug does.
    pub fn unplug_card(&self) {
        self.run_ok("echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/unbind");
    }

    /// Puts it back.
    pub fn plug_card(&self) {
        self.run_ok("cd /sys/bus/platform/drivers/snd_aloop; [ -e snd_aloop.0 ] || echo snd_aloop.0 >bind");
    }

    /// Plays samples into a substream of the card for as long as the job lives or they last.
    pub fn play(&self, substream: u32, samples: &[i16], rate_hz: u32, channels: u32) -> Job {
        let name = format!("played{substream}.raw");
        fs::write(self.work().join(&name), raw(samples)).expect("the work folder takes a file");
        let player = player(substream, rate_hz, channels);
        let job = self.spawn(&format!("exec {player} {GUEST_WORK}/{name}"));
        wait_for("the player", || {
            let state = self.run(&format!("cat /proc/asound/card0/pcm0p/sub{substream}/status")).stdout;
            String::from_utf8_lossy(&state).contains("RUNNING").then_some(())
        });
        job
    }
}

/// The command that plays raw samples of its input, or of a file that is named behind it. With most of a second in the card's
/// buffer the emulated player is never late.
pub fn player(substream: u32, rate_hz: u32, channels: u32) -> String {
    format!(
        "aplay -D hw:0,0,{substream} -t raw -f S16_LE -r {rate_hz} -c {channels} \
         --buffer-time=800000 --period-time=50000"
    )
}

/// Samples as that command takes them.
pub fn raw(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

impl Vm {
    /// When a substream began to play its first frame, in seconds since the epoch, as the kernel
    /// accounts for it.
    pub fn began_playing_s(&self, substream: u32) -> f64 {
        // The kernel's stamp is of the monotonic clock, which the uptime is while nobody sleeps. Both
        // clocks are read by one shell, again if it was held up in between: starting a program takes a
        // tenth of a second here.
        let output = self.run_ok(&format!(
            "grep trigger_time /proc/asound/card0/pcm0p/sub{substream}/status; \
             bash -c 'until read -r before rest </proc/uptime; now=$EPOCHREALTIME; \
             read -r after rest </proc/uptime; [ $before = $after ]; do :; done; echo now: $now $before'"
        ));
        let words = output.split_whitespace().filter_map(|word| word.parse().ok());
        let [began, now, uptime] = words.collect::<Vec<f64>>()[..] else { panic!("{output}") };
        now - uptime + began
    }
}

impl Known {
    /// `seconds` of it at [`RATE_HZ`], mono.
    pub fn new(seconds: u32) -> Self {
        let samples: Vec<i16> = (0..seconds * RATE_HZ).map(noise).collect();
        let places =
            samples.windows(4).enumerate().map(|(at, four)| (four.try_into().expect("four"), at)).collect();
        Self { samples, places }
    }

    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The stretches of `heard` that are of this sound, each as (where in `heard`, where in this
    /// sound, how long), and nothing shorter than a hundredth of a second.
    pub fn stretches(&self, heard: &[i16]) -> Vec<(usize, usize, usize)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at + 4 <= heard.len() {
            let four: [i16; 4] = heard[at..at + 4].try_into().expect("four");
            let Some(&place) = self.places.get(&four) else {
                at += 1;
                continue;
            };
            let pairs = heard[at..].iter().zip(&self.samples[place..]);
            let length = pairs.take_while(|(heard, played)| heard == played).count();
            if length >= RATE_HZ as usize / 100 {
                found.push((at, place, length));
            }
            at += length.max(1);
        }
        found
    }
}

/// What a listener heard so far, of a stream in WAV.
pub fn heard(viewer: &Viewer) -> Vec<i16> {
    let bytes = viewer.bytes();
    let data = bytes.get(WAV_HEADER_BYTES..).unwrap_or_default();
    data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A number that looks random and follows from `at` alone.
fn noise(at: u32) -> i16 {
    let mixed = (at ^ 0x5bd1_e995).wrapping_mul(0x9e37_79b1);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca77);
    // Below full scale, and never zero: silence differs from it.
    ((mixed >> 18) as i16 - 8192) | 1
}
