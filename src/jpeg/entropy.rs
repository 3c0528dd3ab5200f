//! Finds the end of a JPEG's scan that has no EOI: decodes the Huffman codes and counts blocks, without
//! reconstructing the picture (ITU-T T.81, Annex F.2.2 and section B.2).

use super::marker;
use super::standard::STANDARD_TABLES;

/// The length in bytes of the picture at the start of `jpeg`; `None` if it is incomplete, or not a sequential one
/// (SOF0, SOF1) with all components in one scan.
///
/// A tail of zeros, or of sixteen or more equal bytes, is padding and not part of the scan: zeros are valid codes,
/// and could stand for the missing part of any picture.
pub(super) fn end(jpeg: &[u8]) -> Option<usize> {
    let picture = Picture::read(jpeg)?;
    let mut bits = Bits::new(&jpeg[..unpadded(jpeg, picture.entropy_coded)], picture.entropy_coded);
    for mcu in 0..picture.mcus {
        if picture.restart_interval > 0 && mcu > 0 && mcu % picture.restart_interval == 0 {
            bits.skip_restart_marker()?;
        }
        for component in &picture.components {
            for _ in 0..component.blocks {
                skip_block(&mut bits, &picture.tables[component.dc], &picture.tables[4 + component.ac])?;
            }
        }
    }
    Some(bits.position())
}

/// So many equal bytes at the end are padding.
const PADDING_BYTES: usize = 16;

/// So many zero bytes at the end may be codes of the last blocks: EOB of chroma is two zero bits.
const ZEROS_KEPT: usize = 1;

/// The properties of the scan, from the headers.
struct Picture {
    components: Vec<Component>,
    /// DC tables 0 to 3, then AC tables 0 to 3.
    tables: [Option<Table>; 8],
    mcus: u32,
    /// Data units from one restart marker to the next; 0 if there are no restart markers.
    restart_interval: u32,
    entropy_coded: usize,
}

/// A component of the scan.
struct Component {
    id: u8,
    horizontal: u32,
    vertical: u32,
    /// Its blocks in each data unit.
    blocks: u32,
    dc: usize,
    ac: usize,
}

impl Picture {
    /// Reads the segments from SOI to SOS, whose lengths were checked before.
    fn read(jpeg: &[u8]) -> Option<Self> {
        let mut picture = Self {
            components: Vec::new(),
            tables: Default::default(),
            mcus: 0,
            restart_interval: 0,
            entropy_coded: 0,
        };
        let (mut size, mut at) = (None, 2);
        loop {
            at += jpeg.get(at..)?.iter().take_while(|&&byte| byte == 0xFF).count();
            let code = *jpeg.get(at)?;
            at += 1;
            if code == marker::TEM {
                continue;
            }
            let length = usize::from(u16::from_be_bytes(*jpeg.get(at..)?.first_chunk()?));
            let payload = jpeg.get(at + 2..at + length)?;
            at += length;
            match code {
                // SOF0 and SOF1: sequential. A progressive picture has many scans.
                marker::SOF0..marker::SOF2 => size = Some(picture.read_frame(payload)?),
                marker::DHT => picture.read_tables(payload)?,
                marker::DRI => picture.restart_interval = u16::from_be_bytes(*payload.first_chunk()?).into(),
                marker::SOS => {
                    if picture.tables.iter().all(Option::is_none) {
                        picture.read_tables(&STANDARD_TABLES[4..])?;
                    }
                    picture.entropy_coded = at;
                    picture.read_scan(payload, size?)?;
                    return Some(picture);
                }
                _ => {}
            }
        }
    }

    /// A frame header (section B.2.2); width and height.
    fn read_frame(&mut self, payload: &[u8]) -> Option<(u32, u32)> {
        let &[_, h1, h0, w1, w0, count, ref components @ ..] = payload else { return None };
        let components = components.get(..usize::from(count) * 3)?;
        let component = |bytes: &[u8]| {
            let (horizontal, vertical) = (u32::from(bytes[1] >> 4), u32::from(bytes[1] & 15));
            let component = Component { id: bytes[0], horizontal, vertical, blocks: 0, dc: 0, ac: 0 };
            ((1..=4).contains(&horizontal) && (1..=4).contains(&vertical)).then_some(component)
        };
        self.components = components.chunks_exact(3).map(component).collect::<Option<_>>()?;
        Some((u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into()))
    }

    /// The tables of a DHT segment (section B.2.4.2).
    fn read_tables(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = payload {
            let counts: &[u8; 16] = rest.first_chunk()?;
            let count: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let values = rest.get(16..16 + count)?;
            let place = usize::from(kind >> 4) * 4 + usize::from(kind & 15);
            *self.tables.get_mut(place)? = Some(Table::new(counts, values)?);
            payload = &rest[16 + values.len()..];
        }
        Some(())
    }

    /// A scan header (section B.2.3), and how many data units that makes (section A.2).
    fn read_scan(&mut self, payload: &[u8], (width, height): (u32, u32)) -> Option<()> {
        let (&count, selectors) = payload.split_first()?;
        let selectors = selectors.get(..usize::from(count) * 2)?;
        if selectors.len() != self.components.len() * 2 {
            return None;
        }
        for (component, selector) in self.components.iter_mut().zip(selectors.chunks_exact(2)) {
            if component.id != selector[0] {
                return None;
            }
            (component.dc, component.ac) = (usize::from(selector[1] >> 4), usize::from(selector[1] & 15));
            if component.dc > 3 || component.ac > 3 {
                return None;
            }
            component.blocks = component.horizontal * component.vertical;
        }
        if let [only] = &mut self.components[..] {
            (only.horizontal, only.vertical, only.blocks) = (1, 1, 1);
        }
        let across = self.components.iter().map(|component| component.horizontal).max()?;
        let down = self.components.iter().map(|component| component.vertical).max()?;
        self.mcus = width.div_ceil(8 * across) * height.div_ceil(8 * down);
        Some(())
    }
}

/// A Huffman table that gives the length of each code and its value (Annex C).
struct Table {
    /// By the first eight bits: length, or zero for longer codes, and value.
    short: [(u8, u8); 256],
    /// By length: the code after the last one of this length, left-aligned in 16 bits.
    limits: [u32; 17],
    /// By length: what to add to a code to find its value.
    offsets: [i32; 17],
    values: Vec<u8>,
}

impl Table {
    fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let mut table =
            Self { short: [(0, 0); 256], limits: [0; 17], offsets: [0; 17], values: values.to_vec() };
        let (mut code, mut first) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            let count = usize::from(count);
            table.offsets[length as usize] = first as i32 - code as i32;
            for &value in &values[first..first + count] {
                if length <= 8 {
                    let from = (code as usize) << (8 - length);
                    table.short.get_mut(from..from + (1 << (8 - length)))?.fill((length as u8, value));
                }
                code += 1;
            }
            if code > 1 << length {
                return None;
            }
            table.limits[length as usize] = code << (16 - length);
            (code, first) = (code << 1, first + count);
        }
        Some(table)
    }

    /// Length and value of the code at the start of 16 bits.
    fn find(&self, bits: u32) -> Option<(u32, u8)> {
        let (length, value) = self.short[(bits >> 8) as usize];
        if length > 0 {
            return Some((length.into(), value));
        }
        let length = (9..=16).find(|&length| bits < self.limits[length as usize])?;
        let place = (bits >> (16 - length)) as i32 + self.offsets[length as usize];
        Some((length, *self.values.get(usize::try_from(place).ok()?)?))
    }
}

/// Skips one block: a DC difference, and AC coefficients up to the last one or to EOB.
fn skip_block(bits: &mut Bits<'_>, dc: &Option<Table>, ac: &Option<Table>) -> Option<()> {
    let size = bits.code(dc.as_ref()?)?;
    bits.skip(u32::from(size & 15))?;
    let (ac, mut coefficient) = (ac.as_ref()?, 1);
    while coefficient < 64 {
        let code = bits.code(ac)?;
        let (zeros, size) = (u32::from(code >> 4), u32::from(code & 15));
        if size == 0 && zeros < 15 {
            return Some(());
        }
        coefficient += zeros + 1;
        bits.skip(size)?;
    }
    (coefficient == 64).then_some(())
}

/// Reads the bits of a scan, without the zero after each FF.
struct Bits<'d> {
    data: &'d [u8],
    at: usize,
    /// The next bits, highest first.
    held: u32,
    count: u32,
}

impl<'d> Bits<'d> {
    fn new(data: &'d [u8], at: usize) -> Self {
        Self { data, at, held: 0, count: 0 }
    }

    /// Reads bytes until there are 25 bits, or up to a marker or the end.
    fn fill(&mut self) {
        while self.count <= 24 {
            let step = match self.data.get(self.at..) {
                Some([0xFF, 0x00, ..]) => 2,
                Some([0xFF, ..] | []) | None => return,
                Some(_) => 1,
            };
            self.held |= u32::from(self.data[self.at]) << (24 - self.count);
            self.count += 8;
            self.at += step;
        }
    }

    fn code(&mut self, table: &Table) -> Option<u8> {
        if self.count < 16 {
            self.fill();
        }
        let (length, value) = table.find(self.held >> 16)?;
        self.skip(length)?;
        Some(value)
    }

    /// Skips bits; `None` if there are fewer.
    fn skip(&mut self, count: u32) -> Option<()> {
        if self.count < count {
            self.fill();
        }
        self.count = self.count.checked_sub(count)?;
        self.held <<= count;
        Some(())
    }

    /// Continues after a restart marker; `None` if there is none.
    fn skip_restart_marker(&mut self) -> Option<()> {
        self.at = self.position();
        self.at += self.data.get(self.at..)?.iter().take_while(|&&byte| byte == 0xFF).count();
        let code = *self.data.get(self.at)?;
        let has_marker = self.data[self.at - 1] == 0xFF && (marker::RST0..=marker::RST7).contains(&code);
        (self.held, self.count, self.at) = (0, 0, self.at + 1);
        has_marker.then_some(())
    }

    /// The offset after the last byte of which a bit was used.
    fn position(&self) -> usize {
        let mut at = self.at;
        for _ in 0..self.count / 8 {
            at -= if self.data[..at].ends_with(&[0xFF, 0x00]) { 2 } else { 1 };
        }
        at
    }
}

/// The offset of the padding after the scan that begins at `from`; [`ZEROS_KEPT`] zeros do not count as padding.
fn unpadded(jpeg: &[u8], from: usize) -> usize {
    let scan = &jpeg[from..];
    let run = |byte: u8| scan.iter().rev().take_while(|&&last| last == byte).count();
    match scan.last() {
        Some(0) => (jpeg.len() - run(0) + ZEROS_KEPT).min(jpeg.len()),
        Some(&byte) if run(byte) >= PADDING_BYTES => jpeg.len() - run(byte),
        _ => jpeg.len(),
    }
}
