//! Connecting: a name into addresses, and the first of them that answers. Both may hang in a silent network, and
//! neither keeps a thread that is to stop.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

use super::{Address, ClientError, mdns};

/// The longest sleep before `is_wanted` is asked again.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// For one address to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// For a name to be resolved.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Stack of the thread that resolves a name: the system's library and nothing else.
const STACK_BYTES: usize = 256 * 1024;

/// A connection to the first of its addresses that answers.
pub(super) fn connect(address: &Address, is_wanted: &dyn Fn() -> bool) -> Result<TcpStream, ClientError> {
    let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in lookup(address, LOOKUP_TIMEOUT, resolve, is_wanted)? {
        match reach(address, is_wanted) {
            Ok(Some(socket)) => return Ok(socket),
            Ok(None) => return Err(ClientError::Stopped),
            Err(error) => failed = error,
        }
    }
    Err(ClientError::Unreachable(failed))
}

/// What resolves a host and a port, for as long as it likes.
type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// By the devices of the local network for a name that one of them may have, else by the system.
fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if mdns::is_local(host)
        && let Ok(found) = mdns::lookup(host, port)
    {
        return Ok(found);
    }
    (host, port).to_socket_addrs().map(Vec::from_iter)
}

/// Its addresses. The system resolves names for as long as it likes, and cannot be stopped: that is
/// left to a thread that is not waited for longer than `timeout`.
fn lookup(
    address: &Address,
    timeout: Duration,
    resolve: Resolve,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Vec<SocketAddr>, ClientError> {
    let (host, port) = (address.host.clone(), address.port);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("resolve".to_owned()).stack_size(STACK_BYTES);
    // The caller may have left when it is resolved.
    let resolved = thread.spawn(move || drop(sender.send(resolve(&host, port))));
    resolved.map_err(ClientError::Unknown)?;
    let end = Instant::now() + timeout;
    loop {
        match receiver.recv_timeout(SLICE) {
            Ok(found) => return found.map_err(ClientError::Unknown),
            _ if !is_wanted() => return Err(ClientError::Stopped),
            Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
            Err(_) => return Err(ClientError::Unknown(ErrorKind::TimedOut.into())),
        }
    }
}

/// A connection to this address; `None` when it is not wanted any more.
fn reach(address: SocketAddr, is_wanted: &dyn Fn() -> bool) -> io::Result<Option<TcpStream>> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let end = Instant::now() + CONNECT_TIMEOUT;
    let slice = Timespec { tv_sec: 0, tv_nsec: SLICE.subsec_nanos() as _ };
    loop {
        if !is_wanted() {
            return Ok(None);
        }
        match poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&slice)) {
            Ok(0) | Err(Errno::INTR) if Instant::now() < end => {}
            Ok(0) | Err(Errno::INTR) => return Err(ErrorKind::TimedOut.into()),
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
    }
    sockopt::socket_error(&socket)??;
    let socket = TcpStream::from(socket);
    socket.set_nonblocking(false)?;
    Ok(Some(socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::net::TcpListener;

    fn address(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port, is_secure: true }
    }

    #[test]
    fn a_name_leads_to_its_listener_and_a_closed_port_to_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1"] {
            connect(&address(host, port), &|| true).unwrap();
        }
        drop(listener);
        let refused = connect(&address("127.0.0.1", port), &|| true).unwrap_err();
        assert!(matches!(refused, ClientError::Unreachable(_)), "{refused}");
    }

    /// A resolver that never answers. Its thread ends with the tests.
    fn hangs(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        loop {
            thread::park();
        }
    }

    #[test]
    fn a_resolver_that_hangs_keeps_nobody() {
        let camera = address("camera.example", 80);
        let looks = Cell::new(0);
        let is_wanted = || looks.replace(looks.get() + 1) < 2;
        let stopped = lookup(&camera, Duration::MAX / 4, hangs, &is_wanted).unwrap_err();
        assert!(matches!(stopped, ClientError::Stopped) && looks.get() == 3, "{stopped}");
        let unknown = lookup(&camera, Duration::ZERO, hangs, &|| true).unwrap_err();
        assert!(
            matches!(&unknown, ClientError::Unknown(why) if why.kind() == ErrorKind::TimedOut),
            "{unknown}"
        );
    }

    #[test]
    fn a_request_that_is_not_wanted_waits_for_no_silent_address() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        rustix::net::bind(&listener, &any).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let port = TcpListener::from(listener.try_clone().unwrap()).local_addr().unwrap().port();
        let silent = address("127.0.0.1", port);
        // Its queue holds one connection that is never accepted; then the kernel answers no other.
        let queued = connect(&silent, &|| true).unwrap();
        let looks = Cell::new(0);
        let is_wanted = || looks.replace(looks.get() + 1) < 2;
        let stopped = connect(&silent, &is_wanted).unwrap_err();
        assert!(matches!(stopped, ClientError::Stopped), "{stopped}");
        drop((queued, listener));
    }
}
