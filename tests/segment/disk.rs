//! A disk that notes every write, and can lose power at any moment: of what was not synced, each sector is what it was, or
//! what any of the writes since made of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};

use defender::segment::{ReadAt, SegmentFile};

const SECTOR: usize = 512;

/// Numbers that look random: the same for the same seed (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}

/// A file on the disk.
pub struct Disk(RefCell<State>);

struct State {
    /// What a reader sees while there is power.
    content: Vec<u8>,
    ops: Vec<Op>,
    before: Vec<u8>,
    /// Operations until one fails; what it was to do is done by half.
    fails_after: Option<usize>,
}

/// What was asked of the disk.
#[derive(Clone)]
pub enum Op {
    Write(usize, Vec<u8>),
    Sync,
    Truncate(usize),
}

impl Disk {
    /// A file with this content, all of it on the disk.
    pub fn new(content: Vec<u8>) -> Self {
        let (before, ops, fails_after) = (content.clone(), Vec::new(), None);
        Self(RefCell::new(State { content, ops, before, fails_after }))
    }

    /// What a reader sees.
    pub fn content(&self) -> Vec<u8> {
        self.0.borrow().content.clone()
    }

    /// Number of operations until now.
    pub fn op_count(&self) -> usize {
        self.0.borrow().ops.len()
    }

    /// Lets the operation that comes after `count` more fail, and all after it.
    pub fn fail_after(&self, count: usize) {
        let mut state = self.0.borrow_mut();
        state.fails_after = Some(state.ops.len() + count);
    }

    /// Lets nothing fail any more.
    pub fn works_again(&self) {
        self.0.borrow_mut().fails_after = None;
    }

    /// Bytes of all writes.
    pub fn written_bytes(&self) -> usize {
        let bytes = |op: &Op| if let Op::Write(_, bytes) = op { bytes.len() } else { 0 };
        self.0.borrow().ops.iter().map(bytes).sum()
    }

    /// What is on the disk when power is lost after `count` operations.
    pub fn torn(&self, count: usize, random: &mut Random) -> Vec<u8> {
        let state = self.0.borrow();
        let ops = &state.ops[..count];
        let synced = ops.iter().rposition(|op| matches!(op, Op::Sync)).map_or(0, |at| at + 1);
        let mut image = state.before.clone();
        ops[..synced].iter().for_each(|op| apply(op, &mut image));
        // The states of each sector that was written since.
        let mut versions: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        let mut now = image.clone();
        for op in &ops[synced..] {
            apply(op, &mut now);
            let Op::Write(offset, bytes) = op else { continue };
            for sector in offset / SECTOR..(offset + bytes.len()).div_ceil(SECTOR) {
                let content = now[sector * SECTOR..][..SECTOR].to_vec();
                versions.entry(sector).or_default().push(content);
            }
        }
        // All of them, or none, or most, or a few.
        let odds = [1, 8, 50, 92, 99][random.below(5)];
        for op in &ops[synced..] {
            if matches!(op, Op::Truncate(_)) && random.below(2) == 0 {
                apply(op, &mut image);
            }
        }
        for (sector, mut states) in versions {
            if sector * SECTOR < image.len() && random.below(100) < odds {
                let state = states.swap_remove(random.below(states.len()));
                image[sector * SECTOR..][..state.len()].copy_from_slice(&state);
            }
        }
        image
    }

    fn operate(&self, op: Op) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        if state.fails_after.is_some_and(|most| state.ops.len() >= most) {
            if let (Op::Write(offset, bytes), true) = (&op, state.fails_after == Some(state.ops.len())) {
                let half = Op::Write(*offset, bytes[..bytes.len() / 2].to_vec());
                apply(&half, &mut state.content);
                state.ops.push(half);
            }
            return Err(io::Error::from_raw_os_error(5));
        }
        apply(&op, &mut state.content);
        state.ops.push(op);
        Ok(())
    }
}

fn apply(op: &Op, content: &mut Vec<u8>) {
    match op {
        Op::Write(offset, bytes) => {
            assert!(offset + bytes.len() <= content.len(), "a write behind the end of a preallocated file");
            content[*offset..][..bytes.len()].copy_from_slice(bytes);
        }
        Op::Sync => {}
        Op::Truncate(length) => content.resize(*length, 0),
    }
}

impl SegmentFile for Disk {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.operate(Op::Write(offset as usize, parts.iter().flat_map(|part| part.iter().copied()).collect()))
    }

    fn sync(&self) -> io::Result<()> {
        self.operate(Op::Sync)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.operate(Op::Truncate(length as usize))
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.borrow().content.len() as u64)
    }
}

impl ReadAt for Disk {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.borrow().content.read_at(buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        SegmentFile::length(self)
    }
}
