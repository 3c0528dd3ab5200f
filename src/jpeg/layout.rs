//! How the blocks of a picture lie in its units (MCU) and planes (ITU-T T.81, sections A.1 and A.2).

use super::error::Unsupported;

/// Most components of a frame that are supported.
pub(super) const COMPONENTS_MAX: usize = 4;

/// A component of a picture: luma, or one of chroma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Sampling factor: blocks in each row of a unit (section A.1.1).
    pub(super) across: u8,
    /// Sampling factor: rows of blocks in a unit.
    pub(super) down: u8,
    /// Its quantization table.
    pub(super) quantization: u8,
}

/// The blocks of a whole picture: units in rows, and in each unit the blocks of each component.
///
/// Blocks are numbered in the order of an interleaved scan of all components.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Units in a row.
    pub(super) units_across: usize,
    /// Rows of units.
    pub(super) units_down: usize,
    /// Blocks in a unit.
    pub(super) unit_blocks: usize,
    /// Pixels that a unit is wide.
    pub(super) unit_width: u32,
    /// Pixels that a unit is high.
    pub(super) unit_height: u32,
    parts: [Plane; COMPONENTS_MAX],
    count: usize,
}

/// The blocks of one component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Plane {
    /// Blocks in each row of a unit.
    pub(super) across: usize,
    /// Rows of blocks in a unit.
    pub(super) down: usize,
    /// The number of its first block in a unit.
    pub(super) first: usize,
    /// Blocks in a row that show something; units may have more at the right edge.
    pub(super) blocks_across: usize,
    /// Rows of blocks that show something.
    pub(super) blocks_down: usize,
}

/// Most blocks of a unit (section B.2.3).
pub(super) const UNIT_BLOCKS_MAX: usize = 10;

impl Layout {
    /// The layout of a picture of `width` x `height` pixels.
    ///
    /// # Errors
    /// When the sampling factors are not those of an interleaved scan, or do not divide the largest.
    pub(super) fn of(width: u32, height: u32, components: &[Component]) -> Result<Self, Unsupported> {
        let single = [Component { across: 1, down: 1, ..Component::default() }];
        // The factors of a single component have no effect (section A.2.2).
        let components = if components.len() == 1 { &single } else { components };
        let most = |factor: fn(&Component) -> u8| components.iter().map(factor).max().unwrap_or(1);
        let (across, down) = (most(|component| component.across), most(|component| component.down));
        let divides = |factor: u8, most: u8| (1..=4).contains(&factor) && most.is_multiple_of(factor);
        let is_usual = |part: &Component| divides(part.across, across) && divides(part.down, down);
        if !components.iter().all(is_usual) {
            return Err(Unsupported::Sampling);
        }
        let (unit_width, unit_height) = (8 * u32::from(across), 8 * u32::from(down));
        let mut layout = Self {
            units_across: width.div_ceil(unit_width) as usize,
            units_down: height.div_ceil(unit_height) as usize,
            unit_width,
            unit_height,
            count: components.len(),
            ..Self::default()
        };
        for (plane, part) in layout.parts.iter_mut().zip(components) {
            *plane = Plane {
                across: part.across.into(),
                down: part.down.into(),
                first: layout.unit_blocks,
                blocks_across: width.div_ceil(8 * u32::from(across / part.across)) as usize,
                blocks_down: height.div_ceil(8 * u32::from(down / part.down)) as usize,
            };
            layout.unit_blocks += plane.across * plane.down;
        }
        if layout.unit_blocks > UNIT_BLOCKS_MAX {
            return Err(Unsupported::Sampling);
        }
        Ok(layout)
    }

    /// The layout of at most `rows` rows of units, from row `first` on.
    pub(super) fn band(&self, first: usize, rows: usize) -> Self {
        let units_down = rows.min(self.units_down - first);
        let mut band = Self { units_down, ..*self };
        for plane in &mut band.parts {
            plane.blocks_down = (plane.blocks_down - first * plane.down).min(units_down * plane.down);
        }
        band
    }

    /// The planes, one for each component.
    pub(super) fn planes(&self) -> &[Plane] {
        &self.parts[..self.count]
    }

    /// Blocks of the picture, with those at the edges that show nothing.
    pub(super) fn blocks(&self) -> usize {
        self.units_across * self.units_down * self.unit_blocks
    }

    /// Blocks in a row of a component, with those at the right edge that show nothing.
    pub(super) fn padded_across(&self, component: usize) -> usize {
        self.units_across * self.parts[component].across
    }

    /// Rows of blocks of a component, with those at the lower edge that show nothing.
    pub(super) fn padded_down(&self, component: usize) -> usize {
        self.units_down * self.parts[component].down
    }

    /// What a column of blocks of a component adds to a block's number.
    pub(super) fn column(&self, component: usize, column: usize) -> usize {
        let plane = &self.parts[component];
        column / plane.across * self.unit_blocks + plane.first + column % plane.across
    }

    /// What a row of blocks of a component adds to a block's number.
    pub(super) fn row(&self, component: usize, row: usize) -> usize {
        let plane = &self.parts[component];
        row / plane.down * self.units_across * self.unit_blocks + row % plane.down * plane.across
    }

    /// For each block of a unit, in order: its component, and its column and row in the unit's part of it.
    pub(super) fn unit(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let planes = self.planes().iter().enumerate();
        planes.flat_map(|(component, plane)| {
            (0..plane.down).flat_map(move |row| (0..plane.across).map(move |column| (component, column, row)))
        })
    }
}

/// The numbers of the blocks of a picture, by component, column and row: the sum of a number for each of both. Divisions
/// take long on a board.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockNumbers {
    columns: Vec<Vec<u32>>,
    rows: Vec<Vec<u32>>,
}

impl BlockNumbers {
    /// What `column` and `row` say for a component and each of the columns and rows of `layout`.
    pub(super) fn new(
        layout: &Layout,
        column: impl Fn(usize, usize) -> usize,
        row: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let components = || 0..layout.planes().len();
        let columns =
            |part: usize| (0..layout.padded_across(part)).map(|at| column(part, at) as u32).collect();
        let rows = |part: usize| (0..layout.padded_down(part)).map(|at| row(part, at) as u32).collect();
        Self { columns: components().map(columns).collect(), rows: components().map(rows).collect() }
    }

    /// Those of `layout` itself.
    pub(super) fn of(layout: &Layout) -> Self {
        Self::new(layout, |part, at| layout.column(part, at), |part, at| layout.row(part, at))
    }

    /// What each column of a component adds.
    pub(super) fn columns(&self, component: usize) -> &[u32] {
        &self.columns[component]
    }

    /// What each row of a component adds.
    pub(super) fn rows(&self, component: usize) -> &[u32] {
        &self.rows[component]
    }

    /// The number of the block at this column and row.
    #[inline(always)]
    pub(super) fn get(&self, component: usize, column: usize, row: usize) -> usize {
        (self.columns[component][column] + self.rows[component][row]) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(across: u8, down: u8) -> Component {
        Component { across, down, ..Component::default() }
    }

    #[test]
    fn blocks_are_numbered_in_the_order_of_a_scan() {
        let components = [component(2, 2), component(1, 1), component(1, 2)];
        let layout = Layout::of(70, 50, &components).unwrap();
        assert_eq!((layout.units_across, layout.units_down, layout.unit_blocks), (5, 4, 7));
        let mut number = 0;
        for unit_row in 0..layout.units_down {
            for unit in 0..layout.units_across {
                for (part, column, row) in layout.unit() {
                    let plane = layout.planes()[part];
                    let column = layout.column(part, unit * plane.across + column);
                    let row = layout.row(part, unit_row * plane.down + row);
                    assert_eq!(column + row, number);
                    number += 1;
                }
            }
        }
        assert_eq!(number, layout.blocks());
        assert_eq!(layout.planes()[1].blocks_across, 5, "35 columns of pixels");
    }

    #[test]
    fn factors_of_a_single_component_have_no_effect() {
        let layout = Layout::of(70, 50, &[component(2, 2)]).unwrap();
        assert_eq!((layout.units_across, layout.units_down, layout.unit_blocks), (9, 7, 1));
    }

    #[test]
    fn unusual_factors_are_refused() {
        for factors in [&[(0, 1), (1, 1)][..], &[(3, 1), (2, 1)], &[(5, 1), (1, 1)], &[(4, 2), (2, 2)]] {
            let components: Vec<_> = factors.iter().map(|&(across, down)| component(across, down)).collect();
            assert_eq!(Layout::of(64, 64, &components), Err(Unsupported::Sampling), "{factors:?}");
        }
        assert!(Layout::of(64, 64, &[component(4, 1), component(1, 1), component(1, 1)]).is_ok());
    }
}
