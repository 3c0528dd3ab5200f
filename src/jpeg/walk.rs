//! The order in which a scan has the blocks of a picture, and where its restart markers are (ITU-T T.81, section
//! A.2).

use super::header::Header;
use super::layout::{Layout, UNIT_BLOCKS_MAX};

/// Goes over the units of a scan.
pub(super) struct Walk {
    layout: Layout,
    /// The units of this scan, and the next one.
    units: usize,
    next: usize,
    /// For a scan of one component of several: its index and how many of its blocks are in a row.
    alone: Option<(usize, usize)>,
    /// The blocks of a unit: number in the unit of the layout, and index of the component in the scan.
    blocks: [(usize, usize); UNIT_BLOCKS_MAX],
    count: usize,
    restart_interval: u32,
    until_restart: u32,
    restarts: u32,
}

/// A unit of a scan.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    /// The number of its first block in the layout.
    pub(super) first: usize,
    /// The number of the restart marker before it.
    pub(super) restart: Option<u32>,
}

impl Walk {
    /// The walk over the header's scan.
    pub(super) fn new(header: &Header) -> Self {
        let layout = header.layout;
        let mut walk = Self {
            layout,
            units: layout.units_across * layout.units_down,
            next: 0,
            alone: None,
            blocks: Default::default(),
            count: 0,
            restart_interval: header.restart_interval,
            until_restart: header.restart_interval,
            restarts: 0,
        };
        match header.scan_parts() {
            [(index, ..)] if header.components().len() > 1 => {
                let plane = layout.planes()[usize::from(*index)];
                walk.units = plane.blocks_across * plane.blocks_down;
                walk.alone = Some((usize::from(*index), plane.blocks_across));
                walk.count = 1;
            }
            parts => {
                for (number, (component, ..)) in layout.unit().enumerate() {
                    let part = parts.iter().position(|&(index, ..)| usize::from(index) == component);
                    if let Some(part) = part {
                        walk.blocks[walk.count] = (number, part);
                        walk.count += 1;
                    }
                }
            }
        }
        walk
    }

    /// The blocks of each unit: what to add to [`Unit::first`], and the index of the component in the scan.
    #[inline(always)]
    pub(super) fn unit_blocks(&self) -> &[(usize, usize)] {
        &self.blocks[..self.count]
    }

    /// The next unit; `None` at the end of the scan.
    #[inline(always)]
    pub(super) fn next_unit(&mut self) -> Option<Unit> {
        if self.next == self.units {
            return None;
        }
        let first = match self.alone {
            None => self.next * self.layout.unit_blocks,
            Some((component, across)) => {
                self.layout.column(component, self.next % across)
                    + self.layout.row(component, self.next / across)
            }
        };
        self.next += 1;
        let mut restart = None;
        if self.restart_interval > 0 {
            if self.until_restart == 0 {
                restart = Some(self.restarts);
                self.restarts += 1;
                self.until_restart = self.restart_interval;
            }
            self.until_restart -= 1;
        }
        Some(Unit { first, restart })
    }
}
