//! For tests: waiting for other threads, with an end.

use std::fs;
use std::sync::mpsc;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Longer than anything takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `is_so`.
///
/// # Panics
/// With the caller's line after two minutes.
#[track_caller]
pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `wait` in a thread of its own, and returns once that thread sleeps, or has ended.
#[track_caller]
pub(crate) fn asleep<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    wait: impl FnOnce() -> T + Send + 'scope,
) -> ScopedJoinHandle<'scope, T> {
    let (sender, receiver) = mpsc::channel();
    let thread = scope.spawn(move || {
        sender.send(rustix::thread::gettid()).unwrap();
        wait()
    });
    let id = receiver.recv().unwrap();
    wait_until(|| thread.is_finished() || is_asleep(id));
    thread
}

/// Whether the kernel says that the thread waits for something (proc(5), `/proc/PID/stat`).
fn is_asleep(id: rustix::process::Pid) -> bool {
    let stat = format!("/proc/self/task/{}/stat", id.as_raw_nonzero());
    fs::read_to_string(stat).is_ok_and(|stat| stat.contains(") S "))
}
