//! The header of a sequential JPEG: size, components and tables (ITU-T T.81, sections B.2.2 to B.2.4).

use super::error::{Fault, JpegError, Unsupported};
use super::huffman::Codes;
use super::layout::{COMPONENTS_MAX, Component, Layout};
use super::marker;
use super::segments::{Segment, segment};

/// What a caller accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most pixels of a picture. Memory and time of everything in [`crate::jpeg`] grow with them.
    pub max_pixels: u32,
}

/// A quantization table in the order of the zigzag (section B.2.4.1).
pub(super) type Quantization = [u16; 64];

/// A scan's header (section B.2.3).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// For each component of the scan: its index in the frame, its DC table and its AC table.
    parts: [(u8, u8, u8); COMPONENTS_MAX],
    count: u8,
    /// Where the entropy-coded data begin.
    pub(super) entropy_coded: usize,
}

/// Most segments before a scan; pictures have about ten.
const SEGMENTS_MAX: usize = 256;

/// Most blocks that a byte of entropy-coded data can hold: each takes a code of a bit at least for its DC coefficient, and
/// one for the end of the others. So a short JPEG with a large size in its head is refused before memory is taken for
/// its blocks.
const BYTE_BLOCKS: usize = 4;

/// Everything before the entropy-coded data of a scan.
#[derive(Clone, Debug)]
pub struct Header {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    components: [Component; COMPONENTS_MAX],
    component_count: u8,
    pub(super) layout: Layout,
    quantization: [Option<Quantization>; 4],
    /// DC tables 0 to 3, then AC tables 0 to 3.
    codes: [Option<Codes>; 8],
    /// Units between two restart markers; 0 if there are none.
    pub(super) restart_interval: u32,
    pub(super) scan: Scan,
    /// Whether the colours are red, green and blue instead of luma and chroma.
    pub(super) is_rgb: bool,
    pub(super) has_huffman_tables: bool,
    /// The segments before the scan, with that of the scan; offsets count from the start of the JPEG.
    pub(super) segments: Vec<Segment>,
}

impl Header {
    /// Reads the header of the JPEG at the start of `jpeg`, up to its first scan.
    ///
    /// # Errors
    /// When `jpeg` is no sequential JPEG of 8 bits, is damaged, or is larger than `limits` allow.
    pub fn parse(jpeg: &[u8], limits: Limits) -> Result<Self, JpegError> {
        let mut header = Self {
            width: 0,
            height: 0,
            components: Default::default(),
            component_count: 0,
            layout: Layout::default(),
            quantization: Default::default(),
            codes: Default::default(),
            restart_interval: 0,
            scan: Scan::default(),
            is_rgb: false,
            has_huffman_tables: false,
            segments: Vec::with_capacity(16),
        };
        let start = segment(jpeg, 0)?;
        if start.code != marker::SOI {
            return Err(JpegError::broken(0, Fault::Segment));
        }
        header.read_to_scan(jpeg, start.payload.end)?;
        if u64::from(header.width) * u64::from(header.height) > u64::from(limits.max_pixels) {
            return Err(JpegError::TooLarge { width: header.width, height: header.height });
        }
        if header.blocks_of_scan() > (jpeg.len() - header.scan.entropy_coded).saturating_mul(BYTE_BLOCKS) {
            return Err(JpegError::Truncated);
        }
        for component in header.components() {
            if header.quantization[usize::from(component.quantization)].is_none() {
                return Err(JpegError::broken(header.scan.entropy_coded, Fault::Quantization));
            }
        }
        Ok(header)
    }

    /// Reads the segments from `start` on, up to the header of the next scan, including that.
    fn read_to_scan(&mut self, jpeg: &[u8], mut start: usize) -> Result<(), JpegError> {
        self.segments.clear();
        for _ in 0..SEGMENTS_MAX {
            let found = segment(jpeg, start)?;
            let payload = &jpeg[found.payload.clone()];
            start = found.payload.end;
            let is_scan = found.code == marker::SOS;
            self.take(&found, payload)?;
            self.segments.push(found);
            if is_scan {
                return Ok(());
            }
        }
        Err(JpegError::broken(start, Fault::ScanHeader))
    }

    /// The components of the frame, luma first.
    pub(super) fn components(&self) -> &[Component] {
        &self.components[..usize::from(self.component_count)]
    }

    /// Goes on to the scan whose segments begin at `start`. Its Huffman tables replace those of the scan before.
    pub(super) fn next_scan(&mut self, jpeg: &[u8], start: usize) -> Result<(), JpegError> {
        let mut next = self.clone();
        next.read_to_scan(jpeg, start)?;
        if next.quantization != self.quantization || next.restart_interval != self.restart_interval {
            return Err(Unsupported::Tables.into());
        }
        next.segments = std::mem::take(&mut self.segments);
        *self = next;
        Ok(())
    }

    /// How many blocks the current scan has that show something.
    fn blocks_of_scan(&self) -> usize {
        let planes = self.scan_parts().iter().map(|&(index, ..)| self.layout.planes()[usize::from(index)]);
        planes.map(|plane| plane.blocks_across * plane.blocks_down).fold(0, usize::saturating_add)
    }

    /// The quantization table of a component.
    pub(super) fn quantization(&self, component: usize) -> &Quantization {
        let table = self.components[component].quantization;
        self.quantization[usize::from(table)].as_ref().expect("checked when the header was read")
    }

    /// The components of the current scan: index in the frame, DC table, AC table.
    pub(super) fn scan_parts(&self) -> &[(u8, u8, u8)] {
        &self.scan.parts[..usize::from(self.scan.count)]
    }

    /// Whether the current scan has all components of the frame.
    pub(super) fn is_whole_in_one_scan(&self) -> bool {
        self.scan.count == self.component_count
    }

    /// The codes of DC table `id`, or of AC table `id - 4`; the standard ones if the picture has no tables.
    pub(super) fn codes(&self, id: usize) -> Option<Codes> {
        match self.has_huffman_tables {
            true => self.codes[id],
            false => Codes::standard(id),
        }
    }

    /// Whether a component has colour only, no brightness.
    pub(super) fn is_chroma(&self, component: usize) -> bool {
        component > 0 && self.component_count == 3 && !self.is_rgb
    }

    fn take(&mut self, found: &Segment, payload: &[u8]) -> Result<(), JpegError> {
        let broken = |what| JpegError::broken(found.start, what);
        match found.code {
            marker::SOF0 | marker::SOF1 => self.read_frame(payload, found.start)?,
            marker::SOF2 => return Err(Unsupported::Progressive.into()),
            marker::DHT => self.read_huffman(payload).ok_or(broken(Fault::Huffman))?,
            marker::SOF9..=marker::SOF11 | marker::DAC => return Err(Unsupported::Arithmetic.into()),
            marker::SOF3..=marker::SOF15 => return Err(Unsupported::Process.into()),
            marker::DNL => return Err(Unsupported::Height.into()),
            marker::DQT => self.read_quantization(payload).ok_or(broken(Fault::Quantization))?,
            marker::DRI => {
                let &[high, low] = payload else { return Err(broken(Fault::Restart)) };
                self.restart_interval = u16::from_be_bytes([high, low]).into();
            }
            marker::SOS => self.read_scan(payload, found)?,
            marker::RST0..=marker::EOI => return Err(broken(Fault::Segment)),
            marker::APP14 if payload.starts_with(b"Adobe") => {
                // Its last byte is the transform; 0 means that there is none.
                self.is_rgb |= payload.get(11) == Some(&0);
            }
            _ => {}
        }
        Ok(())
    }

    /// A frame header (section B.2.2).
    fn read_frame(&mut self, payload: &[u8], start: usize) -> Result<(), JpegError> {
        let broken = JpegError::broken(start, Fault::FrameHeader);
        let &[precision, h1, h0, w1, w0, count, ref components @ ..] = payload else { return Err(broken) };
        if self.component_count > 0 || components.len() != 3 * usize::from(count) {
            return Err(broken);
        }
        (self.width, self.height) =
            (u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into());
        match (precision, self.height, self.width, usize::from(count)) {
            (8, 1.., 1.., 1..=COMPONENTS_MAX) => {}
            (8, 0, ..) => return Err(Unsupported::Height.into()),
            (8, _, 0, _) => return Err(broken),
            (8, ..) => return Err(Unsupported::Components.into()),
            _ => return Err(Unsupported::Precision.into()),
        }
        for (component, bytes) in self.components.iter_mut().zip(components.chunks_exact(3)) {
            let &[id, factors, quantization] = bytes else { return Err(broken) };
            if quantization > 3 {
                return Err(broken);
            }
            *component = Component { id, across: factors >> 4, down: factors & 15, quantization };
        }
        self.component_count = count;
        self.is_rgb |= self.components().iter().map(|component| component.id).eq(*b"RGB");
        self.layout = Layout::of(self.width, self.height, self.components())?;
        Ok(())
    }

    /// Quantization tables.
    fn read_quantization(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = payload {
            let table = self.quantization.get_mut(usize::from(kind & 15))?;
            let values: &mut Quantization = table.insert([0; 64]);
            payload = match kind >> 4 {
                0 => {
                    let (bytes, rest) = rest.split_first_chunk::<64>()?;
                    *values = bytes.map(u16::from);
                    rest
                }
                1 => {
                    let (bytes, rest) = rest.split_first_chunk::<128>()?;
                    let (pairs, _) = bytes.as_chunks::<2>();
                    for (value, pair) in values.iter_mut().zip(pairs) {
                        *value = u16::from_be_bytes(*pair);
                    }
                    rest
                }
                _ => return None,
            };
            if values.contains(&0) {
                return None;
            }
        }
        Some(())
    }

    /// Huffman tables (section B.2.4.2).
    fn read_huffman(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = payload {
            let (codes, rest) = Codes::read(rest)?;
            let (class, id) = (usize::from(kind >> 4), usize::from(kind & 15));
            if class > 1 || id > 3 {
                return None;
            }
            self.codes[4 * class + id] = Some(codes);
            self.has_huffman_tables = true;
            payload = rest;
        }
        Some(())
    }

    /// A scan header of a sequential picture.
    fn read_scan(&mut self, payload: &[u8], found: &Segment) -> Result<(), JpegError> {
        let broken = JpegError::broken(found.start, Fault::ScanHeader);
        if self.component_count == 0 {
            return Err(JpegError::broken(found.start, Fault::FrameHeader));
        }
        let Some((&count, rest)) = payload.split_first() else { return Err(broken) };
        let is_of_length = rest.len() == 2 * usize::from(count) + 3;
        if count == 0 || count > self.component_count || !is_of_length {
            return Err(broken);
        }
        let (selectors, _spectral) = rest.split_at(2 * usize::from(count));
        let (mut scan, mut least) = (Scan { count, ..Scan::default() }, 0);
        for (part, selector) in scan.parts.iter_mut().zip(selectors.chunks_exact(2)) {
            let &[id, tables] = selector else { return Err(broken) };
            // They come in the order of the frame.
            let place = self.components()[least..].iter().position(|component| component.id == id);
            let index = least + place.ok_or(broken)?;
            let (dc, ac) = (tables >> 4, tables & 15);
            if dc > 3 || ac > 3 {
                return Err(broken);
            }
            *part = (index as u8, dc, ac);
            least = index + 1;
        }
        scan.entropy_coded = found.payload.end;
        self.scan = scan;
        Ok(())
    }
}
