//! A request with what its handler needs.

use tiny_http::Request;

use super::reply::ResponseContext;
use super::request::path_and_query;
use super::state::AppState;
use crate::gate::PendingRequest;
use crate::users::Identity;

/// A request of a user who may make it, with what its handler needs.
pub(super) struct Call<'r> {
    /// What the server has.
    pub(super) state: &'r AppState,
    /// The request; its body is not read yet.
    pub(super) request: &'r mut Request,
    /// The same request at the gate.
    pub(super) pending: &'r PendingRequest,
    /// Who makes it.
    pub(super) user: &'r Identity,
}

impl Call<'_> {
    /// The query of the request's target; empty if there is none.
    pub(super) fn query(&self) -> &str {
        path_and_query(self.request).1
    }

    /// What all responses to it have in common.
    pub(super) fn context(&self) -> ResponseContext {
        self.state.response_context(self.request, self.pending)
    }
}
