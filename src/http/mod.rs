//! The HTTP room: what each request means and what is answered.
//!
//! What belongs here: routes, authentication of requests, handlers, the page. What must not: the
//! public socket, TLS and limits (the gate's), capture, the user file's format.
//!
//! tiny_http accepts on the gate's channel, a socket without a name, and sees requests only from the
//! gate, each with the id of a live exchange; a request without one is refused whatever it asks.

mod api;
mod audio;
mod audit;
pub(crate) mod auth;
mod body;
mod cameras;
mod coder;
mod cors;
mod devices;
mod file;
pub(crate) mod login;
mod metrics;
mod page;
mod reply;
mod route;
mod services;
mod sessions;
mod settings;
mod snapshot;
mod streams;
mod trust;
mod users;
mod video;

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{debug, error, warn};
use tiny_http::{Request, Server};

pub use page::{Page, PageError};
pub use route::{Access, Route};

use crate::control::Control;
use crate::gate::{AcceptLoop, Admission, Certificates, EXCHANGE_HEADER, Exchange, Exchanges, Job};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed, Stop};
use crate::memory::Memory;
use crate::users::{Accounts, Identity, Role};
use auth::Given;
pub use coder::Coders;
pub use cors::Origins;
pub use metrics::Counts;
use reply::{Reply, Surroundings};

/// Stack of a request's thread.
const STACK_BYTES: usize = 256 * 1024;

/// Pause before tiny_http is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// What every handler may look at.
pub struct Service {
    /// Who may come in.
    pub accounts: Arc<Accounts>,
    /// The cameras, first one first.
    pub cameras: Arc<FeedList<CameraFeed>>,
    /// The microphones, first one first.
    pub microphones: Arc<FeedList<MicrophoneFeed>>,
    /// What can be told to what runs.
    pub control: Arc<Control>,
    /// What encodes sound for listeners.
    pub coders: Coders,
    /// The page; `None` where only streams and API are served.
    pub page: Option<Page>,
    /// The gate's count of connections.
    pub admission: Admission,
    /// The memory for large buffers.
    pub memory: Memory,
    /// How often what was asked.
    pub counts: Counts,
    /// For `Strict-Transport-Security`, in seconds; 0: the field is not sent.
    pub hsts_s: u32,
    /// The name of the cookie of a session.
    pub cookie: String,
    /// Other sites whose pages may read the answers.
    pub origins: Origins,
    /// The server's certificate; `None` without TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// When the server started.
    pub started: Instant,
}

/// How long a server whose accept loop ended is kept for the requests it has read: longer than the
/// gate waits for their replies.
const RETIRED_FOR: Duration = Duration::from_secs(90);

/// Runs tiny_http for the gate.
pub struct HttpRoom {
    service: Service,
    exchanges: Arc<Exchanges>,
    stop: Stop,
    server: Mutex<Option<Arc<Server>>>,
}

/// Servers whose accept loops ended, and when.
type Retired = Vec<(Instant, Arc<Server>)>;

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
    /// panics in it; another one then takes over the same listening socket and what waits there.
    pub fn run(&self) {
        thread::scope(|scope| {
            let mut retired = Retired::new();
            while !self.stop.is_requested() {
                if let Err(error) = self.run_once(scope, &mut retired) {
                    error!("the HTTP room cannot accept requests, and tries again: {error}");
                }
                // Out of descriptors is not mended by trying harder.
                self.stop.sleep(RESTART_PAUSE);
            }
        });
        self.exchanges.clear_look();
        *self.lock() = None;
        // The accept loop sees that its server is gone when the next connection wakes it.
        let _ = self.exchanges.channel().connect();
    }

    /// Makes [`HttpRoom::run`] return once the requests under way are answered.
    pub fn stop(&self) {
        self.stop.request();
        if let Some(server) = &*self.lock() {
            server.unblock();
        }
    }

    /// Serves until the stop, or until the accept loop has ended. There is never a second loop beside
    /// it, which would take connections and answer none.
    fn run_once<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        retired: &mut Retired,
    ) -> io::Result<()> {
        let listener = self.exchanges.channel().listener()?;
        let accept_loop = AcceptLoop::of(&listener)?;
        let server = Arc::new(Server::from_listener(listener, None).map_err(io::Error::other)?);
        *self.lock() = Some(Arc::clone(&server));
        let looked_at = Arc::clone(&server);
        self.exchanges.set_look(move || looked_at.unblock());
        while !self.stop.is_requested() {
            match server.recv() {
                Ok(request) => self.dispatch(scope, request),
                // Either the loop's own error or a look that the gate asks for.
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
    fn drain<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>, retired: &mut Retired) {
        for (_, server) in retired.iter() {
            while let Ok(Some(request)) = server.try_recv() {
                self.dispatch(scope, request);
            }
        }
        retired.retain(|(since, _)| since.elapsed() < RETIRED_FOR);
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

    fn answer(&self, mut request: Request) {
        let claimed = field(&request, EXCHANGE_HEADER).and_then(|id| self.exchanges.claim(id));
        let Some(exchange) = claimed else {
            debug!("a request on the channel did not come through the gate");
            let refused = Reply::error(403, "requests come through the public port");
            let _ = request.respond(refused.into_response(&Surroundings::default()));
            return;
        };
        let around = self.service.surroundings(&request, &exchange);
        let handled = panic::catch_unwind(AssertUnwindSafe(|| self.service.handle(&mut request, &exchange)));
        let outcome =
            handled.unwrap_or_else(|_| Outcome::Reply(Reply::error(500, "a fault in Defender; see its log")));
        match outcome {
            Outcome::Reply(reply) => {
                let bytes = Some(reply.body_bytes()).filter(|bytes| *bytes > SMALL_REPLY_BYTES);
                let requests = self.service.memory.for_requests();
                // Kept until the reply is sent.
                let (reply, _lease) = match bytes.map(|bytes| requests.lease(bytes)) {
                    Some(None) => (out_of_memory(), None),
                    lease => (reply, lease.flatten()),
                };
                self.service.counts.answered(Some(reply.status()));
                let peer = exchange.peer();
                debug!("{peer}: {} {} {}", request.method(), path_of(request.url()), reply.status());
                if let Err(error) = request.respond(reply.into_response(&around)) {
                    debug!("{peer}: reply lost: {error}");
                }
            }
            Outcome::HandOver(job) => {
                self.service.counts.answered(None);
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
    fn surroundings(&self, request: &Request, exchange: &Exchange) -> Surroundings {
        let origin = self.origins.allowed(field(request, "Origin")).map(str::to_owned);
        let hsts = (exchange.is_secure() && self.hsts_s > 0).then(|| format!("max-age={}", self.hsts_s));
        Surroundings { hsts, origin, varies: !self.origins.0.is_empty() }
    }

    fn handle(&self, request: &mut Request, exchange: &Exchange) -> Outcome {
        let url = request.url().to_owned();
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let route = Route::of(path, query);
        // An unknown path is a viewer's business too: who is not signed in learns nothing of it.
        let method = request.method().as_str();
        let asks_first = method == "OPTIONS" && field(request, "Access-Control-Request-Method").is_some();
        if asks_first && self.origins.allowed(field(request, "Origin")).is_some() {
            return Outcome::Reply(cors::preflight(route.as_ref().map_or(&[], Route::methods)));
        }
        // Before the sign-in, which may cost a hash. It depends on the fields of the request alone, and
        // tells nobody which paths there are.
        if let Err(refused) = self.check_origin(request, exchange, path, route.as_ref()) {
            return Outcome::Reply(refused);
        }
        if (method, path) == ("OPTIONS", "*") {
            let allowed = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
            return Outcome::Reply(Reply::empty(204).with("Allow", allowed));
        }
        let access = route.as_ref().map_or(Access::Viewer, |route| route.access(method));
        let user = match access {
            Access::Public => None,
            Access::Viewer | Access::Admin => match self.sign_in(request, exchange) {
                Ok(user) => Some(user),
                Err(reply) => return Outcome::Reply(reply),
            },
        };
        if let Err(refused) = self.check(request, exchange, path, (route.as_ref(), access), user.as_ref()) {
            return Outcome::Reply(refused);
        }
        match (route, user) {
            (None, _) => Outcome::Reply(Reply::error(404, Route::hint(path, query))),
            (Some(route), None) => self.answer_anybody(&route, request, exchange),
            (Some(route), Some(user)) => self.answer_user(&route, query, request, exchange, &user),
        }
    }

    /// What needs no user. Another route here is a mistake in [`Route::access`], and stays shut.
    fn answer_anybody(&self, route: &Route, request: &mut Request, exchange: &Exchange) -> Outcome {
        Outcome::Reply(match route {
            Route::Health => {
                Reply::new(200, "text/plain", b"ok\n".as_slice().into()).with("Cache-Control", "no-store")
            }
            Route::Versions => api::versions(),
            Route::Login => login::login(self, request, exchange),
            Route::Authority => trust::certificate(self.certificates.as_deref()),
            Route::AuthorityProfile => trust::mobile_configuration(self.certificates.as_deref()),
            Route::Trust => trust::page(self.certificates.as_deref()),
            Route::SignIn(name) => {
                let known_tags = field(request, "If-None-Match");
                return page::sign_in_file(name, known_tags).map_or_else(not_found, Outcome::Reply);
            }
            _ => auth::unauthorized(request),
        })
    }

    fn answer_user(
        &self,
        route: &Route,
        query: &str,
        request: &mut Request,
        exchange: &Exchange,
        user: &Identity,
    ) -> Outcome {
        Outcome::Reply(match route {
            Route::Health
            | Route::Versions
            | Route::Login
            | Route::Authority
            | Route::AuthorityProfile
            | Route::Trust
            | Route::SignIn(_) => {
                return self.answer_anybody(route, request, exchange);
            }
            Route::Logout => login::logout(self, user, exchange),
            Route::Password => login::password(self, user, request, exchange),
            Route::Sessions => sessions::list(self, user),
            Route::Session(id) => sessions::end(self, user, id, exchange),
            Route::Users if request.method().as_str() == "POST" => users::add(self, user, request, exchange),
            Route::Users => users::list(self),
            Route::User(name) if request.method().as_str() == "DELETE" => {
                users::remove(self, user, name, exchange)
            }
            Route::User(name) => users::change(self, user, name, request, exchange),
            Route::Status => api::status(self, user),
            Route::Cameras => cameras::list(self, user),
            Route::Camera(name) if request.method().as_str() == "PUT" => {
                cameras::change(self, user, name, request, exchange)
            }
            Route::Camera(name) => cameras::one(self, user, name),
            Route::Microphones => cameras::list_microphones(self, user),
            Route::Microphone(name) => cameras::one_microphone(self, user, name),
            Route::Devices => devices::list(self),
            Route::Services => services::list(self),
            Route::ServiceOf(media) if request.method().as_str() == "PUT" => {
                services::change(self, user, *media, request, exchange)
            }
            Route::ServiceOf(media) => services::one(self, *media),
            Route::Logging if request.method().as_str() == "PUT" => {
                services::set_logging(self, user, request, exchange)
            }
            Route::Logging => services::logging(self),
            Route::Settings if request.method().as_str() == "DELETE" => {
                settings::reset(self, user, None, exchange.peer())
            }
            Route::Settings => settings::list(self),
            Route::Setting(name) => settings::reset(self, user, Some(name), exchange.peer()),
            Route::Logs => services::logs(self, query),
            Route::Description => api::description(field(request, "If-None-Match")),
            Route::Metrics => metrics::metrics(self, user),
            Route::Page(path) => {
                let known_tags = field(request, "If-None-Match");
                match self.page.as_ref().and_then(|page| page.get(path, known_tags)) {
                    Some(page::Found::Reply(reply)) => reply,
                    Some(page::Found::File(reply, file)) => {
                        return self.send_file(reply, file, request, exchange, user);
                    }
                    None => return not_found(),
                }
            }
            Route::Video(_) | Route::Audio(_) | Route::Snapshot(_) => {
                return streams::answer(self, route, query, request, exchange, user);
            }
        })
    }

    fn send_file(
        &self,
        reply: Reply,
        file: file::OpenFile,
        request: &Request,
        exchange: &Exchange,
        user: &Identity,
    ) -> Outcome {
        let Some(lease) = self.memory.for_requests().lease(file::PIECE_BYTES) else {
            return Outcome::Reply(out_of_memory());
        };
        let how = (request.method().as_str() == "HEAD", exchange.keeps_alive());
        let job = file.send(reply, self.surroundings(request, exchange), how, lease);
        Outcome::HandOver(streams::while_allowed(self, user, job))
    }

    /// Signs the request in. The log learns why it was refused, the client only that it was.
    fn sign_in(&self, request: &Request, exchange: &Exchange) -> Result<Identity, Reply> {
        if let Some(uid) = exchange.local_uid() {
            exchange.mark_signed_in();
            return Ok(Identity::local(uid));
        }
        let peer = exchange.peer();
        let given =
            Given::from_fields(field(request, "Authorization"), field(request, "Cookie"), &self.cookie);
        let (name, signed_in) = match &given {
            None => return Err(auth::unauthorized(request)),
            Some(Given::Malformed(why)) => {
                audit::malformed(peer, why);
                return Err(auth::unauthorized(request));
            }
            Some(Given::Secret(secret)) => ("", self.accounts.by_secret(secret)),
            Some(Given::Basic(given)) => {
                let signed_in = self.accounts.authenticate(&given.name, &given.password, peer.ip());
                (given.name.as_str(), signed_in)
            }
        };
        match signed_in {
            Ok(user) => {
                exchange.mark_signed_in();
                if user.is_new {
                    self.counts.signed_in();
                    audit::signed_in(peer, &user.name, "password, with each request");
                }
                Ok(user)
            }
            Err(denied) => {
                self.counts.refused(denied);
                audit::refused(peer, name, denied);
                Err(login::refusal(denied).unwrap_or_else(|| auth::unauthorized(request)))
            }
        }
    }

    /// Whether a request that changes something comes from where its sender knows of it: a page of another
    /// site is its reader's only by a token of its own; a browser adds cookies and names that it remembers
    /// for a reader who knows nothing of it.
    fn check_origin(
        &self,
        request: &Request,
        exchange: &Exchange,
        path: &str,
        route: Option<&Route>,
    ) -> Result<(), Reply> {
        let method = request.method().as_str();
        let (site, origin) = (field(request, "Sec-Fetch-Site"), field(request, "Origin"));
        let brings_token = || {
            matches!(route, Some(Route::Login))
                || field(request, "Authorization").is_some_and(auth::is_bearer)
        };
        let is_own = || {
            self.origins.allowed(origin).is_some() && brings_token()
                || auth::is_own_page(site, origin, field(request, "Host"), exchange.is_secure())
        };
        if !["GET", "HEAD"].contains(&method) && !is_own() {
            debug!("{}: {method} {path} refused: it comes from another site's page", exchange.peer());
            return Err(Reply::error(403, "this comes from another site's page"));
        }
        Ok(())
    }

    /// Whether somebody may ask for this at all, and this way.
    fn check(
        &self,
        request: &Request,
        exchange: &Exchange,
        path: &str,
        (route, access): (Option<&Route>, Access),
        user: Option<&Identity>,
    ) -> Result<(), Reply> {
        let method = request.method().as_str();
        let refused = |user: &Identity, why: &str| {
            audit::forbidden(exchange.peer(), user, &format!("{method} {path}"));
            Err(Reply::error(403, why))
        };
        if access == Access::Admin
            && let Some(user) = user.filter(|user| user.role != Role::Admin)
        {
            return refused(user, "only an admin may do this");
        }
        if let Some(route) = route
            && !route.methods().contains(&method)
        {
            let allowed = route.methods().join(", ");
            return Err(Reply::error(405, &format!("{path} takes {allowed}")).with("Allow", allowed));
        }
        let takes_tokens = route.is_none_or(|route| route.takes_tokens(method));
        if let Some(user) = user.filter(|user| user.is_token() && !takes_tokens) {
            return refused(user, "no token may do this; sign in with the password");
        }
        Ok(())
    }
}

/// A reply of this size or less is not counted, in bytes.
const SMALL_REPLY_BYTES: usize = 4096;

fn out_of_memory() -> Reply {
    Reply::error(503, "too many large replies at once").with("Retry-After", "5")
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

#[cfg(test)]
mod tests;
