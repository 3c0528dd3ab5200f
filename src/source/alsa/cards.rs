//! Which microphones this machine has: for lists, for `auto`, and for names a person wrote.

use std::fmt::{self, Display};
use std::fs;

use alsa::pcm::{HwParams, PCM};
use alsa::{Ctl, Direction, card, ctl};

use super::error::PcmError;
use super::library;
use crate::media::SoundDevice;

/// A PCM to open, and its name for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) pcm: String,
    pub(super) label: String,
}

impl fmt::Display for Candidate {
    /// The label alone does not tell two cards of one model apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.label == self.pcm {
            f.write_str(&self.pcm)
        } else {
            write!(f, "{} ({})", self.label, self.pcm)
        }
    }
}

/// Every capture device, card by card. Disturbs none that is in use.
pub fn list() -> Vec<SoundDevice> {
    named().into_iter().map(|found| describe(found.candidate, &found.hardware)).collect()
}

/// What to try for a microphone of this name, or, without one, every capture device in order.
pub(super) fn candidates(name: Option<&str>) -> Vec<Candidate> {
    let found: Vec<Candidate> = named().into_iter().map(|found| found.candidate).collect();
    match name {
        Some(name) => vec![choose(name, &found)],
        None => found,
    }
}

/// The capture devices by their makers' names and their PCMs, of which no two are the same.
pub(super) fn names() -> Vec<String> {
    named().into_iter().map(|found| found.candidate.to_string()).collect()
}

/// The name by which a device of a card is listed.
pub(super) fn listed_name(card: i32, device: u32) -> Option<String> {
    let card = u32::try_from(card).ok()?;
    let control = Ctl::new(&format!("hw:{card}"), true).ok()?;
    let info = control.card_info().ok()?;
    Some(plughw(&address(info.get_id(), card), device))
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
    library::prepare();
    card::Iter::new().flatten().flat_map(|card| of_card(&card).unwrap_or_default()).collect()
}

fn of_card(card: &alsa::Card) -> alsa::Result<Vec<Found>> {
    let control = Ctl::from_card(card, true)?;
    let info = control.card_info()?;
    let index = u32::try_from(card.get_index()).unwrap_or(0);
    let id = address(info.get_id(), index);
    let card_name = info.get_name().map_or_else(|_| readable_name(index), str::to_owned);
    let devices = ctl::DeviceIter::new(&control).filter_map(|device| {
        let info = control.pcm_info(u32::try_from(device).ok()?, 0, Direction::Capture).ok()?;
        let device_name = info.get_name().unwrap_or_default();
        let candidate = Candidate { pcm: plughw(&id, device), label: format!("{card_name}, {device_name}") };
        Some(Found { candidate, hardware: format!("hw:CARD={id},DEV={device}") })
    });
    Ok(devices.collect())
}

/// How a card is named in a PCM: by its id, or, if that is no UTF-8, which a PCM's name cannot hold, by its
/// number.
fn address(id: alsa::Result<&str>, index: u32) -> String {
    id.map_or_else(|_| index.to_string(), str::to_owned)
}

/// A name for people of a card whose own name is no UTF-8: what of it can be read, from the kernel's list.
fn readable_name(index: u32) -> String {
    let listed = fs::read("/proc/asound/cards").unwrap_or_default();
    listed_card(&listed, index).unwrap_or_else(|| format!("sound card {index}"))
}

/// The name in the line `N [ID ]: DRIVER - NAME` of a card.
fn listed_card(listed: &[u8], index: u32) -> Option<String> {
    let listed = String::from_utf8_lossy(listed);
    let line = listed.lines().find(|line| {
        line.trim_start().split_once(' ').is_some_and(|(number, _)| number.parse() == Ok(index))
    })?;
    let name = line.split_once("]: ")?.1;
    Some(name.split_once(" - ").map_or(name, |(_, name)| name).trim().to_owned())
}

fn plughw(card_id: &str, device: impl Display) -> String {
    format!("plughw:CARD={card_id},DEV={device}")
}

fn describe(candidate: Candidate, hardware: &str) -> SoundDevice {
    let Candidate { pcm, label } = candidate;
    match abilities(hardware) {
        Ok((rates_hz, channels)) => SoundDevice { pcm, label, rates_hz, channels, problem: None },
        Err(error) => {
            let problem = PcmError::of_call(&pcm, error).to_string();
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
    fn a_card_with_a_name_that_is_no_utf8_goes_by_its_number() {
        let no_utf8 = || Err(alsa::Error::unsupported("no UTF-8"));
        assert_eq!(plughw(&address(no_utf8(), 2), 0), "plughw:CARD=2,DEV=0");
        assert_eq!(plughw(&address(Ok("C210"), 2), 0), "plughw:CARD=C210,DEV=0");
        let listed = b" 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      at 0xf7\n \
                       2 [M\xe4x            ]: USB-Audio - M\xe4x Mikro\n";
        assert_eq!(listed_card(listed, 2).as_deref(), Some("M\u{fffd}x Mikro"));
        assert_eq!(listed_card(listed, 0).as_deref(), Some("HDA Intel PCH"));
        assert_eq!(listed_card(listed, 1), None);
    }

    #[test]
    fn two_cards_of_one_model_have_different_names() {
        let candidate =
            |pcm: &str| Candidate { pcm: pcm.to_owned(), label: "Loopback, Loopback PCM".to_owned() };
        let name = candidate("plughw:CARD=Loopback,DEV=0").to_string();
        assert_eq!(name, "Loopback, Loopback PCM (plughw:CARD=Loopback,DEV=0)");
        assert_ne!(name, candidate("plughw:CARD=Loopback_1,DEV=0").to_string());
        let given = Candidate { pcm: "hw:1".to_owned(), label: "hw:1".to_owned() };
        assert_eq!(given.to_string(), "hw:1");
    }

    #[test]
    fn names_of_alsas_own_are_left_alone() {
        for name in ["hw:1,0", "plughw:CARD=PCH", "default", "dsnoop_of_mine"] {
            assert_eq!(choose(name, &found()).pcm, name);
        }
    }
}
