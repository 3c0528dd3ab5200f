//! `.../thumbnails`: a strip of small pictures of footage.

use std::sync::Arc;

use super::snapshot::Response;
use crate::codec::part;
use crate::gate::{After, Client, Job};
use crate::http::reply::Reply;
use crate::memory::Lease;
use crate::record::Recordings;
use crate::record::strip::strip;

/// The job that makes a strip of `count` pictures of the camera `name` and sends it. It holds `lease` until it ends.
pub fn send(
    recordings: Arc<Recordings>,
    name: String,
    span: (u64, u64),
    count: u32,
    response: Response,
    mut lease: Lease,
) -> Job {
    Box::new(move |client: &mut Client| {
        let Response { head_only, context, keep, .. } = response;
        if let Some((jpeg, times)) = strip(&recordings, &name, span, count, &mut lease, || !client.is_gone())
        {
            let time = |at: &Option<u64>| at.map_or("-".to_owned(), part::x_timestamp_at);
            let times: Vec<String> = times.iter().map(time).collect();
            let reply =
                Reply::picture().with("Cache-Control", "private, no-cache").with("X-Times", times.join(" "));
            client.write_all(&reply.head(jpeg.len() as u64, &context, keep))?;
            if !head_only {
                client.write_all(&jpeg)?;
            }
        } else if client.is_gone() {
            client.write_all(&half_closed().into_bytes(&context, keep, !head_only))?;
        } else {
            client.write_all(&nothing().into_bytes(&context, keep, !head_only))?;
        }
        Ok(if keep { After::KeepAlive } else { After::Close })
    })
}

/// 404 for a time without footage.
pub fn nothing() -> Reply {
    Reply::error(404, "nothing is recorded of this camera in that time")
}

/// For a client that ended its side of the connection, and may be gone: what takes long is not made for it.
pub fn half_closed() -> Reply {
    Reply::error(
        400,
        "the client's side of the connection was closed before this was ready; keep it open until then",
    )
}
