//! The greeting at the start: the address of the server, its fingerprints, and the first password.
//!
//! Under systemd the first password goes to a file, because standard output is the journal.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use log::{info, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::config::ServerConfig;
use crate::gate::Certificates;
use crate::users::{self, Accounts, UsersError};

/// The file that the first password is written to if standard output is a log.
const PASSWORD_FILE: &str = "first-password";

/// Separates the greeting from the lines of the log before and behind it.
const FRAME: &str =
    "----------------------------------------------------------------------------------------";

/// Creates the user `admin` if there is no user at all; returns its password, which is shown once.
///
/// # Errors
/// If the user file cannot be written.
pub(super) fn first_admin(accounts: &Accounts, server: &ServerConfig) -> Result<Option<String>, UsersError> {
    if accounts.is_empty() { users::first_admin(&server.users) } else { Ok(None) }
}

/// The first listening address as a URL.
pub(super) fn url(server: &ServerConfig, addresses: &[SocketAddr]) -> String {
    let first = addresses.first().map_or_else(String::new, ToString::to_string);
    format!("{}://{first}/", scheme(server))
}

/// Prints the server's addresses, the fingerprints of its certificate, and the first password if there is one,
/// in one framed block, because a terminal shows lines of the log before and behind it.
pub(super) fn announce(
    server: &ServerConfig,
    addresses: &[SocketAddr],
    certificates: Option<&Certificates>,
    first_password: Option<&str>,
) {
    let scheme = scheme(server);
    for address in addresses {
        info!("listening on {scheme}://{address}/");
    }
    let mut text = format!("\n{FRAME}\n");
    for reachable in reachable(addresses) {
        text.push_str(&format!("Defender is at {scheme}://{reachable}/\n"));
    }
    if let Some(certificates) = certificates {
        let key = certificates.key_fingerprint();
        let cert = server.cert.display();
        text.push_str(&format!("\nFingerprint of its key: {key}\n"));
        match certificates.trust_anchor() {
            Some(anchor) => {
                let (print, name) = (anchor.fingerprint(), anchor.name);
                info!("certificate {cert}: key {key}, of {name}, {print}");
                text.push_str(&format!("Fingerprint of its CA:  {print}\n"));
                text.push_str("To make devices trust it, open its page /trust\n");
            }
            None => info!("certificate {cert}: key {key}"),
        }
    }
    if let Some(password) = first_password {
        match write_password_file(server, password) {
            Some(note) => text.push_str(&note),
            None => text.push_str(&format!(
                "\nFirst start: sign in as `admin` with the password\n\n    {password}\n\n\
                 It is not shown again. Change it with `defender user edit admin -u {}`.\n",
                server.users.display()
            )),
        }
    }
    text.push_str(&format!("{FRAME}\n\n"));
    // The greeting must not make a start hang; only the first password is worth waiting for a reader.
    if first_password.is_none() && !is_writable() {
        return;
    }
    // Best effort: the server runs without a reader as well.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

/// Whether standard output accepts text within two seconds: it may be a full pipe without a reader.
fn is_writable() -> bool {
    const LONGEST: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::OUT)];
    poll(&mut polled, Some(&LONGEST)).is_ok_and(|ready| ready > 0)
}

fn scheme(server: &ServerConfig) -> &'static str {
    if server.tls { "https" } else { "http" }
}

/// Under systemd standard output is the journal, which is stored and which many users may read. There the
/// password is written to a private file. Returns the note that says so; `None` without systemd.
fn write_password_file(server: &ServerConfig, password: &str) -> Option<String> {
    std::env::var_os("JOURNAL_STREAM")?;
    let file = server.users.with_file_name(PASSWORD_FILE);
    match write_new(&file, password) {
        Ok(()) => Some(format!(
            "\nFirst start: the password of `admin` is in {}; remove it when read.\n",
            file.display()
        )),
        Err(error) => {
            warn!("cannot write {}: {error}; set a password with `defender user edit admin`", file.display());
            Some(String::new())
        }
    }
}

/// Writes a new file that only its owner may read. An existing file is removed first: it would keep its mode,
/// and a link or a FIFO would lead the password elsewhere.
fn write_new(file: &Path, password: &str) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(open, "{password}")?;
    open.sync_all()
}

/// The addresses that a person could type: the listening ones, and in place of an unspecified address all
/// addresses of the machine. `::` alone also stands for those of IPv4.
fn reachable(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        let takes_both = address.is_ipv6() && addresses.len() == 1;
        let wants = |ip: &IpAddr| (ip.is_ipv4() == address.is_ipv4() || takes_both) && !is_link_local(ip);
        let own = interfaces.iter().map(|interface| interface.ip()).filter(wants);
        let ips = if address.ip().is_unspecified() { own.collect() } else { vec![address.ip()] };
        found.extend(ips.into_iter().map(|ip| SocketAddr::new(ip, address.port())));
    }
    // Loopback last: it is useful on the board only.
    found.sort_by_key(|address| (address.ip().is_loopback(), *address));
    found.dedup();
    found
}

fn is_link_local(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_first_password_is_written_to_a_new_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("first-password"), folder.path().join("other"));
        fs::write(&other, "other\n").unwrap();
        let old: [&dyn Fn(); 4] = [
            &|| {},
            &|| {
                fs::write(&file, "old\n").unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            },
            &|| symlink(&other, &file).unwrap(),
            &|| {
                let kind = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, &file, kind, 0o644.into(), 0).unwrap();
            },
        ];
        for prepare in old {
            let _ = fs::remove_file(&file);
            prepare();
            write_new(&file, "secret").unwrap();
            let found = fs::symlink_metadata(&file).unwrap();
            assert_eq!((found.is_file(), found.permissions().mode() & 0o777), (true, 0o600));
            assert_eq!(fs::read_to_string(&file).unwrap(), "secret\n");
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "other\n");
    }

    fn shown(addresses: &[&str]) -> Vec<SocketAddr> {
        reachable(&addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn an_unspecified_address_is_shown_as_those_of_the_machine() {
        let v4 = shown(&["0.0.0.0:9"]);
        assert!(v4.iter().any(|address| address.ip().is_loopback()), "{v4:?}");
        assert!(v4.iter().all(|address| address.is_ipv4() && !address.ip().is_unspecified()), "{v4:?}");
        let both = shown(&["[::]:9"]);
        assert!(v4.iter().all(|address| both.contains(address)), "{both:?}");
        let each = shown(&["0.0.0.0:9", "[::]:9"]);
        assert_eq!(each, both, "no address twice");
        assert!(
            shown(&["127.0.0.1:9", "[::]:9"])
                .iter()
                .all(|address| address.is_ipv6() || address.ip().is_loopback())
        );
        assert_eq!(shown(&["127.0.0.1:9"]).len(), 1);
    }
}
