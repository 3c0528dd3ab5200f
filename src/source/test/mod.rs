//! The sources that Defender makes itself: the test card and the test tone.

mod card;
mod microphone;
mod tone;

pub(super) use card::{CardCamera, CardSource};
pub(super) use microphone::ToneMicrophone;
