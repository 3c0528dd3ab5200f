//! The driver's count of frames.

/// Follows the driver's frame numbers, which wrap, to learn how many frames it lost.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    last: Option<u32>,
}

impl Sequence {
    /// Takes the next number; how many were left out before it. A number that goes back or
    /// stands still is a driver's that started over or does not count.
    pub(super) fn lost_before(&mut self, number: u32) -> u32 {
        let step = self.last.map_or(1, |last| number.wrapping_sub(last));
        self.last = Some(number);
        if step > u32::MAX / 2 { 0 } else { step.saturating_sub(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_in_the_sequence_are_counted_and_oddities_are_not() {
        let mut sequence = Sequence::default();
        let lost: Vec<_> = [7, 8, 11, 11, 0, u32::MAX, 1].map(|n| sequence.lost_before(n)).into();
        assert_eq!(lost, [0, 0, 2, 0, 0, 0, 1]);
    }
}
