//! The channel between the gate and the HTTP library: a listening Unix socket that has no name.
//!
//! No other process can replace a socket without a name, or connect to it. The socket is bound to a
//! random name in a folder that only this process' user can enter, is opened by `O_PATH`, and loses
//! its name before it listens. From then on only the descriptor leads to it: connect(2) on
//! `/proc/self/fd/N` resolves to the socket's inode. Another process would need the permission to
//! trace this one, which only root has.
//!
//! The library accepts on a duplicate of the listening descriptor. When its accept loop ends, the
//! socket stays open, requests wait in its queue, and a new accept loop takes them over.
//!
//! An abstract socket would not do: tiny_http cannot close one without a panic, and any process may connect to
//! it. The path that tiny_http connects to and removes at its end is below `/proc/self/fd`, so it is never a file
//! of somebody else.

use std::error::Error;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use rustix::process::{Pid, Uid};

use crate::base::hex;

/// Requests that may wait for the library to accept them; more than there are connections.
const BACKLOG: i32 = 4096;

/// Longest wait for a free slot in that queue.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Folders in which the socket may have its name for a moment, tried after the server's own folder.
const FOLDERS: [&str; 3] = ["/run", "/tmp", "/dev/shm"];

/// The listening socket, and the descriptor that leads to it.
pub struct Channel {
    listener: UnixListener,
    /// The socket's inode, by `O_PATH`.
    inode: OwnedFd,
    /// The removed folder that the socket was bound in. The number of this descriptor is part of the
    /// bound address, which the library connects to and removes when it ends. While the descriptor is
    /// open, that address leads to nothing.
    _folder: OwnedFd,
}

/// Why there is no channel: each folder that was tried, with the reason why it cannot be used.
#[derive(Debug)]
pub struct ChannelError(Vec<(PathBuf, io::Error)>);

impl Error for ChannelError {
    /// The reason of the first folder, which is the server's own.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.first().map(|(_, error)| error as &(dyn Error + 'static))
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot make the internal socket for requests; it needs /proc and one folder that the server may write to:"
        )?;
        for (at, (folder, error)) in self.0.iter().enumerate() {
            write!(f, "{} {}: {error}", if at == 0 { "" } else { ";" }, folder.display())?;
        }
        Ok(())
    }
}

impl Channel {
    /// Makes the socket in the first usable folder of `own_folder`, `$RUNTIME_DIRECTORY`, `/run`, `/tmp`
    /// and `/dev/shm`; nothing stays there. Call it before Landlock forbids to make sockets, and as the
    /// user that the server runs as.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn open(own_folder: &Path) -> Result<Self, ChannelError> {
        let runtime = std::env::var_os("RUNTIME_DIRECTORY");
        // systemd separates several folders by colons.
        let runtime = runtime.iter().flat_map(std::env::split_paths).filter(|path| path.is_absolute());
        let folders = [own_folder.to_owned()].into_iter().chain(runtime).chain(FOLDERS.map(PathBuf::from));
        let mut refused = Vec::new();
        for folder in folders {
            match Self::make_in(&folder) {
                Ok(channel) => return Ok(channel),
                Err(error) => refused.push((folder, error)),
            }
        }
        Err(ChannelError(refused))
    }

    /// A duplicate of the listening socket, for an accept loop. There must be one such loop at a time.
    ///
    /// # Errors
    /// If there is no free descriptor.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Connects to the accept loop, or to its queue.
    ///
    /// # Errors
    /// `PermissionDenied` if the socket at the other end does not belong to this process; else the error
    /// of the socket.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(CONNECT_TIMEOUT))?;
        connect(&socket, &through(&self.inode)?)?;
        let peer = socket_peercred(&socket)?;
        check_peer(peer.pid, peer.uid)?;
        Ok(UnixStream::from(socket))
    }

    fn make_in(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!(".defender-{}", hex::random_id()?));
        DirBuilder::new().mode(0o700).create(&path)?;
        let made = Self::make_at(&path);
        // The folder is empty again, even if the socket could not be made.
        let removed = fs::remove_dir(&path);
        let channel = made?;
        removed?;
        Ok(channel)
    }

    /// Makes the socket in an existing, empty folder, and removes its name.
    fn make_at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&folder)?;
        let is_own = stat.st_uid == rustix::process::geteuid().as_raw();
        if !is_own || stat.st_mode & 0o077 != 0 {
            return Err(io::Error::other("the folder that was just made here belongs to another user"));
        }
        let name = hex::random_id()?;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // The file that bind(2) makes gets the mode of the socket.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        // By the folder's descriptor: the path may be too long for a socket's address, and another user
        // could create it again later.
        bind(&socket, &SocketAddrUnix::new(format!("{}/{name}", proc_path(&folder)))?)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inode = rustix::fs::openat(&folder, &name, flags, Mode::empty());
        rustix::fs::unlinkat(&folder, &name, AtFlags::empty())?;
        // Only now, so that nobody who saw the name can have connected.
        listen(&socket, BACKLOG)?;
        let channel = Self { listener: UnixListener::from(socket), inode: inode?, _folder: folder };
        // Test it now, not with the first request.
        drop((channel.connect()?, channel.listener.accept()?));
        Ok(channel)
    }
}

/// Watches an accept loop of the library from outside: the loop owns its duplicate of the listening socket and
/// closes it when it ends, for whatever reason.
pub struct AcceptLoop {
    descriptor: i32,
    device: u64,
    inode: u64,
}

impl AcceptLoop {
    /// Watches the loop that will be given `listener`.
    ///
    /// # Errors
    /// The socket's.
    pub fn of(listener: &UnixListener) -> io::Result<Self> {
        let stat = rustix::fs::fstat(listener)?;
        Ok(Self { descriptor: listener.as_raw_fd(), device: stat.st_dev, inode: stat.st_ino })
    }

    /// Whether it can still accept. Its descriptor may be reused for another file by now, but not for another
    /// duplicate: the next one is made only after this one was closed.
    pub fn is_running(&self) -> bool {
        rustix::fs::stat(format!("/proc/self/fd/{}", self.descriptor))
            .is_ok_and(|stat| stat.st_dev == self.device && stat.st_ino == self.inode)
    }
}

/// Checks that this process called listen(2), as recorded by the kernel. It can be another one only if an
/// internal error replaced the descriptor; then nothing is sent.
fn check_peer(pid: Pid, uid: Uid) -> io::Result<()> {
    if pid == rustix::process::getpid() && uid == rustix::process::geteuid() {
        return Ok(());
    }
    let why = format!("the process {} of the user {} listens there", pid.as_raw_nonzero(), uid.as_raw());
    Err(io::Error::new(ErrorKind::PermissionDenied, why))
}

/// The address of the socket that a descriptor leads to.
fn through(inode: &OwnedFd) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new(proc_path(inode))?)
}

fn proc_path(descriptor: impl AsFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn the_channel_works_and_leaves_no_name_behind() {
        let folder = tempfile::tempdir().unwrap();
        let channel = Channel::open(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut client = channel.connect().unwrap();
        let (mut server, _) = channel.listener().unwrap().accept().unwrap();
        client.write_all(b"x").unwrap();
        let mut got = [0];
        server.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"x");
        assert_eq!(client.write_timeout().unwrap(), Some(CONNECT_TIMEOUT), "a full queue ends the wait");
        let bound = channel.listener.local_addr().unwrap();
        let path = bound.as_pathname().expect("the library needs a path when it ends");
        assert_eq!(UnixStream::connect(path).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        for (mode, is_usable) in [(0o710, false), (0o701, false), (0o700, true)] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Channel::make_at(folder.path()).is_ok(), is_usable, "mode {mode:o}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "mode {mode:o}");
        }
        let link = folder.path().with_extension("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let made = Channel::make_at(&link);
        fs::remove_file(link).unwrap();
        assert!(made.is_err(), "a link to a folder");
    }

    #[test]
    fn the_channel_is_closed_on_exec_and_is_our_user_s_alone() {
        use rustix::io::{FdFlags, fcntl_getfd};
        let folder = tempfile::tempdir().unwrap();
        let channel = Channel::open(folder.path()).unwrap();
        let descriptors = [channel.listener.as_fd(), channel.inode.as_fd(), channel._folder.as_fd()];
        assert!(descriptors.iter().all(|fd| fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC)));
        let is_path = |fd: &_| rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::PATH);
        assert!(descriptors[1..].iter().all(is_path), "neither can be read");
        assert_eq!(rustix::fs::fstat(&channel.inode).unwrap().st_mode & 0o777, 0o600);
    }

    #[test]
    fn an_error_names_each_folder_that_was_tried() {
        let tried = ["/a", "/b"].map(|folder| (PathBuf::from(folder), io::Error::other("full")));
        let error = ChannelError(tried.into());
        assert!(error.to_string().ends_with("may write to: /a: full; /b: full"), "{error}");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("full"));
    }

    #[test]
    fn another_folder_is_used_if_the_first_is_not_writable() {
        let folder = tempfile::tempdir().unwrap();
        let channel = Channel::open(&folder.path().join("missing")).unwrap();
        channel.connect().unwrap();
    }

    #[test]
    fn a_socket_of_another_process_or_user_is_refused() {
        let (pid, uid) = (rustix::process::getpid(), rustix::process::geteuid());
        assert!(check_peer(pid, uid).is_ok());
        let parent = rustix::process::getppid().expect("the tests have a parent process");
        let other_user = Uid::from_raw(uid.as_raw() + 1);
        for (pid, uid) in [(parent, uid), (pid, other_user)] {
            assert_eq!(check_peer(pid, uid).unwrap_err().kind(), ErrorKind::PermissionDenied);
        }
    }

    /// Runs itself as the other process, which calls listen(2) at a socket that it inherits as standard input.
    #[test]
    fn nothing_connects_to_a_socket_of_another_process() {
        const LISTENS: &str = "DEFENDER_TEST_LISTENS";
        if std::env::var_os(LISTENS).is_some() {
            return listen(io::stdin(), 1).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        let open = |path: &Path| rustix::fs::open(path, OFlags::PATH, Mode::empty()).unwrap();
        let (inode, _folder) = (open(&path), open(folder.path()));
        let test = "gate::channel::tests::nothing_connects_to_a_socket_of_another_process";
        let ran = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(LISTENS, "1")
            .stdin(socket.try_clone().unwrap())
            .output()
            .unwrap();
        assert!(ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "{ran:?}");
        let channel = Channel { listener: UnixListener::from(socket), inode, _folder };
        assert_eq!(channel.connect().unwrap_err().kind(), ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_new_accept_loop_takes_over_the_queue_of_an_ended_one() {
        let folder = tempfile::tempdir().unwrap();
        let channel = Channel::open(folder.path()).unwrap();
        let listener = channel.listener().unwrap();
        let first = AcceptLoop::of(&listener).unwrap();
        assert!(first.is_running());
        let waits = channel.connect().unwrap();
        drop(listener);
        assert!(!first.is_running());
        let _reused = channel.connect().unwrap();
        assert!(!first.is_running(), "another file with its number is not mistaken for it");
        let second = channel.listener().unwrap();
        second.accept().unwrap().0.write_all(b"x").unwrap();
        (&waits).read_exact(&mut [0]).unwrap();
    }
}
