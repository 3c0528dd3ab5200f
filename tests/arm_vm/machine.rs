//! A virtual ARM machine, and running scripts on it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::tree;

/// How long anything may take before a test gives up on it; nothing is asserted about less.
/// Emulation is slow, and the machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// A running machine; its keeper, tests/arm_vm/boot, ends it when this is dropped, or when this
/// process ends in whatever way.
pub struct Machine {
    keeper: Child,
    input: Option<ChildStdin>,
    work: PathBuf,
    /// What leads to the machine's 8443; 0 when nothing does.
    pub port: u16,
    jobs: u32,
}

/// Calls `ready` until it gives something; panics with `what` when it never does.
pub fn wait_for<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    poll(ready).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain for {what}"))
}

impl Machine {
    /// Boots a machine that tests/arm_vm/boot knows by these arguments.
    pub fn boot(arguments: &[&str]) -> Self {
        let mut keeper = Command::new(tree().join("tests/arm_vm/boot"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/arm_vm/boot starts");
        let input = keeper.stdin.take();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
        let (work, port) = line.trim_end().rsplit_once(' ').expect("tests/arm_vm/prepare made the machines");
        let port = port.parse().expect("a port");
        Self { keeper, input, work: work.into(), port, jobs: 0 }
    }

    /// The folder that a board sees as `/mnt`.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// What the serial line said.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.work.join("console")).unwrap_or_default()).into_owned()
    }

    /// What the serial line said, once that has `end` in it.
    pub fn console_until(&self, end: &str) -> String {
        let console = poll(|| Some(self.console()).filter(|console| console.contains(end)));
        console.unwrap_or_else(|| panic!("no \"{end}\" after {PATIENCE:?}; console:\n{}", self.console()))
    }

    /// Hands a shell script to the board; gives the common path of its files, see tests/arm_vm/agent.
    pub fn spawn(&mut self, script: &str) -> PathBuf {
        self.jobs += 1;
        let files = self.work.join("jobs").join(self.jobs.to_string());
        fs::write(files.with_extension("new"), script).expect("the work folder takes a file");
        fs::rename(files.with_extension("new"), files.with_extension("job")).expect("renamed");
        files
    }

    /// Runs a shell script that must succeed on the board; gives what it said.
    pub fn run(&mut self, script: &str) -> String {
        let files = self.spawn(script);
        let status = poll(|| {
            fs::read_to_string(files.with_extension("status")).ok().filter(|status| status.ends_with('\n'))
        });
        let status = status.unwrap_or_else(|| panic!("no end of: {script}\nconsole:\n{}", self.console()));
        let said = fs::read(files.with_extension("out")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(status.trim(), "0", "status of: {script}\n{said}\nconsole:\n{}", self.console());
        said
    }

    /// Which boot this is, once it is over; a new one has another name.
    pub fn booted(&self) -> Option<String> {
        fs::read_to_string(self.work.join("booted")).ok().filter(|id| id.ends_with('\n'))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.keeper.wait();
    }
}

/// Calls `ready` until it gives something, or patience ends.
fn poll<T>(mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = ready();
        if found.is_some() || Instant::now() >= end {
            return found;
        }
        thread::sleep(Duration::from_millis(100));
    }
}
