//! Descriptors: as many as the connections of the configuration can use, or fewer connections.
//!
//! A process that runs out of descriptors cannot accept, cannot open a camera that came back and
//! cannot replace a file. So the public connections get what is left when everything else has its
//! share.

use log::{debug, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::gate::{Limits, LocalGate};

/// For the log, the user file, certificates, signals, sockets that listen, name look-ups.
const BASE: u64 = 64;

/// For a camera or microphone: its device, what drives it, and what libasound's plugins open.
const PER_DEVICE: u64 = 16;

/// For another Defender: its status, and a stream for each of its cameras and microphones.
const PER_REMOTE: u64 = 36;

/// Cameras and microphones that are found without being configured.
const UNNAMED_DEVICES: u64 = 8;

/// Raises the process' limit of open files to what the configuration needs, as far as it may, and
/// gives how many connections that allows at a time; a warning says where it is fewer than
/// `max_connections`.
pub(super) fn make_room(config: &Config) -> u32 {
    let asked = config.server.max_connections;
    let reserve = reserve(config);
    let needed = reserve + Limits::descriptors(asked);
    let limit = raise_to(needed);
    let Some(limit) = limit.filter(|limit| *limit < needed) else { return asked };
    let allowed = allowed(asked, limit.saturating_sub(reserve));
    warn!(
        "max_connections = {asked} in [server] needs {needed} open files, and this process may have {limit}: \
         {allowed} connections at a time are taken; raise the limit (LimitNOFILE= in a systemd unit, \
         `ulimit -Hn` in a shell) or lower max_connections"
    );
    allowed
}

/// What is kept for everything but public connections.
fn reserve(config: &Config) -> u64 {
    let devices = (config.cameras.len() + config.microphones.len()) as u64 + UNNAMED_DEVICES;
    let local = Limits::descriptors(LocalGate::CONNECTIONS);
    BASE + devices * PER_DEVICE + config.remotes.len() as u64 * PER_REMOTE + local
}

/// The limit as it is afterwards; `None` where there is none.
fn raise_to(needed: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let soft = current?;
    if soft >= needed {
        return Some(soft);
    }
    let raised = maximum.map_or(needed, |hard| hard.min(needed));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => {
            debug!("the limit of open files is raised from {soft} to {raised}");
            Some(raised)
        }
        Err(error) => {
            warn!("the limit of open files stays at {soft}: {error}");
            Some(soft)
        }
    }
}

/// The most connections, up to `asked`, that do with so many descriptors; at least one.
fn allowed(asked: u32, descriptors: u64) -> u32 {
    (1..=asked).rev().find(|count| Limits::descriptors(*count) <= descriptors).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_as_many_as_descriptors_are_left_for() {
        for asked in [1, 9, 128, 4096] {
            assert_eq!(allowed(asked, Limits::descriptors(asked)), asked);
        }
        let cut = allowed(4096, 1000);
        assert!(
            cut < 4096 && Limits::descriptors(cut) <= 1000 && Limits::descriptors(cut + 1) > 1000,
            "{cut}"
        );
        assert_eq!(allowed(128, 0), 1);
    }
}
