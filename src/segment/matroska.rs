//! The elements of Matroska (RFC 9559) that segments and clips are made of: values in, bytes out.
//!
//! Times are in milliseconds: TimestampScale is its default. Positions are relative to the Segment's content.

use super::ebml::{self, id};
use super::layout::{BLOCK_HEAD_BYTES, CLUSTER_HEAD_BYTES};
use super::{SoundTrack, Track};

/// Bytes of [`ebml_head`].
pub const EBML_HEAD_BYTES: u64 = 40;

/// Bytes of a Segment's head: positions count from behind it.
pub const SEGMENT_HEAD_BYTES: u64 = 12;

/// Bytes of one Seek of [`put_seek_head`].
const SEEK_BYTES: usize = 21;

/// Bytes of a Duration.
const DURATION_BYTES: usize = 11;

/// Bytes of a CuePoint of [`put_cue_point`].
pub const CUE_POINT_BYTES: u64 = 29;

/// Bytes of the head of Cues.
pub const CUES_HEAD_BYTES: u64 = 12;

/// Seconds from 1970 to 2001, where Matroska's dates begin.
const EPOCH_S: i64 = 978_307_200;

/// What Info says of a file.
#[derive(Clone, Copy, Debug)]
pub struct Info<'a> {
    /// Another value for each file.
    pub uuid: [u8; 16],
    /// When time 0 was, in microseconds since 1970.
    pub wall_us: u64,
    /// The title; for footage the camera's name.
    pub title: &'a str,
    /// How long it is; `None` leaves the room for it.
    pub duration_ms: Option<u32>,
}

/// The head of every Matroska file.
pub fn ebml_head() -> Vec<u8> {
    let mut content = Vec::with_capacity(EBML_HEAD_BYTES as usize);
    ebml::put_uint(&mut content, id::EBML_VERSION, 1);
    ebml::put_uint(&mut content, id::EBML_READ_VERSION, 1);
    ebml::put_uint(&mut content, id::EBML_MAX_ID_LENGTH, 4);
    ebml::put_uint(&mut content, id::EBML_MAX_SIZE_LENGTH, 8);
    ebml::put(&mut content, id::DOC_TYPE, b"matroska");
    ebml::put_uint(&mut content, id::DOC_TYPE_VERSION, 4);
    ebml::put_uint(&mut content, id::DOC_TYPE_READ_VERSION, 2);
    let mut out = Vec::with_capacity(EBML_HEAD_BYTES as usize);
    ebml::put(&mut out, id::EBML, &content);
    out
}

/// The head of an element that has its size in eight bytes, such as Segment, Cues or a Cluster.
pub fn wide_head(id: u32, size: u64) -> [u8; 12] {
    let mut head = [0; 12];
    head[..4].copy_from_slice(&id.to_be_bytes());
    head[4..].copy_from_slice(&ebml::size_of_8_bytes(size));
    head
}

/// Appends a SeekHead of these elements, with their positions in the Segment; where one is not known yet, a Void
/// of the same length.
pub fn put_seek_head(out: &mut Vec<u8>, elements: &[(u32, Option<u64>)]) {
    let mut content = Vec::with_capacity(elements.len() * SEEK_BYTES);
    for (element, position) in elements {
        let Some(position) = position else {
            ebml::put_void(&mut content, SEEK_BYTES);
            continue;
        };
        let mut seek = Vec::with_capacity(SEEK_BYTES);
        ebml::put_u32(&mut seek, id::SEEK_ID, *element);
        ebml::put(&mut seek, id::SEEK_POSITION, &position.to_be_bytes());
        ebml::put(&mut content, id::SEEK, &seek);
    }
    ebml::put(out, id::SEEK_HEAD, &content);
}

/// Bytes of a SeekHead of so many elements.
pub fn seek_head_bytes(elements: usize) -> u64 {
    let content = elements * SEEK_BYTES;
    (4 + ebml::size_bytes(content as u64) + content) as u64
}

/// Appends Info. Its length depends on the title only.
pub fn put_info(out: &mut Vec<u8>, info: &Info<'_>) {
    let mut content = Vec::with_capacity(128);
    ebml::put_uint(&mut content, id::TIMESTAMP_SCALE, 1_000_000);
    ebml::put(&mut content, id::SEGMENT_UUID, &info.uuid);
    match info.duration_ms {
        Some(duration_ms) => ebml::put_float(&mut content, id::DURATION, f64::from(duration_ms)),
        None => ebml::put_void(&mut content, DURATION_BYTES),
    }
    let since_epoch_ns = (info.wall_us as i64).wrapping_sub(EPOCH_S * 1_000_000).saturating_mul(1000);
    ebml::put(&mut content, id::DATE_UTC, &since_epoch_ns.to_be_bytes());
    ebml::put(&mut content, id::TITLE, info.title.as_bytes());
    ebml::put(&mut content, id::MUXING_APP, b"Defender");
    ebml::put(&mut content, id::WRITING_APP, b"Defender");
    ebml::put(out, id::INFO, &content);
}

/// Appends Tracks: pictures of this size, and sound if there is some.
pub fn put_tracks(out: &mut Vec<u8>, size: (u32, u32), sound: Option<&SoundTrack>) {
    let mut video = Vec::new();
    ebml::put_uint(&mut video, id::PIXEL_WIDTH, u64::from(size.0));
    ebml::put_uint(&mut video, id::PIXEL_HEIGHT, u64::from(size.1));
    let mut content = Vec::with_capacity(256);
    put_track(&mut content, Track::Picture, "V_MJPEG", &[], id::VIDEO, &video);
    if let Some(sound) = sound {
        let mut audio = Vec::new();
        ebml::put_float(&mut audio, id::SAMPLING_FREQUENCY, f64::from(sound.format().rate_hz));
        ebml::put_uint(&mut audio, id::CHANNELS, u64::from(sound.format().channels));
        ebml::put_uint(&mut audio, id::BIT_DEPTH, 16);
        let codec = match sound {
            SoundTrack::Flac { .. } => "A_FLAC",
            SoundTrack::Pcm { .. } => "A_PCM/INT/LIT",
        };
        put_track(&mut content, Track::Sound, codec, sound.private(), id::AUDIO, &audio);
    }
    ebml::put(out, id::TRACKS, &content);
}

/// The head of a Cluster with this many bytes of content.
pub fn cluster_head(size: u64) -> [u8; CLUSTER_HEAD_BYTES as usize] {
    wide_head(id::CLUSTER, size)
}

/// The head of a block of `bytes` bytes, `relative_ms` after its Cluster's timestamp. Every block can be decoded without
/// others, so all are key frames.
pub fn block_head(track: Track, relative_ms: i16, bytes: u32) -> [u8; BLOCK_HEAD_BYTES as usize] {
    let mut head = [id::SIMPLE_BLOCK as u8, 0, 0, 0, 0, 0x80 | track as u8, 0, 0, 0x80];
    head[1..5].copy_from_slice(&((bytes + 4) | 0x1000_0000).to_be_bytes());
    head[6..8].copy_from_slice(&relative_ms.to_be_bytes());
    head
}

/// Appends a CuePoint for a picture: its time, the position of its Cluster, and of its block in the Cluster's content.
pub fn put_cue_point(out: &mut Vec<u8>, at_ms: u32, cluster: u64, relative: u32) {
    out.extend_from_slice(&[id::CUE_POINT as u8, 0x80 | 27]);
    ebml::put_u32(out, id::CUE_TIME, at_ms);
    out.extend_from_slice(&[id::CUE_TRACK_POSITIONS as u8, 0x80 | 19]);
    ebml::put_uint(out, id::CUE_TRACK, Track::Picture as u64);
    ebml::put(out, id::CUE_CLUSTER_POSITION, &cluster.to_be_bytes());
    ebml::put_u32(out, id::CUE_RELATIVE_POSITION, relative);
}

fn put_track(out: &mut Vec<u8>, track: Track, codec: &str, private: &[u8], media_id: u32, media: &[u8]) {
    let mut entry = Vec::with_capacity(128);
    ebml::put_uint(&mut entry, id::TRACK_NUMBER, track as u64);
    ebml::put_uint(&mut entry, id::TRACK_UID, track as u64);
    // Matroska's types of tracks are 1 for video and 2 for audio.
    ebml::put_uint(&mut entry, id::TRACK_TYPE, track as u64);
    ebml::put_uint(&mut entry, id::FLAG_LACING, 0);
    ebml::put(&mut entry, id::LANGUAGE, b"und");
    ebml::put(&mut entry, id::CODEC_ID, codec.as_bytes());
    if !private.is_empty() {
        ebml::put(&mut entry, id::CODEC_PRIVATE, private);
    }
    ebml::put(&mut entry, media_id, media);
    ebml::put(out, id::TRACK_ENTRY, &entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_what_the_constants_say() {
        assert_eq!(ebml_head().len() as u64, EBML_HEAD_BYTES);
        let mut out = Vec::new();
        put_cue_point(&mut out, u32::MAX, 1, 2);
        assert_eq!(out.len() as u64, CUE_POINT_BYTES);
        for position in [None, Some(5)] {
            let mut out = Vec::new();
            put_seek_head(&mut out, &[(id::INFO, Some(1)), (id::CUES, position)]);
            assert_eq!(out.len() as u64, seek_head_bytes(2));
        }
    }

    #[test]
    fn info_has_the_same_length_with_and_without_a_duration() {
        let info = Info { uuid: [1; 16], wall_us: 0, title: "front", duration_ms: None };
        let (mut without, mut with) = (Vec::new(), Vec::new());
        put_info(&mut without, &info);
        put_info(&mut with, &Info { duration_ms: Some(u32::MAX), ..info });
        assert_eq!(without.len(), with.len());
    }

    #[test]
    fn a_block_says_its_track_time_and_length() {
        assert_eq!(
            block_head(Track::Sound, -2, 0x0102),
            [0xA3, 0x10, 0, 1, 6, 0x82, 0xFF, 0xFE, 0x80],
            "RFC 9559, section 10.2"
        );
    }
}
