//! Limits of the settings of a camera, the same here and on another Defender.

use std::ops::RangeInclusive;

/// Width and height in pixels.
pub const SIDE: RangeInclusive<u32> = 16..=8192;

/// Frames a second.
pub const FPS: RangeInclusive<u32> = 1..=240;

/// JPEG quality.
pub const QUALITY: RangeInclusive<u32> = 1..=100;

/// Most further streams of a camera: each has a thread while the server runs.
pub const STREAMS: usize = 8;
