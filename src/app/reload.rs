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

/// The thread that applies a changed defender.conf, as far as that needs no restart. The main thread does not
/// do it: a camera that is slow to close would keep it from handling SIGTERM.
pub(super) struct Reload {
    requests: Sender<()>,
    thread: JoinHandle<()>,
}

impl Reload {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system refuses it.
    pub(super) fn start(
        control: &Arc<Control>,
        certificates: Option<Arc<Certificates>>,
        manager: Manager,
    ) -> io::Result<Self> {
        let (requests, requested) = mpsc::channel();
        let control = Arc::clone(control);
        let reload = move || {
            info!("SIGHUP: reading the configuration and the certificate again");
            certificates.iter().for_each(|certificates| certificates.reload_if_changed());
            control.reload();
        };
        let body = move || {
            while requested.recv().is_ok() {
                // One reload serves all requests that have arrived meanwhile.
                while requested.try_recv().is_ok() {}
                manager.reloading();
                // The panic was logged; the next reload may succeed.
                let _ = panic::catch_unwind(AssertUnwindSafe(&reload));
                manager.reloaded();
            }
        };
        let thread = thread::Builder::new().name("reload".to_owned()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { requests, thread })
    }

    /// Requests a reload.
    pub(super) fn request(&self) {
        // The thread receives until it is stopped.
        let _ = self.requests.send(());
    }

    /// Ends the thread after the reloads that were requested.
    pub(super) fn stop(self) {
        drop(self.requests);
        let _ = self.thread.join();
    }
}
