//! The trailer of a group: a Void behind its Cluster that says which group it is, of which file, and whether it is whole.
//!
//! The Void's own head is written twice (it hides what follows, until that is synced), so the checksum does not cover it.
//! A later version may make the content longer: its length is in it, and the checksum is at its end.

use crate::media::GapReason;

use super::SegmentError;
use super::fields::{Fields, FieldsMut, check_crc, seal};

/// Bytes of a trailer, from the Void's head on.
pub(super) const TRAILER_BYTES: u64 = (BODY_AT + BODY_BYTES) as u64;

/// Where the content begins behind the head of the Void and its padding.
const BODY_AT: usize = 16;

/// Bytes of the content.
const BODY_BYTES: usize = 84;

const MAGIC: [u8; 8] = *b"DefendTr";
const VERSION: u16 = 1;

/// What a trailer says of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    /// The segment's.
    pub(super) uuid: [u8; 16],
    /// Number of the group in the segment, from 0.
    pub(super) number: u32,
    /// Bytes of the Cluster's content.
    pub(super) cluster_bytes: u32,
    /// Checksum of the Cluster's content behind its CRC-32.
    pub(super) cluster_crc: u32,
    /// Pictures.
    pub(super) frames: u32,
    /// Packets of sound.
    pub(super) sound_blocks: u32,
    /// Frames that were lost before the first one.
    pub(super) missed_before: u32,
    /// Number of the first frame.
    pub(super) first_frame: u64,
    /// Time of the first block.
    pub(super) start_ms: u32,
    /// Time of the last block.
    pub(super) end_ms: u32,
    /// Why there is no footage before it.
    pub(super) gap_before: Option<GapReason>,
    /// Whether an event was noted by then.
    pub(super) has_events: bool,
}

impl Trailer {
    /// Its bytes, with a Void's head of nothing but room.
    pub(super) fn to_bytes(self) -> [u8; TRAILER_BYTES as usize] {
        let mut bytes = [0; TRAILER_BYTES as usize];
        let mut fields = FieldsMut(&mut bytes[BODY_AT..]);
        fields.put(MAGIC);
        fields.put(VERSION.to_be_bytes());
        fields.put((BODY_BYTES as u16).to_be_bytes());
        fields.put(self.uuid);
        let numbers = [self.number, self.cluster_bytes, self.cluster_crc];
        let counts = [self.frames, self.sound_blocks, self.missed_before, self.start_ms, self.end_ms];
        numbers.into_iter().chain(counts).for_each(|number| fields.put(number.to_be_bytes()));
        fields.put(self.first_frame.to_be_bytes());
        let gap = self.gap_before.map_or(0, |reason| reason as u8);
        fields.put([u8::from(self.gap_before.is_some()), gap, u8::from(self.has_events), 0]);
        seal(&mut bytes[BODY_AT..]);
        bytes
    }

    /// Reads the trailer that lies at `offset` of the file.
    ///
    /// # Errors
    /// That there is none, or that it is damaged.
    pub(super) fn from_bytes(
        bytes: &[u8; TRAILER_BYTES as usize],
        offset: u64,
    ) -> Result<Self, SegmentError> {
        let damaged = |what| SegmentError::Damaged { offset, what };
        let body = &bytes[BODY_AT..];
        let mut fields = Fields(body);
        if fields.take() != MAGIC {
            return Err(damaged("no trailer of a group"));
        }
        let (version, length) = (fields.u16(), fields.u16());
        if version != VERSION || usize::from(length) != BODY_BYTES {
            return Err(SegmentError::Version(version));
        }
        check_crc(body).ok_or(damaged("the checksum of a trailer does not fit"))?;
        let uuid = fields.take();
        let [number, cluster_bytes, cluster_crc] = [fields.u32(), fields.u32(), fields.u32()];
        let [frames, sound_blocks, missed_before] = [fields.u32(), fields.u32(), fields.u32()];
        let [start_ms, end_ms] = [fields.u32(), fields.u32()];
        let first_frame = fields.u64();
        let [has_gap, gap, has_events, _] = fields.take();
        Ok(Self {
            uuid,
            number,
            cluster_bytes,
            cluster_crc,
            frames,
            sound_blocks,
            missed_before,
            first_frame,
            start_ms,
            end_ms,
            gap_before: (has_gap != 0).then(|| GapReason::from_code(gap)).flatten(),
            has_events: has_events != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_with_a_changed_bit_is_refused() {
        let trailer = Trailer {
            uuid: [7; 16],
            number: 3,
            cluster_bytes: 5,
            cluster_crc: 0x1234_5678,
            frames: 30,
            sound_blocks: 50,
            missed_before: 2,
            first_frame: 1 << 40,
            start_ms: 1000,
            end_ms: 2000,
            gap_before: Some(GapReason::CameraLost),
            has_events: true,
        };
        let bytes = trailer.to_bytes();
        assert_eq!(Trailer::from_bytes(&bytes, 0).unwrap(), trailer);
        for bit in BODY_AT * 8..bytes.len() * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Trailer::from_bytes(&changed, 0).is_err(), "bit {bit}");
        }
    }
}
