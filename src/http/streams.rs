//! Pictures and sound: whose they are, and the job that sends them for as long as its user may have
//! them.

use std::sync::Arc;

use tiny_http::Request;

use crate::gate::{Exchange, Job};
use crate::hub::{CameraFeed, FeedList, Named, Reader};
use crate::media::Frame;
use crate::users::Identity;

use super::reply::Reply;
use super::{Outcome, Route, Service, audio, not_found, snapshot, video};

/// Answers a request for a camera or a microphone.
pub fn answer(
    service: &Service,
    route: &Route,
    query: &str,
    request: &Request,
    exchange: &Exchange,
    user: &Identity,
) -> Outcome {
    let head_only = request.method().as_str() == "HEAD";
    let (around, keep) = (service.surroundings(request, exchange), exchange.keeps_alive());
    let job = match route {
        Route::Video(name) => bad_query(video::interval(query)).and_then(|interval| {
            let (feed, reader) = watch(service, name.as_deref(), user)?;
            Ok(video::stream(reader, feed.sent.local(), interval, head_only, around))
        }),
        Route::Snapshot(name) => watch(service, name.as_deref(), user)
            .map(|(feed, reader)| snapshot::take(feed, reader, head_only, around, keep)),
        Route::Audio(name) => bad_query(audio::codec(query)).and_then(|codec| {
            let hears = |name: &str| user.scope.hears(name);
            let feed = find("microphone", &service.microphones, name.as_deref(), hears)?;
            let listening = feed.listen();
            let coder = service.coders.of(&listening, codec);
            Ok(audio::stream(listening, coder, feed.sent.local(), head_only, around))
        }),
        _ => return not_found(),
    };
    match job {
        Ok(job) => Outcome::HandOver(while_allowed(service, user, job)),
        Err(refused) => Outcome::Reply(refused),
    }
}

fn watch(
    service: &Service,
    name: Option<&str>,
    user: &Identity,
) -> Result<(Arc<CameraFeed>, Reader<Frame>), Reply> {
    let feed = find("camera", &service.cameras, name, |name| user.scope.sees(name))?;
    match feed.frames().subscribe() {
        Some(reader) => Ok((feed, reader)),
        None => Err(Reply::error(503, "too many viewers").with("Retry-After", "5")),
    }
}

/// The named device, or without a name the first one. One that is not the user's is, for him, none.
pub fn find<F: Named>(
    kind: &str,
    list: &FeedList<F>,
    name: Option<&str>,
    is_own: impl Fn(&str) -> bool,
) -> Result<Arc<F>, Reply> {
    list.find(name, &is_own).ok_or_else(|| {
        let all = list.all();
        let names: Vec<_> = all.iter().map(|feed| feed.name()).filter(|name| is_own(name)).collect();
        let why = match name {
            Some(name) if !names.is_empty() => {
                format!("no {kind} is named {name}; there are: {}", names.join(", "))
            }
            _ => format!("no {kind} is configured"),
        };
        Reply::error(404, &why)
    })
}

/// Ends a job with what let its user in: a session, a token, the user's line in the file.
pub fn while_allowed(service: &Service, user: &Identity, job: Job) -> Job {
    let (accounts, user) = (Arc::clone(&service.accounts), user.clone());
    Box::new(move |client| client.run_while(move || accounts.holds(&user), job))
}

fn bad_query<T>(read: Result<T, String>) -> Result<T, Reply> {
    read.map_err(|why| Reply::error(400, &why))
}
