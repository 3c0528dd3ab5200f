//! The random id that distinguishes this server's cookies from those of others on the same host: browsers
//! send a cookie to every port of it, and to every board behind one name.
//!
//! The name of the cookie ends with a digest of this id and the port. The id is in the file `server-id` beside
//! the user file.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::warn;
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::base::{disk, hex};

/// Name of the file that keeps the id, beside the user file.
const FILE: &str = "server-id";

/// Eight hexadecimal digits for a server with this user file and port, the same at each start. Where
/// the file of the id can be neither read nor made, they are others at each start, and sign-ins in
/// browsers end with the server.
///
/// # Errors
/// When the system gives no random bytes.
pub fn server_id(users: &Path, port: u16) -> io::Result<String> {
    let path = server_id_file(users);
    let made = make(&path);
    let id = match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
        made => made,
    };
    let id = match id {
        Ok(id) => id,
        Err(error) => {
            warn!(
                "{}: cannot store the id of this server, so browsers must sign in again after a restart: {error}",
                path.display()
            );
            hex::random_id()?
        }
    };
    let digest = Sha256::digest(format!("{id}:{port}"));
    Ok(hex::encode(&digest[..4]))
}

/// Where the file of the id is, beside a user file.
pub fn server_id_file(users: &Path) -> PathBuf {
    users.with_file_name(FILE)
}

/// Makes the file where there is none, or one without a byte, as a full disk or a power cut leaves it.
fn make(path: &Path) -> io::Result<String> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() || found.len() > 0 => return Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id = hex::random_id()?;
    disk::replace(path, format!("{id}\n").as_bytes(), 0o600)?;
    disk::sync_folder(path)?;
    Ok(id)
}

fn read(path: &Path) -> io::Result<String> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut text = String::new();
    file.take(hex::RANDOM_ID_DIGITS as u64 + 2).read_to_string(&mut text)?;
    let id = text.trim_end();
    if id.len() != hex::RANDOM_ID_DIGITS || !hex::is_hex(id) {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "expected 32 hexadecimal digits; remove the file to get a new one",
        ));
    }
    Ok(id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn an_id_stays_and_differs_from_those_of_other_servers() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let users = one.path().join("users");
        let id = server_id(&users, 8443).unwrap();
        assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_eq!(server_id(&users, 8443).unwrap(), id);
        assert_eq!(fs::metadata(one.path().join(FILE)).unwrap().mode() & 0o777, 0o600);
        assert_ne!(server_id(&users, 8444).unwrap(), id);
        assert_ne!(server_id(&other.path().join("users"), 8443).unwrap(), id);
    }

    #[test]
    fn an_empty_file_becomes_an_id_that_stays() {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users");
        fs::write(folder.path().join(FILE), "").unwrap();
        assert_eq!(server_id(&users, 1).unwrap(), server_id(&users, 1).unwrap());
    }

    #[test]
    fn a_file_that_is_no_id_is_neither_followed_nor_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (users, target) = (folder.path().join("users"), folder.path().join("target"));
        fs::write(&target, "0123456789abcdef0123456789abcdef\n").unwrap();
        symlink(&target, folder.path().join(FILE)).unwrap();
        assert_ne!(server_id(&users, 1).unwrap(), server_id(&users, 1).unwrap());
        fs::remove_file(folder.path().join(FILE)).unwrap();
        for other in ["not an id", "0123456789abcdef0123456789abcde\n", "0123456789abcdef0123456789abcdex\n"]
        {
            fs::write(folder.path().join(FILE), other).unwrap();
            assert_ne!(server_id(&users, 1).unwrap(), server_id(&users, 1).unwrap());
            assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), other);
        }
    }
}
