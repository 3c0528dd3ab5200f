//! What reads and changes a JPEG of a camera.

use crate::jpeg::coefficients::{Coefficients, Reader};
use crate::jpeg::dc::{DcPlane, DcReader, Planes};
use crate::jpeg::edit::{Edit, Editor};
use crate::jpeg::header::{Header, Limits};
use crate::jpeg::mask::Mask;
use crate::jpeg::stamp::Stamp;
use crate::jpeg::turn::Turn;
use crate::jpeg::variant::{Variant, VariantMaker};
use crate::media::Scale;
use crate::media::{Corner, Flip, Rotation};

/// Few, so that the fuzzer is not slowed by pictures of one code for each block.
const LIMITS: Limits = Limits { max_pixels: 1 << 16 };

/// The coefficients of each block that shows something, by component.
fn blocks(coefficients: &Coefficients) -> Vec<[i16; 64]> {
    let planes = coefficients.planes().enumerate();
    let places = planes.flat_map(|(component, (columns, rows))| {
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (component, column, row)))
    });
    places.map(|(component, column, row)| coefficients.block(component, column, row)).collect()
}

fn read(jpeg: &[u8]) -> Option<Vec<[i16; 64]>> {
    Reader::new().read(jpeg, LIMITS).ok().map(blocks)
}

/// Whatever is read as a plane has the size that the header says.
pub fn jpeg_dc(data: &[u8]) {
    let mut planes = Vec::new();
    let read = DcReader::new().read(data, LIMITS, Planes::All, &mut planes);
    if read.is_ok() {
        let header = Header::parse(data, LIMITS).expect("what was read has a header");
        let size = (header.width.div_ceil(8) as usize, header.height.div_ceil(8) as usize);
        // None has the full size if one component has more columns and another one more rows.
        let is_within =
            |plane: &DcPlane| (1..=size.0).contains(&plane.width) && (1..=size.1).contains(&plane.height);
        assert!(planes.iter().all(is_within), "no more blocks than the picture has");
        assert!(planes.iter().all(|plane| plane.eighths.len() == plane.width * plane.height));
        let mut luma = Vec::new();
        DcReader::new().read(data, LIMITS, Planes::Luma, &mut luma).expect("a part of all");
        assert!(luma == planes[..1]);
    }
}

/// What is written can be read and is what was read; nothing is written of what cannot be read; and under a mask
/// nothing is left. The first byte chooses a turn.
pub fn jpeg_edit(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let before = read(data);
    let mut editor = Editor::new();
    let mut edited = |jpeg: &[u8], edit: &Edit<'_>| {
        let mut out = Vec::new();
        let edited = editor.apply(jpeg, LIMITS, edit, &mut out);
        assert!(edited.is_ok() || out.is_empty(), "nothing of a frame that cannot be edited");
        edited.ok().map(|_| out)
    };
    let copy = edited(data, &Edit::default());
    assert!(copy.is_none() || before.is_some(), "what is copied can be read");
    if let Some(copy) = copy {
        assert!(read(&copy) == before, "a copy is the same");
    }
    let rotation =
        [Rotation::None, Rotation::Right, Rotation::Around, Rotation::Left][usize::from(choice & 3)];
    let flip = [Flip::None, Flip::Horizontal, Flip::Vertical][usize::from(choice >> 2) % 3];
    let turn = Turn::new(rotation, flip);
    let stamps = [Stamp { corner: Corner::BottomRight, width: 9, grey: vec![choice; 27] }];
    let level = 128;
    let part = Mask { polygons: vec![vec![(0.3, 0.1), (0.6, 0.2), (0.2, 0.8)]], level };
    if let Some(out) = edited(data, &Edit { turn, mask: Some(&part), stamps: &stamps }) {
        assert!(read(&out).is_some(), "what is written can be read");
    }
    let all = Mask { polygons: vec![vec![(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]], level };
    if let Some(out) = edited(data, &Edit { turn, mask: Some(&all), ..Edit::default() }) {
        let left = read(&out).expect("what is written can be read");
        assert!(left.iter().all(|block| *block == [0; 64]), "nothing is left under a mask");
    }
}

/// A variant can be read and has the size that it says. The first two bytes choose scale and quality.
pub fn jpeg_variant(data: &[u8]) {
    let &[scale, quality, ref data @ ..] = data else { return };
    let scale = [Scale::Whole, Scale::Half, Scale::Quarter, Scale::Eighth][usize::from(scale & 3)];
    let variant = Variant { scale, quality: (quality > 0).then_some(quality) };
    let mut out = Vec::new();
    match VariantMaker::new().make(data, LIMITS, &variant, &mut out) {
        Err(_) => assert!(out.is_empty(), "nothing of a frame that cannot be read"),
        Ok(made) => {
            let header = Header::parse(&out, LIMITS).expect("a header");
            assert_eq!((header.width, header.height), (made.width, made.height));
            assert!(read(&out).is_some(), "what is written can be read");
        }
    }
}
