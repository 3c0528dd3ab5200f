//! Users, for admins: the same file that the command line edits.

use miniserde::{Deserialize, Serialize};

use super::errors::users_error;
use crate::gate::PendingRequest;
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::http::{audit, body};
use crate::users::{Change, Identity, ListedToken, ListedUser, Role, Scope};

#[derive(Serialize)]
struct List {
    users: Vec<User>,
    tokens: Vec<Token>,
    problems: Vec<String>,
}

/// `cameras` and `microphones` are null if the user is not confined.
#[derive(Serialize)]
struct User {
    name: String,
    role: &'static str,
    cameras: Option<Vec<String>>,
    microphones: Option<Vec<String>>,
    past: bool,
}

#[derive(Serialize)]
struct Token {
    name: String,
    user: String,
    cameras: Option<Vec<String>>,
    microphones: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct NewUserBody {
    name: String,
    password: String,
    role: Option<String>,
    cameras: Option<Vec<String>>,
    microphones: Option<Vec<String>>,
    past: Option<bool>,
}

#[derive(Serialize)]
struct Added {
    name: String,
    role: &'static str,
}

#[derive(Deserialize)]
struct ChangeBody {
    password: Option<String>,
    role: Option<String>,
    cameras: Option<Vec<String>>,
    microphones: Option<Vec<String>>,
    confined: Option<bool>,
    past: Option<bool>,
}

/// `GET /api/1.0/users`.
pub fn list(state: &AppState) -> Reply {
    match state.accounts.list() {
        Ok(found) => Reply::json(
            200,
            &List {
                users: found.users.into_iter().map(listed_user).collect(),
                tokens: found.tokens.into_iter().map(listed_token).collect(),
                problems: found.complaints,
            },
        ),
        Err(error) => users_error(&error),
    }
}

/// `POST /api/1.0/users`.
pub fn add(call: &mut Call<'_>) -> Reply {
    let Call { state, request, pending, user: admin } = call;
    let example = r#"{"name":"bob","password":"...","role":"viewer"}"#;
    let body: NewUserBody = match body::read(request, example) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    // Viewer by default: there is an admin already.
    let role = match read_role(body.role.as_deref().or(Some("viewer"))) {
        Ok(role) => role,
        Err(reply) => return reply,
    };
    let new = Change {
        role,
        password: Some(body.password.into()),
        cameras: body.cameras,
        microphones: body.microphones,
        unconfined: false,
        past: body.past,
    };
    match state.accounts.add(&body.name, &new, admin, *pending) {
        Ok(role) => {
            let what = format!("added the {} `{}`", role.name(), body.name);
            audit::changed(pending.peer(), admin, &what);
            let location = format!("/api/1.0/users/{}", body.name);
            Reply::json(201, &Added { name: body.name, role: role.name() }).with("Location", location)
        }
        Err(error) => users_error(&error),
    }
}

/// `PUT /api/1.0/users/NAME`: what the body does not name stays as it is.
pub fn change(call: &mut Call<'_>, name: &str) -> Reply {
    let Call { state, request, pending, user: admin } = call;
    let example = r#"{"role":"viewer","password":"...","cameras":["front"]} or {"confined":false}"#;
    let body: ChangeBody = match body::read(request, example) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let role = match read_role(body.role.as_deref()) {
        Ok(role) => role,
        Err(reply) => return reply,
    };
    let change = Change {
        role,
        password: body.password.map(Into::into),
        cameras: body.cameras,
        microphones: body.microphones,
        unconfined: body.confined == Some(false),
        past: body.past,
    };
    if change.is_nothing() {
        return body::expected(example);
    }
    match state.accounts.change(name, &change, admin, *pending) {
        Ok(()) => {
            audit::changed(pending.peer(), admin, &format!("changed `{name}`: {}", summary(&change)));
            Reply::no_content()
        }
        Err(error) => users_error(&error),
    }
}

/// `DELETE /api/1.0/users/NAME`.
pub fn remove(state: &AppState, admin: &Identity, name: &str, pending: &PendingRequest) -> Reply {
    match state.accounts.remove(name, admin) {
        Ok(()) => {
            audit::changed(pending.peer(), admin, &format!("removed `{name}`"));
            Reply::no_content()
        }
        Err(error) => users_error(&error),
    }
}

fn read_role(role: Option<&str>) -> Result<Option<Role>, Reply> {
    let Some(name) = role else { return Ok(None) };
    Role::from_name(name).map(Some).ok_or_else(|| Reply::error(400, "role must be admin or viewer"))
}

/// The change for the audit log, without the password.
fn summary(change: &Change) -> String {
    let mut what = Vec::new();
    what.extend(change.password.as_ref().map(|_| "another password".to_owned()));
    what.extend(change.role.map(|role| format!("the role {}", role.name())));
    what.extend(change.cameras.as_ref().map(|names| format!("the cameras {}", names.join(", "))));
    what.extend(change.microphones.as_ref().map(|names| format!("the microphones {}", names.join(", "))));
    what.extend(change.unconfined.then(|| "all cameras and microphones".to_owned()));
    what.extend(change.past.map(|past| if past { "recordings" } else { "no recordings" }.to_owned()));
    what.join(" and ")
}

fn listed_user(found: ListedUser) -> User {
    let (cameras, microphones) = lists(&found.scope);
    User { name: found.name, role: found.role.name(), cameras, microphones, past: found.past }
}

fn listed_token(found: ListedToken) -> Token {
    let (cameras, microphones) = lists(&found.scope);
    Token { name: found.name, user: found.user, cameras, microphones }
}

fn lists(scope: &Scope) -> (Option<Vec<String>>, Option<Vec<String>>) {
    scope.names().unzip()
}
