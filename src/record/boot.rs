//! Which boot this is, and whether its wall clock can be right.

use crate::base::disk::read_bounded;
use crate::base::{clock, hex};

/// The kernel's name for this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// 2026-11-28: a wall clock that shows an earlier time was never set.
const RELEASED_S: u64 = 1_795_824_000;

/// The id of this boot; zeros where the kernel does not tell it.
pub(super) fn id() -> [u8; 16] {
    let text = read_bounded(BOOT_ID.as_ref(), 64).unwrap_or_default();
    let digits: String = String::from_utf8_lossy(&text).trim().replace('-', "");
    hex::decode(&digits).unwrap_or_default()
}

/// Whether the wall clock can be right.
pub(super) fn is_clock_plausible() -> bool {
    clock::since_epoch().as_secs() >= RELEASED_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_one_id() {
        assert_eq!(id(), id());
        assert_ne!(id(), [0; 16]);
    }
}
