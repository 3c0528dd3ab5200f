//! Who came in, who failed to, and who changed what, from where: the lines an auditor and fail2ban
//! read. Each begins with the client's address, so that no name in it can pass for one. None holds
//! a secret.

use std::net::SocketAddr;

use log::{debug, info, warn};

use crate::users::Denied;

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

/// A user asked for what is not his to do.
pub fn forbidden(peer: SocketAddr, name: &str, what: &str) {
    warn!("{peer}: `{name}` may not {what:.120}");
}

/// A user changed something.
pub fn changed(peer: SocketAddr, name: &str, what: &str) {
    info!("{peer}: `{name}` {what}");
}
