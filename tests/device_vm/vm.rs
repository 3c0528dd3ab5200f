//! The virtual machines, and running programs in them. What the tests do with their cameras belongs in
//! [`crate::devices`].
//!
//! There are three, each of which boots once for all tests that use it: see [`lock`], [`counted`] and [`with_cards`].

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::card::Card;

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
    starter: Starter,
    cards: Vec<Card>,
    /// The test that has it, and the processor time of qemu when it got it.
    user: (String, Duration),
}

/// The memory cards of [`with_cards`]: one to record on, and one to look at what is left of it.
pub const CARDS: [&str; 2] = ["card", "look"];

/// What fits on a card: f2fs takes a third of it for itself.
const CARD_BYTES: u64 = 128 << 20;

/// What a machine is.
#[derive(Clone, Copy)]
enum Kind {
    /// Its clock is the host's.
    Plain,
    /// Its clock follows its own instructions.
    Counted,
    /// As `Counted`, with the memory cards.
    WithCards,
}

/// The line to the guest's init by which it learns of jobs.
type Starter = Arc<Mutex<UnixStream>>;

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
    starter: Starter,
}

/// The machine for one test alone, with its cameras as they are after a boot. It boots for the
/// first test and serves the others too.
pub fn lock() -> MutexGuard<'static, Vm> {
    static VM: Shared = Shared::new();
    shared(&VM, Kind::Plain)
}

/// As [`lock`], a machine whose clock follows its own instructions: a guest that waits for the host's processor does
/// not notice. It is for tests that measure, or in which something is lost when the guest is late. It takes more than
/// twice as long for what it does.
pub fn counted() -> MutexGuard<'static, Vm> {
    static VM: Shared = Shared::new();
    shared(&VM, Kind::Counted)
}

/// As [`counted`], a machine with memory cards. Its tests wait more than they compute, so that others run beside them.
pub fn with_cards() -> MutexGuard<'static, Vm> {
    static VM: Shared = Shared::new();
    shared(&VM, Kind::WithCards)
}

/// A machine, or why there is none.
type Shared = OnceLock<Result<Mutex<Vm>, String>>;

fn shared(vm: &'static Shared, kind: Kind) -> MutexGuard<'static, Vm> {
    let mut vm = match vm.get_or_init(|| Vm::boot(kind).map(Mutex::new)) {
        // A test that failed leaves nothing the next one would trip over.
        Ok(vm) => vm.lock().unwrap_or_else(PoisonError::into_inner),
        Err(reason) => panic!("{reason}"),
    };
    assert!(vm.keeper.try_wait().is_ok_and(|ended| ended.is_none()), "the test VM ended before its time");
    vm.note_time();
    vm.plug_anew();
    vm
}

/// Calls `ready` until it gives something; panics with `what` when it never does.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let asked = Instant::now();
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain for {what}");
        // A question to the guest is work for it: half of the time is left for what it is waited for.
        thread::sleep(POLL.max(asked.elapsed()));
    }
}

impl Vm {
    fn boot(kind: Kind) -> Result<Self, String> {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vm/boot"));
        // Qemu connects while it starts.
        let sockets = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let mut cards = Vec::new();
        if let Kind::Counted | Kind::WithCards = kind {
            command.env("DEFENDER_VM_CLOCK", "counted");
        }
        if let Kind::WithCards = kind {
            let socket = |name| sockets.path().join(name);
            cards.extend(CARDS.map(|name| Card::start(&socket(name), CARD_BYTES)));
            let words = CARDS.map(|name| format!("{name}={}", socket(name).display()));
            command.env("DEFENDER_VM_CARDS", words.join(" "));
        }
        let mut keeper = command
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
        let socket = UnixStream::connect(Path::new(work).join("jobs.socket"))
            .map_err(|error| format!("the test VM takes no jobs: {error}"))?;
        let starter = Arc::new(Mutex::new(socket));
        let user = ("boot".to_owned(), Duration::ZERO);
        let work = work.into();
        let mut vm = Self { keeper, _keepers_input: input, work, port, starter, cards, user };
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

    /// With DEFENDER_VM_TIMES set, prints the processor time that the last test took of this machine.
    fn note_time(&mut self) {
        if std::env::var_os("DEFENDER_VM_TIMES").is_none() {
            return;
        }
        let now = processor_time(read_text(&self.work.join("qemu.pid")).trim());
        let name = thread::current().name().unwrap_or_default().to_owned();
        let (before, since) = std::mem::replace(&mut self.user, (name, now));
        eprintln!("vm: {before}: {:.1} s of the processor", (now - since).as_secs_f64());
    }

    /// One of [`CARDS`].
    pub fn card(&self, name: &str) -> &Card {
        let at = CARDS.iter().position(|known| *known == name).expect("a known name");
        self.cards.get(at).expect("this machine has cards")
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
        let files = drop_job(&self.work.join("jobs"), &self.starter, script);
        Job { script: script.to_owned(), files, starter: Arc::clone(&self.starter) }
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

    /// Sends a signal ("TERM") to the job and all it started; returns when it was sent.
    pub fn signal(&self, name: &str) {
        self.ask_about(&format!("kill -s {name} -- -$(cat $job.pid)"));
    }

    /// Ends the job and all it started; false if it goes on, or the machine does not answer.
    fn end(&self) -> bool {
        if !self.jobs().exists() || thread::panicking() && !self.report_threads() {
            return false;
        }
        self.signal("KILL");
        self.wait().is_some()
    }

    /// Prints where in the kernel each thread of a job is, innermost function first, and what the kernel complained of:
    /// after a wait in vain it shows whether the server or a driver hangs, or the kernel ended a thread. False if there is no
    /// answer.
    fn report_threads(&self) -> bool {
        self.ask_about(
            "exec >&2; for thread in /proc/$(cat $job.pid)/task/*; do
                 state=$(sed -n 's/^State:[[:space:]]*//p' $thread/status)
                 echo \"$(cat $thread/comm): $state:\" $(sed 's/.*] //; s/+.*//' $thread/stack | head -n 8)
             done; dmesg --level=emerg,alert,crit,err,warn | tail -n 60",
        )
    }

    /// Runs a script that finds the job's files as `$job.pid` and so on, once the job has begun; whether it came to its end.
    fn ask_about(&self, script: &str) -> bool {
        let number = self.files.file_name().expect("a job has a number").to_string_lossy();
        let script = format!(
            "cd {GUEST_WORK}/jobs; job={number}; until [ -e $job.pid ] || [ -e $job.status ]; do sleep 0.1; done; {script}"
        );
        let files = drop_job(self.jobs(), &self.starter, &script);
        // Not dropped: if the machine does not answer, the next script would have no answer either, without end.
        let asked = ManuallyDrop::new(Self { script, files, starter: Arc::clone(&self.starter) });
        let has_ended = asked.wait().is_some();
        asked.show_failure();
        has_ended
    }

    /// After a failure, prints what it was and what it wrote to standard error.
    fn show_failure(&self) {
        if thread::panicking() {
            eprintln!("--- guest: {}\n{}", self.script, self.stderr());
        }
    }

    /// Ends a machine that does not answer, or in which nothing ends a program: every other test would wait as long.
    fn end_machine(&self) {
        let work = self.jobs().parent().expect("the jobs lie in the work folder");
        let pid = read_text(&work.join("qemu.pid"));
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        eprintln!(
            "--- the machine does not answer and is ended ({killed:?}); its console:\n{}",
            read_text(&work.join("console"))
        );
    }

    /// The folder of all jobs; it goes when the machine does.
    fn jobs(&self) -> &Path {
        self.files.parent().expect("jobs lie in a folder")
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let is_over = self.status().is_some() || self.end();
        if !is_over && self.jobs().exists() {
            self.end_machine();
        }
        self.show_failure();
    }
}

/// Hands a script to the guest; gives its files' common path.
fn drop_job(jobs: &Path, starter: &Starter, script: &str) -> PathBuf {
    // Only the uniqueness of the number matters.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let files = jobs.join(number.to_string());
    // A machine that ended takes none; who waits for the job notices that.
    let written = fs::write(files.with_extension("job"), script);
    assert!(written.is_ok() || !jobs.exists(), "the work folder takes a file: {written:?}");
    let mut starter = starter.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = starter.write_all(format!("{number}\n").as_bytes());
    files
}

/// The processor time that a process used so far.
fn processor_time(pid: &str) -> Duration {
    const TICKS_PER_S: f64 = 100.0;
    let stat = read_text(Path::new(&format!("/proc/{pid}/stat")));
    // utime and stime (proc(5)), counted from behind the name.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    Duration::from_secs_f64(ticks / TICKS_PER_S)
}

/// The text of a file; empty when there is none yet.
fn read_text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
