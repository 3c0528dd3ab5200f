//! What all handlers share, and what they look up in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tiny_http::Request;

use super::audit;
use super::cors::Origins;
use super::counters::RequestCounters;
use super::failed_logins::FailedLogins;
use super::page::Page;
use super::reply::{Reply, ResponseContext};
use super::reports::Reports;
use super::request::field;
use crate::codec::shared::SharedEncoders;
use crate::control::Control;
use crate::gate::{Admission, Certificates, Job, PendingRequest};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed, Named};
use crate::journal::Journal;
use crate::memory::Memory;
use crate::motion::Motion;
use crate::record::Recordings;
use crate::users::{Accounts, Denied, Identity};

/// What all handlers share.
pub struct AppState {
    /// Users, tokens and sessions.
    pub accounts: Arc<Accounts>,
    /// The cameras in the order of defender.conf.
    pub cameras: Arc<FeedList<CameraFeed>>,
    /// The microphones in the order of defender.conf.
    pub microphones: Arc<FeedList<MicrophoneFeed>>,
    /// Changes the settings of the running server.
    pub control: Arc<Control>,
    /// What happened.
    pub journal: Arc<Journal>,
    /// Footage, and how recording is going.
    pub recordings: Arc<Recordings>,
    /// Detection.
    pub motion: Arc<Motion>,
    /// The encoders that listeners share.
    pub encoders: SharedEncoders,
    /// The page; `None` if only streams and API are served.
    pub page: Option<Page>,
    /// The gate's count of connections.
    pub admission: Admission,
    /// The memory for large buffers.
    pub memory: Memory,
    /// Logins and requests by their results.
    pub counters: RequestCounters,
    /// The event of failed logins.
    pub failed_logins: FailedLogins,
    /// How many events each user and token reports.
    pub reports: Reports,
    /// For `Strict-Transport-Security`, in seconds; 0: the field is not sent.
    pub hsts_s: u32,
    /// The name of the session cookie.
    pub cookie: String,
    /// Other sites whose pages may read the responses.
    pub origins: Origins,
    /// The server's certificate; `None` without TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// When the server started.
    pub started: Instant,
}

impl AppState {
    /// What every response to this request has in common.
    pub(super) fn response_context(&self, request: &Request, pending: &PendingRequest) -> ResponseContext {
        let origin = self.origins.allowed(field(request, "Origin")).map(str::to_owned);
        let hsts = (pending.is_secure() && self.hsts_s > 0).then(|| format!("max-age={}", self.hsts_s));
        ResponseContext { hsts, origin, varies_by_origin: !self.origins.0.is_empty() }
    }

    /// The named camera, or the first one if `name` is `None`, of those that the user may see.
    ///
    /// # Errors
    /// 404 with the names there are. It is the same for a camera that the user may not see.
    pub(super) fn camera(&self, name: Option<&str>, user: &Identity) -> Result<Arc<CameraFeed>, Reply> {
        find("camera", &self.cameras, name, |name| user.scope.sees(name))
    }

    /// The named microphone, or the first one if `name` is `None`, of those that the user may hear.
    ///
    /// # Errors
    /// As [`AppState::camera`].
    pub(super) fn microphone(
        &self,
        name: Option<&str>,
        user: &Identity,
    ) -> Result<Arc<MicrophoneFeed>, Reply> {
        find("microphone", &self.microphones, name, |name| user.scope.hears(name))
    }

    /// Whether the user may hear what `microphone` recorded with a camera. Where it has no name, in files of older
    /// versions, it is the one with which the camera is recorded now.
    pub(super) fn hears_footage(&self, camera: &str, microphone: &str, user: &Identity) -> bool {
        if user.scope.names().is_none() {
            return true;
        }
        if !microphone.is_empty() {
            return user.scope.hears(microphone);
        }
        let recording = self.cameras.find(Some(camera), |_| true).and_then(|feed| feed.recording());
        let now = recording.as_ref().and_then(|settings| settings.microphone.as_deref());
        now.is_some_and(|name| user.scope.hears(name))
    }

    /// Counts and logs a login that was refused, and makes an event of it.
    pub(super) fn refused(&self, peer: SocketAddr, name: &str, why: Denied) {
        self.counters.refused(why);
        audit::refused(peer, name, why);
        self.failed_logins.add(&self.journal, peer, why);
    }

    /// A job that ends when its user's session, token or line in the user file does.
    pub(super) fn while_allowed(&self, user: &Identity, job: Job) -> Job {
        let (accounts, user) = (Arc::clone(&self.accounts), user.clone());
        Box::new(move |client| client.run_while(move || accounts.holds(&user), job))
    }
}

fn find<F: Named>(
    kind: &str,
    list: &FeedList<F>,
    name: Option<&str>,
    is_own: impl Fn(&str) -> bool,
) -> Result<Arc<F>, Reply> {
    list.find(name, &is_own).ok_or_else(|| {
        let all = list.all();
        let names: Vec<_> = all.iter().map(|feed| feed.name()).filter(|name| is_own(name)).collect();
        let why = match name {
            Some(name) if !names.is_empty() => {
                format!("no {kind} is named {name}; there are: {}", names.join(", "))
            }
            _ => format!("no {kind} is configured"),
        };
        Reply::error(404, &why)
    })
}
