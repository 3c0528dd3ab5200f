//! Video, audio, pictures and live events: handlers that leave a job for the client's connection. Each job ends when its user
//! may no longer have the stream.

mod audio;
mod clip;
mod events;
mod motion;
mod multipart;
mod playback;
mod playback_sound;
pub(super) mod query;
mod snapshot;
mod sse;
mod thumbnails;
mod video;

use std::sync::Arc;

use super::api::recordings::nothing_at;
use super::audit;
use super::call::Call;
use super::reply::{Outcome, Reply};
use super::request::{field, is_head};
use crate::base::utc;
use crate::gate::Job;
use crate::hub::{CameraFeed, Named, Reader, StreamFeed};
use crate::media::{Frame, Scale};
use crate::record::{Clip, ClipKind, NoClip, Player, SoundPlayer, Wanted, strip};

/// `GET /video`, `/video/NAME`.
pub fn video(call: &Call<'_>, name: Option<&str>) -> Outcome {
    let job = query::interval(call.query()).map_err(Reply::from).and_then(|interval| {
        let (feed, reader) = subscribe(call, name)?;
        Ok(video::stream(reader, feed.sent.local(), interval, is_head(call.request), call.context()))
    });
    hand_over(call, job)
}

/// `GET /video/NAME/STREAM`.
pub fn video_stream(call: &Call<'_>, camera: &str, stream: &str) -> Outcome {
    let job = query::interval(call.query()).map_err(Reply::from).and_then(|interval| {
        let (_, stream, reader) = subscribe_stream(call, camera, stream)?;
        Ok(video::stream(reader, stream.sent.local(), interval, is_head(call.request), call.context()))
    });
    hand_over(call, job)
}

/// `GET /audio`, `/audio/NAME`.
pub fn audio(call: &Call<'_>, name: Option<&str>) -> Outcome {
    let job = query::codec(call.query()).map_err(Reply::from).and_then(|codec| {
        let feed = call.state.microphone(name, call.user)?;
        let listening = feed.listen();
        let encoder = call.state.encoders.of(&listening, codec);
        Ok(audio::stream(listening, encoder, feed.sent.local(), is_head(call.request), call.context()))
    });
    hand_over(call, job)
}

/// `GET /api/1.0/events/live`.
pub fn live_events(call: &Call<'_>) -> Outcome {
    let journal = Arc::clone(&call.state.journal);
    let job = events::stream(journal, call.user.clone(), is_head(call.request), call.context());
    hand_over(call, Ok(job))
}

/// `GET /api/1.0/cameras/NAME/motion/live`.
pub fn live_motion(call: &Call<'_>, name: &str) -> Outcome {
    let job = call.state.camera(Some(name), call.user).and_then(|feed| {
        let watch = feed.motion().and_then(|_| call.state.motion.watch(name));
        let watch = watch.ok_or_else(|| {
            Reply::error(
                409,
                "no motion is looked for at this camera; set motion.armed, or add [camera.NAME.motion]",
            )
        })?;
        let reader = watch.follow().ok_or_else(too_many_viewers)?;
        Ok(motion::stream(reader, is_head(call.request), call.context()))
    });
    hand_over(call, job)
}

/// `GET /snapshot`, `/snapshot/NAME`.
pub fn snapshot(call: &Call<'_>, name: Option<&str>) -> Outcome {
    let job = query::scale(call.query()).map_err(Reply::from).and_then(|scale| {
        let (feed, reader) = subscribe(call, name)?;
        let sent = feed.sent.clone();
        Ok(snapshot::take(feed, sent, reader, response(call, scale)))
    });
    hand_over(call, job)
}

/// `GET /snapshot/NAME/STREAM`.
pub fn stream_snapshot(call: &Call<'_>, camera: &str, stream: &str) -> Outcome {
    let job = query::scale(call.query()).map_err(Reply::from).and_then(|scale| {
        let (feed, stream, reader) = subscribe_stream(call, camera, stream)?;
        Ok(snapshot::take(feed, stream.sent.clone(), reader, response(call, scale)))
    });
    hand_over(call, job)
}

/// `GET /api/1.0/recordings/NAME/stream`.
pub fn footage(call: &Call<'_>, name: &str) -> Outcome {
    hand_over(call, play(call, name))
}

/// `GET /api/1.0/recordings/NAME/sound`.
pub fn footage_sound(call: &Call<'_>, name: &str) -> Outcome {
    hand_over(call, play_sound(call, name))
}

/// `GET /api/1.0/recordings/NAME/clip.mkv`, `clip.mov` and `clip.zip`.
pub fn clip(call: &Call<'_>, name: &str, kind: ClipKind) -> Outcome {
    hand_over(call, cut(call, name, kind))
}

/// `GET /api/1.0/recordings/NAME/thumbnails`.
pub fn thumbnails(call: &Call<'_>, name: &str) -> Outcome {
    let asked = query::pictures(call.query()).and_then(|count| Ok((query::span(call.query())?, count)));
    let job = asked.map_err(Reply::from).and_then(|(span, count)| {
        let recordings = Arc::clone(&call.state.recordings);
        if recordings.segments(name, span.0, span.1).is_empty() {
            return Err(thumbnails::nothing());
        }
        let lease = call.state.memory.for_footage().lease(strip::memory_bytes(count));
        let lease = lease.ok_or_else(Reply::out_of_memory)?;
        Ok(thumbnails::send(recordings, name.to_owned(), span, count, response(call, Scale::Eighth), lease))
    });
    hand_over(call, job)
}

fn cut(call: &Call<'_>, name: &str, kind: ClipKind) -> Result<Job, Reply> {
    let query = call.query();
    let needed = |name| query::needed_moment(query, name);
    let (from_us, to_us) = (needed("from")?, needed("to")?);
    let hears = |microphone: &str| call.state.hears_footage(name, microphone, call.user);
    let is_awaited = || call.pending.is_wanted() && call.state.accounts.holds(call.user);
    let wanted = Wanted { from_us, to_us, kind, hears: &hears, is_awaited: &is_awaited };
    let memory = call.state.memory.for_footage();
    let made = Clip::new(&call.state.recordings, name, &wanted, memory).map_err(|why| match why {
        NoClip::Nothing => thumbnails::nothing(),
        NoClip::TooLong => Reply::error(400, "a clip has at most 24 hours and 4 GiB: ask for a shorter time"),
        NoClip::NoMemory => Reply::out_of_memory(),
        NoClip::Unwanted if call.state.accounts.holds(call.user) => thumbnails::half_closed(),
        NoClip::Unwanted => Reply::error(403, "the right to do this has ended meanwhile"),
        NoClip::Unfit(error) => Reply::error(400, &format!("ask for another kind of clip: {error}")),
        NoClip::Unreadable(error) => Reply::error(503, &format!("the recording cannot be read: {error}")),
    })?;
    let condition = |name| field(call.request, name).map(str::to_owned);
    let conditions = clip::Conditions {
        range: condition("Range"),
        if_range: condition("If-Range"),
        known_tags: condition("If-None-Match"),
    };
    let (head_only, keep) = (is_head(call.request), call.pending.keeps_alive());
    let span = (utc::rfc3339(made.from_us), utc::rfc3339(made.to_us));
    let response = clip::Response { head_only, context: call.context(), keep };
    // It is stored under its time in the zone that the client asks in.
    let asked_in = query::text(query, "from")?.unwrap_or_default();
    let file = format!("{name}-{}", utc::for_file_name(made.from_us, &asked_in));
    let job = clip::send(made, (&file, kind), &conditions, response)?;
    let what = format!("took a clip of camera {name} from {} to {} as {}", span.0, span.1, kind.ending());
    audit::took(call.pending.peer(), call.user, &what);
    Ok(job)
}

fn play_sound(call: &Call<'_>, name: &str) -> Result<Job, Reply> {
    let query = call.query();
    let from_us = query::needed_moment(query, "from")?;
    let (to_us, codec) = (query::moment(query, "to")?, query::codec(query)?);
    let hears = |microphone: &str| call.state.hears_footage(name, microphone, call.user);
    let memory = call.state.memory.for_footage();
    let player = SoundPlayer::new(&call.state.recordings, name, from_us, &hears, memory)
        .ok_or_else(|| Reply::error(404, "no sound is recorded of this camera at that time"))?;
    if player.lacks_memory() {
        return Err(Reply::out_of_memory());
    }
    Ok(playback_sound::stream(player, to_us, codec, is_head(call.request), call.context()))
}

fn play(call: &Call<'_>, name: &str) -> Result<Job, Reply> {
    let query = call.query();
    let from_us = query::needed_moment(query, "from")?;
    let to_us = query::moment(query, "to")?;
    let speed = query::speed(query)?;
    let interval = query::interval(query)?;
    let mut player = Player::new(&call.state.recordings, name, call.state.memory.for_footage());
    if !player.seek(from_us) {
        return Err(nothing_at(&player));
    }
    // The frame before `from` is that moment's picture, unless it is long gone.
    if speed > 0.0 && player.wall_us().is_some_and(|at| at.saturating_add(3_000_000) < from_us) {
        let before = player.spot();
        if player.forward() && !player.is_apart_from(before.as_ref()) {
            player.back();
        }
    }
    let camera = call.state.camera(Some(name), call.user).ok();
    let memory = Arc::clone(call.state.memory.for_footage());
    let playback = playback::Playback { player, to_us, speed, interval, camera, memory };
    Ok(playback::stream(playback, is_head(call.request), call.context()))
}

fn response(call: &Call<'_>, scale: Scale) -> snapshot::Response {
    snapshot::Response {
        scale,
        head_only: is_head(call.request),
        context: call.context(),
        keep: call.pending.keeps_alive(),
        memory: Arc::clone(call.state.memory.for_requests()),
    }
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
        None => Err(too_many_viewers()),
    }
}

/// A camera, its further stream that is watched, and a reader of its frames.
type WatchedStream = (Arc<CameraFeed>, Arc<StreamFeed>, Reader<Frame>);

/// The camera, one of its further streams, and a reader of the stream's frames. Who may see a camera may see its streams.
fn subscribe_stream(call: &Call<'_>, camera: &str, stream: &str) -> Result<WatchedStream, Reply> {
    let feed = call.state.camera(Some(camera), call.user)?;
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
