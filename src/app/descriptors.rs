//! File descriptors: raises their limit for the configured connections, or allows fewer connections.
//!
//! A process without free descriptors cannot accept, cannot reopen a camera and cannot replace a file. So public
//! connections get only those that everything else leaves.

use log::{debug, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::base::limits::LOCAL_CONNECTIONS;
use crate::config::Config;
use crate::gate::Limits;

/// For the log, the user file, certificates, signals, sockets that listen, name look-ups.
const BASE: u64 = 64;

/// For a camera or microphone: its device, what drives it, and what libasound's plugins open.
const PER_DEVICE: u64 = 16;

/// For another Defender: its status, and a stream for each of its cameras and microphones.
const PER_REMOTE: u64 = 36;

/// Cameras and microphones that are found and not configured.
const UNNAMED_DEVICES: u64 = 8;

/// Raises the process' limit of open files to what the configuration needs, as far as possible, and returns
/// how many connections that allows at a time. It warns if they are fewer than `max_connections`.
pub(super) fn allowed_connections(config: &Config) -> u32 {
    let configured = config.server.max_connections;
    let reserve = reserve(config);
    let needed = reserve + Limits::descriptors(configured);
    let limit = raise_to(needed);
    let Some(limit) = limit.filter(|limit| *limit < needed) else { return configured };
    let allowed = allowed(configured, limit.saturating_sub(reserve));
    warn!(
        "max_connections = {configured} in [server] needs {needed} open files, but this process may have \
         {limit}: it accepts {allowed} connections at a time; raise the limit (LimitNOFILE= in a systemd unit, \
         `ulimit -Hn` in a shell) or lower max_connections"
    );
    allowed
}

/// The descriptors of everything but public connections.
fn reserve(config: &Config) -> u64 {
    let devices = (config.cameras.len() + config.microphones.len()) as u64 + UNNAMED_DEVICES;
    let local = Limits::descriptors(LOCAL_CONNECTIONS);
    BASE + devices * PER_DEVICE + config.remotes.len() as u64 * PER_REMOTE + local
}

/// The new limit; `None` if there is none.
fn raise_to(needed: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let soft = current?;
    if soft >= needed {
        return Some(soft);
    }
    let raised = maximum.map_or(needed, |hard| hard.min(needed));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => {
            debug!("raised the limit of open files from {soft} to {raised}");
            Some(raised)
        }
        Err(error) => {
            warn!("cannot raise the limit of open files from {soft}: {error}");
            Some(soft)
        }
    }
}

/// The most connections, up to `configured`, that these descriptors are enough for; at least one.
fn allowed(configured: u32, descriptors: u64) -> u32 {
    (1..=configured).rev().find(|count| Limits::descriptors(*count) <= descriptors).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_limited_by_the_descriptors_left() {
        for configured in [1, 9, 128, 4096] {
            assert_eq!(allowed(configured, Limits::descriptors(configured)), configured);
        }
        let cut = allowed(4096, 1000);
        assert!(
            cut < 4096 && Limits::descriptors(cut) <= 1000 && Limits::descriptors(cut + 1) > 1000,
            "{cut}"
        );
        assert_eq!(allowed(128, 0), 1);
    }
}
