//! The HTTP room: what each request means and what is answered.
//!
//! What belongs here: routes, authentication of requests, handlers, the page. What must not: the
//! public socket, TLS and limits (the gate's), capture, the user file's format.
//!
//! tiny_http listens on loopback only and sees requests only from the gate, each with the id of
//! a live exchange; a request without one is refused whatever it asks.

mod api;
mod audio;
mod auth;
mod coder;
mod metrics;
mod page;
mod reply;
mod route;
mod snapshot;
mod video;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, debug, error, info, log, warn};
use tiny_http::{Request, Server};

pub use page::{Page, PageError};
pub use route::{Access, Route};

use crate::encode::sound::Codec;
use crate::gate::{Admission, EXCHANGE_HEADER, Exchange, Exchanges, Job};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed, Named, Stop};
use crate::users::{Accounts, Denied, Identity};
use auth::Credentials;
pub use coder::Coders;
use reply::Reply;

/// Stack of a request's thread.
const STACK_BYTES: usize = 256 * 1024;

/// Pause before tiny_http is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// What every handler may look at.
pub struct Service {
    /// Who may come in.
    pub accounts: Accounts,
    /// The cameras, first one first.
    pub cameras: Arc<FeedList<CameraFeed>>,
    /// The microphones, first one first.
    pub microphones: Arc<FeedList<MicrophoneFeed>>,
    /// What encodes sound for listeners.
    pub coders: Coders,
    /// The page; `None` where only streams and API are served.
    pub page: Option<Page>,
    /// The gate's count of connections.
    pub admission: Admission,
    /// When the server started.
    pub started: Instant,
}

/// Runs tiny_http for the gate.
pub struct HttpRoom {
    service: Service,
    exchanges: Arc<Exchanges>,
    stop: Stop,
    server: Mutex<Option<Arc<Server>>>,
}

/// What a handler decided.
enum Outcome {
    Reply(Reply),
    /// To be run on the client's connection.
    HandOver(Job),
}

impl HttpRoom {
    /// A room that is not running yet.
    pub fn new(service: Service, exchanges: Arc<Exchanges>) -> Self {
        Self { service, exchanges, stop: Stop::new(), server: Mutex::new(None) }
    }

    /// Serves until [`HttpRoom::stop`]. tiny_http gives up its accept loop at the first error, or
    /// panics in it; it is then started again on a new port.
    pub fn run(&self) {
        while !self.stop.is_requested() {
            if let Err(error) = self.run_once() {
                error!("the HTTP room failed and is started again: {error}");
                self.stop.sleep(RESTART_PAUSE);
            }
        }
    }

    /// Makes [`HttpRoom::run`] return once the requests under way are answered.
    pub fn stop(&self) {
        self.stop.request();
        if let Some(server) = &*self.lock() {
            server.unblock();
        }
    }

    fn run_once(&self) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let server = Arc::new(Server::from_listener(listener, None).map_err(io::Error::other)?);
        *self.lock() = Some(Arc::clone(&server));
        let listening = Arc::clone(&server);
        self.exchanges.set_room(port, move || listening.unblock());
        thread::scope(|scope| {
            while !self.stop.is_requested() {
                match server.recv() {
                    Ok(request) => self.dispatch(scope, request),
                    Err(_) if self.stop.is_requested() => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    }

    /// A thread for each request: the gate's caps bound their number, and a password hash or a
    /// handler that hangs holds up nobody else.
    fn dispatch<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>, request: Request) {
        let spawned = thread::Builder::new().name("request".to_owned()).stack_size(STACK_BYTES).spawn_scoped(
            scope,
            move || {
                self.answer(request);
            },
        );
        if let Err(error) = spawned {
            // The request went down with the closure; tiny_http answers 500 when that drops.
            warn!("no thread for a request: {error}");
        }
    }

    fn answer(&self, request: Request) {
        let claimed = field(&request, EXCHANGE_HEADER).and_then(|id| self.exchanges.claim(id));
        let Some(exchange) = claimed else {
            debug!("a request on the loopback port did not come through the gate");
            let refused = Reply::error(403, "requests come through the public port");
            let _ = request.respond(refused.into_response(false));
            return;
        };
        let secure = exchange.is_secure();
        let handled = panic::catch_unwind(AssertUnwindSafe(|| self.service.handle(&request, &exchange)));
        let outcome =
            handled.unwrap_or_else(|_| Outcome::Reply(Reply::error(500, "a fault in Defender; see its log")));
        match outcome {
            Outcome::Reply(reply) => {
                let peer = exchange.peer();
                debug!("{peer}: {} {} {}", request.method(), path_of(request.url()), reply.status());
                if let Err(error) = request.respond(reply.into_response(secure)) {
                    debug!("{peer}: reply lost: {error}");
                }
            }
            Outcome::HandOver(job) => {
                exchange.hand_over(job);
                // Dropped unwritten: the gate reads end-of-file and runs the job.
                drop(request.into_writer());
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Server>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    fn handle(&self, request: &Request, exchange: &Exchange) -> Outcome {
        let url = request.url();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let route = Route::parse(path);
        // An unknown path is a viewer's business too: who is not signed in learns nothing of it.
        let is_public = route.as_ref().is_some_and(|route| route.access() == Access::Public);
        if !is_public && let Err(reply) = self.sign_in(request, exchange) {
            return Outcome::Reply(reply);
        }
        let Some(route) = route else { return not_found() };
        let method = request.method().as_str();
        if !route.methods().contains(&method) {
            let allowed = route.methods().join(", ");
            let refused = Reply::error(405, &format!("{path} takes {allowed}"));
            return Outcome::Reply(refused.with("Allow", allowed));
        }
        self.answer(&route, query, request, exchange)
    }

    fn answer(&self, route: &Route, query: &str, request: &Request, exchange: &Exchange) -> Outcome {
        let head_only = request.method().as_str() == "HEAD";
        let secure = exchange.is_secure();
        match route {
            Route::Health => Outcome::Reply(
                Reply::new(200, "text/plain", b"ok\n".as_slice().into()).with("Cache-Control", "no-store"),
            ),
            Route::Versions => Outcome::Reply(api::versions()),
            Route::Status => Outcome::Reply(api::status(self)),
            Route::Metrics => Outcome::Reply(metrics::metrics(self)),
            Route::Page(path) => {
                let known_tags = field(request, "If-None-Match");
                self.page
                    .as_ref()
                    .and_then(|page| page.get(path, known_tags))
                    .map_or_else(not_found, Outcome::Reply)
            }
            Route::Video(name) => match video::interval(query) {
                Ok(interval) => self
                    .watch(name.as_deref(), |_, reader| video::stream(reader, interval, head_only, secure)),
                Err(why) => Outcome::Reply(Reply::error(400, &why)),
            },
            Route::Audio(name) => match audio::codec(query) {
                Ok(codec) => self.listen(name.as_deref(), codec, head_only, secure),
                Err(why) => Outcome::Reply(Reply::error(400, &why)),
            },
            Route::Snapshot(name) => {
                let keep = exchange.keeps_alive();
                self.watch(name.as_deref(), |feed, reader| {
                    snapshot::take(feed, reader, head_only, secure, keep)
                })
            }
        }
    }

    fn watch(
        &self,
        name: Option<&str>,
        job: impl FnOnce(Arc<CameraFeed>, crate::hub::Reader<crate::media::Frame>) -> Job,
    ) -> Outcome {
        let Some(feed) = self.cameras.find(name) else { return none_is_named("camera", name, &self.cameras) };
        match feed.frames().subscribe() {
            Some(reader) => Outcome::HandOver(job(feed, reader)),
            None => Outcome::Reply(Reply::error(503, "too many viewers").with("Retry-After", "5")),
        }
    }

    fn listen(&self, name: Option<&str>, codec: Codec, head_only: bool, secure: bool) -> Outcome {
        let Some(feed) = self.microphones.find(name) else {
            return none_is_named("microphone", name, &self.microphones);
        };
        let listening = feed.listen();
        let coder = self.coders.of(&listening, codec);
        Outcome::HandOver(audio::stream(listening, coder, head_only, secure))
    }

    /// Signs the request in. The log learns why it was refused, the client only that it was.
    fn sign_in(&self, request: &Request, exchange: &Exchange) -> Result<Identity, Reply> {
        let Some(authorization) = field(request, "Authorization") else { return Err(unauthorized()) };
        let peer = exchange.peer();
        let Some(given) = Credentials::from_basic(authorization) else {
            info!("{peer}: login refused: not Basic credentials");
            return Err(unauthorized());
        };
        self.accounts.authenticate(&given.name, &given.password).map_err(|denied| {
            // A flood of sign-ins must not fill the log, nor a name from the network a line of it.
            let level = if denied == Denied::Busy { Level::Debug } else { Level::Warn };
            log!(level, "{peer}: login of `{:.32}` refused: {denied}", given.name);
            match denied {
                Denied::Busy => {
                    Reply::error(503, "too many logins at once, try again").with("Retry-After", "2")
                }
                _ => unauthorized(),
            }
        })
    }
}

fn unauthorized() -> Reply {
    Reply::error(401, "sign in").with("WWW-Authenticate", "Basic realm=\"Defender\", charset=\"UTF-8\"")
}

/// The answer to a name that no device has.
fn none_is_named<F: Named>(kind: &str, name: Option<&str>, list: &FeedList<F>) -> Outcome {
    let names: Vec<_> = list.all().iter().map(|feed| feed.name().to_owned()).collect();
    let why = match name {
        Some(name) if !names.is_empty() => {
            format!("no {kind} is named {name}; there are: {}", names.join(", "))
        }
        _ => format!("no {kind} is configured"),
    };
    Outcome::Reply(Reply::error(404, &why))
}

fn not_found() -> Outcome {
    Outcome::Reply(Reply::error(404, "there is nothing here"))
}

fn field<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
}

/// A query may one day hold what a log should not.
fn path_of(url: &str) -> &str {
    url.split_once('?').map_or(url, |(path, _)| path)
}
