//! When there were events at each camera, in little memory: for events that are no longer held.

use crate::media::CameraName;

/// Events of a camera with a shorter pause between them share a range, in seconds.
const JOIN_S: u32 = 30;

/// Most ranges of a camera. With more, the two oldest become one.
const RANGES: usize = 4096;

/// Most cameras; those that were renamed count as well.
const CAMERAS: usize = 64;

/// Ranges of time by camera, in seconds since 1970.
#[derive(Default)]
pub(super) struct Ranges {
    cameras: Vec<(CameraName, Vec<(u32, u32)>)>,
}

impl Ranges {
    /// Adds a range in microseconds since 1970. Ranges are joined and rounded up, never cut.
    pub(super) fn add(&mut self, camera: CameraName, (from_us, to_us): (u64, u64)) {
        let seconds = |us: u64| u32::try_from(us / 1_000_000).unwrap_or(u32::MAX);
        let (mut from, mut to) = (seconds(from_us), seconds(to_us).saturating_add(1));
        let Some(ranges) = self.of_camera(camera) else { return };
        // All that touch it are neighbours: the ranges are sorted and apart from each other.
        let first = ranges.partition_point(|range| range.1.saturating_add(JOIN_S) < from);
        let after = first + ranges[first..].partition_point(|range| range.0 <= to.saturating_add(JOIN_S));
        for range in ranges.drain(first..after) {
            (from, to) = (from.min(range.0), to.max(range.1));
        }
        ranges.insert(first, (from, to));
        if ranges.len() > RANGES {
            ranges[1].0 = ranges[0].0;
            ranges.remove(0);
        }
    }

    /// The ranges of a camera in microseconds since 1970, the earliest first.
    pub(super) fn of(&self, camera: &CameraName) -> impl Iterator<Item = (u64, u64)> {
        let ranges = self.cameras.iter().filter(move |(name, _)| name == camera);
        let us = |seconds: u32| u64::from(seconds) * 1_000_000;
        ranges.flat_map(|(_, ranges)| ranges).map(move |(from, to)| (us(*from), us(*to)))
    }

    fn of_camera(&mut self, camera: CameraName) -> Option<&mut Vec<(u32, u32)>> {
        let at = self.cameras.iter().position(|(name, _)| *name == camera);
        let at = at.unwrap_or_else(|| {
            if self.cameras.len() < CAMERAS {
                self.cameras.push((camera, Vec::new()));
                return self.cameras.len() - 1;
            }
            CAMERAS
        });
        self.cameras.get_mut(at).map(|(_, ranges)| ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn camera(name: &str) -> CameraName {
        CameraName::new(name).unwrap()
    }

    #[test]
    fn ranges_that_are_near_each_other_are_joined() {
        let mut ranges = Ranges::default();
        for (from, to) in [(1000, 1010), (5000, 5001), (1030, 1040), (3000, 3000), (990, 995)] {
            ranges.add(camera("a"), (from * S, to * S));
        }
        ranges.add(camera("b"), (7 * S, 8 * S + 1));
        let of = |name| ranges.of(&camera(name)).map(|(from, to)| (from / S, to / S)).collect::<Vec<_>>();
        assert_eq!(of("a"), [(990, 1041), (3000, 3001), (5000, 5002)]);
        assert_eq!((of("b"), of("c")), (vec![(7, 9)], vec![]));
        ranges.add(camera("a"), (0, 9000 * S));
        assert_eq!(ranges.of(&camera("a")).collect::<Vec<_>>(), [(0, 9001 * S)]);
    }

    #[test]
    fn no_flood_of_events_takes_more_memory() {
        let mut ranges = Ranges::default();
        for at in 0..RANGES as u64 + 10 {
            ranges.add(camera("a"), (at * 100 * S, at * 100 * S));
        }
        let held: Vec<_> = ranges.of(&camera("a")).collect();
        assert_eq!((held.len(), held[0].0), (RANGES, 0));
        for at in 0..CAMERAS + 9 {
            ranges.add(camera(&format!("c{at}")), (0, 0));
        }
        assert_eq!(ranges.cameras.len(), CAMERAS);
    }
}
