//! The clocks that are neither `Instant` nor a frame's timestamp.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// The wall clock, as time since 1970 (the Unix epoch); zero where it shows an earlier time. It may jump, in either
/// direction, whenever somebody sets it.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How long the kernel has run, suspends included (`CLOCK_BOOTTIME`).
pub fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_and_the_wall_clock_is_set() {
        let (epoch, boot) = (since_epoch(), since_boot());
        assert!(epoch > boot && !boot.is_zero(), "{epoch:?} since 1970, {boot:?} since the boot");
        assert!(since_boot() >= boot);
    }
}
