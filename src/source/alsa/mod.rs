//! Microphones of this machine, through ALSA.

pub mod cards;
mod error;
mod library;
mod microphone;
mod pcm;

pub(super) use microphone::{Microphone, probe};
