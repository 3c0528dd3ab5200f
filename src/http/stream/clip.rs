//! Clips: footage as a file, whole or a range of it (RFC 9110, section 14).

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::base::{hex, utc};
use crate::gate::{After, Client, Job, longest_reply};
use crate::http::etag;
use crate::http::reply::{Reply, ResponseContext};
use crate::record::{Clip, ClipKind};

/// A disk is at least as fast as this. Checksums at the end of a ZIP are those of everything before.
const SLOWEST_DISK_BYTES_A_SECOND: u64 = 4 * 1024 * 1024;

/// Time that any disk has in addition.
const DISK_GRACE: Duration = Duration::from_secs(30);

/// What a client asks for of a clip.
#[derive(Debug, Default)]
pub struct Conditions {
    /// The value of `Range`.
    pub range: Option<String>,
    /// The value of `If-Range`.
    pub if_range: Option<String>,
    /// The value of `If-None-Match`.
    pub known_tags: Option<String>,
}

/// How a clip is sent.
pub struct Response {
    /// Only the head of the response.
    pub head_only: bool,
    /// What all responses have.
    pub context: ResponseContext,
    /// Whether the connection is kept.
    pub keep: bool,
}

/// The job that sends a clip of this kind under the name `name`, without its ending.
pub fn send(
    mut clip: Clip,
    (name, kind): (&str, ClipKind),
    conditions: &Conditions,
    response: Response,
) -> Result<Job, Reply> {
    let tag = format!("\"{}\"", hex::encode(&clip.id()));
    if etag::is_known(&tag, conditions.known_tags.as_deref()) {
        return Err(Reply::empty(304).with("ETag", tag));
    }
    let length = clip.length();
    let is_same = conditions.if_range.as_ref().is_none_or(|known| *known == tag);
    let wanted = conditions.range.as_deref().filter(|_| is_same);
    let range = match wanted.map(|wanted| range(wanted, length)) {
        Some(Asked::Unsatisfiable) => {
            let reply = Reply::error(416, &format!("the clip has {length} bytes"));
            return Err(reply.with("Content-Range", format!("bytes */{length}")));
        }
        Some(Asked::Part(part)) => Some(part),
        Some(Asked::Whole) | None => None,
    };
    let reply = Reply::clip(if range.is_some() { 206 } else { 200 }, kind.content_type())
        .with("Accept-Ranges", "bytes")
        .with("ETag", tag)
        .with("Cache-Control", "private, no-cache")
        .with("Content-Disposition", format!("attachment; filename=\"{name}.{}\"", kind.ending()))
        .with("X-Clip-From", utc::rfc3339(clip.from_us))
        .with("X-Clip-To", utc::rfc3339(clip.to_us));
    let reply = match &range {
        Some(part) => reply.with("Content-Range", format!("bytes {}-{}/{length}", part.start, part.end - 1)),
        None => reply,
    };
    let range = range.unwrap_or(0..length);
    Ok(Box::new(move |client: &mut Client| {
        let Response { head_only, context, keep } = response;
        client.write_all(&reply.head(range.end - range.start, &context, keep))?;
        if !head_only {
            send_range(&mut clip, range, client)?;
        }
        Ok(if keep { After::KeepAlive } else { After::Close })
    }))
}

fn send_range(clip: &mut Clip, range: Range<u64>, client: &mut Client) -> io::Result<()> {
    let bytes = range.end - range.start;
    // Each write has its own limit; this one is for the whole range.
    let of_disk = DISK_GRACE + Duration::from_secs(clip.length() / SLOWEST_DISK_BYTES_A_SECOND);
    let deadline = Instant::now() + longest_reply(bytes) + of_disk;
    clip.send(range.start, range.end, &mut |piece| {
        if Instant::now() >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        if piece.is_empty() && client.is_gone() {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        client.write_all(piece)
    })
}

/// What a `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// Everything: there is no range, or one that is not understood.
    Whole,
    Part(Range<u64>),
    Unsatisfiable,
}

/// Reads a `Range` with one range of bytes. Several ranges are answered with the whole, as is allowed.
fn range(value: &str, length: u64) -> Asked {
    let Some(spec) = value.strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else {
        return Asked::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asked::Whole };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok());
    let (Some(first), Some(last)) = (number(first), number(last)) else { return Asked::Whole };
    match (first, last) {
        (None, None) => Asked::Whole,
        (None, Some(0)) => Asked::Unsatisfiable,
        (None, Some(suffix)) => Asked::Part(length.saturating_sub(suffix)..length),
        (Some(first), _) if first >= length => Asked::Unsatisfiable,
        (Some(first), Some(last)) if last < first => Asked::Whole,
        (Some(first), last) => {
            Asked::Part(first..last.map_or(length, |last| last.saturating_add(1)).min(length))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        for (value, asked) in [
            ("bytes=0-", Asked::Part(0..100)),
            ("bytes=10-19", Asked::Part(10..20)),
            ("bytes=10-1000", Asked::Part(10..100)),
            ("bytes=-5", Asked::Part(95..100)),
            ("bytes=-500", Asked::Part(0..100)),
            ("bytes=100-", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=9-3", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("pages=1-2", Asked::Whole),
            ("bytes=99999999999999999999-", Asked::Whole),
        ] {
            assert_eq!(range(value, 100), asked, "{value}");
        }
    }
}
