//! Runs tiny_http on the gate's channel: a loop that accepts requests, and a thread for each of them.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use log::{error, warn};
use tiny_http::{Request, Server};

use super::service::Service;
use super::state::AppState;
use crate::base::lock;
use crate::gate::{AcceptLoop, PendingRequests};
use crate::hub::Stop;

/// Stack of a request's thread.
const STACK_BYTES: usize = 256 * 1024;

/// Pause before tiny_http is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// How long a server whose accept loop ended is kept for the requests that it has read: longer than the gate
/// waits for their replies.
const RETIRED_FOR: Duration = Duration::from_secs(90);

/// Servers whose accept loops ended, and when.
type Retired = Vec<(Instant, Arc<Server>)>;

/// Runs tiny_http for the gate.
pub struct HttpServer {
    service: Service,
    pending: Arc<PendingRequests>,
    stop: Stop,
    server: Mutex<Option<Arc<Server>>>,
}

impl HttpServer {
    /// A server that is not running yet.
    pub fn new(state: AppState, pending: Arc<PendingRequests>) -> Self {
        let service = Service::new(state, Arc::clone(&pending));
        Self { service, pending, stop: Stop::new(), server: Mutex::new(None) }
    }

    /// Serves until [`HttpServer::stop`]. tiny_http ends its accept loop at the first error, or panics in it;
    /// another one then takes over the same listening socket and the connections that wait there.
    pub fn run(&self) {
        thread::scope(|scope| {
            let mut retired = Retired::new();
            while !self.stop.is_requested() {
                if let Err(error) = self.run_once(scope, &mut retired) {
                    error!("the HTTP server cannot accept requests and tries again: {error}");
                }
                // Trying again at once would not help a process that is out of descriptors.
                self.stop.sleep(RESTART_PAUSE);
            }
        });
        self.pending.clear_loop_check();
        *lock(&self.server) = None;
        // The accept loop sees that its server is gone when the next connection wakes it.
        let _ = self.pending.channel().connect();
    }

    /// Makes [`HttpServer::run`] return once the requests under way are answered.
    pub fn stop(&self) {
        self.stop.request();
        if let Some(server) = &*lock(&self.server) {
            server.unblock();
        }
    }

    /// Serves until the stop, or until the accept loop has ended. There is never a second loop beside it, which
    /// would take connections and answer none.
    fn run_once<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        retired: &mut Retired,
    ) -> io::Result<()> {
        let listener = self.pending.channel().listener()?;
        let accept_loop = AcceptLoop::of(&listener)?;
        let server = Arc::new(Server::from_listener(listener, None).map_err(io::Error::other)?);
        *lock(&self.server) = Some(Arc::clone(&server));
        let checked = Arc::clone(&server);
        self.pending.set_loop_check(move || checked.unblock());
        while !self.stop.is_requested() {
            match server.recv() {
                Ok(request) => self.spawn(scope, request),
                // An error of the loop itself, or a check that the gate asks for.
                Err(_) => {
                    self.drain(scope, retired);
                    if !accept_loop.is_running() {
                        warn!("the HTTP library's accept loop ended and is started again");
                        retired.push((Instant::now(), server));
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Answers requests that were read by servers whose accept loops ended.
    fn drain<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, retired: &mut Retired) {
        for (_, server) in retired.iter() {
            while let Ok(Some(request)) = server.try_recv() {
                self.spawn(scope, request);
            }
        }
        retired.retain(|(since, _)| since.elapsed() < RETIRED_FOR);
    }

    /// Answers a request on a thread of its own: a password hash or a handler that hangs delays no other request. The
    /// gate's limits bound their number, because a request holds the slot of its connection until it is answered.
    fn spawn<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, request: Request) {
        let thread = thread::Builder::new().name("request".to_owned()).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn_scoped(scope, move || self.service.answer(request)) {
            // The request was dropped with the closure; tiny_http then answers 500.
            warn!("cannot start a thread for a request: {error}");
        }
    }
}
