//! `/api/1.0/events/live`: events as they begin and end, as server-sent events (HTML standard, "Server-sent events").
//!
//! A client costs a cursor, and no memory for what it has not read. One that reads too slowly loses events, and a
//! message says so.

use std::sync::Arc;

use miniserde::json;

use super::sse;
use crate::base::text::printable_json;
use crate::gate::Job;
use crate::http::api::events::{document, may_see};
use crate::http::reply::ResponseContext;
use crate::hub::Received;
use crate::journal::{EventRecord, Journal};
use crate::media::Event;
use crate::users::Identity;

/// Said of events that the client was too slow for.
const LOST: &str = "event: lost\ndata: {}\n\n";

/// The job that sends events that the user may see; only the head of the response if `head_only`.
pub fn stream(journal: Arc<Journal>, user: Identity, head_only: bool, context: ResponseContext) -> Job {
    let mut reader = journal.follow();
    let next = move |wait| {
        let mut text = String::new();
        match reader.next(wait) {
            Received::Posted { value, lost } => {
                if lost > 0 {
                    text.push_str(LOST);
                }
                let record = journal.record_of(&value);
                if may_see(&user, &record) {
                    messages(&value, record, &mut text);
                }
            }
            Received::TimedOut => {}
            Received::Closed => return None,
        }
        Some(text)
    };
    sse::stream(head_only, context, Box::new(next))
}

/// The messages about a post: `start`, `end`, or both of an instant.
fn messages(posted: &Event, record: EventRecord, text: &mut String) {
    let is_instant = posted.end == Some(posted.start);
    let names = [("start", posted.end.is_none() || is_instant), ("end", posted.end.is_some())];
    // The record may have ended since; each message shows the event as it was posted.
    let record = EventRecord { event: *posted, ..record };
    let data = json::to_string(&document(&record));
    for (name, _) in names.into_iter().filter(|(_, is_sent)| *is_sent) {
        for piece in
            ["event: ", name, "\nid: ", &posted.id.to_string(), "\ndata: ", &printable_json(&data), "\n\n"]
        {
            text.push_str(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{CameraName, EventKind, Timestamp};

    #[test]
    fn start_and_end_are_sent_as_they_were_posted() {
        let at = Timestamp::from_micros;
        let event = |end| Event {
            id: 7,
            camera: CameraName::new("front").unwrap(),
            kind: EventKind::Manual,
            start: at(5),
            end,
            score: 0,
            area: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("events"), crate::hub::events(8));
        let sent = |event: Event| {
            let mut text = String::new();
            messages(&event, journal.record_of(&event), &mut text);
            text
        };
        for (end, names) in
            [(None, vec!["start"]), (Some(at(9)), vec!["end"]), (Some(at(5)), vec!["start", "end"])]
        {
            let text = sent(event(end));
            let found: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
            assert_eq!(found, names, "{text}");
            assert_eq!(text.matches("\n\n").count(), names.len());
            assert_eq!(text.contains("\"end\":null"), end.is_none(), "{text}");
        }
    }
}
