//! `/api/1.0/cameras/NAME/motion/live`: each look at a camera, as server-sent events. A look is made into text only while somebody
//! reads; a slow reader misses looks.

use std::io;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::utc;
use crate::gate::{After, Client, Job};
use crate::http::api::events::shares;
use crate::http::reply::{ResponseContext, stream_head};
use crate::hub::{Reader, Wait};
use crate::motion::LiveLook;

/// How long to wait for a look before checking that the client is still connected.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// After so long without a look a comment is sent, so that no proxy takes the connection for dead.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// The job that sends looks; only the head of the response if `head_only`.
pub fn stream(mut reader: Reader<LiveLook>, head_only: bool, context: ResponseContext) -> Job {
    Box::new(move |client: &mut Client| {
        let mut opening = stream_head("text/event-stream", &[("X-Accel-Buffering", "no")], &context);
        if !head_only {
            opening.extend_from_slice(b"retry: 2000\n\n");
        }
        client.write_all(&opening)?;
        if !head_only {
            send(client, &mut reader)?;
        }
        Ok(After::Close)
    })
}

/// Sends until the client disconnects, or no motion is looked for any more.
fn send(client: &mut Client, reader: &mut Reader<LiveLook>) -> io::Result<()> {
    let mut sent = Instant::now();
    loop {
        let text = match reader.wait_newer(CHECK_EVERY) {
            Wait::Fresh { value, .. } => message(&value),
            Wait::TimedOut if sent.elapsed() >= COMMENT_EVERY => ":\n\n".to_owned(),
            Wait::TimedOut => String::new(),
            Wait::Closed => return Ok(()),
        };
        if client.is_gone() {
            return Ok(());
        }
        if !text.is_empty() {
            client.write_all(text.as_bytes())?;
            sent = Instant::now();
        }
    }
}

fn message(look: &LiveLook) -> String {
    let at = utc::rfc3339(u64::try_from(look.at.wall_time().as_micros()).unwrap_or(0));
    let LiveLook { width, height, .. } = look;
    let state = look.state.name();
    let blocks = STANDARD.encode(&look.blocks);
    let boxes: Vec<String> = look.boxes.iter().map(|area| format!("[{}]", shares(*area))).collect();
    let boxes = boxes.join(",");
    format!(
        "event: look\ndata: {{\"at\":\"{at}\",\"state\":\"{state}\",\"width\":{width},\"height\":{height},\
         \"blocks\":\"{blocks}\",\"boxes\":[{boxes}]}}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Area, Timestamp};
    use crate::motion::State;

    #[test]
    fn a_look_is_one_message_of_json() {
        let look = LiveLook {
            at: Timestamp::now(),
            state: State::Watching,
            width: 5,
            height: 2,
            blocks: vec![0b11, 0b10],
            boxes: vec![Area { left: 0, top: 0, right: 65_535, bottom: 6554 }],
        };
        let text = message(&look);
        let data = text.strip_prefix("event: look\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(miniserde::json::from_str::<miniserde::json::Value>(data).is_ok(), "{data}");
        for part in [
            r#""state":"watching","width":5,"height":2,"blocks":"AwI=","boxes":[[0.0,0.0,1.0,0.1]]}"#,
            r#"{"at":"20"#,
        ] {
            assert!(data.contains(part), "{part}: {data}");
        }
    }
}
