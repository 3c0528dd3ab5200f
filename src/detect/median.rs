//! The median of a few numbers.

/// The median of some numbers, which are put into another order: of an even number of them, the upper one of the two in
/// the middle. 0 if there are none.
///
/// Where the standard library is built to be small, as for boards, its selection takes 1.6 times as many instructions.
pub(super) fn median(values: &mut [i16]) -> i16 {
    let middle = values.len() / 2;
    // The median is in this part.
    let (mut first, mut end) = (0, values.len());
    while first + 1 < end {
        let pivot = values[middle];
        let (mut low, mut high) = (first, end);
        // Hoare's partition: nothing before `low` is more than the pivot, and nothing from `high` on is less.
        while low < high {
            while values[low] < pivot {
                low += 1;
            }
            while pivot < values[high - 1] {
                high -= 1;
            }
            if low < high {
                values.swap(low, high - 1);
                (low, high) = (low + 1, high - 1);
            }
        }
        if middle < high {
            end = high;
        } else if middle >= low {
            first = low;
        } else {
            break;
        }
    }
    values.get(middle).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in no order, of which so many at most are different.
    fn numbers(count: usize, different: u32, seed: u32) -> Vec<i16> {
        let scattered = |at: u32| (at * 997 + seed * 73).wrapping_mul(0x9e37_79b9) >> 8;
        (0..count as u32)
            .map(|at| (scattered(at) % different) as i32 - (different / 2) as i32)
            .map(|n| n as i16)
            .collect()
    }

    #[test]
    fn the_median_is_the_middle_of_the_sorted_numbers() {
        for seed in 0..400 {
            for different in [1, 2, 3, 50, 60_000] {
                let count = 1 + seed as usize % 161;
                let mut values = numbers(count, different, seed);
                let mut sorted = values.clone();
                sorted.sort_unstable();
                assert_eq!(median(&mut values), sorted[count / 2], "{sorted:?}");
            }
        }
        assert_eq!(median(&mut []), 0);
    }

    #[test]
    fn sorted_numbers_have_their_median() {
        let rising: Vec<i16> = (-80..80).collect();
        assert_eq!(median(&mut rising.clone()), 0);
        assert_eq!(median(&mut rising.into_iter().rev().collect::<Vec<_>>()), 0);
        assert_eq!(median(&mut [i16::MAX, i16::MIN, i16::MIN]), i16::MIN);
    }
}
