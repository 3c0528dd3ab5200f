//! Listing and ending sessions.

use miniserde::Serialize;

use crate::gate::PendingRequest;
use crate::http::audit;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::users::{Identity, SessionInfo};

#[derive(Serialize)]
struct List {
    sessions: Vec<Session>,
}

#[derive(Serialize)]
struct Session {
    id: String,
    user: String,
    address: String,
    age_s: u64,
    idle_s: u64,
    ends_in_s: u64,
    current: bool,
}

/// `GET /api/1.0/sessions`: the own sessions; all sessions for an admin.
pub fn list(state: &AppState, user: &Identity) -> Reply {
    let own_id = user.session_id();
    let sessions = state.accounts.sessions(user).into_iter();
    let sessions = sessions.map(|found| session(found, own_id.as_deref())).collect();
    Reply::json(200, &List { sessions })
}

/// `DELETE /api/1.0/sessions/ID`. To a user who is not an admin, another user's session does not exist.
pub fn end(state: &AppState, user: &Identity, id: &str, pending: &PendingRequest) -> Reply {
    match state.accounts.end_session_by_id(id, user) {
        Some(whose) => {
            let log = if whose == user.name { audit::changed_own } else { audit::changed };
            log(pending.peer(), user, &format!("ended a session of `{whose}`"));
            Reply::no_content()
        }
        None => Reply::error(404, "there is no such session"),
    }
}

fn session(found: SessionInfo, own_id: Option<&str>) -> Session {
    Session {
        current: own_id == Some(found.id.as_str()),
        id: found.id,
        user: found.user,
        address: found.address.to_string(),
        age_s: found.age.as_secs(),
        idle_s: found.idle.as_secs(),
        ends_in_s: found.left.as_secs(),
    }
}
