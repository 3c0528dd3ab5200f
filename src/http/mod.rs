//! HTTP: what each request means and how it is answered.
//!
//! Routes, sign-in, handlers and the page belong here. The public socket, TLS and the limits on connections
//! are the gate's.
//!
//! A request passes from [`server`] (tiny_http's loop, a thread for each request) to [`service`] (claims the
//! pending request, signs in, checks permission) and [`dispatch`] (route to handler). Handlers are in [`api`],
//! [`stream`] and [`page`]; they read [`state`] and return a [`reply`].
//!
//! tiny_http accepts on the gate's channel, an unnamed socket. It sees only requests that the gate sends, each
//! with the id of a pending request; a request without one is refused with 403.

mod api;
mod audit;
mod auth;
mod body;
mod call;
mod challenge;
mod cors;
mod counters;
mod dispatch;
mod embedded;
mod etag;
mod failed_logins;
mod page;
mod reply;
mod reports;
mod request;
mod route;
mod server;
mod service;
mod state;
mod stream;

pub(crate) use api::LoginBody;
pub(crate) use auth::Credentials;
pub use cors::Origins;
pub use page::{Page, PageError};
pub use server::HttpServer;
pub use state::AppState;

#[cfg(test)]
mod tests;
