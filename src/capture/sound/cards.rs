//! Which microphones this machine has: for lists, for `auto`, and for names a person wrote.

use std::fmt::Display;

use alsa::pcm::{HwParams, PCM};
use alsa::{Ctl, Direction, card, ctl};

use super::error::SoundError;
use super::pcm::hush;
use super::{MicrophoneDevice, fallback};

/// A capture device of a sound card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundDevice {
    /// The PCM to name in defender.conf, such as `plughw:CARD=C210,DEV=0`; it stays the same over
    /// boots, and ALSA converts what the hardware cannot do.
    pub pcm: String,
    /// Card and device as their makers named them.
    pub label: String,
    /// Lowest and highest rate of the hardware in Hz.
    pub rates_hz: (u32, u32),
    /// Fewest and most channels of the hardware.
    pub channels: (u32, u32),
    /// Why it could not be asked for rates and channels.
    pub problem: Option<String>,
}

/// A PCM to open, and its name for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) pcm: String,
    pub(super) label: String,
}

/// Every capture device, card by card. Disturbs none that is in use.
pub fn list() -> Vec<SoundDevice> {
    named().into_iter().map(|found| describe(found.candidate, &found.hardware)).collect()
}

/// What to try for a device as configured, the best first.
///
/// # Errors
/// When there can be nothing to try.
pub(super) fn candidates(device: &MicrophoneDevice) -> Result<Vec<Candidate>, SoundError> {
    let found: Vec<Candidate> = named().into_iter().map(|found| found.candidate).collect();
    match device {
        MicrophoneDevice::Named(name) => Ok(vec![choose(name, &found)]),
        _ if found.is_empty() => Err(SoundError::NoMicrophone { problem: None }),
        _ => Ok(found),
    }
}

/// The capture devices by their makers' names.
pub(super) fn labels() -> Vec<String> {
    named().into_iter().map(|found| found.candidate.label).collect()
}

/// The name by which a device of a card is listed.
pub(super) fn listed_name(card: i32, device: u32) -> Option<String> {
    let card = u32::try_from(card).ok()?;
    let control = Ctl::new(&format!("hw:{card}"), true).ok()?;
    Some(plughw(control.card_info().ok()?.get_id().ok()?, device))
}

/// The PCM meant by a name: that of a card it is part of, else one of ALSA's own names.
fn choose(name: &str, found: &[Candidate]) -> Candidate {
    let is_alsa_name = name == "default" || name.contains(':');
    let wanted = name.to_lowercase();
    let is_meant = |candidate: &&Candidate| {
        candidate.label.to_lowercase().contains(&wanted) || candidate.pcm.to_lowercase().contains(&wanted)
    };
    let card = if is_alsa_name { None } else { found.iter().find(is_meant) };
    card.cloned().unwrap_or_else(|| Candidate { pcm: name.to_owned(), label: name.to_owned() })
}

struct Found {
    candidate: Candidate,
    /// The bare hardware's PCM, to ask what it can do.
    hardware: String,
}

fn named() -> Vec<Found> {
    hush();
    fallback::ensure();
    card::Iter::new().flatten().flat_map(|card| of_card(&card).unwrap_or_default()).collect()
}

fn of_card(card: &alsa::Card) -> alsa::Result<Vec<Found>> {
    let control = Ctl::from_card(card, true)?;
    let info = control.card_info()?;
    let (id, card_name) = (info.get_id()?.to_owned(), info.get_name()?.to_owned());
    let devices = ctl::DeviceIter::new(&control).filter_map(|device| {
        let info = control.pcm_info(u32::try_from(device).ok()?, 0, Direction::Capture).ok()?;
        let device_name = info.get_name().unwrap_or_default();
        let candidate = Candidate { pcm: plughw(&id, device), label: format!("{card_name}, {device_name}") };
        Some(Found { candidate, hardware: format!("hw:CARD={id},DEV={device}") })
    });
    Ok(devices.collect())
}

fn plughw(card_id: &str, device: impl Display) -> String {
    format!("plughw:CARD={card_id},DEV={device}")
}

fn describe(candidate: Candidate, hardware: &str) -> SoundDevice {
    let Candidate { pcm, label } = candidate;
    match abilities(hardware) {
        Ok((rates_hz, channels)) => SoundDevice { pcm, label, rates_hz, channels, problem: None },
        Err(error) => {
            let problem = SoundError::of_call(&pcm, error).to_string();
            SoundDevice { pcm, label, rates_hz: (0, 0), channels: (0, 0), problem: Some(problem) }
        }
    }
}

/// Least and most.
type Range = (u32, u32);

/// Rates in Hz and channels of a PCM.
fn abilities(pcm: &str) -> alsa::Result<(Range, Range)> {
    let pcm = PCM::new(pcm, Direction::Capture, true)?;
    let any = HwParams::any(&pcm)?;
    let rates_hz = (any.get_rate_min()?, any.get_rate_max()?);
    Ok((rates_hz, (any.get_channels_min()?, any.get_channels_max()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Vec<Candidate> {
        let candidate = |pcm: &str, label: &str| Candidate { pcm: pcm.to_owned(), label: label.to_owned() };
        vec![
            candidate("plughw:CARD=PCH,DEV=0", "HDA Intel PCH, ALC295 Analog"),
            candidate("plughw:CARD=C210,DEV=0", "Webcam C210, USB Audio"),
        ]
    }

    #[test]
    fn part_of_a_cards_name_in_any_case_names_it() {
        for part in ["webcam", "C210", "usb audio"] {
            assert_eq!(choose(part, &found()).pcm, "plughw:CARD=C210,DEV=0", "{part}");
        }
    }

    #[test]
    fn names_of_alsas_own_are_left_alone() {
        for name in ["hw:1,0", "plughw:CARD=PCH", "default", "dsnoop_of_mine"] {
            assert_eq!(choose(name, &found()).pcm, name);
        }
    }
}
