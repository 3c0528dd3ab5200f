//! Who came in, who failed to, and who changed what, from where: the lines an auditor and fail2ban
//! read. Each begins with the client's address, so that no name in it can pass for one. None holds
//! a secret.

use std::net::SocketAddr;

use log::{debug, info, warn};

use crate::users::{Denied, Identity};

/// Somebody was let in by a password.
pub fn signed_in(peer: SocketAddr, name: &str, how: &str) {
    info!("{peer}: login of `{name}` by {how}");
}

/// Somebody was not let in. What was not even checked is not worth a line: a flood of logins must
/// not fill the log.
pub fn refused(peer: SocketAddr, name: &str, why: Denied) {
    // A name from the network is cut: it must not fill the log either.
    match why {
        Denied::Busy | Denied::Throttled(_) | Denied::Ended => {
            debug!("{peer}: login of `{name:.32}` not checked: {why}");
        }
        _ => warn!("{peer}: login of `{name:.32}` refused: {why}"),
    }
}

/// A request brought credentials that cannot be read. What is wrong with them is for the log alone.
pub fn malformed(peer: SocketAddr, why: &str) {
    warn!("{peer}: login refused: {why}");
}

/// A user asked for what is not his to do.
pub fn forbidden(peer: SocketAddr, user: &Identity, what: &str) {
    warn!("{peer}: {} may not {what:.120}", user.actor());
}

/// A user changed something.
pub fn changed(peer: SocketAddr, user: &Identity, what: &str) {
    info!("{peer}: {} {what}", user.actor());
}
