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
use crate::hub::{CameraFeed, Named, Reader, StreamFeed};
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

/// `GET /video/NAME/STREAM`.
pub fn video_stream(
    state: &AppState,
    (camera, stream): (&str, &str),
    query: &str,
    request: &Request,
    pending: &PendingRequest,
    user: &Identity,
) -> Outcome {
    let context = state.response_context(request, pending);
    let job = query::interval(query).map_err(bad_request).and_then(|interval| {
        let (_, stream, reader) = subscribe_stream(state, camera, stream, user)?;
        Ok(video::stream(reader, stream.sent.local(), interval, is_head(request), context))
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
    query: &str,
    request: &Request,
    pending: &PendingRequest,
    user: &Identity,
) -> Outcome {
    let asked = Asked { state, query, request, pending };
    let subscribed = subscribe(state, name, user);
    hand_over(state, user, asked.snapshot(subscribed.map(|(feed, reader)| (feed, None, reader))))
}

/// `GET /snapshot/NAME/STREAM`.
pub fn stream_snapshot(
    state: &AppState,
    (camera, stream): (&str, &str),
    query: &str,
    request: &Request,
    pending: &PendingRequest,
    user: &Identity,
) -> Outcome {
    let asked = Asked { state, query, request, pending };
    let subscribed = subscribe_stream(state, camera, stream, user);
    hand_over(
        state,
        user,
        asked.snapshot(subscribed.map(|(feed, stream, reader)| (feed, Some(stream), reader))),
    )
}

/// A request for a picture.
struct Asked<'a> {
    state: &'a AppState,
    query: &'a str,
    request: &'a Request,
    pending: &'a PendingRequest,
}

impl Asked<'_> {
    /// The job that sends a picture of a camera, or of its further stream.
    fn snapshot(
        &self,
        subscribed: Result<(Arc<CameraFeed>, Option<Arc<StreamFeed>>, Reader<Frame>), Reply>,
    ) -> Result<Job, Reply> {
        let scale = query::scale(self.query).map_err(bad_request)?;
        let (feed, stream, reader) = subscribed?;
        let sent = stream.map_or_else(|| feed.sent.clone(), |stream| stream.sent.clone());
        let context = self.state.response_context(self.request, self.pending);
        let response = snapshot::Response {
            scale,
            head_only: is_head(self.request),
            context,
            keep: self.pending.keeps_alive(),
        };
        Ok(snapshot::take(feed, sent, reader, response))
    }
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
        None => Err(too_many_viewers()),
    }
}

/// The camera, one of its further streams, and a reader of the stream's frames. Who may see a camera may see its streams.
fn subscribe_stream(
    state: &AppState,
    camera: &str,
    stream: &str,
    user: &Identity,
) -> Result<(Arc<CameraFeed>, Arc<StreamFeed>, Reader<Frame>), Reply> {
    let feed = state.camera(Some(camera), user)?;
    let Some(found) = feed.streams().find(Some(stream), |_| true) else {
        let streams = feed.streams().all();
        let names: Vec<&str> = streams.iter().map(|stream| stream.name()).collect();
        let known = match names[..] {
            [] => "it has none".to_owned(),
            _ => format!("it has {}", names.join(", ")),
        };
        return Err(Reply::error(404, &format!("camera {camera} has no such stream; {known}")));
    };
    match found.frames().subscribe() {
        Some(reader) => Ok((feed, found, reader)),
        None => Err(too_many_viewers()),
    }
}

fn too_many_viewers() -> Reply {
    Reply::error(503, "too many viewers").with("Retry-After", "5")
}

fn bad_request(error: query::QueryError) -> Reply {
    Reply::error(400, &error.to_string())
}
