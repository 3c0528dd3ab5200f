//! The hub: where capture threads leave what they captured and viewer threads pick it up.
//!
//! What belongs here: the lock-free exchange of values, waiting for them, and what the two sides
//! know of each other (counters, state). What must not: devices, sockets, encoding, HTTP.
//!
//! The atomics of this room come from `sync`, which swaps in loom's under `--cfg loom`, so that
//! the very code that ships is the code that is model-checked.

mod latest;
mod ring;
mod sync;
mod wait;

pub use latest::{Latest, Publisher, Reader, Wait, latest};
pub use ring::{Got, LiveEdge, Ring, RingReader, RingWriter, ring};

#[cfg(not(loom))]
mod camera;
#[cfg(not(loom))]
mod list;
#[cfg(not(loom))]
mod microphone;
#[cfg(not(loom))]
mod stop;
#[cfg(not(loom))]
mod totals;

#[cfg(not(loom))]
pub use camera::{Arrivals, CameraCounters, CameraFeed, CameraState, Count, Flag};
#[cfg(not(loom))]
pub use list::{FeedList, Named};
#[cfg(not(loom))]
pub use microphone::{Listening, MicrophoneFeed, MicrophoneState, SoundWriter};
#[cfg(not(loom))]
pub use stop::Stop;
#[cfg(not(loom))]
pub use totals::{BOUNDS_US, Histogram, LocalTotals, Sums, Totals};
