//! The audit log: logins, refusals and changes, each with its user and address, for auditors and fail2ban.
//!
//! Each line begins with the client's address, so that a user name cannot be taken for one. No line holds a
//! secret. Lines that a client can cause at will are rate limited, and the suppressed ones are counted
//! (`logging::limit`). Changes by admins are always written.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use log::{Level, info};

use crate::base::{Network, lock};
use crate::logging::Limit;
use crate::users::{Denied, Identity, Role};

const WINDOW: Duration = Duration::from_secs(600);

/// By user and network.
static SIGNED_IN: Limit = Limit::new("logins", 10, 120, WINDOW);

/// By network. More than fail2ban's `maxretry` in its `findtime` (docs/fail2ban), so that fail2ban sees enough
/// failures to ban the address.
static REFUSED: Limit = Limit::new("refused logins", 20, 300, WINDOW);

/// By network. Apart from [`REFUSED`]: malformed credentials cost a client nothing, and must not use up the lines
/// that its guesses would get.
static MALFORMED: Limit = Limit::new("logins that cannot be read", 10, 60, WINDOW);

/// By network.
static UNCHECKED: Limit = Limit::new("logins that were not checked", 20, 120, WINDOW);

/// By user and network.
static FORBIDDEN: Limit = Limit::new("forbidden requests", 10, 60, WINDOW);

/// By user and network.
static EVENTS: Limit = Limit::new("events that were reported", 60, 300, WINDOW);

/// By user and network.
static TAKEN: Limit = Limit::new("clips", 60, 300, WINDOW);

/// The newest clip of each user and network, so that its ranges are one line.
static NEWEST_CLIPS: NewestClips = NewestClips(Mutex::new(VecDeque::new()));

/// By user and network.
static OWN: Limit = Limit::new("changes of their own", 10, 120, WINDOW);

/// Logs that a password was accepted.
pub fn signed_in(peer: SocketAddr, name: &str, how: &str) {
    let line = format_args!("{peer}: login of `{name}` by {how}");
    SIGNED_IN.log(&subject(peer, name), Level::Info, module_path!(), line);
}

/// Logs that a login was refused; at level `debug` if it was not even checked.
pub fn refused(peer: SocketAddr, name: &str, why: Denied) {
    let (limit, level, what) = match why {
        Denied::Busy | Denied::Throttled(_) | Denied::Ended => (&UNCHECKED, Level::Debug, "not checked"),
        _ => (&REFUSED, Level::Warn, "refused"),
    };
    // The name is untrusted input: it is cut, and the limit does not count by it, as each try may bring another.
    let line = format_args!("{peer}: login of `{name:.32}` {what}: {why}");
    limit.log(&Network::of(peer.ip()).to_string(), level, module_path!(), line);
}

/// Logs credentials that cannot be read. Only the log has the reason.
pub fn malformed(peer: SocketAddr, why: &str) {
    let line = format_args!("{peer}: login refused: {why}");
    MALFORMED.log(&Network::of(peer.ip()).to_string(), Level::Warn, module_path!(), line);
}

/// Logs that a user asked for something that they may not do.
pub fn forbidden(peer: SocketAddr, user: &Identity, what: &str) {
    let line = format_args!("{peer}: {} may not {what:.120}", user.actor());
    FORBIDDEN.log(&subject(peer, &user.name), Level::Warn, module_path!(), line);
}

/// Logs that a user changed their own session or password.
pub fn changed_own(peer: SocketAddr, user: &Identity, what: &str) {
    let line = format_args!("{peer}: {} {what}", user.actor());
    OWN.log(&subject(peer, &user.name), Level::Info, module_path!(), line);
}

/// Logs that a user reported an event or its end: of an admin always, as each change by one.
pub fn event(peer: SocketAddr, user: &Identity, what: &str) {
    if user.role == Role::Admin {
        return changed(peer, user, what);
    }
    let line = format_args!("{peer}: {} {what}", user.actor());
    EVENTS.log(&subject(peer, &user.name), Level::Info, module_path!(), line);
}

/// Logs that a user took footage.
pub fn took(peer: SocketAddr, user: &Identity, what: &str) {
    let subject = subject(peer, &user.name);
    if NEWEST_CLIPS.is_new(&subject, what, Instant::now()) {
        let line = format_args!("{peer}: {} {what}", user.actor());
        TAKEN.log(&subject, Level::Info, module_path!(), line);
    }
}

/// Logs a change by an admin.
pub fn changed(peer: SocketAddr, user: &Identity, what: &str) {
    info!("{peer}: {} {what}", user.actor());
}

fn subject(peer: SocketAddr, name: &str) -> String {
    format!("{}: `{name}`", Network::of(peer.ip()))
}

/// A user at a network, the clip that they took last, and when that was logged.
type NewestClip = (String, String, Instant);

/// Which clips were taken lately: a player asks for many ranges of one.
struct NewestClips(Mutex<VecDeque<NewestClip>>);

impl NewestClips {
    /// Most users that are remembered.
    const MOST: usize = 64;

    /// Whether this is another clip than the last one of this subject, or that was long ago.
    fn is_new(&self, subject: &str, clip: &str, now: Instant) -> bool {
        let mut newest = lock(&self.0);
        if let Some(at) = newest.iter().position(|(known, ..)| known == subject) {
            let (_, last, since) = &newest[at];
            if last == clip && now.duration_since(*since) < WINDOW {
                return false;
            }
            newest.remove(at);
        }
        if newest.len() >= Self::MOST {
            newest.pop_front();
        }
        newest.push_back((subject.to_owned(), clip.to_owned(), now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_clip_are_one_line_for_each_user_and_window() {
        let newest = NewestClips(Mutex::default());
        let begin = Instant::now();
        for (subject, clip, after, is_new) in [
            ("eve", "one", Duration::ZERO, true),
            ("eve", "one", WINDOW - Duration::from_nanos(1), false),
            ("bob", "one", Duration::ZERO, true),
            ("eve", "two", Duration::ZERO, true),
            ("eve", "one", Duration::ZERO, true),
            ("eve", "one", WINDOW, true),
        ] {
            assert_eq!(newest.is_new(subject, clip, begin + after), is_new, "{subject}, {clip}, {after:?}");
        }
        for number in 0..1000 {
            newest.is_new(&number.to_string(), "one", begin);
        }
        assert_eq!(lock(&newest.0).len(), NewestClips::MOST);
    }

    #[test]
    fn clips_of_one_user_are_a_bounded_number_of_lines() {
        let lines = (0..1000).filter(|_| TAKEN.admits("eve", Instant::now())).count();
        assert_eq!(lines, 60);
        assert!(TAKEN.admits("bob", Instant::now()), "another user's are written still");
    }
}
