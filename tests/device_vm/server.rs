//! Defender in the guest, as the host's clients see it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::vm::{GUEST_WORK, Job, Vm, wait_for};

/// On the host.
pub const BINARY: &str = env!("CARGO_BIN_EXE_defender");

/// In the guest's memory.
pub const DEFENDER: &str = "/run/defender";

/// Name and password of the one user, an admin.
pub const LOGIN: &str = "eve:a long enough password";

/// The user file: the password is hashed with the fewest rounds that are accepted, because 210,000 take the emulated
/// processor seconds at the first request to each server.
const USERS: &str = "eve:admin:$pbkdf2-sha512$i=1000,l=64$c2FsdCBvZiBhIHRlc3QhIQ\
    $T8IVQca8B1/kp4dlaxcHa28XEOnkwxpOHmtC2E88CRCOg64lNX6ENkNOcEtBzYOQLDCs8QyHhWFRsxeZPht5jg\n";

/// A server at work in the guest; it ends when dropped.
pub struct Server<'a> {
    vm: &'a Vm,
    job: Job,
    folder: PathBuf,
}

/// A decoded picture.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    /// One byte a pixel for grey pictures, else three.
    pub pixels: Vec<u8>,
}

/// A curl on the host that watches a stream into a file; it ends when dropped.
pub struct Viewer {
    child: Child,
    file: PathBuf,
}

impl<'a> Server<'a> {
    /// Starts Defender with the sections of its configuration that come after `[server]`.
    pub fn start(vm: &'a Vm, sections: &str) -> Self {
        let folder = vm.work().join("server");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("the work folder takes a folder");
        bring_binary(vm);
        let mut users = fs::OpenOptions::new();
        let users = users.write(true).create_new(true).mode(0o600).open(folder.join("users"));
        users.and_then(|mut file| file.write_all(USERS.as_bytes())).expect("the work folder takes a file");
        configure(&folder, sections);
        let job = vm.spawn(&format!("cd {GUEST_WORK}/server && exec {DEFENDER} -c defender.conf"));
        let server = Self { vm, job, folder };
        server.wait_log("listening on");
        server
    }

    /// Stops the whole process for some seconds, as a board that is held up does.
    pub fn pause(&self, seconds: u32) {
        self.vm.run_ok(&format!("pkill -STOP -f {DEFENDER}; sleep {seconds}; pkill -CONT -f {DEFENDER}"));
    }

    /// Ends it as a service manager does, and waits for its end.
    pub fn stop(self) {
        self.job.signal("TERM");
        let output = self.job.wait().expect("it ends");
        assert_eq!(output.status, 0, "{}", output.stderr);
    }

    /// Puts other sections in the place of those it was started with.
    pub fn reconfigure(&self, sections: &str) {
        configure(&self.folder, sections);
        self.job.signal("HUP");
    }

    pub fn log(&self) -> String {
        self.job.stderr()
    }

    /// Waits until the log holds `text`.
    pub fn wait_log(&self, text: &str) {
        self.wait_log_again(text, 0);
    }

    /// Waits until the log holds `text` more than `times` times.
    pub fn wait_log_again(&self, text: &str, times: usize) {
        wait_for(&format!("`{text}` in the log"), || {
            if let Some(status) = self.job.status() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            (self.log().matches(text).count() > times).then_some(())
        });
    }

    /// Waits until the status document holds `text`.
    pub fn wait_status(&self, text: &str) {
        wait_for(&format!("`{text}` in the status"), || {
            self.get("/api/1.0/status").1.contains(text).then_some(())
        });
    }

    /// Waits until so many more frames are on the disk.
    pub fn wait_recorded(&self, more: u64) {
        let recorded = || self.metric("defender_recorded_frames_total");
        // The metric is renewed once a second: the first value may be old.
        let shown = recorded();
        let before = wait_for("more frames", || Some(recorded()).filter(|now| *now > shown));
        wait_for("frames on the disk", || (recorded() >= before + more).then_some(()));
    }

    /// Waits until the document of recordings holds `text`.
    pub fn wait_recordings(&self, text: &str) {
        wait_for(&format!("`{text}` in the recordings"), || {
            self.get("/api/1.0/recordings").1.contains(text).then_some(())
        });
    }

    /// A number of the first camera in the status document.
    pub fn count(&self, key: &str) -> u32 {
        self.count_in("/api/1.0/status", key)
    }

    /// The first number with this key in a document.
    pub fn count_in(&self, path: &str, key: &str) -> u32 {
        let status = self.document(path);
        let found = status
            .split(&format!("\"{key}\":"))
            .nth(1)
            .and_then(|rest| rest.split([',', '}']).next()?.parse().ok());
        found.unwrap_or_else(|| panic!("no number {key} in {status}"))
    }

    /// The sum of a metric over its labels.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.document("/metrics");
        let values = text.lines().filter(|line| line.starts_with(name));
        values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    /// A document. It is asked for again where the guest was too slow for an answer.
    fn document(&self, path: &str) -> String {
        wait_for(path, || Some(self.get(path)).filter(|(status, _)| *status == 200).map(|(_, text)| text))
    }

    /// Status code and text of a document.
    pub fn get(&self, path: &str) -> (u16, String) {
        let (status, body) = self.fetch(path);
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// Status code and text of the answer to a document.
    pub fn put(&self, path: &str, body: &str) -> (u16, String) {
        let output = self
            .curl(path)
            .args(["-X", "PUT", "-d", body, "-w", "\n%{http_code}", "--max-time", "60"])
            .output()
            .expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (text, status) = text.rsplit_once('\n').expect("a status behind the text");
        (status.parse().expect("a number"), text.to_owned())
    }

    /// Where its files are.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// A snapshot, once there is one.
    pub fn snapshot(&self) -> Picture {
        self.snapshot_of("/snapshot")
    }

    /// The same of one of several cameras, by its path.
    pub fn snapshot_of(&self, path: &str) -> Picture {
        let jpeg = wait_for("a snapshot", || {
            let (status, body) = self.fetch(path);
            (status == 200).then_some(body)
        });
        Picture::of(&jpeg)
    }

    /// A listener that takes `bytes_per_second` at the most.
    pub fn listen_slowly(&self, path: &str, bytes_per_second: u32) -> Viewer {
        let mut curl = self.curl(path);
        curl.args(["-N", "--limit-rate", &bytes_per_second.to_string(), "-o", "/dev/null"]);
        Viewer { child: curl.spawn().expect("curl starts"), file: PathBuf::new() }
    }

    /// Starts a viewer of `path`, recording into a file of that name.
    pub fn watch(&self, path: &str, name: &str) -> Viewer {
        let file = self.folder.join(name);
        let mut curl = self.curl(path);
        curl.args(["-N", "-D"]).arg(file.with_extension("head")).arg("-o").arg(&file).stdout(Stdio::null());
        Viewer { child: curl.spawn().expect("curl starts"), file }
    }

    fn fetch(&self, path: &str) -> (u16, Vec<u8>) {
        let output =
            self.curl(path).args(["-w", "\n%{http_code}", "--max-time", "60"]).output().expect("curl runs");
        let split = output.stdout.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let status = String::from_utf8_lossy(&output.stdout[split..]).trim().parse().unwrap_or(0);
        (status, output.stdout[..split].to_vec())
    }

    fn curl(&self, path: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["-sk", "-u", LOGIN]).arg(format!("https://{}{path}", self.vm.address()));
        curl
    }
}

impl Picture {
    fn of(jpeg: &[u8]) -> Self {
        let mut decoder = jpeg_decoder::Decoder::new(jpeg);
        let pixels = decoder.decode().expect("a whole JPEG");
        let info = decoder.info().expect("decoded");
        Self { width: info.width.into(), height: info.height.into(), pixels }
    }
}

impl Viewer {
    pub fn is_watching(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Whole parts received so far.
    pub fn parts(&self) -> usize {
        let bytes = fs::read(&self.file).unwrap_or_default();
        let boundary = boundary(&bytes);
        bytes.windows(boundary.len()).filter(|window| *window == boundary).count()
    }

    /// Waits for `more` further parts.
    pub fn wait_parts(&self, more: usize) {
        let before = self.parts();
        wait_for("frames at a viewer", || (self.parts() >= before + more).then_some(()));
    }

    /// Of each frame received so far its `X-Timestamp` in seconds, and its mean brightness.
    pub fn frames(&self) -> Vec<(f64, f64)> {
        let mean = |(stamp_s, picture): (f64, Picture)| {
            let sum: f64 = picture.pixels.iter().map(|byte| f64::from(*byte)).sum();
            (stamp_s, sum / picture.pixels.len() as f64)
        };
        self.pictures().into_iter().map(mean).collect()
    }

    /// Each frame received so far, with its `X-Timestamp` in seconds.
    pub fn pictures(&self) -> Vec<(f64, Picture)> {
        let bytes = self.bytes();
        let boundary = boundary(&bytes);
        let ends = bytes.windows(boundary.len()).enumerate().filter(|(_, window)| *window == boundary);
        let mut begin = 0;
        let mut pictures = Vec::new();
        for (end, _) in ends {
            let part = &bytes[begin..end];
            let split = part.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
            let head = String::from_utf8_lossy(&part[..split]).into_owned();
            let stamp = head.split("X-Timestamp: ").nth(1).and_then(|rest| rest.lines().next());
            let stamp_s = stamp.expect("a stamp").parse().expect("seconds");
            pictures.push((stamp_s, Picture::of(&part[split..])));
            begin = end + boundary.len();
        }
        pictures
    }

    /// What was received so far.
    pub fn bytes(&self) -> Vec<u8> {
        fs::read(&self.file).unwrap_or_default()
    }

    /// The head of the response; empty before it came.
    pub fn head(&self) -> String {
        fs::read_to_string(self.file.with_extension("head")).unwrap_or_default()
    }

    /// Every `X-Timestamp` received so far, in whole seconds.
    pub fn stamps_s(&self) -> Vec<u64> {
        let bytes = fs::read(&self.file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.split("X-Timestamp: ").skip(1).filter_map(|rest| rest.split('.').next()?.parse().ok()).collect()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts the binary into the guest's memory, without what only a debugger reads: from the work folder each page of it
/// would be asked for at the host, at each start.
pub fn bring_binary(vm: &Vm) {
    let brought = vm.work().join("defender");
    if !brought.exists() {
        let stripped = Command::new("strip").arg("-o").arg(&brought).arg(BINARY).status();
        assert!(stripped.expect("strip runs").success());
        vm.run_ok(&format!("cp {GUEST_WORK}/defender {DEFENDER}"));
    }
}

fn configure(folder: &std::path::Path, sections: &str) {
    let text = format!(
        "[server]\naddress = \"0.0.0.0\"\nport = 8443\nuser = \"root\"\nlog_level = \"debug\"\n{sections}"
    );
    fs::write(folder.join("defender.conf"), text).expect("the work folder takes a file");
}

/// What ends each part of a stream: the line that it begins with, which is another at each start.
fn boundary(stream: &[u8]) -> Vec<u8> {
    let length = stream.windows(2).position(|two| two == b"\r\n").map_or(0, |end| end + 2);
    [b"\r\n", &stream[..length]].concat()
}
