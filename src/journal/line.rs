//! The lines of the journal's files: JSON objects, each with a number that no other line has.
//!
//! Of two lines about one event, the one with the greater number is the newer one, in whichever files they are: the
//! wall clock, after which files are named, may be set back. A line that is not understood is left alone.

use std::fmt::Write;

use miniserde::{Deserialize, json};

use super::record::{EventRecord, NOTE_CHARS, REPORTER_CHARS, cut};
use crate::base::text::printable_json;
use crate::media::{Area, CameraName, Event, EventKind, Timestamp};

/// Longest line, in bytes: a note whose characters are all escaped takes 12 bytes for each.
pub(super) const LINE_BYTES: usize = 8 * 1024;

/// Longest name of a zone or a microphone; one of another Defender has the names of both.
const NAME_CHARS: usize = 65;

/// How the note begins that Defender writes about a sound. Earlier versions named the microphone there only.
const HEARD_BY: &str = "microphone ";

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Entry {
    /// All of an event.
    Event(EventRecord),
    /// An event ended.
    End { id: u32, end: Timestamp, is_interrupted: bool },
    /// What people set of an event.
    Change { id: u32, is_kept: bool, note: Box<str> },
    /// An event was deleted.
    Delete { id: u32 },
    /// All ids below this one may have been given away.
    Ids { below: u32 },
}

#[derive(Deserialize)]
struct Raw {
    n: u32,
    #[serde(rename = "do")]
    what: String,
    id: Option<u32>,
    camera: Option<String>,
    kind: Option<String>,
    boot: Option<u32>,
    wall_us: Option<u64>,
    start_us: Option<u64>,
    end_us: Option<u64>,
    score: Option<u8>,
    area: Option<Vec<u16>>,
    keep: Option<bool>,
    interrupted: Option<bool>,
    note: Option<String>,
    by: Option<String>,
    below: Option<u32>,
    zone: Option<String>,
    microphone: Option<String>,
    best_us: Option<u64>,
}

/// The number and the content of a line; `None` of one that is not understood.
pub(super) fn parse(line: &[u8]) -> Option<(u32, Entry)> {
    let raw: Raw = json::from_str(str::from_utf8(line).ok()?).ok()?;
    let n = raw.n;
    let entry = match raw.what.as_str() {
        "event" => Entry::Event(event(raw)?),
        "end" => Entry::End {
            id: raw.id?,
            end: Timestamp::from_micros(raw.end_us?),
            is_interrupted: raw.interrupted.unwrap_or(false),
        },
        "change" => Entry::Change {
            id: raw.id?,
            is_kept: raw.keep?,
            note: cut(&raw.note.unwrap_or_default(), NOTE_CHARS),
        },
        "delete" => Entry::Delete { id: raw.id? },
        "ids" => Entry::Ids { below: raw.below? },
        _ => return None,
    };
    Some((n, entry))
}

fn event(raw: Raw) -> Option<EventRecord> {
    let area = match raw.area.as_deref() {
        None => None,
        Some([left, top, right, bottom]) => {
            Some(Area { left: *left, top: *top, right: *right, bottom: *bottom })
        }
        Some(_) => return None,
    };
    let start = Timestamp::from_micros(raw.start_us?);
    let event = Event {
        id: raw.id?,
        camera: CameraName::new(&raw.camera.unwrap_or_default())?,
        kind: EventKind::from_name(&raw.kind?)?,
        start,
        end: raw.end_us.map(|end| Timestamp::from_micros(end).max(start)),
        score: raw.score.unwrap_or(0),
        area,
    };
    let note = raw.note.unwrap_or_default();
    let heard_by = note.strip_prefix(HEARD_BY).filter(|_| event.kind == EventKind::Sound);
    let microphone = raw.microphone.as_deref().or(heard_by).unwrap_or_default();
    Some(EventRecord {
        is_kept: raw.keep.unwrap_or(false),
        is_interrupted: raw.interrupted.unwrap_or(false),
        note: cut(&note, NOTE_CHARS),
        reporter: cut(&raw.by.unwrap_or_default(), REPORTER_CHARS),
        zone: cut(&raw.zone.unwrap_or_default(), NAME_CHARS),
        microphone: cut(microphone, NAME_CHARS),
        best: raw.best_us.map(Timestamp::from_micros),
        ..EventRecord::new(event, raw.wall_us?, raw.boot?)
    })
}

/// Appends a line with the number `n`.
pub(super) fn write(text: &mut String, n: u32, entry: &Entry) {
    // Writing to a String does not fail.
    let _ = match entry {
        Entry::Event(record) => write_event(text, n, record),
        Entry::End { id, end, is_interrupted } => {
            let cut = if *is_interrupted { r#","interrupted":true"# } else { "" };
            let end = end.as_micros();
            writeln!(text, r#"{{"n":{n},"do":"end","id":{id},"end_us":{end}{cut}}}"#)
        }
        Entry::Change { id, is_kept, note } => {
            let note = quoted(note);
            writeln!(text, r#"{{"n":{n},"do":"change","id":{id},"keep":{is_kept},"note":{note}}}"#)
        }
        Entry::Delete { id } => writeln!(text, r#"{{"n":{n},"do":"delete","id":{id}}}"#),
        Entry::Ids { below } => writeln!(text, r#"{{"n":{n},"do":"ids","below":{below}}}"#),
    };
}

fn write_event(text: &mut String, n: u32, record: &EventRecord) -> std::fmt::Result {
    let Event { id, camera, kind, start, end, score, area } = record.event;
    let (camera, kind, start_us) = (quoted(camera.as_str()), kind.name(), start.as_micros());
    let EventRecord { wall_start_us, boot, .. } = record;
    write!(
        text,
        r#"{{"n":{n},"do":"event","id":{id},"camera":{camera},"kind":"{kind}","wall_us":{wall_start_us},"#
    )?;
    write!(text, r#""boot":{boot},"start_us":{start_us}"#)?;
    if let Some(end) = end {
        write!(text, r#","end_us":{}"#, end.as_micros())?;
    }
    if score > 0 {
        write!(text, r#","score":{score}"#)?;
    }
    if let Some(Area { left, top, right, bottom }) = area {
        write!(text, r#","area":[{left},{top},{right},{bottom}]"#)?;
    }
    for (is_so, key) in [(record.is_kept, "keep"), (record.is_interrupted, "interrupted")] {
        if is_so {
            write!(text, r#","{key}":true"#)?;
        }
    }
    if let Some(best) = record.best {
        write!(text, r#","best_us":{}"#, best.as_micros())?;
    }
    let EventRecord { zone, microphone, note, reporter, .. } = record;
    for (key, value) in [("zone", zone), ("microphone", microphone), ("note", note), ("by", reporter)] {
        if !value.is_empty() {
            write!(text, r#","{key}":{}"#, quoted(value))?;
        }
    }
    text.push_str("}\n");
    Ok(())
}

/// A JSON string that is safe to show in a terminal.
fn quoted(text: &str) -> String {
    printable_json(&json::to_string(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> EventRecord {
        let event = Event {
            id: u32::MAX,
            camera: CameraName::new("front").unwrap(),
            kind: EventKind::CameraLost,
            start: Timestamp::from_micros(7_000_000),
            end: None,
            score: 0,
            area: None,
        };
        EventRecord::new(event, 1_796_000_000_000_001, 0xffff_fffe)
    }

    fn text(n: u32, entry: &Entry) -> String {
        let mut text = String::new();
        write(&mut text, n, entry);
        text
    }

    #[test]
    fn what_is_written_is_read_again() {
        let full = EventRecord {
            event: Event {
                end: Some(Timestamp::from_micros(7_000_001)),
                score: 255,
                area: Some(Area { left: 0, top: 1, right: 65535, bottom: 3 }),
                ..record().event
            },
            is_kept: true,
            is_interrupted: true,
            note: "a \"bell\"\\\n\u{202e}\u{1b}\u{e0041} ünï 👩".into(),
            reporter: "ada by token door".into(),
            zone: "door".into(),
            microphone: "hall".into(),
            best: Some(Timestamp::from_micros(7_000_001)),
            ..record()
        };
        let end = Timestamp::from_micros(u64::MAX);
        for (n, entry) in (u32::MAX - 70..).zip([
            Entry::Event(record()),
            Entry::Event(full),
            Entry::End { id: 3, end, is_interrupted: false },
            Entry::End { id: 3, end, is_interrupted: true },
            Entry::Change { id: 4, is_kept: true, note: "\t".into() },
            Entry::Delete { id: 5 },
            Entry::Ids { below: u32::MAX },
        ]) {
            let line = text(n, &entry);
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(line.len() < 1000 && !line.contains(['\u{1b}', '\u{202e}']), "{line}");
            assert_eq!(parse(line.trim_end().as_bytes()), Some((n, entry)), "{line}");
        }
    }

    #[test]
    fn the_longest_line_is_within_the_limit() {
        let long = EventRecord {
            note: "\u{e0041}".repeat(NOTE_CHARS).into(),
            reporter: "\u{e0041}".repeat(REPORTER_CHARS).into(),
            ..record()
        };
        assert!(text(u32::MAX, &Entry::Event(long)).len() < LINE_BYTES);
    }

    #[test]
    fn the_note_of_an_old_sound_names_its_microphone() {
        let heard_by = |kind, note: &str| {
            let event = Event { kind, ..record().event };
            let line = text(1, &Entry::Event(EventRecord { note: note.into(), event, ..record() }));
            match parse(line.trim_end().as_bytes()) {
                Some((1, Entry::Event(record))) => record.microphone.to_string(),
                other => panic!("{line}: {other:?}"),
            }
        };
        assert_eq!(heard_by(EventKind::Sound, "microphone hall"), "hall");
        assert_eq!(heard_by(EventKind::Sound, "the dog, at the microphone hall"), "");
        assert_eq!(heard_by(EventKind::Manual, "microphone hall"), "");
    }

    #[test]
    fn other_lines_are_not_understood() {
        let good = text(1, &Entry::Event(record()));
        assert!(parse(good.as_bytes()).is_some());
        for (from, to) in [
            ("\"event\"", "\"shred\""),
            ("camera-lost", "earthquake"),
            ("\"front\"", "7"),
            ("\"wall_us\"", "\"wall\""),
            ("\"n\":1", "\"n\":-1"),
            ("\"boot\"", "\"area\":[1,2],\"boot\""),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        for cut in 0..good.len() - 2 {
            assert_eq!(parse(&good.as_bytes()[..cut]), None, "{}", &good[..cut]);
        }
        assert_eq!(parse(b"\0\0\0"), None);
        assert_eq!(parse(b"\xff{}"), None);
    }

    #[test]
    fn a_later_version_may_add_keys() {
        let line = text(1, &Entry::Delete { id: 5 }).replace("\"id\"", "\"colour\":{\"a\":[1]},\"id\"");
        assert_eq!(parse(line.as_bytes()), Some((1, Entry::Delete { id: 5 })));
    }
}
