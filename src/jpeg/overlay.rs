//! Blocks that are put in place of others: flat ones under a mask, and lettering.

use super::coefficients::ZIGZAG;
use super::header::{Header, Quantization};
use super::layout::{BlockNumbers, Layout};
use super::read_table::Token;

/// Which blocks of a picture are replaced, and by what.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// By a block's number: 0, or 1 more than the index of the block that takes its place. Empty if none is
    /// replaced.
    kinds: Vec<u16>,
    blocks: Vec<Prepared>,
    tokens: Vec<Token>,
}

/// A block in the quantization of its component.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared {
    pub(super) dc: i16,
    start: usize,
    count: usize,
}

impl Overlay {
    /// Whether nothing is replaced.
    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// What takes the place of a block.
    #[inline(always)]
    pub(super) fn at(&self, number: usize) -> Option<&Prepared> {
        match self.kinds.get(number) {
            None | Some(0) => None,
            Some(&kind) => self.blocks.get(usize::from(kind) - 1),
        }
    }

    /// The AC coefficients of a prepared block.
    pub(super) fn tokens(&self, block: &Prepared) -> &[Token] {
        &self.tokens[block.start..][..block.count]
    }

    /// Replaces a block by one that was prepared.
    pub(super) fn replace(&mut self, layout: &Layout, number: usize, kind: u16) {
        if self.kinds.is_empty() {
            self.kinds.resize(layout.blocks(), 0);
        }
        self.kinds[number] = kind;
    }

    /// Prepares a flat block of this brightness; returns what stands for it, or `None` if there are too many.
    pub(super) fn prepare_flat(&mut self, level: u8, quantization: &Quantization) -> Option<u16> {
        let dc = (i32::from(level) - 128) * 8;
        self.prepare(divided(dc as f32, quantization[0]), &[])
    }

    /// Prepares a block of these samples, row by row.
    pub(super) fn prepare_samples(&mut self, samples: &[u8; 64], quantization: &Quantization) -> Option<u16> {
        let coefficients = forward(samples);
        let value = |place: usize| divided(coefficients[usize::from(ZIGZAG[place])], quantization[place]);
        let tokens = (1..64).map(|place| (place, value(place))).filter(|&(_, value)| value != 0);
        let tokens: Vec<Token> = tokens.map(|(place, value)| (value as u32) << 16 | place as u32).collect();
        self.prepare(value(0), &tokens)
    }

    fn prepare(&mut self, dc: i32, tokens: &[Token]) -> Option<u16> {
        let kind = u16::try_from(self.blocks.len() + 1).ok()?;
        self.blocks.push(Prepared { dc: dc as i16, start: self.tokens.len(), count: tokens.len() });
        self.tokens.extend_from_slice(tokens);
        Some(kind)
    }

    /// BlockNumbers flat blocks to where a turn puts them. Others would have to be turned themselves.
    pub(super) fn turn(&mut self, moves: &BlockNumbers, to: &Layout) {
        if self.is_empty() {
            return;
        }
        let before = std::mem::take(&mut self.kinds);
        self.kinds = Vec::with_capacity(to.blocks());
        for unit_row in 0..to.units_down {
            for unit in 0..to.units_across {
                for (component, column, row) in to.unit() {
                    let plane = to.planes()[component];
                    let (column, row) = (unit * plane.across + column, unit_row * plane.down + row);
                    self.kinds.push(before[moves.get(component, column, row)]);
                }
            }
        }
    }

    /// Replaces the blocks of a component for which `kind` returns what stands for another one. Blocks that show
    /// nothing are replaced as the last ones that do.
    pub(super) fn replace_blocks(
        &mut self,
        header: &Header,
        layout: &Layout,
        component: usize,
        mut kind: impl FnMut(usize, usize) -> Option<u16>,
    ) {
        debug_assert!(component < header.components().len());
        let plane = layout.planes()[component];
        for row in 0..layout.padded_down(component) {
            for column in 0..layout.padded_across(component) {
                let shown = (column.min(plane.blocks_across - 1), row.min(plane.blocks_down - 1));
                if let Some(kind) = kind(shown.0, shown.1) {
                    let number = layout.column(component, column) + layout.row(component, row);
                    self.replace(layout, number, kind);
                }
            }
        }
    }
}

/// A coefficient in its quantization, within what a picture of 8 bits can have.
fn divided(coefficient: f32, step: u16) -> i32 {
    ((coefficient / f32::from(step)).round() as i32).clamp(-1023, 1023)
}

/// The forward transform (ITU-T T.81, section A.3.3).
fn forward(samples: &[u8; 64]) -> [f32; 64] {
    let cosines: [[f32; 8]; 8] = std::array::from_fn(|frequency| {
        let scale = if frequency == 0 { 0.125f32.sqrt() } else { 0.5 };
        std::array::from_fn(|at| {
            scale * ((2 * at + 1) as f32 * frequency as f32 * std::f32::consts::PI / 16.0).cos()
        })
    });
    let along = |values: [f32; 64], at: fn(usize, usize) -> usize| -> [f32; 64] {
        let mut out = [0.0; 64];
        for line in 0..8 {
            for frequency in 0..8 {
                out[at(line, frequency)] =
                    (0..8).map(|place| values[at(line, place)] * cosines[frequency][place]).sum();
            }
        }
        out
    };
    let rows = along(samples.map(|sample| f32::from(sample) - 128.0), |line, place| line * 8 + place);
    along(rows, |line, place| place * 8 + line)
}
