//! How a stream of pictures begins, be they live or recorded.

use std::io;

use crate::codec::part;
use crate::gate::{After, Client, Job};
use crate::http::reply::{ResponseContext, stream_head};

/// The job that opens a multipart stream and has `send` write its parts; only the head of the response if `head_only`.
pub fn stream(
    head_only: bool,
    context: ResponseContext,
    send: impl FnOnce(&mut Client) -> io::Result<()> + Send + 'static,
) -> Job {
    Box::new(move |client: &mut Client| {
        let content_type = format!("multipart/x-mixed-replace; boundary={}", part::boundary());
        let mut opening = stream_head(&content_type, &[], &context);
        if !head_only {
            opening.extend_from_slice(part::opening().as_bytes());
        }
        client.write_all(&opening)?;
        if !head_only {
            client.limit_latency();
            send(client)?;
        }
        Ok(After::Close)
    })
}
