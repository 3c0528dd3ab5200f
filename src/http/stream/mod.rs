//! Video, audio and pictures: handlers that leave a job for the client's connection. Each job ends when its user
//! may no longer have the stream.

mod audio;
mod query;
mod snapshot;
mod video;

use std::sync::Arc;

use super::reply::{Outcome, Reply};
use super::request::{Call, is_head};
use crate::gate::Job;
use crate::hub::{CameraFeed, Reader};
use crate::media::Frame;

/// `GET /video`, `/video/NAME`.
pub fn video(call: &Call<'_>, name: Option<&str>) -> Outcome {
    let job = query::interval(call.query()).map_err(bad_request).and_then(|interval| {
        let (feed, reader) = subscribe(call, name)?;
        Ok(video::stream(reader, feed.sent.local(), interval, is_head(call.request), call.context()))
    });
    hand_over(call, job)
}

/// `GET /audio`, `/audio/NAME`.
pub fn audio(call: &Call<'_>, name: Option<&str>) -> Outcome {
    let job = query::codec(call.query()).map_err(bad_request).and_then(|codec| {
        let feed = call.state.microphone(name, call.user)?;
        let listening = feed.listen();
        let encoder = call.state.encoders.of(&listening, codec);
        Ok(audio::stream(listening, encoder, feed.sent.local(), is_head(call.request), call.context()))
    });
    hand_over(call, job)
}

/// `GET /snapshot`, `/snapshot/NAME`.
pub fn snapshot(call: &Call<'_>, name: Option<&str>) -> Outcome {
    let keep = call.pending.keeps_alive();
    let job = subscribe(call, name)
        .map(|(feed, reader)| snapshot::take(feed, reader, is_head(call.request), call.context(), keep));
    hand_over(call, job)
}

fn hand_over(call: &Call<'_>, job: Result<Job, Reply>) -> Outcome {
    match job {
        Ok(job) => Outcome::HandOver(call.state.while_allowed(call.user, job)),
        Err(refused) => Outcome::Reply(refused),
    }
}

/// The camera and a reader of its frames.
fn subscribe(call: &Call<'_>, name: Option<&str>) -> Result<(Arc<CameraFeed>, Reader<Frame>), Reply> {
    let feed = call.state.camera(name, call.user)?;
    match feed.frames().subscribe() {
        Some(reader) => Ok((feed, reader)),
        None => Err(Reply::error(503, "too many viewers").with("Retry-After", "5")),
    }
}

fn bad_request(error: query::QueryError) -> Reply {
    Reply::error(400, &error.to_string())
}
