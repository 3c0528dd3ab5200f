//! The threads of the program: they are started again after a panic, and the process ends even if one hangs.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use log::error;

use crate::logging;

/// How long a stop may take. Threads that are still at work then end with the process.
pub(super) const STOP_WITHIN: Duration = Duration::from_millis(900);

/// Pause before a thread that panicked runs again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Stack of the threads that only accept and distribute work.
pub(super) const STACK_BYTES: usize = 256 * 1024;

/// Starts a thread that calls `run`, again after each panic, until it returns; then sends its name to `ended`.
///
/// # Errors
/// If the system refuses the thread.
pub(super) fn start_thread(
    name: &'static str,
    ended: Sender<&'static str>,
    run: impl Fn() + Send + 'static,
) -> io::Result<()> {
    let body = move || {
        while panic::catch_unwind(AssertUnwindSafe(&run)).is_err() {
            error!("the thread {name} panicked and is started again");
            thread::sleep(RESTART_PAUSE);
        }
        let _ = ended.send(name);
    };
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body).map(drop)
}

/// Ends the process shortly after it should have ended by itself, in case something holds that up.
pub(super) fn end_in_any_case() {
    let late = STOP_WITHIN + Duration::from_secs(1);
    let deadline = thread::Builder::new().name("deadline".to_owned()).stack_size(STACK_BYTES);
    // Best effort: without this thread the process still ends unless something hangs.
    let _ = deadline.spawn(move || {
        thread::sleep(late);
        logging::flush_at_end();
        std::process::exit(0);
    });
}
