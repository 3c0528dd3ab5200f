//! Calls the handler of each route.

use tiny_http::Request;

use super::call::Call;
use super::reply::{Outcome, Reply};
use super::request::{Negotiation, is_head};
use super::route::{Footage, Route};
use super::state::AppState;
use super::{api, challenge, page, stream};
use crate::gate::PendingRequest;

/// Answers a request that needs no user. A route that does is a mistake in [`Route::access`], and is refused.
pub(super) fn public(
    state: &AppState,
    route: &Route,
    request: &mut Request,
    pending: &PendingRequest,
) -> Outcome {
    let certificates = state.certificates.as_deref();
    Outcome::Reply(match route {
        Route::Health => {
            Reply::new(200, "text/plain", b"ok\n".as_slice().into()).with("Cache-Control", "no-store")
        }
        Route::Versions => api::status::versions(),
        Route::Login => api::login::login(state, request, pending),
        Route::Authority => page::trust::certificate(certificates),
        Route::AuthorityProfile => page::trust::mobile_configuration(certificates),
        Route::Trust => page::trust::page(certificates),
        Route::SignIn(name) => {
            let file = page::sign_in::file(name, &Negotiation::of(request));
            file.unwrap_or_else(Reply::not_found)
        }
        _ => challenge::unauthorized(request),
    })
}

/// Answers a request of a user who may make it.
pub(super) fn signed_in(route: &Route, call: &mut Call<'_>) -> Outcome {
    match route {
        Route::Page(path) => page_file(call, path),
        Route::Video(name) => stream::video(call, name.as_deref()),
        Route::Audio(name) => stream::audio(call, name.as_deref()),
        Route::Snapshot(name) => stream::snapshot(call, name.as_deref()),
        Route::LiveEvents => stream::live_events(call),
        Route::LiveMotion(name) => stream::live_motion(call, name),
        Route::VideoStream(camera, name) => stream::video_stream(call, camera, name),
        Route::StreamSnapshot(camera, name) => stream::stream_snapshot(call, camera, name),
        Route::Footage(name, part) => footage(call, name, *part),
        Route::Health
        | Route::Versions
        | Route::Login
        | Route::Authority
        | Route::AuthorityProfile
        | Route::Trust
        | Route::SignIn(_) => public(call.state, route, call.request, call.pending),
        _ => Outcome::Reply(api(route, call)),
    }
}

/// Answers a request for footage.
fn footage(call: &Call<'_>, name: &str, part: Footage) -> Outcome {
    if let Err(refused) = api::recordings::check(call, name) {
        return Outcome::Reply(refused);
    }
    match part {
        Footage::Frame => Outcome::Reply(api::recordings::frame(call, name)),
        Footage::Timeline => Outcome::Reply(api::recordings::timeline(call, name)),
        Footage::Stream => stream::footage(call, name),
        Footage::Clip(kind) => stream::clip(call, name, kind),
        Footage::Sound => stream::footage_sound(call, name),
        Footage::Thumbnails => stream::thumbnails(call, name),
    }
}

/// Answers a request of the API.
fn api(route: &Route, call: &mut Call<'_>) -> Reply {
    let (state, user, pending) = (call.state, call.user, call.pending);
    let method = call.request.method().as_str().to_owned();
    match (route, method.as_str()) {
        (Route::Logout, _) => api::login::logout(state, user, pending),
        (Route::Password, _) => api::login::password(call),
        (Route::Sessions, _) => api::sessions::list(state, user),
        (Route::Session(id), _) => api::sessions::end(state, user, id, pending),
        (Route::Users, "POST") => api::users::add(call),
        (Route::Users, _) => api::users::list(state),
        (Route::User(name), "DELETE") => api::users::remove(state, user, name, pending),
        (Route::User(name), _) => api::users::change(call, name),
        (Route::Status, _) => api::status::status(state, user),
        (Route::Cameras, _) => api::cameras::list(state, user),
        (Route::Camera(name), "PUT") => api::cameras::change(call, name),
        (Route::Camera(name), _) => api::cameras::one(state, user, name),
        (Route::MotionReplay(name), _) => api::motion::replay(call, name),
        (Route::Microphones, _) => api::microphones::list(state, user),
        (Route::Microphone(name), _) => api::microphones::one(state, user, name),
        (Route::Devices, _) => api::devices::list(state),
        (Route::Services, _) => api::services::list(state),
        (Route::ServiceOf(service), "PUT") => api::services::change(call, *service),
        (Route::ServiceOf(service), _) => api::services::one(state, *service),
        (Route::Events, "POST") => api::events::add(call),
        (Route::Events, _) => api::events::list(call),
        (Route::Event(id), "PUT") => api::events::change(call, id),
        (Route::Event(id), "DELETE") => api::events::remove(call, id),
        (Route::Event(id), _) => api::events::one(call, id),
        (Route::Logging, "PUT") => api::log::set_level(call),
        (Route::Logging, _) => api::log::level(state),
        (Route::Settings, "DELETE") => api::settings::reset(state, user, None, pending),
        (Route::Settings, _) => api::settings::list(state),
        (Route::Setting(name), _) => api::settings::reset(state, user, Some(name), pending),
        (Route::Recordings, _) => api::recordings::list(state, user),
        (Route::Recording(name), "DELETE") => api::recordings::delete(call, name),
        (Route::Recording(name), _) => api::recordings::one(call, name),
        (Route::Logs, _) => api::log::lines(state, call.query()),
        (Route::Description, _) => api::description::description(&Negotiation::of(call.request)),
        (Route::Metrics, _) => api::metrics::metrics(state, user),
        // Those that the caller answers.
        (
            Route::Page(_)
            | Route::Video(_)
            | Route::Audio(_)
            | Route::Snapshot(_)
            | Route::LiveEvents
            | Route::LiveMotion(_)
            | Route::VideoStream(..)
            | Route::StreamSnapshot(..)
            | Route::Footage(..)
            | Route::Health
            | Route::Versions
            | Route::Login
            | Route::Authority
            | Route::AuthorityProfile
            | Route::Trust
            | Route::SignIn(_),
            _,
        ) => Reply::not_found(),
    }
}

/// Answers with a file of the page. One of a folder is sent by a job, for it is read in pieces.
fn page_file(call: &Call<'_>, path: &str) -> Outcome {
    match call.state.page.as_ref().and_then(|page| page.get(path, &Negotiation::of(call.request))) {
        None => Outcome::Reply(Reply::error(404, Route::hint(path, call.query()))),
        Some(page::Found::Reply(reply)) => Outcome::Reply(reply),
        Some(page::Found::File(reply, file)) => {
            let Some(lease) = call.state.memory.for_requests().lease(page::PIECE_BYTES) else {
                return Outcome::Reply(Reply::out_of_memory());
            };
            let keep = call.pending.keeps_alive();
            let job = file.send(reply, call.context(), is_head(call.request), keep, lease);
            Outcome::HandOver(call.state.while_allowed(call.user, job))
        }
    }
}
