//! Who came in, who failed to, and who changed what, from where: the lines an auditor and fail2ban
//! read. Each begins with the client's address, so that no name in it can pass for one. None holds
//! a secret.
//!
//! Lines that a client can cause at will are limited, and what is left out is counted; `logging::limit` has the
//! arithmetic. What an admin changes is always written.

use std::net::SocketAddr;
use std::time::Duration;

use log::{Level, info};

use crate::base::Network;
use crate::logging::Limit;
use crate::users::{Denied, Identity};

const WINDOW: Duration = Duration::from_secs(600);

/// By user and network.
static SIGNED_IN: Limit = Limit::new("logins", 10, 120, WINDOW);

/// By network. More than fail2ban's `maxretry` in its `findtime` (docs/fail2ban), so that it bans who goes on.
static REFUSED: Limit = Limit::new("refused logins", 20, 300, WINDOW);

/// By network. Not with those that were refused: it costs a client nothing to send what cannot be read, and
/// its guesses must not go unlogged for that.
static MALFORMED: Limit = Limit::new("logins that cannot be read", 10, 60, WINDOW);

/// By network.
static UNCHECKED: Limit = Limit::new("logins that were not checked", 20, 120, WINDOW);

/// By user and network.
static FORBIDDEN: Limit = Limit::new("forbidden requests", 10, 60, WINDOW);

/// By user and network.
static OWN: Limit = Limit::new("changes of their own", 10, 120, WINDOW);

/// Somebody was let in by a password.
pub fn signed_in(peer: SocketAddr, name: &str, how: &str) {
    let line = format_args!("{peer}: login of `{name}` by {how}");
    SIGNED_IN.log(&subject(peer, name), Level::Info, module_path!(), line);
}

/// Somebody was not let in. What was not even checked is of level `debug`.
pub fn refused(peer: SocketAddr, name: &str, why: Denied) {
    let (limit, level, what) = match why {
        Denied::Busy | Denied::Throttled(_) | Denied::Ended => (&UNCHECKED, Level::Debug, "not checked"),
        _ => (&REFUSED, Level::Warn, "refused"),
    };
    // A name from the network is cut, and is no subject: each try may bring another one.
    let line = format_args!("{peer}: login of `{name:.32}` {what}: {why}");
    limit.log(&Network::of(peer.ip()).to_string(), level, module_path!(), line);
}

/// A request brought credentials that cannot be read. What is wrong with them is for the log alone.
pub fn malformed(peer: SocketAddr, why: &str) {
    let line = format_args!("{peer}: login refused: {why}");
    MALFORMED.log(&Network::of(peer.ip()).to_string(), Level::Warn, module_path!(), line);
}

/// A user asked for what only others may do.
pub fn forbidden(peer: SocketAddr, user: &Identity, what: &str) {
    let line = format_args!("{peer}: {} may not {what:.120}", user.actor());
    FORBIDDEN.log(&subject(peer, &user.name), Level::Warn, module_path!(), line);
}

/// A user changed what is their own: a session or the password.
pub fn changed_own(peer: SocketAddr, user: &Identity, what: &str) {
    let line = format_args!("{peer}: {} {what}", user.actor());
    OWN.log(&subject(peer, &user.name), Level::Info, module_path!(), line);
}

/// An admin changed something.
pub fn changed(peer: SocketAddr, user: &Identity, what: &str) {
    info!("{peer}: {} {what}", user.actor());
}

fn subject(peer: SocketAddr, name: &str) -> String {
    format!("{}: `{name}`", Network::of(peer.ip()))
}
