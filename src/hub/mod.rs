//! The hub: capture threads publish here, and all other threads read here.
//!
//! What belongs here: the lock-free exchange of values, waiting for them, and the counters and states that
//! both sides share. What must not: devices, sockets, encoding, HTTP.
//!
//! The atomics of this layer come from `sync`, which replaces them by loom's under `--cfg loom`. So the code
//! that is model-checked is the code that ships.

mod events;
mod latest;
mod public;
mod recent;
mod ring;
mod slots;
mod sync;
mod tap;
mod wait;

pub use events::{EventReader, Events, Packed, Received, events};
pub use latest::{Latest, Publisher, Reader, Wait, latest};
pub use recent::{Recent, RecentBounds, RecentItem, RecentReader, RecentWriter, recent};
pub use ring::{Got, LiveEdge, Ring, RingReader, RingWriter, ring};

#[cfg(not(loom))]
mod camera;
#[cfg(not(loom))]
mod list;
#[cfg(not(loom))]
mod microphone;
#[cfg(not(loom))]
mod smaller;
#[cfg(not(loom))]
mod stop;
#[cfg(not(loom))]
mod stream;
#[cfg(not(loom))]
mod switch;
#[cfg(not(loom))]
mod totals;

#[cfg(not(loom))]
pub use camera::{Arrivals, CameraCounters, CameraFeed, CameraState, Count, Flag};
#[cfg(not(loom))]
pub use list::{FeedList, Named};
#[cfg(not(loom))]
pub use microphone::{Listening, MicrophoneFeed, MicrophoneState, SoundWriter};
#[cfg(not(loom))]
pub use smaller::SmallerPictures;
#[cfg(not(loom))]
pub use stop::Stop;
#[cfg(not(loom))]
pub use stream::{StreamFeed, StreamState};
#[cfg(not(loom))]
pub use switch::Switch;
#[cfg(not(loom))]
pub use totals::{BOUNDS_US, Histogram, LocalTotals, Sums, Totals};
