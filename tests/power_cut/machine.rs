//! A virtual machine with a disk of its own, whose power can be cut.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything in the guest may take before the test gives up on it. Emulation is slow.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running machine; its keeper, tests/vm/boot, ends it when this is dropped.
pub struct Machine {
    keeper: Child,
    input: Option<ChildStdin>,
    work: PathBuf,
}

impl Machine {
    /// Boots it with the image `disk` as `/dev/vda`.
    pub fn boot(disk: &Path) -> Self {
        let mut keeper = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vm/boot"))
            .env("DEFENDER_VM_DISK", disk)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/vm/boot starts");
        let input = keeper.stdin.take();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
        let work = line.split_whitespace().next().expect("tests/vm/prepare made the machine's image");
        let machine = Self { keeper, input, work: work.into() };
        machine.wait_for("the guest to come up", || machine.work.join("ready").exists());
        machine
    }

    /// The folder both sides see; the guest's `/mnt`.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Starts a shell script in the guest.
    pub fn spawn(&self, name: &str, script: &str) {
        let part = self.work.join("jobs").join(format!("{name}.part"));
        fs::write(&part, script).expect("the work folder takes a file");
        fs::rename(&part, part.with_extension("job")).expect("renamed");
    }

    /// What a script has said so far: its output and its errors.
    pub fn said(&self, name: &str) -> String {
        let read = |kind| fs::read_to_string(self.work.join("jobs").join(name).with_extension(kind));
        read("out").unwrap_or_default() + &read("err").unwrap_or_default()
    }

    pub fn wait_for(&self, what: &str, ready: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !ready() {
            assert!(Instant::now() < end, "waited in vain for {what}; {}", self.tell());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Cuts the power: nothing in the guest has a moment left.
    pub fn cut_power(&self) {
        let pid = fs::read_to_string(self.work.join("qemu.pid")).expect("tests/vm/boot wrote it");
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status().expect("kill runs");
        assert!(killed.success(), "the machine ended before its power was cut; {}", self.tell());
        self.wait_for("qemu to be gone", || !is_alive(pid.trim()));
    }

    /// What the guest's kernel and every script said.
    fn tell(&self) -> String {
        let console = fs::read(self.work.join("console")).unwrap_or_default();
        let names = ["server", "log", "editor-0", "editor-1"];
        let said: String = names.map(|name| format!("--- {name}:\n{}", self.said(name))).concat();
        format!("--- console:\n{}\n{said}", String::from_utf8_lossy(&console))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.keeper.wait();
    }
}

/// A process that ended stays as a zombie until its parent looks.
fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}
