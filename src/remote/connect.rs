//! The way to another Defender: its name into addresses, and the first of them that answers. Both may
//! hang in a network's silence, and neither keeps a thread that is to stop.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

use super::{Address, RemoteError};

/// The longest sleep that a wish to stop does not end.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// For one address to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// For a name to be resolved.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Stack of the thread that resolves a name: the system's library and nothing else.
const STACK_BYTES: usize = 256 * 1024;

/// The first of its addresses that answers.
pub(super) fn connect(address: &Address, wanted: &dyn Fn() -> bool) -> Result<TcpStream, RemoteError> {
    let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
    for place in lookup(address, wanted)? {
        match reach(place, wanted) {
            Ok(Some(socket)) => return Ok(socket),
            Ok(None) => return Err(RemoteError::Stopped),
            Err(error) => failed = error,
        }
    }
    Err(RemoteError::Unreachable(failed))
}

/// Its addresses. The system resolves names for as long as it likes, and cannot be told to stop: that is
/// left to a thread which nobody waits for.
fn lookup(address: &Address, wanted: &dyn Fn() -> bool) -> Result<Vec<SocketAddr>, RemoteError> {
    let (host, port) = (address.host.clone(), address.port);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (tell, told) = mpsc::channel();
    let resolve = move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        // Who asked may have left.
        let _ = tell.send(found);
    };
    let thread = thread::Builder::new().name("resolve".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(resolve).map_err(RemoteError::Unknown)?;
    let end = Instant::now() + LOOKUP_TIMEOUT;
    loop {
        match told.recv_timeout(SLICE) {
            Ok(found) => return found.map_err(RemoteError::Unknown),
            _ if !wanted() => return Err(RemoteError::Stopped),
            Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
            Err(_) => return Err(RemoteError::Unknown(ErrorKind::TimedOut.into())),
        }
    }
}

/// A connection to this address; `None` when it is not wanted any more.
fn reach(place: SocketAddr, wanted: &dyn Fn() -> bool) -> io::Result<Option<TcpStream>> {
    let family = if place.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &place) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let end = Instant::now() + CONNECT_TIMEOUT;
    let slice = Timespec { tv_sec: 0, tv_nsec: SLICE.subsec_nanos() as _ };
    loop {
        if !wanted() {
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
    fn a_name_leads_to_whoever_listens_there_and_a_closed_port_to_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1"] {
            connect(&address(host, port), &|| true).unwrap();
        }
        drop(listener);
        let refused = connect(&address("127.0.0.1", port), &|| true).unwrap_err();
        assert!(matches!(refused, RemoteError::Unreachable(_)), "{refused}");
    }

    #[test]
    fn who_is_to_stop_does_not_wait_for_an_address_that_is_silent() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        rustix::net::bind(&listener, &any).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let port = TcpListener::from(listener.try_clone().unwrap()).local_addr().unwrap().port();
        let place = address("127.0.0.1", port);
        // Its queue holds one that nobody fetches; then the kernel says no more to anybody.
        let queued = connect(&place, &|| true).unwrap();
        let looks = Cell::new(0);
        let wanted = || looks.replace(looks.get() + 1) < 2;
        let stopped = connect(&place, &wanted).unwrap_err();
        assert!(matches!(stopped, RemoteError::Stopped), "{stopped}");
        drop((queued, listener));
    }
}
