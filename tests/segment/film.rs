//! What tests record: blocks with the times and bytes that must be found again.

use defender::media::GapReason;
use defender::segment::{Block, Group, Track};

use crate::disk::Random;
use crate::reader::Shown;

/// Blocks that are written at once.
#[derive(Clone, Debug)]
pub struct Batch {
    pub blocks: Vec<Shown>,
    pub missed_before: u32,
    pub gap_before: Option<GapReason>,
}

/// So many groups of random blocks, each of at most `most_bytes`.
pub fn random(random: &mut Random, groups: usize, most_bytes: usize) -> Vec<Batch> {
    let mut at_ms = 0;
    let mut batch = |number: usize| {
        let mut blocks = Vec::new();
        for _ in 0..=random.below(6) {
            at_ms += 1 + random.below(300) as i64;
            let (track, most) = if random.below(3) == 0 { (2, 400) } else { (1, most_bytes) };
            let length = 1 + random.below(most);
            blocks.push(Shown { track, at_ms, bytes: random.bytes(length) });
        }
        let gap_before = (number > 0 && random.below(4) == 0).then_some(GapReason::NoEvent);
        let missed_before = if random.below(3) == 0 { random.below(9) as u32 } else { 0 };
        Batch { blocks, missed_before, gap_before }
    };
    (0..groups).map(&mut batch).collect()
}

/// Calls `with` with the batch as a group.
pub fn with_group<T>(batch: &Batch, with: impl FnOnce(&Group<'_>) -> T) -> T {
    let block = |shown: &'_ Shown| -> (Track, u64) {
        (if shown.track == 1 { Track::Picture } else { Track::Sound }, shown.at_ms as u64 * 1000)
    };
    let blocks: Vec<_> = batch
        .blocks
        .iter()
        .map(|shown| Block { track: block(shown).0, at_us: block(shown).1, bytes: &shown.bytes })
        .collect();
    let Batch { missed_before, gap_before, .. } = *batch;
    with(&Group { blocks: &blocks, missed_before, gap_before })
}

/// The blocks of the first `count` batches.
pub fn blocks_of(batches: &[Batch], count: usize) -> Vec<Shown> {
    batches[..count].iter().flat_map(|batch| batch.blocks.clone()).collect()
}
