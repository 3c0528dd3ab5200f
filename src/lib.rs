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
//! | [`encode`] | values in, bytes out; no I/O |
//! | [`capture`] | cameras, the test card, the retry loop |
//! | [`users`] | the flat user file and password checks |
//! | [`gate`] | the public socket: limits, TLS, strict request heads |
//! | [`http`] | routes, handlers, streams, the embedded page |
//! | [`config`] | defender.conf and flags into checked values |
//! | [`confine`] | giving up power: user, rights, Landlock |
//! | [`control`] | what a running server can be told; the capture threads |
//! | [`memory`] | the bound on all large buffers together |
//! | [`remote`] | other Defenders, as their client |
//! | [`logging`] | where log lines go, and how many |
//! | [`cli`] | one file per command |
//! | [`app`] | the only wiring |
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub(crate) mod app;
pub(crate) mod base;
pub mod capture;
pub mod cli;
pub mod config;
pub(crate) mod confine;
pub mod control;
pub mod encode;
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod gate;
pub mod http;
pub mod hub;
pub mod logging;
pub mod media;
pub mod memory;
pub mod remote;
pub mod users;
