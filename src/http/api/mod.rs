//! The REST API, version 1.0, and metrics: a file for each resource. Documents are JSON, described by
//! openapi.json.

pub(super) mod cameras;
pub(super) mod description;
pub(super) mod devices;
mod errors;
pub(super) mod events;
mod events_query;
pub(super) mod log;
pub(super) mod login;
pub(super) mod metrics;
pub(super) mod microphones;
pub(super) mod motion;
pub(super) mod recordings;
pub(super) mod services;
pub(super) mod sessions;
pub(super) mod settings;
pub(super) mod status;
pub(super) mod users;
pub(super) mod value;

#[cfg(test)]
pub(super) use errors::control_error;
pub(crate) use login::LoginBody;
