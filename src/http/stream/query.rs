//! The parameters of streams in the query of a request.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::base::clock;
use crate::base::utc::{self, DAY_US};
use crate::codec::sound::Codec;
use crate::http::reply::Reply;
use crate::media::Scale;
use crate::record::strip::MOST_PICTURES;

/// Highest `fps`: more than any camera delivers.
const MAX_FPS: f64 = 1000.0;

/// Speeds of playback.
const SPEEDS: std::ops::RangeInclusive<f64> = -16.0..=512.0;

/// Slowest speed of playback, in either direction.
const LEAST_SPEED: f64 = 0.05;

/// A parameter that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// `fps` is not a number from 0.001 to 1000.
    Fps,
    /// `codec` is not the name of a codec.
    Codec,
    /// `scale` is not the name of a scale.
    Scale,
    /// `speed` is not a number from -16 to -0.05 or from 0.05 to 512.
    Speed,
    /// The parameter of this name is no moment.
    Moment(&'static str),
    /// `step_s` is not a number from 0.1 to 86400.
    Step,
    /// `n` is not a number of pictures that a strip may have.
    Pictures,
    /// The parameter of this name is missing.
    Missing(&'static str),
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

/// How much faster than it was captured footage is played, from `speed`; 1 if the query names none. Below 0: backwards.
///
/// # Errors
/// When it is not a number from -16 to -0.05 or from 0.05 to 512.
pub fn speed(query: &str) -> Result<f64, QueryError> {
    let Some(value) = parameter(query, "speed=") else { return Ok(1.0) };
    let speed = value.parse::<f64>().map_err(|_| QueryError::Speed)?;
    let is_known = SPEEDS.contains(&speed) && speed.abs() >= LEAST_SPEED;
    if is_known { Ok(speed) } else { Err(QueryError::Speed) }
}

/// A moment in microseconds since 1970, from the parameter `name`; `None` if the query does not name it.
///
/// # Errors
/// When it is neither in RFC 3339 nor in seconds.
pub fn moment(query: &str, name: &'static str) -> Result<Option<u64>, QueryError> {
    let Some(text) = text(query, name)? else { return Ok(None) };
    utc::parse(&text).map(Some).ok_or(QueryError::Moment(name))
}

/// The moment of the parameter `name` as it is written; `None` if the query does not name it.
///
/// # Errors
/// When it is no text.
pub fn text<'q>(query: &'q str, name: &'static str) -> Result<Option<Cow<'q, str>>, QueryError> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let Some((_, value)) = pairs.into_iter().find(|(key, _)| *key == name) else { return Ok(None) };
    percent_decode_str(value).decode_utf8().map(Some).map_err(|_| QueryError::Moment(name))
}

/// As [`moment`], for a parameter that the query has to name.
///
/// # Errors
/// As [`moment`], and when the query does not name it.
pub fn needed_moment(query: &str, name: &'static str) -> Result<u64, QueryError> {
    moment(query, name)?.ok_or(QueryError::Missing(name))
}

/// The span of time in a query, whichever end is named first, in microseconds since 1970; the last day if it names none.
///
/// # Errors
/// When one of its ends is no moment.
pub fn span(query: &str) -> Result<(u64, u64), QueryError> {
    let to_us = moment(query, "to")?.unwrap_or_else(clock::wall_us);
    let from_us = moment(query, "from")?.unwrap_or_else(|| to_us.saturating_sub(DAY_US));
    Ok((from_us.min(to_us), from_us.max(to_us)))
}

/// The length of a step in microseconds, from `step_s`; a minute if the query names none.
///
/// # Errors
/// When it is not a number from 0.1 to 86400.
pub fn step(query: &str) -> Result<u64, QueryError> {
    let Some(value) = parameter(query, "step_s=") else { return Ok(60_000_000) };
    match value.parse::<f64>() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok((seconds * 1e6) as u64),
        _ => Err(QueryError::Step),
    }
}

/// How many pictures a strip has, from `n`; 20 if the query names none.
///
/// # Errors
/// When it is not a whole number from 1 to 50.
pub fn pictures(query: &str) -> Result<u32, QueryError> {
    let Some(value) = parameter(query, "n=") else { return Ok(20) };
    value.parse().ok().filter(|count| (1..=MOST_PICTURES).contains(count)).ok_or(QueryError::Pictures)
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
            Self::Step => f.write_str("step_s must be a number from 0.1 to 86400"),
            Self::Pictures => write!(f, "n must be a whole number from 1 to {MOST_PICTURES}"),
            Self::Speed => f.write_str("speed must be a number from -16 to -0.05 or from 0.05 to 512"),
            Self::Moment(name) => write!(
                f,
                "{name} must be a time such as 2026-11-29T08:00:00Z, or in seconds since 1970 such as 1795939200.5"
            ),
            Self::Missing(name) => {
                write!(f, "{name} is missing: name a time such as {name}=2026-11-29T08:00:00Z")
            }
            Self::Scale => {
                write!(f, "scale must be one of {}", Scale::NAMES.map(|(name, _)| name).join(", "))
            }
        }
    }
}

impl Error for QueryError {}

impl From<QueryError> for Reply {
    fn from(error: QueryError) -> Self {
        Self::error(400, &error.to_string())
    }
}

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
    fn speeds_and_moments_are_read_and_checked() {
        assert_eq!((speed(""), speed("speed=-16"), speed("a=b&speed=512")), (Ok(1.0), Ok(-16.0), Ok(512.0)));
        for nonsense in ["speed=0", "speed=", "speed=-17", "speed=513", "speed=nan", "speed=0.01"] {
            assert_eq!(speed(nonsense), Err(QueryError::Speed), "{nonsense}");
        }
        assert_eq!(moment("to=5&from=1.5", "from"), Ok(Some(1_500_000)));
        assert_eq!(moment("from=1970-01-01T01%3A00%3A02%2B01%3A00", "from"), Ok(Some(2_000_000)));
        assert_eq!(moment("from=yesterday", "from"), Err(QueryError::Moment("from")));
        assert_eq!(moment("fromage=1", "from"), Ok(None));
    }

    #[test]
    fn a_strip_has_a_bounded_number_of_pictures() {
        assert_eq!((pictures(""), pictures("n=1"), pictures("a=b&n=50")), (Ok(20), Ok(1), Ok(50)));
        for nonsense in ["n=", "n=0", "n=51", "n=-1", "n=1.5", "n=4294967297"] {
            assert_eq!(pictures(nonsense), Err(QueryError::Pictures), "{nonsense}");
        }
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
