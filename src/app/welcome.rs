//! What a person is told when the server starts: where it is, and the first password.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use log::{info, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::config::ServerConfig;
use crate::users::{self, Accounts, UsersError};

/// The file the first password goes to where standard output is a log.
const PASSWORD_FILE: &str = "first-password";

/// Makes the user `admin` when there is no user at all; its password, to be told once.
///
/// # Errors
/// When the user file cannot be written.
pub(super) fn first_admin(accounts: &Accounts, server: &ServerConfig) -> Result<Option<String>, UsersError> {
    if accounts.is_empty() { users::first_admin(&server.users) } else { Ok(None) }
}

/// The address listened on, as a URL.
pub(super) fn url(server: &ServerConfig, address: SocketAddr) -> String {
    format!("{}://{address}/", scheme(server))
}

/// Says where the server is, and the first password if there is one.
pub(super) fn announce(server: &ServerConfig, address: SocketAddr, first_password: Option<&str>) {
    let scheme = scheme(server);
    info!("listening on {}", url(server, address));
    let mut text = String::new();
    for reachable in reachable(address) {
        text.push_str(&format!("Defender is at {scheme}://{reachable}/\n"));
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
            "First start: the password of `admin` is in {}; remove it when read.\n",
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

/// The addresses a person could type: the one listened on, or all of the machine's.
fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    if !address.ip().is_unspecified() {
        return vec![address];
    }
    let wants = |ip: &IpAddr| ip.is_ipv4() || (address.is_ipv6() && !is_link_local(ip));
    let faces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut ips: Vec<_> = faces.iter().map(|face| face.ip()).filter(wants).collect();
    // The loopback address last: it is of use on the board alone.
    ips.sort_by_key(|ip| (ip.is_loopback(), *ip));
    ips.into_iter().map(|ip| SocketAddr::new(ip, address.port())).collect()
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

    #[test]
    fn an_unspecified_address_is_told_as_those_of_the_machine() {
        let told = reachable("0.0.0.0:9".parse().unwrap());
        assert!(told.iter().any(|address| address.ip().is_loopback()), "{told:?}");
        assert!(told.iter().all(|address| !address.ip().is_unspecified() && address.port() == 9), "{told:?}");
        assert_eq!(reachable("127.0.0.1:9".parse().unwrap()).len(), 1);
    }
}
