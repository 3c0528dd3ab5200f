//! Damage that would show what is under a mask in another place: an error can make more or fewer blocks of the bits, and
//! all blocks behind it move.

use super::*;

/// A masked picture of 128 x 64 pixels, and what must not be seen of it.
struct Masked {
    jpeg: Vec<u8>,
    /// Where its entropy-coded data begin, and where they end.
    data: std::ops::Range<usize>,
    /// Details of blocks that are nowhere but under the mask, with the component.
    secrets: Vec<(usize, Vec<i16>)>,
    editor: Editor,
    /// Frames that were made although the picture was damaged.
    made: usize,
}

const MASK: [(f32, f32); 4] = [(0.38, 0.26), (0.62, 0.26), (0.62, 0.74), (0.38, 0.74)];

impl Masked {
    /// What is under the mask has strong colours, and noise that makes each of its blocks unlike every other.
    fn new(sampling: SamplingFactor, interval: u16) -> Self {
        let mut random = Random(5);
        let mut pixels = Vec::new();
        for (y, x) in (0..64).flat_map(|y| (0..128).map(move |x| (y, x))) {
            let (grey, noise) = (60 + x / 2 + y, random.below(120) as u8);
            let is_secret = (48..80).contains(&x) && (16..48).contains(&y);
            pixels.extend(if is_secret { [255 - noise, noise, 40] } else { [grey, grey, grey + 9] });
        }
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 70);
        encoder.set_sampling_factor(sampling);
        encoder.set_restart_interval(interval);
        encoder.encode(&pixels, 128, 64, ColorType::Rgb).unwrap();
        let data = segment(&jpeg, 0xDA) + 14..jpeg.len() - 2;
        let mut masked = Self { jpeg, data, secrets: Vec::new(), editor: Editor::new(), made: 0 };
        let (before, after) = (planes(&masked.jpeg), planes(&masked.edited(&masked.jpeg.clone()).unwrap()));
        let hidden = before.iter().zip(&after).filter(|(one, other)| one != other).map(|(one, _)| one);
        let hidden = hidden.filter(|(_, block)| block.iter().filter(|&&value| value != 0).count() > 2);
        masked.secrets = hidden.cloned().collect();
        assert!(masked.secrets.len() >= 16 && masked.seen(&after).is_empty());
        masked
    }

    fn edited(&mut self, jpeg: &[u8]) -> Result<Vec<u8>, JpegError> {
        let mask = Mask { polygons: vec![MASK.to_vec()], level: 128 };
        let mut out = Vec::new();
        let edit = Edit { mask: Some(&mask), ..Edit::default() };
        self.editor.apply(jpeg, LIMITS, &edit, &mut out).map(|_| out)
    }

    /// The components of the secret blocks that are among these.
    fn seen(&self, blocks: &[(usize, Vec<i16>)]) -> Vec<usize> {
        blocks.iter().filter(|block| self.secrets.contains(block)).map(|&(component, _)| component).collect()
    }

    /// The components of the secret blocks that are seen of a damaged picture.
    fn seen_of(&mut self, damaged: &[u8]) -> Vec<usize> {
        let Ok(out) = self.edited(damaged) else { return Vec::new() };
        self.made += 1;
        self.seen(&planes(&out))
    }

    /// Gives the picture to `look` with each bit flipped, and with bytes missing or twice.
    fn each_damage(&self, mut look: impl FnMut(&[u8])) {
        for bit in 8 * self.data.start..8 * self.data.end {
            let mut damaged = self.jpeg.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            look(&damaged);
        }
        for count in [1, 3, 16] {
            for at in self.data.start..self.data.end - count {
                look(&[&self.jpeg[..at], &self.jpeg[at + count..]].concat());
                look(&[&self.jpeg[..at + count], &self.jpeg[at..]].concat());
            }
        }
    }
}

/// All blocks, with the component and without DC.
fn planes(jpeg: &[u8]) -> Vec<(usize, Vec<i16>)> {
    let mut reader = Reader::new();
    let read = reader.read(jpeg, LIMITS).expect("what was written can be read");
    let mut all = Vec::new();
    for (component, (columns, rows)) in read.planes().enumerate() {
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        all.extend(places.map(|(column, row)| (component, read.block(component, column, row)[1..].to_vec())));
    }
    all
}

/// The blocks of luma in a unit are coded alike. An error can take one of them for another one until the codes of colour
/// lead back: then one or two of them are seen in the unit beside theirs, and all others in their places. No bit is left
/// over, so nothing tells that from a picture.
#[test]
fn damage_shows_no_more_than_two_blocks_of_luma_beside() {
    for (sampling, limit_percent) in
        [(SamplingFactor::R_4_4_4, 0), (SamplingFactor::R_4_2_2, 1), (SamplingFactor::R_4_2_0, 2)]
    {
        for interval in [0, 8] {
            let mut masked = Masked::new(sampling, interval);
            let mut all = Vec::new();
            masked.each_damage(|damaged| all.push(damaged.to_vec()));
            let seen: Vec<_> = all.iter().map(|damaged| masked.seen_of(damaged)).collect();
            let moved = seen.iter().filter(|seen| !seen.is_empty()).count();
            let what = format!("{sampling:?}, {interval}: {moved} of {}, {} made", all.len(), masked.made);
            let is_little = |seen: &Vec<usize>| matches!(seen[..], [] | [0] | [0, 0]);
            assert!(seen.iter().all(is_little), "{what}");
            assert!(100 * moved <= limit_percent * all.len(), "{what}");
        }
    }
}

/// Some cameras fill the data up.
#[test]
fn a_few_equal_bytes_may_follow_the_last_block() {
    for sampling in [SamplingFactor::R_4_2_0, SamplingFactor::R_4_2_2] {
        for interval in [0, 8] {
            let mut masked = Masked::new(sampling, interval);
            let (jpeg, end) = (masked.jpeg.clone(), masked.data.end);
            let wanted = masked.edited(&jpeg).unwrap();
            let last = [0xFF, 0xD7];
            for filling in
                [&[0][..], &[0; 16], &[0xFF], &[0xFF; 7], &[0xFF, 0], &[0xFF, 0, 0xFF, 0], &[0x7F], &last]
            {
                let filled = [&jpeg[..end], filling, &jpeg[end..]].concat();
                assert!(masked.edited(&filled) == Ok(wanted.clone()), "{filling:?}");
            }
            let unit = &jpeg[masked.data.start..][..30];
            for rest in
                [&[1, 2][..], &[0, 0xFF, 0], &[0; 200], unit, &[0xFF, 0xD0, 1], &[0xFF, 0xD0, 0xFF, 0]]
            {
                let longer = [&jpeg[..end], rest, &jpeg[end..]].concat();
                let refused = masked.edited(&longer);
                assert_eq!(refused, Err(JpegError::Broken { offset: end, what: Fault::Rest }), "{rest:?}");
            }
        }
    }
}

/// In a flat picture of such tables, a block is two bits that are zero: nothing tells it from filling.
#[test]
fn zeros_that_may_be_blocks_are_no_filling() {
    let head = b"\xff\xd8\xff\xdb\0\x43\0";
    let frame = b"\xff\xc0\0\x0b\x08\0\x20\0\x20\x01\x01\x11\0";
    let tables = b"\xff\xc4\0\x14\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \xff\xc4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0";
    let gray = |coded: &[u8]| [&head[..], &[1; 64], frame, tables, scan, coded, b"\xff\xd9"].concat();
    assert!(read(&gray(&[0; 4])).is_ok(), "sixteen blocks");
    assert_eq!(read(&gray(&[0; 3])).err(), Some(JpegError::Truncated));
    assert!(matches!(read(&gray(&[0; 5])), Err(JpegError::Broken { what: Fault::Rest, .. })));
    assert!(read(&gray(&[0, 0, 0, 0, 0xFF, 0])).is_ok(), "no blocks");
}
