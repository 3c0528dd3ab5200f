//! Calls the handler of each route.

use tiny_http::Request;

use super::reply::{Outcome, Reply};
use super::request::{Negotiation, is_head};
use super::route::Route;
use super::state::AppState;
use super::{api, challenge, page, stream};
use crate::gate::PendingRequest;
use crate::users::Identity;

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
pub(super) fn signed_in(
    state: &AppState,
    route: &Route,
    query: &str,
    request: &mut Request,
    pending: &PendingRequest,
    user: &Identity,
) -> Outcome {
    let method = request.method().as_str().to_owned();
    Outcome::Reply(match (route, method.as_str()) {
        (
            Route::Health
            | Route::Versions
            | Route::Login
            | Route::Authority
            | Route::AuthorityProfile
            | Route::Trust
            | Route::SignIn(_),
            _,
        ) => return public(state, route, request, pending),
        (Route::Logout, _) => api::login::logout(state, user, pending),
        (Route::Password, _) => api::login::password(state, user, request, pending),
        (Route::Sessions, _) => api::sessions::list(state, user),
        (Route::Session(id), _) => api::sessions::end(state, user, id, pending),
        (Route::Users, "POST") => api::users::add(state, user, request, pending),
        (Route::Users, _) => api::users::list(state),
        (Route::User(name), "DELETE") => api::users::remove(state, user, name, pending),
        (Route::User(name), _) => api::users::change(state, user, name, request, pending),
        (Route::Status, _) => api::status::status(state, user),
        (Route::Cameras, _) => api::cameras::list(state, user),
        (Route::Camera(name), "PUT") => api::cameras::change(state, user, name, request, pending),
        (Route::Camera(name), _) => api::cameras::one(state, user, name),
        (Route::Microphones, _) => api::microphones::list(state, user),
        (Route::Microphone(name), _) => api::microphones::one(state, user, name),
        (Route::Devices, _) => api::devices::list(state),
        (Route::Services, _) => api::services::list(state),
        (Route::ServiceOf(media), "PUT") => api::services::change(state, user, *media, request, pending),
        (Route::ServiceOf(media), _) => api::services::one(state, *media),
        (Route::Logging, "PUT") => api::log::set_level(state, user, request, pending),
        (Route::Logging, _) => api::log::level(state),
        (Route::Settings, "DELETE") => api::settings::reset(state, user, None, pending),
        (Route::Settings, _) => api::settings::list(state),
        (Route::Setting(name), _) => api::settings::reset(state, user, Some(name), pending),
        (Route::Logs, _) => api::log::lines(state, query),
        (Route::Description, _) => api::description::description(&Negotiation::of(request)),
        (Route::Metrics, _) => api::metrics::metrics(state, user),
        (Route::Page(path), _) => return page_file(state, path, request, pending, user),
        (Route::Video(name), _) => {
            return stream::video(state, name.as_deref(), query, request, pending, user);
        }
        (Route::Audio(name), _) => {
            return stream::audio(state, name.as_deref(), query, request, pending, user);
        }
        (Route::Snapshot(name), _) => {
            return stream::snapshot(state, name.as_deref(), query, request, pending, user);
        }
        (Route::VideoStream(camera, name), _) => {
            return stream::video_stream(state, (camera, name), query, request, pending, user);
        }
        (Route::StreamSnapshot(camera, name), _) => {
            return stream::stream_snapshot(state, (camera, name), query, request, pending, user);
        }
    })
}

/// Answers with a file of the page. One of a folder is sent by a job, for it is read in pieces.
fn page_file(
    state: &AppState,
    path: &str,
    request: &Request,
    pending: &PendingRequest,
    user: &Identity,
) -> Outcome {
    match state.page.as_ref().and_then(|page| page.get(path, &Negotiation::of(request))) {
        None => Outcome::Reply(Reply::not_found()),
        Some(page::Found::Reply(reply)) => Outcome::Reply(reply),
        Some(page::Found::File(reply, file)) => {
            let Some(lease) = state.memory.for_requests().lease(page::PIECE_BYTES) else {
                return Outcome::Reply(Reply::out_of_memory());
            };
            let context = state.response_context(request, pending);
            let job = file.send(reply, context, is_head(request), pending.keeps_alive(), lease);
            Outcome::HandOver(state.while_allowed(user, job))
        }
    }
}
