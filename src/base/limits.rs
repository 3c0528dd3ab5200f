//! Limits of the settings of a camera, the same here and on another Defender, and of who reads it.

use std::ops::RangeInclusive;

/// Width and height in pixels.
pub const SIDE: RangeInclusive<u32> = 16..=8192;

/// Frames a second.
pub const FPS: RangeInclusive<u32> = 1..=240;

/// JPEG quality.
pub const QUALITY: RangeInclusive<u32> = 1..=100;

/// Most further streams of a camera: each has a thread while the server runs.
pub const STREAMS: usize = 8;

/// Most connections of the local socket: typed commands, and some scripts.
pub const LOCAL_CONNECTIONS: u32 = 16;

/// How many evicted connections may still be ending, in addition to `connections`.
pub fn leaving_connections(connections: u32) -> u32 {
    (connections / 4).max(8)
}

/// Most clients that read a camera or microphone at a time, where `connections` of the network are accepted.
pub fn viewers(connections: u32) -> u32 {
    connections + leaving_connections(connections) + LOCAL_CONNECTIONS
}

/// Most readers of a camera with so many viewers: no viewer can take the places of its streams, each of which has two
/// while it changes what it reads, of its detector and of its recorder.
pub fn camera_readers(viewers: u32) -> u32 {
    viewers + 2 * STREAMS as u32 + 2
}
