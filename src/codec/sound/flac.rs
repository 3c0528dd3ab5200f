//! FLAC streams without end (RFC 9639): a stream header without length and checksum, and frames that are encoded
//! once and numbered for each listener.
//!
//! The frames of a stream are numbered without a gap, but listeners begin and skip at different times. So the frame
//! header, which has the number, is written for each listener, with the checksums.

use flac_codec::decode::FlacStreamReader;
use flac_codec::encode::{FlacStreamWriter, Options};

use crate::media::SoundFormat;

/// An encoded frame without number and checksums.
#[derive(Debug)]
pub(super) struct FlacFrame {
    /// The first four bytes of the head: sync code, block size, rate, channels.
    start: [u8; 4],
    /// Head and subframes from behind the number to before the checksum of the head, and from
    /// behind that to before the checksum of the frame.
    sizes: Vec<u8>,
    subframes: Vec<u8>,
}

/// The head of a stream: the marker and STREAMINFO (RFC 9639 section 8.2).
pub(super) fn header(format: SoundFormat, block_frames: u32) -> Vec<u8> {
    const STREAMINFO_BYTES: u8 = 34;
    const BITS_A_SAMPLE: u64 = 16;
    let block = (block_frames as u16).to_be_bytes();
    let mut header = b"fLaC".to_vec();
    // The last metadata block, type 0.
    header.extend([0x80, 0, 0, STREAMINFO_BYTES]);
    header.extend([block, block].concat());
    // Smallest and greatest frame: unknown.
    header.extend([0; 6]);
    // 20 bits of rate, 3 of channels, 5 of sample size, 36 of length, which is unknown.
    let channels = u64::from(format.channels - 1);
    let packed = u64::from(format.rate_hz) << 44 | channels << 41 | (BITS_A_SAMPLE - 1) << 36;
    header.extend(packed.to_be_bytes());
    // The checksum of all samples: unknown.
    header.extend([0; 16]);
    header
}

impl FlacFrame {
    /// Encodes one block; `None` if the encoder's output is not a frame.
    ///
    /// # Errors
    /// When a stream cannot carry the rate or so many channels.
    pub(super) fn encode(format: SoundFormat, samples: &[i16]) -> Result<Option<Self>, flac_codec::Error> {
        let samples: Vec<i32> = samples.iter().map(|sample| i32::from(*sample)).collect();
        let mut bytes = Vec::with_capacity(samples.len() * 2);
        // The fast setting: fixed predictors need little time on a slow core, and compress speech nearly as well as
        // the expensive ones.
        FlacStreamWriter::new(&mut bytes, Options::fast()).write(
            format.rate_hz,
            format.channels as u8,
            16,
            &samples,
        )?;
        Ok(Self::split(&bytes))
    }

    /// Splits a frame with the number 0 into its parts.
    fn split(bytes: &[u8]) -> Option<Self> {
        let start: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
        // RFC 9639 sections 9.1.1 and 9.1.2: these codes have one or two bytes of their own.
        let size_bytes = match start[2] >> 4 {
            6 => 1,
            7 => 2,
            _ => 0,
        };
        let rate_bytes = match start[2] & 0x0f {
            12 => 1,
            13 | 14 => 2,
            _ => 0,
        };
        // The number 0 is one byte; then the sizes, then the head's checksum.
        let sizes_end = 5 + size_bytes + rate_bytes;
        let sizes = bytes.get(5..sizes_end)?.to_vec();
        let subframes = bytes.get(sizes_end + 1..bytes.len().checked_sub(2)?)?.to_vec();
        Some(Self { start, sizes, subframes })
    }

    /// The frame's bytes with this number.
    pub(super) fn numbered(&self, number: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.subframes.len() + 16);
        bytes.extend(self.start);
        push_number(&mut bytes, number);
        bytes.extend(&self.sizes);
        bytes.push(crc8(&bytes));
        bytes.extend(&self.subframes);
        let checksum = crc16(&bytes);
        bytes.extend(checksum.to_be_bytes());
        bytes
    }
}

/// The samples of a frame; `None` for what is no frame, or not one of 16 bits.
pub(super) fn decode(frame: &[u8]) -> Option<Vec<i16>> {
    let mut reader = FlacStreamReader::new(frame);
    let decoded = reader.read().ok()?;
    decoded.samples.iter().map(|sample| i16::try_from(*sample).ok()).collect()
}

/// A frame's number in the extended UTF-8 form of RFC 9639 section 9.1.5; 31 bits of it, after
/// which, in years, it starts over.
fn push_number(bytes: &mut Vec<u8>, number: u32) {
    let number = number & 0x7fff_ffff;
    let significant = 32 - number.leading_zeros();
    if significant <= 7 {
        return bytes.push(number as u8);
    }
    // Each byte after the first holds six bits; the first has room for 6 less the number of them.
    let following = (1..=5).find(|following| significant <= 6 * following + 6 - following).unwrap_or(5);
    let marker = !(0x7f_u8 >> following);
    bytes.push(marker | (number >> (6 * following)) as u8);
    for place in (0..following).rev() {
        bytes.push(0x80 | (number >> (6 * place)) as u8 & 0x3f);
    }
}

/// CRC-8 with the polynomial x^8 + x^2 + x + 1 (RFC 9639 section 9.1.8).
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

/// CRC-16 with the polynomial x^16 + x^15 + x^2 + 1 (RFC 9639 section 9.3).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRC16_TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

static CRC16_TABLE: [u16; 256] = {
    let mut table = [0_u16; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x8005 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use flac_codec::decode::{FlacSampleReader, FlacStreamReader};

    fn noise(frames: u32, format: SoundFormat) -> Vec<i16> {
        (0..frames * format.channels).map(|at| (at.wrapping_mul(2_654_435_761) >> 20) as i16).collect()
    }

    #[test]
    fn every_number_is_written_as_the_standard_says() {
        let rows: [(u32, &[u8]); 6] = [
            (0x7f, &[0x7f]),
            (0x80, &[0xc2, 0x80]),
            (0x800, &[0xe0, 0xa0, 0x80]),
            (0x1_0000, &[0xf0, 0x90, 0x80, 0x80]),
            (0x20_0000, &[0xf8, 0x88, 0x80, 0x80, 0x80]),
            (0x7fff_ffff, &[0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]),
        ];
        for (number, expected) in rows {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            assert_eq!(bytes, expected, "{number:#x}");
        }
    }

    #[test]
    fn a_frame_with_any_number_gives_its_samples_back() {
        for (rate_hz, channels) in [(32_000, 1), (44_100, 2), (22_050, 1), (8_000, 1), (192_000, 2)] {
            let format = SoundFormat { rate_hz, channels };
            let samples = noise(rate_hz / 25, format);
            let frame = FlacFrame::encode(format, &samples).unwrap().unwrap();
            for number in [0, 1, 127, 128, 70_000, 0x7fff_ffff] {
                let bytes = frame.numbered(number);
                let mut reader = FlacStreamReader::new(std::io::Cursor::new(bytes));
                let back = reader.read().unwrap();
                assert!(back.samples.iter().zip(&samples).all(|(back, sample)| *back == i32::from(*sample)));
                assert_eq!((back.samples.len(), back.sample_rate), (samples.len(), rate_hz));
            }
        }
    }

    #[test]
    fn a_stream_is_read_from_its_head_on() {
        let format = SoundFormat { rate_hz: 32_000, channels: 2 };
        let samples = noise(1280 * 3, format);
        let mut stream = header(format, 1280);
        for (number, block) in samples.chunks(1280 * 2).enumerate() {
            stream.extend(FlacFrame::encode(format, block).unwrap().unwrap().numbered(number as u32));
        }
        let mut reader = FlacSampleReader::new(std::io::Cursor::new(stream)).unwrap();
        let mut back = Vec::new();
        reader.read_to_end(&mut back).unwrap();
        assert_eq!(back, samples.iter().map(|sample| i32::from(*sample)).collect::<Vec<_>>());
    }
}
