//! The virtual machine, and running programs in it. What the tests do with its cameras belongs in
//! [`crate::devices`].

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Where the guest sees [`Vm::work`].
pub const GUEST_WORK: &str = "/mnt";

/// How long anything in the guest may take before a test gives up on it; nothing is asserted about
/// less. Emulation is slow, and the machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// How often the host looks whether the guest is done.
const POLL: Duration = Duration::from_millis(50);

/// The running machine. It ends when this process does, in whatever way: its keeper, tests/vm/boot,
/// waits for the end of its standard input.
pub struct Vm {
    keeper: Child,
    _keepers_input: ChildStdin,
    work: PathBuf,
    port: u16,
}

/// What a finished script left.
pub struct Output {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// A script running in the guest; killed with all it started when dropped.
pub struct Job {
    script: String,
    /// The job's files without their extension, see tests/vm/init.
    files: PathBuf,
}

/// The machine for one test alone, with its cameras as they are after a boot. It boots for the
/// first test and serves the others too.
pub fn lock() -> MutexGuard<'static, Vm> {
    static VM: OnceLock<Result<Mutex<Vm>, String>> = OnceLock::new();
    let mut vm = match VM.get_or_init(|| Vm::boot().map(Mutex::new)) {
        // A test that failed leaves nothing the next one would trip over.
        Ok(vm) => vm.lock().unwrap_or_else(PoisonError::into_inner),
        Err(reason) => panic!("{reason}"),
    };
    assert!(vm.keeper.try_wait().is_ok_and(|ended| ended.is_none()), "the test VM ended before its time");
    vm.plug_anew();
    vm
}

/// Calls `ready` until it gives something; panics with `what` when it never does.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(POLL);
    }
}

impl Vm {
    fn boot() -> Result<Self, String> {
        let mut keeper = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vm/boot"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("tests/vm/boot does not start: {error}"))?;
        let input = keeper.stdin.take().expect("stdin is a pipe");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().expect("stdout is a pipe"))
            .read_line(&mut line)
            .map_err(|error| format!("tests/vm/boot says nothing: {error}"))?;
        let (work, port) = line
            .trim_end()
            .rsplit_once(' ')
            .ok_or("the test VM does not start, see above; tests/vm/prepare makes its image")?;
        let port = port.parse().map_err(|_| format!("tests/vm/boot gave no port: {line}"))?;
        let mut vm = Self { keeper, _keepers_input: input, work: work.into(), port };
        vm.wait_until_ready()?;
        Ok(vm)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while !self.work.join("ready").exists() {
            if Instant::now() > end || self.keeper.try_wait().is_ok_and(|status| status.is_some()) {
                return Err(format!("the test VM does not come up; its console:\n{}", self.console()));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// The folder both sides can write to; the guest's [`GUEST_WORK`].
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// What the host connects to for port 8443 of the guest.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What the guest's kernel and init said.
    pub fn console(&self) -> String {
        read_text(&self.work.join("console"))
    }

    /// Starts a shell script in the guest.
    pub fn spawn(&self, script: &str) -> Job {
        let files = drop_job(&self.work.join("jobs"), script);
        Job { script: script.to_owned(), files }
    }

    /// Runs a shell script in the guest to its end.
    pub fn run(&self, script: &str) -> Output {
        match self.spawn(script).wait() {
            Some(output) => output,
            None => panic!("no end after {PATIENCE:?}, or of the machine: {script}\n{}", self.console()),
        }
    }

    /// Runs a shell script that must succeed; gives its standard output.
    pub fn run_ok(&self, script: &str) -> String {
        let output = self.run(script);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status == 0,
            "status {} of: {script}\n{stdout}{}\nconsole:\n{}",
            output.status,
            output.stderr,
            self.console()
        );
        stdout
    }
}

impl Job {
    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> Vec<u8> {
        fs::read(self.files.with_extension("out")).unwrap_or_default()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        read_text(&self.files.with_extension("err"))
    }

    /// Its exit status; `None` while it runs.
    pub fn status(&self) -> Option<i32> {
        read_text(&self.files.with_extension("status")).trim().parse().ok()
    }

    /// Waits for its end, as long as [`PATIENCE`] and the machine last.
    pub fn wait(&self) -> Option<Output> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.jobs().exists() {
            if let Some(status) = self.status() {
                return Some(Output { status, stdout: self.stdout(), stderr: self.stderr() });
            }
            thread::sleep(POLL);
        }
        None
    }

    /// Sends a signal ("TERM") to the job and all it started.
    pub fn signal(&self, name: &str) {
        let number = self.files.file_name().expect("a job has a number").to_string_lossy();
        let script = format!(
            "cd {GUEST_WORK}/jobs; until [ -e {number}.pid ] || [ -e {number}.status ]; do sleep 0.1; done; \
             kill -s {name} -- -$(cat {number}.pid)"
        );
        drop_job(self.jobs(), &script);
    }

    /// The folder of all jobs; it goes when the machine does.
    fn jobs(&self) -> &Path {
        self.files.parent().expect("jobs lie in a folder")
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.status().is_none() && self.jobs().exists() {
            self.signal("KILL");
            self.wait();
        }
        if thread::panicking() {
            eprintln!("--- guest: {}\n{}", self.script, self.stderr());
        }
    }
}

/// Hands a script to the guest; gives its files' common path.
fn drop_job(jobs: &Path, script: &str) -> PathBuf {
    // Only the uniqueness of the number matters.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let files = jobs.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
    let part = files.with_extension("part");
    fs::write(&part, script).expect("the work folder takes a file");
    fs::rename(&part, files.with_extension("job")).expect("a file can be renamed in the work folder");
    files
}

/// The text of a file; empty when there is none yet.
fn read_text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
