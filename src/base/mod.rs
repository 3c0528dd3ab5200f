//! Small tools that every layer uses: no part of them knows what Defender does.
//!
//! What belongs here: functions over plain values, files and locks that at least two layers need and that depend on
//! nothing but the standard library and crates. What must not: anything of cameras, users or HTTP.

pub mod clock;
pub mod disk;
pub mod hex;
pub mod level;
pub mod limits;
mod lock;
pub mod names;
mod nearest;
mod network;
#[cfg(test)]
pub(crate) mod patience;
pub mod text;
pub mod utc;
pub mod volume;

pub use lock::{lock, unpoisoned};
pub use nearest::{did_you_mean, nearest};
pub use network::Network;
