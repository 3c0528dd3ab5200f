//! The query of `GET /api/1.0/events`.

use percent_encoding::percent_decode_str;

use crate::base::utc;
use crate::journal::{EventQuery, EventRecord};
use crate::media::EventKind;

const DEFAULT_EVENTS: usize = 100;
const MAX_EVENTS: usize = 1000;

/// Which events are asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    from_us: Option<u64>,
    to_us: Option<u64>,
    camera: Option<String>,
    kind: Option<EventKind>,
    zone: Option<String>,
    before: Option<u32>,
    limit: usize,
}

impl Wanted {
    /// Whether the query asks for events of this camera, kind and zone.
    pub fn is_wanted(&self, record: &EventRecord) -> bool {
        let event = &record.event;
        self.camera.as_ref().is_none_or(|camera| event.camera.as_str() == camera)
            && self.kind.is_none_or(|kind| event.kind == kind)
            && self.zone.as_ref().is_none_or(|zone| *record.zone == **zone)
    }

    /// The query to the journal, of those events that `is_wanted` lets pass.
    pub fn query<'q>(&self, is_wanted: &'q dyn Fn(&EventRecord) -> bool) -> EventQuery<'q> {
        let Self { from_us, to_us, before, limit, .. } = *self;
        EventQuery { from_us, to_us, is_wanted, before, limit }
    }
}

/// Reads a query; other parameters are passed over.
///
/// # Errors
/// Which parameter is wrong, and what it must be.
pub fn read(query: &str) -> Result<Wanted, String> {
    let limit = match parameter(query, "limit=") {
        None => DEFAULT_EVENTS,
        Some(text) => number(&text)
            .map(|limit| limit as usize)
            .filter(|limit| (1..=MAX_EVENTS).contains(limit))
            .ok_or_else(|| format!("limit must be a whole number from 1 to {MAX_EVENTS}"))?,
    };
    let before = match parameter(query, "before=") {
        None => None,
        Some(text) => Some(number(&text).ok_or("before must be the id of an event")?),
    };
    let kind = match parameter(query, "kind=") {
        None => None,
        Some(name) => Some(EventKind::from_name(&name).ok_or_else(|| {
            format!("kind must be one of {}", EventKind::ALL.map(EventKind::name).join(", "))
        })?),
    };
    let (from_us, to_us) = (moment(query, "from")?, moment(query, "to")?);
    let [camera, zone] = ["camera=", "zone="].map(|name| parameter(query, name));
    Ok(Wanted { from_us, to_us, camera, kind, zone, before, limit })
}

fn moment(query: &str, name: &str) -> Result<Option<u64>, String> {
    let Some(text) = parameter(query, &format!("{name}=")) else { return Ok(None) };
    utc::parse(&text).map(Some).ok_or_else(|| {
        format!(
            "{name} must be a moment such as 2026-11-29T08:15:00Z (with %2B for the + of an offset), or seconds \
             since 1970"
        )
    })
}

/// A whole number, in digits and nothing else.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The value of a parameter, decoded. One that is not UTF-8 is one that nothing is equal to.
fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_with_its_defaults() {
        let all = Wanted {
            from_us: None,
            to_us: None,
            camera: None,
            kind: None,
            zone: None,
            before: None,
            limit: 100,
        };
        assert_eq!(read(""), Ok(all));
        let query = "from=1795939200.5&to=2026-11-29T09:00:00%2B01:00&camera=fr%6Fnt&kind=camera-lost&zone=door%20step&limit=1000&before=7";
        let wanted = Wanted {
            from_us: Some(1_795_939_200_500_000),
            to_us: Some(1_795_939_200_000_000),
            camera: Some("front".to_owned()),
            kind: Some(EventKind::CameraLost),
            zone: Some("door step".to_owned()),
            before: Some(7),
            limit: 1000,
        };
        assert_eq!(read(query), Ok(wanted));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, name) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=+1", "limit"),
            ("limit=", "limit"),
            ("before=-1", "before"),
            ("before=4294967296", "before"),
            ("kind=Motion", "kind"),
            ("kind=%ff", "kind"),
            ("from=yesterday", "from"),
            ("to=-1", "to"),
            ("to=", "to"),
        ] {
            let error = read(query).unwrap_err();
            assert!(error.starts_with(&format!("{name} must be ")), "{query}: {error}");
        }
    }
}
