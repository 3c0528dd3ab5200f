//! Defender: a small, private, fast camera server.
//!
//! Data flows down and never back: a capture thread publishes into the [`hub`], and any number
//! of viewer threads read from it. ARCHITECTURE.md follows a frame from the driver to the socket.
//!
//! | room | what belongs there |
//! |---|---|
//! | `base` | tools that every layer uses: files, locks, names, untrusted text |
//! | [`media`] | plain values: frame, timestamp, pixel format |
//! | [`hub`] | the lock-free meeting point of capture and viewers |
//! | [`codec`] | values in, bytes out: JPEG, multipart parts, sound; no I/O |
//! | `draw` | test card, no-signal frame, lettering, local time |
//! | `source` | cameras and microphones of every kind, and their supervisors |
//! | [`users`] | the flat user file and password checks |
//! | [`gate`] | the public socket: limits, TLS, strict request heads |
//! | `http` | routes, handlers, streams, the embedded page |
//! | [`config`] | defender.conf and flags into checked values |
//! | [`confine`] | giving up power: user, rights, Landlock |
//! | [`control`] | what a running server can be told; the capture threads |
//! | `memory` | the bound on all large buffers together |
//! | [`client`] | HTTP requests to other servers |
//! | `remote` | other Defenders: their status and streams |
//! | `logging` | where log lines go, and how many |
//! | [`cli`] | one file per command |
//! | [`app`] | the only wiring |
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod app;
pub(crate) mod base;
pub mod cli;
pub mod client;
pub mod codec;
pub mod config;
pub mod confine;
pub mod control;
mod draw;
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
pub(crate) mod http;
pub mod hub;
pub(crate) mod logging;
pub mod media;
pub(crate) mod memory;
pub(crate) mod remote;
pub(crate) mod source;
pub mod users;
