//! The parameters of streams in the query of a request.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::codec::sound::Codec;
use crate::media::Scale;

/// Highest `fps`: more than any camera delivers.
const MAX_FPS: f64 = 1000.0;

/// A parameter that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// `fps` is not a number from 0.001 to 1000.
    Fps,
    /// `codec` is not the name of a codec.
    Codec,
    /// `scale` is not the name of a scale.
    Scale,
}

/// The least time between two frames, from `fps`; `None` if the query does not limit the rate.
///
/// # Errors
/// When `fps` is not a number from 0.001 to 1000.
pub fn interval(query: &str) -> Result<Option<Duration>, QueryError> {
    let Some(value) = parameter(query, "fps=") else { return Ok(None) };
    match value.parse::<f64>() {
        // The lower bound keeps the interval within what a Duration can hold.
        Ok(fps) if (0.001..=MAX_FPS).contains(&fps) => Ok(Some(Duration::from_secs_f64(1.0 / fps))),
        _ => Err(QueryError::Fps),
    }
}

/// The codec, from `codec`; WAV if the query names none.
///
/// # Errors
/// When there is no such codec.
pub fn codec(query: &str) -> Result<Codec, QueryError> {
    let Some(name) = parameter(query, "codec=") else { return Ok(Codec::Wav) };
    Codec::from_name(name).ok_or(QueryError::Codec)
}

/// The size of the picture, from `scale`; the camera's if the query names none.
///
/// # Errors
/// When there is no such scale.
pub fn scale(query: &str) -> Result<Scale, QueryError> {
    let Some(value) = parameter(query, "scale=") else { return Ok(Scale::Whole) };
    // A slash may stand in a query as it is (RFC 3986, section 3.4); many clients encode it.
    let name = percent_decode_str(value).decode_utf8().map_err(|_| QueryError::Scale)?;
    Scale::from_name(&name).ok_or(QueryError::Scale)
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name))
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fps => write!(f, "fps must be a number from 0.001 to {MAX_FPS}"),
            Self::Codec => {
                write!(f, "codec must be one of {}", Codec::NAMES.map(|(name, _)| name).join(", "))
            }
            Self::Scale => {
                write!(f, "scale must be one of {}", Scale::NAMES.map(|(name, _)| name).join(", "))
            }
        }
    }
}

impl Error for QueryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_without_a_codec_asks_for_wav() {
        assert_eq!(codec(""), Ok(Codec::Wav));
        assert_eq!(codec("at=1&codec=flac"), Ok(Codec::Flac));
        assert_eq!(codec("codec=mp3").unwrap_err().to_string(), "codec must be one of wav, ulaw, flac");
    }

    #[test]
    fn scale_is_read_with_and_without_encoding() {
        assert_eq!(scale(""), Ok(Scale::Whole));
        assert_eq!(scale("scale=1/8"), Ok(Scale::Eighth));
        assert_eq!(scale("a=1&scale=1%2F2"), Ok(Scale::Half));
        assert_eq!(scale("scale=1/3").unwrap_err().to_string(), "scale must be one of 1, 1/2, 1/4, 1/8");
        assert_eq!(scale("scale=%ff"), Err(QueryError::Scale));
    }

    #[test]
    fn fps_is_read_from_the_query_and_checked() {
        assert_eq!(interval("a=b&fps=4"), Ok(Some(Duration::from_millis(250))));
        assert_eq!(interval("a=b"), Ok(None));
        for nonsense in ["fps=", "fps=0", "fps=-1", "fps=x", "fps=nan", "fps=inf", "fps=1e-9", "fps=1e9"] {
            assert!(interval(nonsense).is_err(), "{nonsense}");
        }
        assert_eq!(QueryError::Fps.to_string(), "fps must be a number from 0.001 to 1000");
    }
}
