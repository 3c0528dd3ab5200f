//! The head of a WAV file, with or without an end (Microsoft, "Multimedia Programming Interface and Data
//! Specifications 1.0", RIFF and WAVE chapters).

use crate::media::SoundFormat;

/// The length of a stream without end.
pub(super) const ENDLESS: u32 = u32::MAX;

/// How samples are stored.
#[derive(Clone, Copy)]
pub(super) enum Samples {
    /// Signed 16 bits, little endian: `WAVE_FORMAT_PCM`.
    S16,
    /// G.711 mu-law: `WAVE_FORMAT_MULAW`.
    MuLaw,
}

/// Everything up to the first of `bytes` of samples: 44 bytes for S16, 46 for mu-law.
pub(super) fn header(format: SoundFormat, samples: Samples, bytes: u32) -> Vec<u8> {
    // Formats other than PCM say how many bytes of their own follow: none.
    let (tag, bytes_a_sample, extra): (u16, u16, &[u8]) = match samples {
        Samples::S16 => (1, 2, &[]),
        Samples::MuLaw => (7, 1, &[0, 0]),
    };
    let channels = format.channels as u16;
    let frame_bytes = bytes_a_sample * channels;
    let mut header = Vec::with_capacity(46);
    header.extend(b"RIFF");
    let extra_bytes = extra.len() as u32;
    header.extend(bytes.saturating_add(36 + extra_bytes).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend((16 + extra_bytes).to_le_bytes());
    header.extend(tag.to_le_bytes());
    header.extend(channels.to_le_bytes());
    header.extend(format.rate_hz.to_le_bytes());
    header.extend((format.rate_hz * u32::from(frame_bytes)).to_le_bytes());
    header.extend(frame_bytes.to_le_bytes());
    header.extend((bytes_a_sample * 8).to_le_bytes());
    header.extend(extra);
    header.extend(b"data");
    header.extend(bytes.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_what_the_samples_are_and_that_they_never_end() {
        let format = SoundFormat { rate_hz: 32_000, channels: 2 };
        let head = header(format, Samples::S16, ENDLESS);
        let expected = [
            &b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x02\0\x00\x7d\0\0\x00\xf4\x01\0\x04\0\x10\0"[..],
            b"data\xff\xff\xff\xff",
        ];
        assert_eq!(head, expected.concat());
        let file = header(format, Samples::S16, 0x0102_0304);
        assert_eq!((&file[4..8], &file[40..]), (&[0x28, 3, 2, 1][..], &[4, 3, 2, 1][..]));
    }
}
