//! Users over the API, for admins: the same file the command line edits.

use miniserde::{Deserialize, Serialize};
use tiny_http::Request;

use crate::gate::PendingRequest;
use crate::users::{Change, Identity, ListedToken, ListedUser, Role, Scope, UsersError};

use super::login::no_content;
use super::reply::Reply;
use super::{Service, audit, body};

#[derive(Serialize)]
struct List {
    users: Vec<User>,
    tokens: Vec<Token>,
    problems: Vec<String>,
}

/// `cameras` and `microphones` are null for a user who is not confined.
#[derive(Serialize)]
struct User {
    name: String,
    role: &'static str,
    cameras: Option<Vec<String>>,
    microphones: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Token {
    name: String,
    user: String,
    cameras: Option<Vec<String>>,
    microphones: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    password: String,
    role: Option<String>,
    cameras: Option<Vec<String>>,
    microphones: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Added {
    name: String,
    role: &'static str,
}

#[derive(Deserialize)]
struct UserChange {
    password: Option<String>,
    role: Option<String>,
    cameras: Option<Vec<String>>,
    microphones: Option<Vec<String>>,
    confined: Option<bool>,
}

/// `GET /api/1.0/users`.
pub fn list(service: &Service) -> Reply {
    match service.accounts.list() {
        Ok(found) => Reply::json(
            200,
            &List {
                users: found.users.into_iter().map(listed_user).collect(),
                tokens: found.tokens.into_iter().map(listed_token).collect(),
                problems: found.complaints,
            },
        ),
        Err(error) => refused_edit(&error),
    }
}

/// `POST /api/1.0/users`.
pub fn add(service: &Service, admin: &Identity, request: &mut Request, exchange: &PendingRequest) -> Reply {
    let example = r#"{"name":"bob","password":"...","role":"viewer"}"#;
    let asked: NewUser = match body::read(request, example) {
        Ok(asked) => asked,
        Err(reply) => return reply,
    };
    // Not the first user's role by default: whoever asks is an admin already.
    let role = match read_role(asked.role.as_deref().or(Some("viewer"))) {
        Ok(role) => role,
        Err(reply) => return reply,
    };
    let new = Change {
        role,
        password: Some(asked.password.into()),
        cameras: asked.cameras,
        microphones: asked.microphones,
        unconfined: false,
    };
    match service.accounts.add(&asked.name, &new, admin, exchange.peer().ip()) {
        Ok(role) => {
            let what = format!("added the {} `{}`", role.name(), asked.name);
            audit::changed(exchange.peer(), admin, &what);
            let place = format!("/api/1.0/users/{}", asked.name);
            Reply::json(201, &Added { name: asked.name, role: role.name() }).with("Location", place)
        }
        Err(error) => refused_edit(&error),
    }
}

/// `PUT /api/1.0/users/NAME`: what is not named stays.
pub fn change(
    service: &Service,
    admin: &Identity,
    name: &str,
    request: &mut Request,
    exchange: &PendingRequest,
) -> Reply {
    let example = r#"{"role":"viewer","password":"...","cameras":["front"]} or {"confined":false}"#;
    let asked: UserChange = match body::read(request, example) {
        Ok(asked) => asked,
        Err(reply) => return reply,
    };
    let role = match read_role(asked.role.as_deref()) {
        Ok(role) => role,
        Err(reply) => return reply,
    };
    let change = Change {
        role,
        password: asked.password.map(Into::into),
        cameras: asked.cameras,
        microphones: asked.microphones,
        unconfined: asked.confined == Some(false),
    };
    if change.is_nothing() {
        return body::expected(example);
    }
    match service.accounts.change(name, &change, admin, exchange.peer().ip()) {
        Ok(()) => {
            audit::changed(exchange.peer(), admin, &format!("gave `{name}` {}", told(&change)));
            no_content()
        }
        Err(error) => refused_edit(&error),
    }
}

/// `DELETE /api/1.0/users/NAME`.
pub fn remove(service: &Service, admin: &Identity, name: &str, exchange: &PendingRequest) -> Reply {
    match service.accounts.remove(name, admin) {
        Ok(()) => {
            audit::changed(exchange.peer(), admin, &format!("removed `{name}`"));
            no_content()
        }
        Err(error) => refused_edit(&error),
    }
}

/// The reply to an edit that was not made.
pub fn refused_edit(error: &UsersError) -> Reply {
    let status = match error {
        UsersError::Name(_) | UsersError::Password(_) | UsersError::Scope(_) => 400,
        UsersError::Unknown(_) | UsersError::UnknownToken(_) => 404,
        UsersError::Taken(_) | UsersError::TokenTaken(_) | UsersError::LastAdmin(_) => 409,
        UsersError::NotAllowed => 403,
        UsersError::Busy => {
            return Reply::error(503, &error.to_string()).with("Retry-After", "2");
        }
        UsersError::Read(..) | UsersError::Write(..) | UsersError::Sync(..) | UsersError::Random(_) => {
            log::error!("{error}");
            return Reply::error(500, "the user file could not be changed; the log says why");
        }
    };
    Reply::error(status, &error.to_string())
}

fn read_role(role: Option<&str>) -> Result<Option<Role>, Reply> {
    let Some(name) = role else { return Ok(None) };
    Role::from_name(name).map(Some).ok_or_else(|| Reply::error(400, "role must be admin or viewer"))
}

/// What was given, for the audit log; of a password only that it was.
fn told(change: &Change) -> String {
    let mut what = Vec::new();
    what.extend(change.password.as_ref().map(|_| "another password".to_owned()));
    what.extend(change.role.map(|role| format!("the role {}", role.name())));
    what.extend(change.cameras.as_ref().map(|names| format!("the cameras {}", names.join(", "))));
    what.extend(change.microphones.as_ref().map(|names| format!("the microphones {}", names.join(", "))));
    what.extend(change.unconfined.then(|| "all cameras and microphones".to_owned()));
    what.join(" and ")
}

fn listed_user(found: ListedUser) -> User {
    let (cameras, microphones) = lists(&found.scope);
    User { name: found.name, role: found.role.name(), cameras, microphones }
}

fn listed_token(found: ListedToken) -> Token {
    let (cameras, microphones) = lists(&found.scope);
    Token { name: found.name, user: found.user, cameras, microphones }
}

fn lists(scope: &Scope) -> (Option<Vec<String>>, Option<Vec<String>>) {
    scope.names().unzip()
}
