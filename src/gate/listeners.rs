//! The listening sockets: one for each configured address, or one for all IPv6 and IPv4 addresses of the machine.
//!
//! `::` listens for both families on one socket without IPV6_V6ONLY. IPv4 peers are converted where they are
//! accepted, so that no other code sees a mapped address.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

use super::error::GateError;

/// Connections that may wait to be accepted on each socket.
const BACKLOG: i32 = 1024;

/// How often another port is tried if the kernel chose one that is in use on another address.
const PORT_TRIES: usize = 16;

/// Sockets that listen on the same port.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    warning: Option<String>,
}

impl Listeners {
    /// Listens on a port (0: the kernel chooses one) of each address. `::` alone stands for every address of the
    /// machine; next to IPv4 addresses it stands for every IPv6 address.
    ///
    /// # Errors
    /// [`GateError::Bind`] and [`GateError::Address`].
    pub(super) fn bind(addresses: &[IpAddr], port: u16) -> Result<Self, GateError> {
        let addresses = without_covered(addresses);
        let mut tries = PORT_TRIES;
        loop {
            match Self::try_bind(&addresses, port) {
                Err(GateError::Bind(_, error))
                    if port == 0 && error.kind() == ErrorKind::AddrInUse && tries > 0 =>
                {
                    tries -= 1;
                }
                done => return done,
            }
        }
    }

    fn try_bind(addresses: &[IpAddr], port: u16) -> Result<Self, GateError> {
        let has_v4 = addresses.iter().any(IpAddr::is_ipv4);
        let mut listeners = Self { sockets: Vec::new(), addresses: Vec::new(), warning: None };
        for ip in addresses {
            let chosen = listeners.addresses.first().map_or(port, SocketAddr::port);
            let address = SocketAddr::new(*ip, chosen);
            let is_any = *ip == Ipv6Addr::UNSPECIFIED;
            match listen(address, !is_any || has_v4) {
                Ok(socket) => listeners.add(socket)?,
                // A kernel without IPv6.
                Err(error) if is_any && addresses.len() == 1 && is_without_v6(&error) => {
                    let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), chosen);
                    let socket = listen(address, false).map_err(|error| GateError::Bind(address, error))?;
                    listeners.add(socket)?;
                    listeners.warning =
                        Some("this machine has no IPv6: listening on its IPv4 addresses only".to_owned());
                }
                Err(error) => return Err(GateError::Bind(address, error)),
            }
        }
        Ok(listeners)
    }

    fn add(&mut self, socket: TcpListener) -> Result<(), GateError> {
        self.addresses.push(socket.local_addr().map_err(GateError::Address)?);
        self.sockets.push(socket);
        Ok(())
    }

    /// The addresses that they listen on, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A difference from the configuration.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Accepts the next client; `None` if it left before it was accepted.
    pub(super) fn accept(&self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let mut polled: Vec<_> =
            self.sockets.iter().map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        match poll(&mut polled, None) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let ready = polled.iter().position(|polled| !polled.revents().is_empty()).unwrap_or(0);
        match self.sockets[ready].accept() {
            Ok((socket, peer)) => Ok(Some((socket, canonical(peer)))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The listening sockets; shutting one down wakes a thread in [`Listeners::accept`].
    pub(super) fn sockets(&self) -> &[TcpListener] {
        &self.sockets
    }
}

/// Converts an IPv4 address that an IPv6 socket shows as mapped (RFC 4291, section 2.5.5.2).
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::from((v4, address.port())),
        // Unchanged, because of its scope.
        IpAddr::V6(_) => address,
    }
}

/// The addresses without duplicates and without those that an unspecified one covers.
fn without_covered(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut distinct: Vec<IpAddr> = Vec::new();
    for ip in addresses.iter().map(IpAddr::to_canonical) {
        let is_covered =
            addresses.iter().any(|any| any.is_unspecified() && any.is_ipv4() == ip.is_ipv4() && *any != ip);
        if !is_covered && !distinct.contains(&ip) {
            distinct.push(ip);
        }
    }
    distinct
}

fn listen(address: SocketAddr, is_v6_only: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    // Non-blocking: a client that leaves between poll and accept must not block the others.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    // Connections of a previous server may still be ending.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, is_v6_only)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Whether IPv6 is missing in the kernel, or switched off.
fn is_without_v6(error: &io::Error) -> bool {
    let codes = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL];
    codes.iter().any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(addresses: &[&str]) -> Listeners {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Listeners::bind(&addresses, 0).unwrap()
    }

    /// The address that the server sees of a client that connects to `host`.
    fn peer(listeners: &Listeners, host: &str) -> io::Result<IpAddr> {
        let port = listeners.addresses()[0].port();
        let client = TcpStream::connect((host.parse::<IpAddr>().unwrap(), port))?;
        let (accepted, peer) = loop {
            if let Some(accepted) = listeners.accept()? {
                break accepted;
            }
        };
        assert_eq!(peer, client.local_addr()?, "the address as the client sees it");
        drop(accepted);
        Ok(peer.ip())
    }

    #[test]
    fn a_burst_of_clients_waits_to_be_accepted() {
        let listeners = bind(&["127.0.0.1"]);
        let timeout = std::time::Duration::from_secs(10);
        // The usual backlog is 128. The kernel drops what comes beyond that.
        let clients: Vec<_> = (0..200)
            .map(|number| match TcpStream::connect_timeout(&listeners.addresses()[0], timeout) {
                Ok(client) => client,
                Err(error) => panic!("client {number}: {error}"),
            })
            .collect();
        assert_eq!(clients.len(), 200);
    }

    #[test]
    fn the_unspecified_ipv6_address_serves_both_families() {
        let listeners = bind(&["::"]);
        if listeners.warning().is_none() {
            assert!(peer(&listeners, "::1").unwrap().is_loopback());
        }
        assert_eq!(peer(&listeners, "127.0.0.1").unwrap(), Ipv4Addr::LOCALHOST);
        assert!(peer(&bind(&["0.0.0.0"]), "::1").is_err(), "0.0.0.0 is IPv4 alone");
    }

    #[test]
    fn all_addresses_of_a_list_get_one_port() {
        for (list, count) in [
            (&["127.0.0.1", "::1"][..], 2),
            (&["::", "127.0.0.1"], 2),
            (&["0.0.0.0", "::"], 2),
            (&["0.0.0.0", "127.0.0.1"], 1),
            (&["127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"], 1),
            (&["127.0.0.1", "127.0.0.2"], 2),
        ] {
            let listeners = bind(list);
            assert_eq!(listeners.addresses().len(), count, "{list:?}");
            for address in listeners.addresses() {
                assert_eq!(address.port(), listeners.addresses()[0].port(), "{list:?}");
                let host = if address.ip().is_unspecified() {
                    "127.0.0.1".to_owned()
                } else {
                    address.ip().to_string()
                };
                let host =
                    if address.is_ipv6() && address.ip().is_unspecified() { "::1".to_owned() } else { host };
                peer(&listeners, &host).unwrap_or_else(|error| panic!("{list:?} {host}: {error}"));
            }
        }
    }

    #[test]
    fn sockets_are_closed_on_exec_and_do_not_block() {
        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::{FdFlags, fcntl_getfd};
        let listeners = bind(&["127.0.0.1"]);
        let socket = &listeners.sockets()[0];
        assert!(fcntl_getfd(socket).unwrap().contains(FdFlags::CLOEXEC));
        assert!(fcntl_getfl(socket).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn a_kernel_without_ipv6_is_known_by_its_error() {
        for (code, expected) in
            [(Errno::AFNOSUPPORT, true), (Errno::ADDRNOTAVAIL, true), (Errno::ADDRINUSE, false)]
        {
            assert_eq!(is_without_v6(&code.into()), expected, "{code}");
        }
    }

    #[test]
    fn a_port_in_use_is_an_error_that_names_it() {
        let first = bind(&["::"]);
        let address = first.addresses()[0];
        let error = Listeners::bind(&[Ipv6Addr::UNSPECIFIED.into()], address.port()).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }

    #[test]
    fn a_foreign_address_is_an_error_that_names_it() {
        let addresses = ["127.0.0.1".parse().unwrap(), "203.0.113.77".parse().unwrap()];
        let error = Listeners::bind(&addresses, 0).unwrap_err().to_string();
        assert!(error.contains("203.0.113.77") && error.contains("no such address"), "{error}");
    }
}
