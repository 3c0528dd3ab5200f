//! Sound for listeners: the codecs there are, what a stream of each opens with, and packets.

mod flac;
mod ulaw;
mod wav;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::media::SoundFormat;
use flac::FlacFrame;

/// How sound is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// The samples as they are, S16_LE in WAV.
    Wav,
    /// G.711 mu-law in WAV: half the bytes, the quality of a good telephone line.
    Ulaw,
    /// FLAC: lossless, in about half the bytes.
    Flac,
}

/// Why sound could not be encoded.
#[derive(Debug)]
pub enum SoundError {
    /// FLAC cannot carry this rate or so many channels.
    Flac(SoundFormat, flac_codec::Error),
    /// The encoder returned something that is not a FLAC frame.
    NoFrame,
}

/// An encoded packet.
#[derive(Debug)]
pub struct Packet {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Bytes(Vec<u8>),
    Flac(FlacFrame),
}

impl Codec {
    /// The codecs by the names used in URLs.
    pub const NAMES: [(&'static str, Codec); 3] =
        [("wav", Self::Wav), ("ulaw", Self::Ulaw), ("flac", Self::Flac)];

    /// The codec of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, codec)| codec)
    }

    /// The media type of a stream.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Wav | Self::Ulaw => "audio/wav",
            Self::Flac => "audio/flac",
        }
    }

    /// Frames in a packet: 20 ms of samples as they are, and 40 ms where short packets would
    /// compress badly.
    pub fn packet_frames(self, format: SoundFormat) -> u32 {
        match self {
            Self::Wav => format.rate_hz / 50,
            // From 16 to 16384 frames are allowed in a FLAC block (RFC 9639 section 7), which every
            // rate defender.conf takes keeps to.
            Self::Ulaw | Self::Flac => format.rate_hz / 25,
        }
    }

    /// What a stream without end begins with.
    pub fn opening(self, format: SoundFormat) -> Vec<u8> {
        match self {
            Self::Wav => wav::header(format, wav::Samples::S16, wav::ENDLESS),
            Self::Ulaw => wav::header(format, wav::Samples::MuLaw, wav::ENDLESS),
            Self::Flac => flac::header(format, self.packet_frames(format)),
        }
    }

    /// Encodes one packet of `packet_frames` whole frames.
    ///
    /// # Errors
    /// When FLAC has no way to write this rate or so many channels.
    pub fn encode(self, format: SoundFormat, samples: &[i16]) -> Result<Packet, SoundError> {
        let form = match self {
            Self::Wav => Form::Bytes(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()),
            Self::Ulaw => Form::Bytes(samples.iter().map(|sample| ulaw::byte(*sample)).collect()),
            Self::Flac => {
                let frame = FlacFrame::encode(format, samples);
                Form::Flac(
                    frame.map_err(|error| SoundError::Flac(format, error))?.ok_or(SoundError::NoFrame)?,
                )
            }
        };
        Ok(Packet { form })
    }
}

/// What a WAV file of this many bytes of samples begins with; their number is less than `u32::MAX`.
pub fn wav_head(format: SoundFormat, sample_bytes: u32) -> Vec<u8> {
    wav::header(format, wav::Samples::S16, sample_bytes)
}

/// The samples of a FLAC frame of 16 bits; `None` for anything else.
pub fn decode_flac(frame: &[u8]) -> Option<Vec<i16>> {
    flac::decode(frame)
}

impl Packet {
    /// Its bytes as the packet numbered `number` of one listener's stream, counted from 0.
    pub fn bytes(&self, number: u32) -> Cow<'_, [u8]> {
        match &self.form {
            Form::Bytes(bytes) => Cow::Borrowed(bytes),
            Form::Flac(frame) => Cow::Owned(frame.numbered(number)),
        }
    }
}

impl fmt::Display for SoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flac(format, error) => write!(f, "FLAC cannot carry {format}: {error}"),
            Self::NoFrame => f.write_str("the FLAC encoder returned no frame"),
        }
    }
}

impl Error for SoundError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Flac(_, error) => Some(error),
            Self::NoFrame => None,
        }
    }
}
