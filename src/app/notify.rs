//! Notifications to the service manager, in systemd's protocol (sd_notify(3)): that the server is ready, reloads
//! its configuration, or stops; and, while every capture thread advances, that it is alive. Without
//! `NOTIFY_SOCKET` in the environment there are no notifications and no thread.
//!
//! A camera's thread counts a round while whole frames arrive, or after it has reported that they do not. So an
//! unplugged camera causes no restart, and a driver that never returns does.

use std::collections::HashMap;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{debug, error, warn};

use super::threads::STACK_BYTES;
use crate::hub::Stop;
use crate::media::Timestamp;

/// Longest wait for a service manager that does not read.
const SEND_WITHIN: Duration = Duration::from_secs(1);

/// The service manager's socket, if there is one.
#[derive(Clone)]
pub(super) struct Manager {
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
}

/// The thread that sends the keep-alive; ended by [`Watchdog::stop`].
pub(super) struct Watchdog {
    stop: Stop,
    thread: JoinHandle<()>,
}

/// Whether a thread is alive: its name for people, and a counter that advances while it is.
pub(super) type Pulse = (String, u32);

impl Manager {
    /// The one that `NOTIFY_SOCKET` names. An address that cannot be used is logged, and nothing is sent.
    pub(super) fn from_environment() -> Self {
        let named = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = named.and_then(|name| match open(&name) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(error) => {
                warn!("NOTIFY_SOCKET={}: {error}; the service manager gets no notifications", name.display());
                None
            }
        });
        Self { socket }
    }

    /// Notifies that clients are served, at `url`.
    pub(super) fn ready(&self, url: &str) {
        self.send(&format!("READY=1\nSTATUS=Serving at {url}\n"));
    }

    /// Notifies that a reload begins; [`Manager::reloaded`] ends it.
    pub(super) fn reloading(&self) {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}\n", Timestamp::now().as_micros()));
    }

    /// Notifies that the reload is done.
    pub(super) fn reloaded(&self) {
        self.send("READY=1\n");
    }

    /// Notifies that the server stops.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Stopping\n");
    }

    /// Starts to send the keep-alive, twice in the time that the manager allows, as long as each of `pulses`
    /// advances in between. `None` if no manager expects it.
    ///
    /// # Errors
    /// If the system refuses the thread.
    pub(super) fn watch(
        &self,
        pulses: impl Fn() -> Vec<Pulse> + Send + 'static,
    ) -> io::Result<Option<Watchdog>> {
        let Some(interval) = self.socket.as_ref().and_then(|_| interval()) else { return Ok(None) };
        let (manager, stop) = (self.clone(), Stop::new());
        let stopped = stop.clone();
        let thread =
            thread::Builder::new().name("notify".to_owned()).stack_size(STACK_BYTES).spawn(move || {
                let mut rounds = Rounds::default();
                while !stopped.sleep(interval) {
                    match rounds.stalled(pulses()) {
                        None => manager.send("WATCHDOG=1\n"),
                        Some(name) => error!(
                            "{name}: its thread has hung for {} s; the service manager gets no keep-alive any \
                             more, and will restart Defender",
                            interval.as_secs_f32()
                        ),
                    }
                }
            })?;
        Ok(Some(Watchdog { stop, thread }))
    }

    fn send(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.0.send_to_addr(message.as_bytes(), &socket.1) {
            debug!(
                "cannot notify the service manager of {}: {error}",
                message.trim_end().replace('\n', ", ")
            );
        }
    }
}

impl Watchdog {
    /// Ends the thread.
    pub(super) fn stop(self) {
        self.stop.request();
        // A panic of the thread was logged; nothing else depends on it.
        let _ = self.thread.join();
    }
}

/// The pulses at the last check.
#[derive(Default)]
struct Rounds(HashMap<String, u32>);

impl Rounds {
    /// The first thread whose pulse has not advanced since the last call. A new thread has a whole interval.
    fn stalled(&mut self, pulses: Vec<Pulse>) -> Option<String> {
        let stalled = pulses.iter().find(|(name, count)| self.0.get(name) == Some(count));
        let stalled = stalled.map(|(name, _)| name.clone());
        self.0 = pulses.into_iter().collect();
        stalled
    }
}

/// Opens a socket, and parses the address `name`: a path, or `@` and an abstract name.
fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        _ => return Err(io::Error::other("expected a path, or @ and an abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_WITHIN))?;
    Ok((socket, address))
}

/// Half of the watchdog's time; `None` if there is no watchdog, or if it is for another process.
fn interval() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    if number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id())) {
        return None;
    }
    let limit = Duration::from_micros(number("WATCHDOG_USEC")?);
    (!limit.is_zero()).then_some(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulses(counts: [u32; 2]) -> Vec<Pulse> {
        vec![("camera front".to_owned(), counts[0]), ("camera yard".to_owned(), counts[1])]
    }

    #[test]
    fn a_stalled_thread_is_found_and_a_new_one_has_time() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.stalled(pulses([0, 0])), None);
        assert_eq!(rounds.stalled(pulses([1, 9])), None);
        assert_eq!(rounds.stalled(pulses([2, 9])), Some("camera yard".to_owned()));
        assert_eq!(rounds.stalled(pulses([3, 0])), None, "any change will do: counters wrap");
        assert_eq!(rounds.stalled(pulses([4, 1])[..1].to_vec()), None);
        assert_eq!(rounds.stalled(pulses([5, 1])), None, "it was removed, and is new again");
    }

    #[test]
    fn an_address_of_another_kind_is_refused() {
        assert!(open(OsStr::new("vsock:2:1234")).is_err());
        assert!(open(OsStr::new(&format!("/{}", "n".repeat(200)))).is_err());
        assert!(open(OsStr::new("@defender")).is_ok() && open(OsStr::new("/run/x")).is_ok());
    }
}
