//! Video, audio and pictures: handlers that leave a job for the client's connection. Each job ends when its user
//! may no longer have the stream.

mod audio;
mod query;
mod snapshot;
mod video;

use std::sync::Arc;

use tiny_http::Request;

use super::reply::{Outcome, Reply};
use super::request::is_head;
use super::state::AppState;
use crate::gate::{Job, PendingRequest};
use crate::hub::{CameraFeed, Reader};
use crate::media::Frame;
use crate::users::Identity;

/// `GET /video`, `/video/NAME`.
pub fn video(
    state: &AppState,
    name: Option<&str>,
    query: &str,
    request: &Request,
    pending: &PendingRequest,
    user: &Identity,
) -> Outcome {
    let context = state.response_context(request, pending);
    let job = query::interval(query).map_err(bad_request).and_then(|interval| {
        let (feed, reader) = subscribe(state, name, user)?;
        Ok(video::stream(reader, feed.sent.local(), interval, is_head(request), context))
    });
    hand_over(state, user, job)
}

/// `GET /audio`, `/audio/NAME`.
pub fn audio(
    state: &AppState,
    name: Option<&str>,
    query: &str,
    request: &Request,
    pending: &PendingRequest,
    user: &Identity,
) -> Outcome {
    let context = state.response_context(request, pending);
    let job = query::codec(query).map_err(bad_request).and_then(|codec| {
        let feed = state.microphone(name, user)?;
        let listening = feed.listen();
        let encoder = state.encoders.of(&listening, codec);
        Ok(audio::stream(listening, encoder, feed.sent.local(), is_head(request), context))
    });
    hand_over(state, user, job)
}

/// `GET /snapshot`, `/snapshot/NAME`.
pub fn snapshot(
    state: &AppState,
    name: Option<&str>,
    request: &Request,
    pending: &PendingRequest,
    user: &Identity,
) -> Outcome {
    let (context, keep) = (state.response_context(request, pending), pending.keeps_alive());
    let job = subscribe(state, name, user)
        .map(|(feed, reader)| snapshot::take(feed, reader, is_head(request), context, keep));
    hand_over(state, user, job)
}

fn hand_over(state: &AppState, user: &Identity, job: Result<Job, Reply>) -> Outcome {
    match job {
        Ok(job) => Outcome::HandOver(state.while_allowed(user, job)),
        Err(refused) => Outcome::Reply(refused),
    }
}

/// The camera and a reader of its frames.
fn subscribe(
    state: &AppState,
    name: Option<&str>,
    user: &Identity,
) -> Result<(Arc<CameraFeed>, Reader<Frame>), Reply> {
    let feed = state.camera(name, user)?;
    match feed.frames().subscribe() {
        Some(reader) => Ok((feed, reader)),
        None => Err(Reply::error(503, "too many viewers").with("Retry-After", "5")),
    }
}

fn bad_request(error: query::QueryError) -> Reply {
    Reply::error(400, &error.to_string())
}
