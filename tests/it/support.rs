//! Starting the real binary in a folder of its own, and talking to it.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The user every test server has.
pub const USER: &str = "eve";
/// Her password.
pub const PASSWORD: &str = "correct horse battery";

/// How long anything may take before a test gives up on it; nothing is asserted about less.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Path of the binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_defender")
}

/// Runs the binary to its end.
pub fn defender(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary())
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("JOURNAL_STREAM")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // A program that does not read its input is fine.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("the binary ends")
}

/// Text of a finished program's standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Text of a finished program's standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Calls `ready` until it gives something; panics with `what` when it never does.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A server to be configured.
pub struct Setup {
    folder: TempDir,
    server: String,
    sections: String,
    environment: Vec<(String, String)>,
    under: Vec<String>,
    with_user: bool,
}

/// A running server; killed and its folder removed when dropped.
pub struct Server {
    child: Child,
    folder: TempDir,
    scheme: &'static str,
    pub port: u16,
}

impl Setup {
    /// TLS on 127.0.0.1, a port of the kernel's choice, the user [`USER`], the camera `front`
    /// with the test card.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            server: String::new(),
            sections: "[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n".to_owned(),
            environment: Vec::new(),
            under: Vec::new(),
            with_user: true,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a line to `[server]`.
    pub fn server(mut self, line: &str) -> Self {
        self.server.push_str(line);
        self.server.push('\n');
        self
    }

    /// Replaces the sections after `[server]`.
    pub fn sections(mut self, sections: &str) -> Self {
        self.sections = sections.to_owned();
        self
    }

    pub fn plain(self) -> Self {
        self.server("tls = false")
    }

    pub fn without_user(mut self) -> Self {
        self.with_user = false;
        self
    }

    /// With the users its folder has already.
    pub fn keep_users(self) -> Self {
        self.without_user()
    }

    /// Sets a variable in the server's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server by a command that becomes it, such as `prlimit`.
    pub fn under(mut self, command: &[&str]) -> Self {
        self.under = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Writes defender.conf without starting anything.
    pub fn write_config(&self) {
        let has = |key: &str| self.server.lines().any(|line| line.starts_with(key));
        let address = if has("address") { "" } else { "address = \"127.0.0.1\"\n" };
        let port = if has("port") { "" } else { "port = 0\n" };
        // As whoever runs the tests, also where the system has the user `defender`.
        let user = if has("user ") { "" } else { "user = \"root\"\n" };
        let text = format!("[server]\n{address}{port}{user}{}\n{}", self.server, self.sections);
        fs::write(self.path().join("defender.conf"), text).expect("written");
    }

    pub fn start(self) -> Server {
        self.write_config();
        if self.with_user {
            write_user(self.path());
        }
        let child = spawn(self.path(), &self.environment, &self.under);
        let mut server = Server { child, folder: self.folder, scheme: "", port: 0 };
        let address = wait_for("the line `listening on`", || server.listening());
        server.scheme = if address.starts_with("https") { "https" } else { "http" };
        server.port = address
            .trim_end_matches('/')
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("a port");
        server
    }
}

fn spawn(folder: &Path, environment: &[(String, String)], under: &[String]) -> Child {
    let log = fs::File::create(folder.join("stderr")).expect("created");
    let out = fs::File::create(folder.join("stdout")).expect("created");
    let mut words = under.iter().map(String::as_str).chain([binary()]);
    let mut command = Command::new(words.next().expect("the binary at least"));
    command.args(words);
    command
        .args(["-c", "defender.conf", "-d"])
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("JOURNAL_STREAM")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(log)
        .spawn()
        .expect("the binary starts")
}

/// Adds [`USER`], a viewer, with [`PASSWORD`] to the user file. Hashing is slow on purpose, and most tests are not about
/// it: this hash has the fewest rounds that are accepted.
fn write_user(folder: &Path) {
    const HASH: &str = "$pbkdf2-sha512$i=1000,l=64$c2FsdCBvZiBhIHRlc3QhIQ\
        $AC51Jpb+BPUYPuwvKIxbaieBaoxi2L42IbUA1WcTUxa7sF4D5W9stAaeWGIS5wuFciC0czrP1i2krls7rA5I0g";
    let mut file = fs::OpenOptions::new();
    let file = file.append(true).create(true).mode(0o600).open(folder.join("users"));
    file.and_then(|mut file| writeln!(file, "{USER}:viewer:{HASH}")).expect("written");
}

/// Adds a user with [`PASSWORD`] through the command line.
pub fn add_user(folder: &Path, name: &str, role: &str) {
    let added = defender(
        folder,
        &["user", "add", name, "--role", role, "--password-stdin", "-u", "users"],
        &format!("{PASSWORD}\n"),
    );
    assert!(added.status.success(), "{}", stderr(&added));
}

/// A new access token of [`USER`].
pub fn add_token(folder: &Path) -> String {
    let added = defender(folder, &["token", "add", "panel", "--user", USER, "-u", "users"], "");
    stdout(&added).split_whitespace().find(|word| word.starts_with("dft_")).expect("a token").to_owned()
}

/// The fingerprint of a server's certificate, from its log.
pub fn fingerprint(server: &Server) -> String {
    let log = wait_for("the fingerprint", || {
        let log = server.log();
        log.contains("sha256:").then_some(log)
    });
    log[log.find("sha256:").unwrap()..][..7 + 64].to_owned()
}

impl Server {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts it anew after its end, on the port it had.
    pub fn start_again(&mut self) {
        let config = self.path().join("defender.conf");
        let text = fs::read_to_string(&config).expect("there");
        let text = text.replace("port = 0\n", &format!("port = {}\n", self.port));
        fs::write(&config, text).expect("written");
        self.child = spawn(self.folder.path(), &[], &[]);
        wait_for("the line `listening on`", || self.listening());
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("stderr")).unwrap_or_default()
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        fs::read_to_string(self.path().join("stdout")).unwrap_or_default()
    }

    /// Waits until the log holds `text`.
    pub fn wait_log(&self, text: &str) {
        let what = format!("`{text}` in the log");
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "waited in vain for {what}; the log:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The log with all lines of what was done before this call: a thread writes it, so that a line of the
    /// past may still come. This waits for the line of a request that is made now.
    pub fn log_until_now(&self) -> String {
        let mark = format!("/log-mark-{}", self.log().len());
        wait_for("the line of a request in the log", || {
            self.curl(&mark, &[]);
            let log = self.log();
            let (before, _) = log.split_once(&mark)?;
            Some(before[..before.rfind('\n').unwrap_or(0)].to_owned())
        })
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// A bare connection to the port.
    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address()).expect("the port is open");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket
    }

    /// Sends `bytes` over a bare connection and returns all that comes back until it closes.
    pub fn send_raw(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect();
        let _ = socket.write_all(bytes);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// curl as [`USER`].
    pub fn get(&self, path: &str) -> Answer {
        self.curl(path, &["-u", &format!("{USER}:{PASSWORD}")])
    }

    /// What root gets over the local socket, as an admin.
    pub fn get_on_board(&self, path: &str) -> Answer {
        let socket = self.path().join("defender.sock");
        curl(&format!("http://board{path}"), &["--unix-socket", &socket.display().to_string()])
    }

    /// curl with `arguments`; nobody is signed in unless they say so.
    pub fn curl(&self, path: &str, arguments: &[&str]) -> Answer {
        curl(&self.url(path), arguments)
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success(), "kill -{name}");
    }

    /// Waits for the end; `None` if it does not come.
    pub fn wait_end(&mut self) -> Option<std::process::ExitStatus> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Threads and open descriptors it has now.
    pub fn threads_and_descriptors(&self) -> (usize, usize) {
        let count =
            |what: &str| fs::read_dir(format!("/proc/{}/{what}", self.pid())).map_or(0, Iterator::count);
        (count("task"), count("fd"))
    }

    /// How many of its threads have this name and are in this state: `S` waiting, `T` stopped (proc(5)).
    pub fn tasks(&self, name: &str, state: char) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        stats.filter(|stat| stat.contains(&format!("({name}) {state} "))).count()
    }

    fn listening(&mut self) -> Option<String> {
        let log = self.log();
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("the server ended with {status}:\n{log}");
        }
        let line = log.lines().find_map(|line| line.split_once("listening on "))?;
        Some(line.1.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server's log:\n{}", self.log());
        }
    }
}

/// What curl got.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and fields.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn field(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

pub fn curl(url: &str, arguments: &[&str]) -> Answer {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (head, body) = (folder.path().join("head"), folder.path().join("body"));
    let ran = Command::new("curl")
        .args(["-sk", "--max-time", "120", "-o"])
        .arg(&body)
        .arg("-D")
        .arg(&head)
        .args(["-w", "%{http_code}"])
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl runs");
    let status = String::from_utf8_lossy(&ran.stdout).parse().unwrap_or(0);
    let head = fs::read_to_string(head).unwrap_or_default();
    Answer { status, head, body: fs::read(body).unwrap_or_default() }
}

/// A program that runs in the background and is killed when dropped.
pub struct Background(Child);

impl Background {
    pub fn start(command: &mut Command) -> Self {
        Self::of(command.spawn().expect("the program starts"))
    }

    pub fn of(child: Child) -> Self {
        Self(child)
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A curl that watches `path` as [`USER`] into a file.
pub fn watch(server: &Server, path: &str, into: &str) -> (Background, PathBuf) {
    let file = server.path().join(into);
    let mut command = Command::new("curl");
    command.args(["-sk", "-N", "-u", &format!("{USER}:{PASSWORD}"), "-o"]).arg(&file).arg(server.url(path));
    (Background::start(&mut command), file)
}

/// How many whole parts a recorded multipart stream holds.
pub fn parts(file: &Path) -> usize {
    let bytes = fs::read(file).unwrap_or_default();
    // The stream begins with its boundary, which is another at each start.
    let Some(length) = bytes.windows(2).position(|two| two == b"\r\n") else { return 0 };
    let boundary = [b"\r\n", &bytes[..length + 2]].concat();
    bytes.windows(boundary.len()).filter(|window| *window == boundary).count()
}
