//! What another Defender says it has.
//!
//! What the other server has from a third one (`relayed`) is not taken: two servers that list each other would
//! multiply their cameras without end.

use miniserde::{Deserialize, json};

use super::RemoteError;
use crate::base::{limits, names, text};

/// Most cameras, and most microphones, taken from one other: each costs a thread here.
const DEVICES_MAX: usize = 16;

/// Most samples a second of all microphones of one other together: some seconds of each are kept here.
/// Eight in stereo at 48 kHz.
const SAMPLES_MAX: u32 = 8 * 2 * 48_000;

/// Most further streams of all cameras of one other together: each costs a thread here, too.
const STREAMS_MAX: usize = 32;

/// Cameras and microphones of another Defender.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// Its cameras, in its order.
    pub cameras: Vec<RemoteCamera>,
    /// Its microphones, in its order.
    pub microphones: Vec<RemoteMicrophone>,
}

impl Listing {
    /// How many there are of each, for people.
    pub fn summary(&self) -> String {
        let counted =
            |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let (cameras, microphones) = (self.cameras.len(), self.microphones.len());
        format!("{}, {}", counted(cameras, "camera"), counted(microphones, "microphone"))
    }
}

/// A camera there.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteCamera {
    /// Its name there.
    pub name: String,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second.
    pub fps: f64,
    /// Why it is not online there.
    pub problem: Option<String>,
    /// Why the test card stands in for it there.
    pub stand_in: Option<String>,
    /// Its further streams, in their order there.
    pub streams: Vec<RemoteStream>,
}

/// A further stream of a camera there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteStream {
    /// Its name there.
    pub name: String,
    /// The size of its pictures as the status has it, such as `1/2`; not checked.
    pub scale: String,
    /// Frames a second at the most; `None` takes every frame of the camera.
    pub fps: Option<u32>,
    /// JPEG quality; `None` keeps that of the camera.
    pub quality: Option<u8>,
}

/// A microphone there.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteMicrophone {
    /// Its name there.
    pub name: String,
    /// Samples a second.
    pub rate_hz: u32,
    /// Channels.
    pub channels: u32,
    /// Why it is not online there.
    pub problem: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    cameras: Vec<Camera>,
    microphones: Vec<Microphone>,
}

#[derive(Deserialize)]
struct Camera {
    name: String,
    online: bool,
    problem: Option<String>,
    width: u32,
    height: u32,
    fps: f64,
    /// Missing where an older Defender answers, as the next one.
    relayed: Option<bool>,
    streams: Option<Vec<Stream>>,
}

#[derive(Deserialize)]
struct Stream {
    name: String,
    scale: String,
    fps: Option<u32>,
    quality: Option<u32>,
}

#[derive(Deserialize)]
struct Microphone {
    name: String,
    online: bool,
    problem: Option<String>,
    rate_hz: u32,
    channels: u32,
    relayed: Option<bool>,
}

impl Listing {
    /// Whether both have the same devices, whatever else is known of them.
    pub fn same_devices(&self, other: &Self) -> bool {
        let camera = |found: &RemoteCamera| RemoteCamera { problem: None, stand_in: None, ..found.clone() };
        let microphone = |found: &RemoteMicrophone| RemoteMicrophone { problem: None, ..found.clone() };
        self.cameras.iter().map(camera).eq(other.cameras.iter().map(camera))
            && self.microphones.iter().map(microphone).eq(other.microphones.iter().map(microphone))
    }

    /// Reads a status document. Devices with names or formats that none can have here are left out, and
    /// those that the other has from a third itself: two that list each other would breed them without end.
    ///
    /// # Errors
    /// When it is no status document.
    pub fn parse(bytes: &[u8]) -> Result<Self, RemoteError> {
        let text = str::from_utf8(bytes).map_err(|_| RemoteError::Garbled("its status"))?;
        let status: Status = json::from_str(text).map_err(|_| RemoteError::Garbled("its status"))?;
        let is_size = |side: u32| limits::SIDE.contains(&side);
        let cameras = status.cameras.into_iter().filter(|camera| {
            let is_own = camera.relayed != Some(true) && names::is_name(&camera.name);
            is_own && is_size(camera.width) && is_size(camera.height) && camera.fps.is_finite()
        });
        let microphones = status.microphones.into_iter().filter(|microphone| {
            let is_format =
                (8000..=192_000).contains(&microphone.rate_hz) && (1..=8).contains(&microphone.channels);
            microphone.relayed != Some(true) && names::is_name(&microphone.name) && is_format
        });
        let mut left = SAMPLES_MAX;
        let microphones = microphones.filter(|microphone| {
            let taken = left.checked_sub(microphone.rate_hz * microphone.channels);
            left = taken.unwrap_or(left);
            taken.is_some()
        });
        let mut streams_left = STREAMS_MAX;
        Ok(Self {
            cameras: cameras.take(DEVICES_MAX).map(|found| camera(found, &mut streams_left)).collect(),
            microphones: microphones.take(DEVICES_MAX).map(microphone).collect(),
        })
    }
}

/// A camera, with at most `streams_left` streams, from which they are taken.
fn camera(found: Camera, streams_left: &mut usize) -> RemoteCamera {
    let Camera { name, online, problem, width, height, fps, relayed: _, streams: listed } = found;
    let stand_in = problem.as_deref().filter(|_| online).map(sanitized);
    let mut streams: Vec<RemoteStream> = Vec::new();
    for found in listed.unwrap_or_default() {
        let is_taken = streams.iter().any(|other| other.name == found.name);
        if !is_taken && streams.len() < limits::STREAMS.min(*streams_left) {
            streams.extend(stream(found));
        }
    }
    *streams_left -= streams.len();
    RemoteCamera { name, width, height, fps, problem: why(online, problem), stand_in, streams }
}

/// A stream; `None` for one that no camera can have here.
fn stream(found: Stream) -> Option<RemoteStream> {
    let Stream { name, scale, fps, quality } = found;
    let fits = names::is_name(&name)
        && fps.is_none_or(|fps| limits::FPS.contains(&fps))
        && quality.is_none_or(|quality| limits::QUALITY.contains(&quality));
    fits.then(|| RemoteStream { name, scale, fps, quality: quality.map(|quality| quality as u8) })
}

fn microphone(found: Microphone) -> RemoteMicrophone {
    let Microphone { name, online, problem, rate_hz, channels, relayed: _ } = found;
    RemoteMicrophone { name, rate_hz, channels, problem: why(online, problem) }
}

/// Why a device is not online.
fn why(online: bool, problem: Option<String>) -> Option<String> {
    if online {
        return None;
    }
    Some(problem.as_deref().map_or_else(|| "offline there".to_owned(), sanitized))
}

/// A sentence of another server, cut and escaped for a log line and a no-signal frame.
fn sanitized(sentence: &str) -> String {
    const LONGEST: usize = 200;
    let start: String = sentence.chars().take(LONGEST).collect();
    text::printable(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_card_that_stands_in_is_no_outage() {
        let camera = |online| {
            format!(
                r#"{{"cameras":[{{"name":"front","online":{online},"problem":"no camera found","width":640,"height":480,
                "fps":30}}],"microphones":[]}}"#
            )
        };
        let parse = |online| Listing::parse(camera(online).as_bytes()).unwrap();
        let (card, lost) = (parse(true), parse(false));
        let why = Some("no camera found".to_owned());
        assert_eq!((&card.cameras[0].problem, &card.cameras[0].stand_in), (&None, &why));
        assert_eq!((&lost.cameras[0].problem, &lost.cameras[0].stand_in), (&why, &None));
        assert!(card.same_devices(&lost));
    }

    #[test]
    fn impossible_devices_are_left_out_and_text_is_escaped() {
        let text = r#"{"version":"1","cameras":[
            {"name":"front","online":false,"problem":"a\nb","width":640,"height":480,"fps":30},
            {"name":"../x","online":true,"problem":null,"width":640,"height":480,"fps":30},
            {"name":"huge","online":true,"problem":null,"width":4000000000,"height":480,"fps":30}],
            "microphones":[{"name":"m","online":true,"problem":null,"rate_hz":1,"channels":1}],"more":1}"#;
        let listing = Listing::parse(text.as_bytes()).unwrap();
        assert_eq!(listing.cameras.len(), 1);
        assert_eq!(listing.cameras[0].problem.as_deref(), Some("a\\nb"));
        assert_eq!(listing.microphones, []);
        for garbled in ["", "[]", "{\"cameras\":1}", "<html>"] {
            assert!(Listing::parse(garbled.as_bytes()).is_err(), "{garbled}");
        }
    }

    #[test]
    fn devices_relayed_from_a_third_server_are_left_out() {
        let camera = |name: &str, relayed: &str| {
            format!(r#"{{"name":"{name}","online":true,"width":640,"height":480,"fps":30{relayed}}}"#)
        };
        let microphone = |name: &str, relayed: &str| {
            format!(r#"{{"name":"{name}","online":true,"rate_hz":8000,"channels":1{relayed}}}"#)
        };
        let of_each = |one: &dyn Fn(&str, &str) -> String| {
            [one("own", ",\"relayed\":false"), one("third", ",\"relayed\":true"), one("old", "")].join(",")
        };
        let text =
            format!(r#"{{"cameras":[{}],"microphones":[{}]}}"#, of_each(&camera), of_each(&microphone));
        let listing = Listing::parse(text.as_bytes()).unwrap();
        assert!(listing.cameras.iter().map(|camera| camera.name.as_str()).eq(["own", "old"]));
        assert!(listing.microphones.iter().map(|microphone| microphone.name.as_str()).eq(["own", "old"]));
    }

    #[test]
    fn a_deeply_nested_document_does_not_overflow_the_stack() {
        const DEEP: usize = 100_000;
        let parse = || {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let deep = |end: &str| format!("{}1{}", open.repeat(DEEP), end.repeat(DEEP));
                for text in [
                    open.repeat(2 * DEEP),
                    format!(r#"{{"more":{},"cameras":[],"microphones":[]}}"#, deep(close)),
                    format!(r#"{{"cameras":{},"microphones":[]}}"#, deep(close)),
                    format!(r#"{{"cameras":[{{"name":{}}}],"microphones":[]}}"#, deep(close)),
                    format!(r#"{{"cameras":[],"microphones":[{}]}}"#, deep("")),
                ] {
                    let is_status = text.starts_with("{\"more");
                    assert_eq!(Listing::parse(text.as_bytes()).is_ok(), is_status, "{text:.40}");
                }
            }
        };
        // As large as that of a thread which asks.
        let small = std::thread::Builder::new().stack_size(256 * 1024).spawn(parse).unwrap();
        small.join().unwrap();
    }

    #[test]
    fn streams_are_taken_if_they_could_be_ours() {
        let camera = |streams: &str| {
            format!(
                r#"{{"name":"c","online":true,"problem":null,"width":640,"height":480,"fps":30,"streams":[{streams}]}}"#
            )
        };
        let listed = |cameras: &str| {
            let text = format!("{{\"cameras\":[{cameras}],\"microphones\":[]}}");
            let listing = Listing::parse(text.as_bytes()).unwrap();
            listing.cameras.into_iter().map(|camera| camera.streams).collect::<Vec<_>>()
        };
        let one = |name: &str, fps: &str, quality: &str| {
            format!(
                r#"{{"name":"{name}","scale":"1/2","width":1,"height":1,"fps":{fps},"quality":{quality},"viewers":0}}"#
            )
        };
        let all = [
            one("small", "5", "50"),
            one("../x", "5", "50"),
            one("fast", "5000", "50"),
            one("fine", "null", "300"),
            one("small", "null", "null"),
            one("plain", "null", "null"),
        ];
        let streams = listed(&camera(&all.join(","))).remove(0);
        let stream = |name: &str, fps, quality| RemoteStream {
            name: name.to_owned(),
            scale: "1/2".to_owned(),
            fps,
            quality,
        };
        assert_eq!(streams, [stream("small", Some(5), Some(50)), stream("plain", None, None)]);
        let many: Vec<_> = (0..20).map(|number| one(&format!("s{number}"), "null", "null")).collect();
        let cameras = vec![camera(&many.join(",")); 16].join(",");
        let counts: Vec<_> = listed(&cameras).iter().map(Vec::len).collect();
        assert_eq!((&counts[..5], counts.iter().sum::<usize>()), (&[8, 8, 8, 8, 0][..], 32));
    }

    #[test]
    fn the_number_of_devices_and_samples_is_bounded() {
        let camera = r#"{"name":"c","online":true,"problem":null,"width":640,"height":480,"fps":30}"#;
        let loud = r#"{"name":"m","online":true,"problem":null,"rate_hz":192000,"channels":2}"#;
        let many = |one: &str| vec![one; 100].join(",");
        let text = format!("{{\"cameras\":[{}],\"microphones\":[{}]}}", many(camera), many(loud));
        let listing = Listing::parse(text.as_bytes()).unwrap();
        assert_eq!((listing.cameras.len(), listing.microphones.len()), (16, 2));
    }
}
