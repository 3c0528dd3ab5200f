//! The clocks that are neither `Instant` nor a frame's timestamp.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::{disk, hex};

/// 2026-11-28, the day of this release, in seconds since 1970: a clock that shows an earlier time is wrong.
/// A constant, so that builds of one source are equal byte for byte.
pub const RELEASED_S: i64 = 1_795_824_000;

/// The kernel's name for this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The wall clock, as time since 1970 (the Unix epoch); zero where it shows an earlier time. It may jump, in either
/// direction, whenever somebody sets it.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The wall clock in microseconds since 1970, as [`super::utc`] and the API count moments.
pub fn wall_us() -> u64 {
    u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX)
}

/// How long the kernel has run, suspends included (`CLOCK_BOOTTIME`).
pub fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// The id of this boot; zeros where the kernel does not tell it.
pub fn boot_id() -> [u8; 16] {
    let text = disk::read_bounded(BOOT_ID.as_ref(), 64).unwrap_or_default();
    let digits = String::from_utf8_lossy(&text).trim().replace('-', "");
    hex::decode(&digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_one_id() {
        assert_eq!(boot_id(), boot_id());
        assert_ne!(boot_id(), [0; 16]);
    }

    #[test]
    fn both_clocks_run_and_the_wall_clock_is_set() {
        let (epoch, boot) = (since_epoch(), since_boot());
        assert!(epoch > boot && !boot.is_zero(), "{epoch:?} since 1970, {boot:?} since the boot");
        assert!(since_boot() >= boot);
    }
}
