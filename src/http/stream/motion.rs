//! `/api/1.0/cameras/NAME/motion/live`: each look at a camera, as server-sent events. A look is made into text only while somebody
//! reads; a slow reader misses looks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miniserde::{Serialize, json};

use super::sse;
use crate::base::utc;
use crate::gate::Job;
use crate::http::api::events::sides;
use crate::http::reply::ResponseContext;
use crate::hub::{Reader, Wait};
use crate::motion::LiveLook;

/// A look as it is sent.
#[derive(Serialize)]
struct Document {
    at: String,
    state: &'static str,
    width: usize,
    height: usize,
    blocks: String,
    boxes: Vec<Box<[f64]>>,
}

/// The job that sends looks until no motion is looked for any more; only the head of the response if `head_only`.
pub fn stream(mut reader: Reader<LiveLook>, head_only: bool, context: ResponseContext) -> Job {
    let next = move |wait| match reader.wait_newer(wait) {
        Wait::Fresh { value, .. } => Some(message(&value)),
        Wait::TimedOut => Some(String::new()),
        Wait::Closed => None,
    };
    sse::stream(head_only, context, Box::new(next))
}

fn message(look: &LiveLook) -> String {
    let document = Document {
        at: utc::rfc3339(look.at.wall_us()),
        state: look.state.name(),
        width: look.width,
        height: look.height,
        blocks: STANDARD.encode(&look.blocks),
        boxes: look.boxes.iter().map(|area| Box::from(sides(*area))).collect(),
    };
    format!("event: look\ndata: {}\n\n", json::to_string(&document))
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
