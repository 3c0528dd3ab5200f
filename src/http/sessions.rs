//! The list of sessions, and their end.

use miniserde::Serialize;

use crate::gate::PendingRequest;
use crate::users::{Identity, SessionInfo};

use super::login::no_content;
use super::reply::Reply;
use super::{Service, audit};

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

/// `GET /api/1.0/sessions`: one's own; all of them for an admin.
pub fn list(service: &Service, user: &Identity) -> Reply {
    let own_id = user.session_id();
    let sessions = service.accounts.sessions(user).into_iter();
    let sessions = sessions.map(|found| session(found, own_id.as_deref())).collect();
    Reply::json(200, &List { sessions })
}

/// `DELETE /api/1.0/sessions/ID`. Another user's session is, for whoever is no admin, none.
pub fn end(service: &Service, user: &Identity, id: &str, exchange: &PendingRequest) -> Reply {
    match service.accounts.end_session_by_id(id, user) {
        Some(whose) => {
            let tell = if whose == user.name { audit::changed_own } else { audit::changed };
            tell(exchange.peer(), user, &format!("ended a session of `{whose}`"));
            no_content()
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
