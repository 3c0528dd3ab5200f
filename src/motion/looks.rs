//! The looks of the last minutes, for replays: planes as differences, in a bounded piece of memory.
//!
//! Means of blocks are whole multiples of the quantiser's step, and seldom change by more than one of them from look to look. So a
//! mean takes one to three bits: its difference to the look before in steps, as a Rice code (with a parameter that is chosen for each
//! plane). Looks lie in chunks; the first one of each is coded against a plane of grey.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::jpeg::dc::DcPlane;
use crate::media::Timestamp;
use crate::memory::{Account, Lease};

/// Bytes of a chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// Most chunks of a camera: 2 MiB.
const CHUNKS: usize = 32;

/// What is older is forgotten, in microseconds.
const KEEP_US: u64 = 600_000_000;

/// The mean of a grey block, in eighths.
const GREY: i32 = 1024;

/// The looks of one camera.
pub(super) struct Looks {
    account: Arc<Account>,
    /// Those that are full.
    chunks: VecDeque<Arc<Chunk>>,
    current: Option<Chunk>,
    /// The last plane in steps, as it is coded.
    last: Vec<i16>,
}

/// A copy of looks, to be read.
pub(super) struct PastLooks(Vec<Arc<Chunk>>);

/// Some looks, one behind the other.
pub(super) struct Chunk {
    heads: Vec<Head>,
    bits: Vec<u8>,
    /// `None` for a copy that is soon gone.
    _lease: Option<Lease>,
}

#[derive(Clone, Copy)]
struct Head {
    at: Timestamp,
    detail: u32,
    width: u16,
    height: u16,
    step: u16,
    /// The parameter of its Rice codes.
    low_bits: u8,
    /// Where its bits begin.
    from_bit: u32,
}

impl Looks {
    /// No looks; their memory will be leased from `account`.
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self { account, chunks: VecDeque::new(), current: None, last: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.current = None;
    }

    /// Adds a look, and forgets old ones.
    pub(super) fn push(&mut self, at: Timestamp, detail: u32, plane: &DcPlane) {
        let steps: Vec<i16> = plane.eighths.iter().map(|eighths| in_steps(*eighths, plane.step)).collect();
        let old_us = at.as_micros().saturating_sub(KEEP_US);
        while self.chunks.front().is_some_and(|chunk| chunk.ends_before(old_us)) {
            self.chunks.pop_front();
        }
        let shape = (plane.width as u16, plane.height as u16, plane.step);
        let has_room = |chunk: &Chunk, bits: u32| chunk.bits.len() + bits as usize / 8 < CHUNK_BYTES;
        let is_like = |chunk: &&Chunk| {
            chunk.heads.last().is_some_and(|head| (head.width, head.height, head.step) == shape)
        };
        let goes_on = self.current.as_ref().filter(is_like).and_then(|chunk| {
            let values = differences(&steps, &self.last);
            let (low_bits, bits) = best_parameter(&values);
            has_room(chunk, bits).then_some((values, low_bits))
        });
        let (values, low_bits) = goes_on.unwrap_or_else(|| {
            self.begin_chunk();
            let values = differences(&steps, &vec![0; steps.len()]);
            let (low_bits, _) = best_parameter(&values);
            (values, low_bits)
        });
        let Some(chunk) = &mut self.current else { return };
        let bits: u32 = values.iter().map(|value| bits_of(*value, low_bits)).sum();
        if !has_room(chunk, bits) {
            // A picture of so many blocks is not remembered.
            return;
        }
        let from_bit = chunk.bits.len() as u32 * 8;
        let (width, height, step) = shape;
        chunk.heads.push(Head { at, detail, width, height, step, low_bits, from_bit });
        let mut writer = BitWriter { bytes: &mut chunk.bits, held: 0, count: 0 };
        values.iter().for_each(|value| writer.rice(*value, low_bits));
        writer.finish();
        self.last = steps;
    }

    /// A copy of the looks so far.
    pub(super) fn copy(&self) -> PastLooks {
        let current = self.current.as_ref().map(|chunk| {
            Arc::new(Chunk { heads: chunk.heads.clone(), bits: chunk.bits.clone(), _lease: None })
        });
        PastLooks(self.chunks.iter().cloned().chain(current).collect())
    }

    /// Begins a chunk; in place of the oldest one where there is no memory for more.
    fn begin_chunk(&mut self) {
        self.chunks.extend(self.current.take().map(Arc::new));
        if self.chunks.len() >= CHUNKS {
            self.chunks.pop_front();
        }
        let lease = self.account.lease(CHUNK_BYTES).or_else(|| {
            self.chunks.pop_front();
            self.account.lease(CHUNK_BYTES)
        });
        self.current = lease.map(|lease| Chunk {
            heads: Vec::new(),
            bits: Vec::with_capacity(CHUNK_BYTES),
            _lease: Some(lease),
        });
    }
}

impl PastLooks {
    /// Calls `see` with each look, the oldest one first.
    pub(super) fn each(&self, mut see: impl FnMut(Timestamp, u32, &DcPlane)) {
        let mut plane = DcPlane::default();
        for chunk in &self.0 {
            let mut last: Vec<i16> = Vec::new();
            for head in &chunk.heads {
                last.resize(usize::from(head.width) * usize::from(head.height), 0);
                let mut reader = BitReader { bytes: &chunk.bits, at: head.from_bit as usize };
                for value in &mut last {
                    *value = value.wrapping_add(unzigzag(reader.rice(head.low_bits)));
                }
                (plane.width, plane.height) = (head.width.into(), head.height.into());
                plane.step = head.step;
                plane.eighths.clear();
                let step = head.step.max(1);
                plane.eighths.extend(last.iter().map(|steps| DcPlane::eighths_of(*steps, step)));
                see(head.at, head.detail, &plane);
            }
        }
    }
}

impl Chunk {
    fn ends_before(&self, at_us: u64) -> bool {
        self.heads.last().is_none_or(|head| head.at.as_micros() < at_us)
    }
}

/// A mean in steps of the quantiser from grey.
fn in_steps(eighths: u16, step: u16) -> i16 {
    let (distance, step) = (i32::from(eighths) - GREY, i32::from(step.max(1)));
    // Away from grey: what was cut off at black or white is cut off again.
    ((distance + distance.signum() * (step - 1)) / step) as i16
}

fn differences(now: &[i16], before: &[i16]) -> Vec<u16> {
    now.iter().zip(before).map(|(now, before)| zigzag(now.wrapping_sub(*before))).collect()
}

/// Bits of the code of a value.
fn bits_of(value: u16, low_bits: u8) -> u32 {
    u32::from(value >> low_bits) + 1 + u32::from(low_bits)
}

/// The parameter that takes the fewest bits, with them.
fn best_parameter(values: &[u16]) -> (u8, u32) {
    let bits = |low: u8| values.iter().map(|value| bits_of(*value, low)).sum();
    (0..=7).map(|low| (low, bits(low))).min_by_key(|(_, bits)| *bits).unwrap_or((0, 0))
}

fn zigzag(value: i16) -> u16 {
    ((value << 1) ^ (value >> 15)) as u16
}

fn unzigzag(value: u16) -> i16 {
    (value >> 1) as i16 ^ -((value & 1) as i16)
}

struct BitWriter<'b> {
    bytes: &'b mut Vec<u8>,
    held: u32,
    count: u32,
}

impl BitWriter<'_> {
    /// As many ones as the value's high bits say, a zero, and its low bits.
    fn rice(&mut self, value: u16, low_bits: u8) {
        for _ in 0..value >> low_bits {
            self.put(1, 1);
        }
        self.put(0, 1);
        self.put(u32::from(value) & ((1 << low_bits) - 1), low_bits.into());
    }

    fn put(&mut self, bits: u32, count: u32) {
        self.held = self.held << count | bits;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.held >> self.count) as u8);
        }
    }

    fn finish(mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }
}

struct BitReader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl BitReader<'_> {
    fn rice(&mut self, low_bits: u8) -> u16 {
        let mut high = 0_u16;
        while high < u16::MAX >> low_bits && self.bit() == 1 {
            high += 1;
        }
        (0..low_bits).fold(high, |value, _| value << 1 | self.bit())
    }

    fn bit(&mut self) -> u16 {
        let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        bit.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    fn plane(seed: u32, step: u16, noise: u32) -> DcPlane {
        let mut random = seed;
        let mut eighths = Vec::new();
        for at in 0..80 * 60_i32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let coefficient = at % 80 * 2 - 80 + ((random >> 16) % (noise + 1)) as i32;
            eighths.push((coefficient * i32::from(step) + GREY).clamp(0, 2040) as u16);
        }
        DcPlane { width: 80, height: 60, eighths, step }
    }

    #[test]
    fn looks_are_remembered_as_they_were() {
        let mut looks = Looks::new(Memory::new(64 << 20).for_device());
        let planes: Vec<DcPlane> =
            (0..200).map(|at| plane(at, if at < 150 { 16 } else { 7 }, 1 + at % 5)).collect();
        for (at, plane) in (0..).zip(&planes) {
            looks.push(Timestamp::from_micros(at * 200_000), at as u32, plane);
        }
        let mut at = 0;
        looks.copy().each(|moment, detail, seen| {
            assert_eq!((moment.as_micros(), detail), (at as u64 * 200_000, at as u32));
            assert_eq!(*seen, planes[at]);
            at += 1;
        });
        assert_eq!(at, 200);
    }

    #[test]
    fn looks_take_at_most_two_mebibytes_and_ten_minutes() {
        let memory = Memory::new(64 << 20);
        let used = || memory.usage()[0].1.used_bytes;
        let mut looks = Looks::new(memory.for_device());
        for at in 0..4000 {
            looks.push(Timestamp::from_micros(at * 200_000), 0, &plane(at as u32, 16, 3));
        }
        assert!((1 << 20..=2 << 20).contains(&used()), "{}", used());
        let mut first = None;
        looks.copy().each(|at, _, _| first = first.or(Some(at)));
        assert!(first.unwrap().as_micros() >= 800_000_000 - KEEP_US - 60_000_000, "{first:?}");
        looks.clear();
        assert_eq!(used(), 0);
    }

    #[test]
    fn without_memory_nothing_is_remembered() {
        let mut looks = Looks::new(Memory::new(100_000).for_device());
        for at in 0..100 {
            looks.push(Timestamp::from_micros(at * 200_000), 0, &plane(at as u32, 16, 3));
        }
        let mut count = 0;
        looks.copy().each(|_, _, _| count += 1);
        assert_eq!(count, 0);
    }
}
