//! Defender: a small, private, fast camera server.
//!
//! Data flows in one direction: a capture thread publishes into the [`hub`], and any number of viewer
//! threads read from it. ARCHITECTURE.md has the table of modules, with the modules that each may name, and
//! follows a frame from the driver to the socket.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub(crate) mod app;
pub(crate) mod base;
pub mod cli;
pub(crate) mod client;
pub mod codec;
pub(crate) mod config;
pub(crate) mod confine;
pub(crate) mod control;
pub mod detect;
pub(crate) mod draw;
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod gate;
pub(crate) mod http;
pub mod hub;
pub(crate) mod journal;
pub mod jpeg;
pub(crate) mod logging;
pub mod media;
pub(crate) mod memory;
pub(crate) mod motion;
pub(crate) mod record;
pub(crate) mod remote;
pub mod segment;
pub(crate) mod source;
pub(crate) mod streams;
pub mod users;
