//! Turns, masks and stamps a picture, all at once: it is read once and written once.

use super::coefficients::Coefficients;
use super::error::{Fault, JpegError, Unsupported};
use super::head::{self, Changes};
use super::header::{Header, Limits, Quantization};
use super::layout::Component;
use super::layout::{BlockNumbers, Layout};
use super::mask::Mask;
use super::overlay::Overlay;
use super::read::Tables;
use super::room::MayHold;
use super::stamp::Stamp;
use super::turn::{BlockTurn, Turn, moved, transposed};
use super::write::{ScanWriter, Transcoder, WriteTables, write_turned};

/// What is to be done to a picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edit<'e> {
    /// How it is laid.
    pub turn: Turn,
    /// What nobody may see. With a mask, segments that may hold another picture, such as a thumbnail, are left out.
    pub mask: Option<&'e Mask>,
    /// Lettering, which is put above a mask.
    pub stamps: &'e [Stamp],
}

/// A picture that was edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Columns of pixels that are missing, because a mirrored axis has whole units of blocks only.
    pub trimmed_columns: u32,
    /// Rows of pixels that are missing.
    pub trimmed_rows: u32,
}

/// Edits one frame of a camera after another. Its tables and memory are kept for the next frame.
#[derive(Default)]
pub struct Editor {
    tables: Tables,
    write_tables: WriteTables,
    coefficients: Coefficients,
    plan: Option<Plan>,
}

impl Editor {
    /// An editor without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the JPEG at the start of `jpeg` to `out`, edited. What is behind its last block is left out; missing
    /// Huffman tables and EOI are added.
    ///
    /// Nothing is decoded to pixels: what is not edited stays exactly as it is. Without a turn, blocks that are not
    /// replaced are copied, and no coefficients are held in memory.
    ///
    /// # Errors
    /// When `jpeg` cannot be read as coefficients, is damaged, or is larger than `limits` allow. Nothing is appended
    /// then: a picture that should have a mask must not be shown without it.
    pub fn apply(
        &mut self,
        jpeg: &[u8],
        limits: Limits,
        edit: &Edit<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Edited, JpegError> {
        self.apply_within(jpeg, limits, edit, out, &mut |_| true)
    }

    /// The same. `may_hold` is asked before the editor holds more memory than before, or `out` has more than it can hold
    /// now. What `out` takes is not counted any more when this is done.
    ///
    /// # Errors
    /// Also when `may_hold` says no.
    pub fn apply_within(
        &mut self,
        jpeg: &[u8],
        limits: Limits,
        edit: &Edit<'_>,
        out: &mut Vec<u8>,
        may_hold: &mut MayHold<'_>,
    ) -> Result<Edited, JpegError> {
        let mut header = Header::parse(jpeg, limits)?;
        if self.plan.as_ref().is_none_or(|plan| !plan.is_for(&header, edit)) {
            self.plan = None;
            if !may_hold(self.coefficients.bytes() + Plan::bytes(&header.layout)) {
                return Err(JpegError::NoMemory);
            }
            self.plan = Some(Plan::new(&header, edit)?);
        }
        let Some(plan) = &self.plan else { return Err(Unsupported::TooSmall.into()) };
        let (start, room, plan_bytes) = (out.len(), out.capacity(), Plan::bytes(&header.layout));
        let written = write(
            jpeg,
            &mut header,
            plan,
            (&mut self.tables, &mut self.write_tables),
            &mut self.coefficients,
            (out, &mut |coefficients, length| {
                may_hold(plan_bytes + coefficients + length.saturating_sub(room))
            }),
        );
        if out.capacity() > room {
            may_hold(plan_bytes + self.coefficients.bytes());
        }
        if written.is_err() {
            out.truncate(start);
        }
        written.map(|()| plan.edited)
    }
}

/// Writes a picture as planned.
fn write(
    jpeg: &[u8],
    header: &mut Header,
    plan: &Plan,
    (tables, write_tables): (&mut Tables, &mut WriteTables),
    coefficients: &mut Coefficients,
    (out, may_hold): (&mut Vec<u8>, &mut dyn FnMut(usize, usize) -> bool),
) -> Result<(), JpegError> {
    let start = out.len();
    let mut changes = plan.changes.clone();
    let first = header.clone();
    if plan.turn.is_none() && !changes.has_standard_tables && write_tables.prepare(header, false).is_some() {
        head::write(jpeg, header, &changes, out);
        let held = coefficients.bytes();
        let may_grow = &mut |length| may_hold(held, length);
        let writer = ScanWriter::new(out, write_tables, may_grow);
        let mut transcoder = Transcoder::new(writer, &plan.overlay);
        let components = header.components().len();
        tables.read(jpeg, header, components, &mut transcoder)?;
        if transcoder.finish()? {
            return Ok(());
        }
        out.truncate(start);
    }
    coefficients.read(jpeg, header, tables, 63, &mut |bytes| may_hold(bytes, 0))?;
    let held = coefficients.bytes();
    loop {
        if write_tables.prepare(&first, changes.has_standard_tables).is_some() {
            head::write(jpeg, &first, &changes, out);
            let may_grow = &mut |length| may_hold(held, length);
            let writer = ScanWriter::new(out, write_tables, may_grow);
            let moves = (&plan.moves, &plan.block_turn);
            let interval = changes.restart_interval;
            if write_turned(coefficients, &plan.layout, moves, &plan.overlay, interval, writer)? {
                return Ok(());
            }
            out.truncate(start);
        }
        if changes.has_standard_tables {
            return Err(JpegError::broken(first.scan.entropy_coded, Fault::Range));
        }
        changes.has_standard_tables = true;
    }
}

/// What follows from a header and an edit. It is the same for all frames of a camera.
struct Plan {
    /// What it was made for.
    size: (u32, u32),
    from: Layout,
    quantization: Vec<Quantization>,
    is_rgb: bool,
    restart_interval: u32,
    has_one_scan: bool,
    mask: Option<Mask>,
    stamps: Vec<Stamp>,
    turn: Turn,
    /// What it says.
    edited: Edited,
    layout: Layout,
    changes: Changes,
    moves: BlockNumbers,
    block_turn: BlockTurn,
    overlay: Overlay,
}

impl Plan {
    /// Bytes of memory at the most: what replaces each block, before it is turned and behind that.
    fn bytes(layout: &Layout) -> usize {
        2 * size_of::<u16>() * layout.blocks()
    }

    fn is_for(&self, header: &Header, edit: &Edit<'_>) -> bool {
        let mut quantization = self.quantization.iter().enumerate();
        self.size == (header.width, header.height)
            && self.from == header.layout
            && quantization.all(|(component, table)| table == header.quantization(component))
            && self.is_rgb == header.is_rgb
            && self.restart_interval == header.restart_interval
            && self.has_one_scan == header.is_whole_in_one_scan()
            && self.turn == edit.turn
            && self.mask.as_ref() == edit.mask
            && self.stamps == edit.stamps
    }

    fn new(header: &Header, edit: &Edit<'_>) -> Result<Self, JpegError> {
        let (layout, edited) = turned_layout(header, edit.turn)?;
        let moves = moved(edit.turn, &header.layout, &layout);
        let mut overlay = Overlay::default();
        if let Some(mask) = edit.mask {
            mask.cover(header, &mut overlay).ok_or(Unsupported::Components)?;
            overlay.turn(&moves, &layout);
        }
        let quantization = (0..header.components().len()).map(|component| *header.quantization(component));
        let quantization: Vec<Quantization> = quantization.collect();
        let turned = quantization.iter().map(|table| turned_quantization(table, edit.turn));
        let turned: Vec<_> = turned.collect();
        for stamp in edit.stamps {
            stamp.put(header, (&layout, (edited.width, edited.height)), &turned, &mut overlay);
        }
        let changes = Changes {
            width: edited.width,
            height: edited.height,
            transposes: edit.turn.transposes,
            is_turned: !edit.turn.is_none(),
            drops_metadata: edit.mask.is_some(),
            restart_interval: turned_interval(header, &layout),
            ..Changes::none(header)
        };
        Ok(Self {
            size: (header.width, header.height),
            from: header.layout,
            quantization,
            is_rgb: header.is_rgb,
            restart_interval: header.restart_interval,
            has_one_scan: header.is_whole_in_one_scan(),
            mask: edit.mask.cloned(),
            stamps: edit.stamps.to_vec(),
            turn: edit.turn,
            edited,
            layout,
            changes,
            moves,
            block_turn: BlockTurn::new(edit.turn),
            overlay,
        })
    }
}

/// Layout and size of a turned picture. A mirrored axis keeps only its whole units: what is behind them would come
/// before them.
fn turned_layout(header: &Header, turn: Turn) -> Result<(Layout, Edited), JpegError> {
    let (mut width, mut height) = (header.width, header.height);
    let mut components: Vec<Component> = header.components().to_vec();
    if turn.transposes {
        (width, height) = (height, width);
        for part in &mut components {
            (part.across, part.down) = (part.down, part.across);
        }
    }
    let whole = Layout::of(width, height, &components)?;
    let trimmed = |length: u32, unit: u32, mirrors: bool| if mirrors { length % unit } else { 0 };
    let trimmed_columns = trimmed(width, whole.unit_width, turn.mirrors_x);
    let trimmed_rows = trimmed(height, whole.unit_height, turn.mirrors_y);
    let edited = Edited {
        width: width - trimmed_columns,
        height: height - trimmed_rows,
        trimmed_columns,
        trimmed_rows,
    };
    if edited.width == 0 || edited.height == 0 {
        return Err(Unsupported::TooSmall.into());
    }
    Ok((Layout::of(edited.width, edited.height, &components)?, edited))
}

/// The quantization table of a turned picture.
fn turned_quantization(table: &Quantization, turn: Turn) -> Quantization {
    std::array::from_fn(|place| table[if turn.transposes { transposed(place).into() } else { place }])
}

/// The restart interval of a picture of another layout: as many rows of units as before, if they were whole rows.
pub(super) fn turned_interval(header: &Header, layout: &Layout) -> u32 {
    let (interval, across) = (header.restart_interval, header.layout.units_across as u32);
    let turned = match interval % across {
        0 => interval / across * layout.units_across as u32,
        _ => interval,
    };
    if turned > u32::from(u16::MAX) { interval } else { turned }
}
