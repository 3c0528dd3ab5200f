//! The thread that applies a changed configuration.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use log::info;

use super::notify::Manager;
use super::threads::STACK_BYTES;
use crate::control::Control;
use crate::gate::Certificates;

/// The thread that takes over what a changed defender.conf says, as far as that goes without a restart.
/// Not main's work: a camera that is slow to close would keep it from answering SIGTERM.
pub(super) struct Reload {
    ask: Sender<()>,
    thread: JoinHandle<()>,
}

impl Reload {
    pub(super) fn start(
        control: &Arc<Control>,
        certificates: Option<Arc<Certificates>>,
        manager: Manager,
    ) -> io::Result<Self> {
        let (ask, asked) = mpsc::channel();
        let control = Arc::clone(control);
        let reload = move || {
            info!("SIGHUP: reading the configuration and the certificate again");
            certificates.iter().for_each(|certificates| certificates.reload_if_changed());
            control.reload();
        };
        let body = move || {
            while asked.recv().is_ok() {
                // Those that came meanwhile want the same.
                while asked.try_recv().is_ok() {}
                manager.reloading();
                // A panic was logged; the next reload may do better.
                let _ = panic::catch_unwind(AssertUnwindSafe(&reload));
                manager.reloaded();
            }
        };
        let thread = thread::Builder::new().name("reload".to_owned()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { ask, thread })
    }

    pub(super) fn ask(&self) {
        // It is there until it is stopped.
        let _ = self.ask.send(());
    }

    /// Ends the thread when it has done what it was asked for.
    pub(super) fn stop(self) {
        drop(self.ask);
        let _ = self.thread.join();
    }
}
