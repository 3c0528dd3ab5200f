//! Files that claim to be segments.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::OnceLock;

use crate::media::{GapReason, SoundFormat};
use crate::segment::{
    Block, Group, Moment, ReadAt, SegmentFile, SegmentHead, SegmentWriter, SoundTrack, Summary, Track,
    read_blocks, read_index, read_summary, recover,
};

/// Bytes of the segments that are changed.
const LENGTH: usize = 64 * 1024;

/// The input is no change of a segment but the file itself.
const IS_FILE: u8 = 1;
/// The segment that is changed is closed.
const IS_CLOSED: u8 = 2;
/// Checksums are made to fit after the change.
const FITS: u8 = 4;

/// A file is read and repaired whatever it holds: all that is found lies in it, and a repair leaves nothing to repair.
///
/// The first byte says what the others are: a file, or changes of a segment, of four bytes each: an offset of
/// 16 bits, a byte, and how many times it is written.
pub fn segment(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else { return };
    let mut file = data.to_vec();
    if kind & IS_FILE == 0 {
        file.clone_from(whole(kind & IS_CLOSED != 0));
        for change in data.chunks_exact(4) {
            let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
            let end = file.len().min(at + usize::from(change[3]) + 1);
            if at < end {
                file[at..end].fill(change[2]);
            }
        }
        if kind & FITS != 0 {
            make_fit(&mut file);
        }
    }
    let Ok(summary) = read_summary(&file[..]) else { return };
    check_places(&file, &summary);

    let disk = Memory(RefCell::new(file));
    let Ok(repaired) = recover(&disk) else { return };
    let file = disk.0.borrow().clone();
    assert!(repaired.is_closed);
    assert_eq!(read_summary(&file[..]).expect("a segment that was repaired"), repaired);
    check_places(&file, &repaired);
    assert_eq!(recover(&disk).expect("nothing to repair"), repaired);
    assert!(*disk.0.borrow() == file, "it was repaired again");
}

/// Every picture and every block lies in the file.
fn check_places(file: &[u8], summary: &Summary) {
    let Ok(index) = read_index(file, summary) else { return };
    assert!(index.len() <= file.len() / 256, "{} pictures in {} bytes", index.len(), file.len());
    let mut last = None;
    for entry in index {
        assert!(u64::from(entry.offset) + u64::from(entry.length) <= file.len() as u64);
        if last.replace(entry.cluster) == Some(entry.cluster) {
            continue;
        }
        let Ok(blocks) = read_blocks(file, entry.cluster.into()) else { continue };
        let mut count = 0;
        for block in blocks.flatten() {
            assert!(block.offset + u64::from(block.length) <= file.len() as u64);
            count += 1;
        }
        assert!(count <= file.len() / 8 + 4);
    }
}

/// A segment with groups of every kind, closed or not.
fn whole(is_closed: bool) -> &'static Vec<u8> {
    static WHOLE: [OnceLock<Vec<u8>>; 2] = [const { OnceLock::new() }; 2];
    WHOLE[usize::from(is_closed)].get_or_init(|| {
        let file = Memory(RefCell::new(vec![0; LENGTH]));
        let mut writer = SegmentWriter::create(&file, LENGTH as u64, &head()).expect("a segment");
        let (picture, sound) = (vec![0x55; 700], [0x22; 40]);
        for number in 0..6 {
            let at_us = number * 1_000_000;
            let blocks = [
                Block { track: Track::Picture, at_us, bytes: &picture },
                Block { track: Track::Sound, at_us: at_us + 20_000, bytes: &sound },
                Block { track: Track::Picture, at_us: at_us + 66_667, bytes: &picture[..300] },
            ];
            let gap_before = (number == 3).then_some(GapReason::NoEvent);
            writer.append(&Group { blocks: &blocks, missed_before: 1, gap_before }).expect("room");
        }
        if is_closed {
            writer.close().expect("it is closed");
        }
        file.0.into_inner()
    })
}

fn head() -> SegmentHead {
    let format = SoundFormat { rate_hz: 16_000, channels: 1 };
    SegmentHead {
        camera: "fuzz".to_owned(),
        sequence: 1,
        first_frame: 100,
        boot_id: [1; 16],
        uuid: [2; 16],
        start: Moment { monotonic_us: 1, wall_us: 2 },
        is_clock_synchronised: false,
        is_thinned: false,
        size: (64, 48),
        sound: Some(SoundTrack::Flac { format, private: vec![3; 42] }),
        microphone: "front".to_owned(),
    }
}

/// Makes the checksums of the summary and of all trailers fit, so that changes of what they cover are read.
fn make_fit(file: &mut [u8]) {
    let seal = |sealed: &mut [u8]| {
        let Some((body, crc)) = sealed.split_last_chunk_mut::<4>() else { return };
        *crc = crc32fast::hash(body).to_be_bytes();
    };
    let Some((pages, groups)) = file.split_at_mut_checked(8192) else { return };
    let header_crc = crc32fast::hash(&pages[..512]).to_be_bytes();
    pages[4608..4612].copy_from_slice(&header_crc);
    seal(&mut pages[4096 + 16..4608]);
    seal(&mut pages[4608..8192]);
    for sector in groups.chunks_exact_mut(512).filter(|sector| &sector[16..24] == b"DefendTr") {
        seal(&mut sector[16..100]);
    }
}

/// A file in memory.
struct Memory(RefCell<Vec<u8>>);

impl SegmentFile for Memory {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut file = self.0.borrow_mut();
        let mut at = offset as usize;
        for part in parts {
            assert!(at + part.len() <= file.len(), "a write behind the end of the file");
            file[at..][..part.len()].copy_from_slice(part);
            at += part.len();
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        if length > 2 * LENGTH as u64 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.0.borrow_mut().resize(length as usize, 0);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.borrow().len() as u64)
    }
}

impl ReadAt for Memory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.borrow()[..].read_at(buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        SegmentFile::length(self)
    }
}
