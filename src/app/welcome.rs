//! What a person is told when the server starts: where it is, and the first password.
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

/// The file the first password goes to where standard output is a log.
const PASSWORD_FILE: &str = "first-password";

/// Stands before and behind what the lines of the log must not tear apart.
const FRAME: &str =
    "----------------------------------------------------------------------------------------";

/// Makes the user `admin` when there is no user at all; its password, to be told once.
///
/// # Errors
/// When the user file cannot be written.
pub(super) fn first_admin(accounts: &Accounts, server: &ServerConfig) -> Result<Option<String>, UsersError> {
    if accounts.is_empty() { users::first_admin(&server.users) } else { Ok(None) }
}

/// The first address listened on, as a URL.
pub(super) fn url(server: &ServerConfig, addresses: &[SocketAddr]) -> String {
    let first = addresses.first().map_or_else(String::new, ToString::to_string);
    format!("{}://{first}/", scheme(server))
}

/// Says where the server is, how its certificate is known, and the first password if there is one: in one
/// block with a frame, for lines of the log stand before and behind it on a terminal.
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
                text.push_str("How devices come to trust it: the page /trust\n");
            }
            None => info!("certificate {cert}: key {key}"),
        }
    }
    if let Some(password) = first_password {
        match keep_out_of_log(server, password) {
            Some(note) => text.push_str(&note),
            None => text.push_str(&format!(
                "\nFirst start: sign in as `admin` with the password\n\n    {password}\n\n\
                 It is shown this once. Change it with `defender user edit admin -u {}`.\n",
                server.users.display()
            )),
        }
    }
    text.push_str(&format!("{FRAME}\n\n"));
    // What is said at each start is not worth a start that hangs; the first password is.
    if first_password.is_none() && !takes_text() {
        return;
    }
    // Nobody reading it is no reason not to run.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

/// Whether standard output takes text soon: it may be a pipe that is full and that nobody reads.
fn takes_text() -> bool {
    const LONGEST: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::OUT)];
    poll(&mut polled, Some(&LONGEST)).is_ok_and(|ready| ready > 0)
}

fn scheme(server: &ServerConfig) -> &'static str {
    if server.tls { "https" } else { "http" }
}

/// Under systemd standard output is the journal, which many may read and which is kept: there
/// the password goes to a file of its owner's. Returns the note that says so.
fn keep_out_of_log(server: &ServerConfig, password: &str) -> Option<String> {
    std::env::var_os("JOURNAL_STREAM")?;
    let file = server.users.with_file_name(PASSWORD_FILE);
    match write_anew(&file, password) {
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

/// Writes a file that only its owner may read, whatever was there before: an old file keeps its mode, and a
/// link or a FIFO would lead the password elsewhere.
fn write_anew(file: &Path, password: &str) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(open, "{password}")?;
    open.sync_all()
}

/// The addresses a person could type: those listened on, and in place of an unspecified one all of the
/// machine's; where it is `::` alone, those of IPv4, too.
fn reachable(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let faces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        let takes_both = address.is_ipv6() && addresses.len() == 1;
        let wants = |ip: &IpAddr| (ip.is_ipv4() == address.is_ipv4() || takes_both) && !is_link_local(ip);
        let own = faces.iter().map(|face| face.ip()).filter(wants);
        let ips = if address.ip().is_unspecified() { own.collect() } else { vec![address.ip()] };
        found.extend(ips.into_iter().map(|ip| SocketAddr::new(ip, address.port())));
    }
    // The loopback address last: it is of use on the board alone.
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
    fn the_first_password_is_written_to_a_new_private_file_whatever_was_there() {
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
            write_anew(&file, "secret").unwrap();
            let found = fs::symlink_metadata(&file).unwrap();
            assert_eq!((found.is_file(), found.permissions().mode() & 0o777), (true, 0o600));
            assert_eq!(fs::read_to_string(&file).unwrap(), "secret\n");
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "other\n");
    }

    fn told(addresses: &[&str]) -> Vec<SocketAddr> {
        reachable(&addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn an_unspecified_address_is_told_as_those_of_the_machine_that_it_stands_for() {
        let v4 = told(&["0.0.0.0:9"]);
        assert!(v4.iter().any(|address| address.ip().is_loopback()), "{v4:?}");
        assert!(v4.iter().all(|address| address.is_ipv4() && !address.ip().is_unspecified()), "{v4:?}");
        let both = told(&["[::]:9"]);
        assert!(v4.iter().all(|address| both.contains(address)), "{both:?}");
        let each = told(&["0.0.0.0:9", "[::]:9"]);
        assert_eq!(each, both, "no address twice");
        assert!(
            told(&["127.0.0.1:9", "[::]:9"])
                .iter()
                .all(|address| address.is_ipv6() || address.ip().is_loopback())
        );
        assert_eq!(told(&["127.0.0.1:9"]).len(), 1);
    }
}
