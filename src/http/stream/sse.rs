//! Server-sent events (HTML standard, "Server-sent events"): a response without end, of messages as they come.

use std::time::{Duration, Instant};

use crate::gate::{After, Client, Job};
use crate::http::reply::{ResponseContext, stream_head};

/// How long to wait for a message before checking that the client is still connected and still allowed.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// After so long without a message a comment is sent, so that no proxy takes the connection for dead.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

const COMMENT: &str = ":\n\n";

/// A browser connects again after two seconds.
const RETRY: &str = "retry: 2000\n\n";

/// Waits for so long for messages: those that came, or an empty text; `None` when there will be no more.
pub type Next = Box<dyn FnMut(Duration) -> Option<String> + Send>;

/// The job that sends messages until the client disconnects or `next` ends; only the head of the response if `head_only`.
pub fn stream(head_only: bool, context: ResponseContext, mut next: Next) -> Job {
    Box::new(move |client: &mut Client| {
        // nginx collects a response before it passes it on, unless this header forbids it.
        let mut opening = stream_head("text/event-stream", &[("X-Accel-Buffering", "no")], &context);
        if head_only {
            client.write_all(&opening)?;
            return Ok(After::Close);
        }
        opening.extend_from_slice(RETRY.as_bytes());
        client.write_all(&opening)?;
        let mut sent = Instant::now();
        while let Some(mut text) = next(CHECK_EVERY) {
            if client.is_gone() {
                break;
            }
            if text.is_empty() && sent.elapsed() >= COMMENT_EVERY {
                text.push_str(COMMENT);
            }
            if !text.is_empty() {
                client.write_all(text.as_bytes())?;
                sent = Instant::now();
            }
        }
        Ok(After::Close)
    })
}
