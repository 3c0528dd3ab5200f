//! A camera of the network, as a source of video.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Kind;
use super::error::{HttpError, Problem};
use super::pictures::{Look, Pictures};
use crate::client::{ClientError, Login, Resource, Url};
use crate::jpeg::scan::ScanError;
use crate::jpeg::scanner::Scanner;
use crate::media::{PixelFormat, Timestamp};
use crate::memory::Account;
use crate::source::rate_limit::RateLimit;
use crate::source::session::Session;
use crate::source::settings::CameraSettings;
use crate::source::video::{
    Arrival, Content, Description, OpenVideo, Picture, Stall, Unusable, VideoError, VideoSource,
};

/// More frames a second than any camera gives.
const MOST_FPS: u64 = 500;

/// How long a login that was refused is not tried again, while it stays the same: cameras lock users out after a few tries.
const REFUSED_FOR: Duration = Duration::from_secs(300);

/// For [`probe`] to get a picture of a camera that answers.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// For [`probe`] in all. The client gives up a name, an address or an answer before that, and says which.
const PROBE_WHOLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A camera of the network, to be opened.
pub(in crate::source) struct HttpCamera<'s> {
    url: &'s Url,
    settings: &'s CameraSettings,
    account: &'s Arc<Account>,
    is_wanted: &'s dyn Fn() -> bool,
    /// The login that was refused last, and when.
    refused: Option<(Login, Timestamp)>,
}

impl<'s> HttpCamera<'s> {
    /// The camera at `url`, read for as long as `is_wanted`. What it sends lies in memory of `account`.
    pub(in crate::source) fn new(
        url: &'s Url,
        settings: &'s CameraSettings,
        account: &'s Arc<Account>,
        is_wanted: &'s dyn Fn() -> bool,
    ) -> Self {
        Self { url, settings, account, is_wanted, refused: None }
    }

    /// Refuses a login that the camera has refused lately.
    fn check_refused(&self, login: Option<&Login>, now: Timestamp) -> Result<(), Problem> {
        let is_same = |(refused, at): &(Login, Timestamp)| {
            login.is_some_and(|login| login == refused) && now.since(*at) < REFUSED_FOR
        };
        if self.refused.as_ref().is_some_and(is_same) {
            Err(ClientError::LoginRefused.into())
        } else {
            Ok(())
        }
    }

    fn try_open(&mut self, now: Timestamp) -> Result<Pictures<'s>, Problem> {
        let login = read_login(self.settings)?;
        self.check_refused(login.as_ref(), now)?;
        let opened = open(self.url, self.settings, login, self.account, self.is_wanted);
        self.refused = match &opened {
            Err(Problem::Client(ClientError::LoginRefused)) => {
                read_login(self.settings)?.map(|login| (login, now))
            }
            _ => None,
        };
        opened
    }
}

impl<'s> OpenVideo<'s> for HttpCamera<'s> {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        let now = session.now();
        let (url, settings) = (self.url, self.settings);
        let pictures = self.try_open(now).map_err(|problem| error(url, settings, problem))?;
        Ok(Box::new(HttpPictures {
            url,
            settings,
            account: self.account,
            session,
            pictures,
            rate: RateLimit::new(MOST_FPS, now),
            due: now,
        }))
    }
}

/// The pictures of a camera of the network.
struct HttpPictures<'s> {
    url: &'s Url,
    settings: &'s CameraSettings,
    account: &'s Arc<Account>,
    session: &'s Session<'s>,
    pictures: Pictures<'s>,
    rate: RateLimit,
    /// When the next snapshot is asked for.
    due: Timestamp,
}

impl HttpPictures<'_> {
    /// Waits for the time of the next snapshot; whether it has come.
    fn is_due(&mut self, timeout: Duration) -> bool {
        if self.pictures.kind() == Kind::Stream {
            return true;
        }
        let wait = self.due.since(self.session.now());
        if self.session.sleep(wait.min(timeout)) || wait > timeout {
            return false;
        }
        let now = self.session.now();
        // A camera that is late is not asked twice as often then.
        let next = self.due.after(Duration::from_secs(1) / self.settings.fps.max(1));
        self.due = next.max(now);
        true
    }
}

impl VideoSource for HttpPictures<'_> {
    fn description(&self) -> Description {
        let (kind, resource) = (self.pictures.kind(), self.pictures.resource());
        let login = resource.login_kind().map(|kind| format!(", login by {kind}")).unwrap_or_default();
        let mode = format!("{}{login}", mode(kind));
        let is_open = resource.login_kind() == Some("Basic") && !resource.is_secure();
        let warning = format!("{}: its password is sent without encryption (Basic, without TLS)", self.url);
        Description {
            source: self.url.to_string(),
            mode,
            device: self.url.to_string(),
            format: Some(PixelFormat::Mjpeg),
            size: None,
            fps: if kind == Kind::Snapshot { self.settings.fps as f32 } else { 0.0 },
            node: None,
            is_online: true,
            problem: None,
            warnings: is_open.then_some(warning).into_iter().collect(),
            is_drawn: false,
            stall: Stall::Learned,
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        if !self.is_due(timeout) {
            return Ok(Arrival::nothing());
        }
        let Look { picture, dropped } = match self.pictures.next(timeout) {
            Ok(look) => look,
            Err(Problem::Client(ClientError::Stopped)) => return Ok(Arrival::nothing()),
            Err(problem) => return Err(error(self.url, self.settings, problem).into()),
        };
        let lost = dropped.superseded + dropped.damaged();
        let (now, count) = (self.session.now(), u64::from(lost) + u64::from(picture.is_some()));
        self.session.sleep(self.rate.count(count, now));
        let unusable = match () {
            () if dropped.no_memory > 0 => Some(Unusable::NoMemory),
            () if dropped.too_long > 0 => Some(Unusable::TooLong),
            () if dropped.damaged() > 0 => Some(Unusable::CutOff),
            () => None,
        };
        match (picture, unusable) {
            (Some(jpeg), _) => {
                let content = Content::SplitJpeg { jpeg, account: self.account };
                let picture = Picture { content, captured: Some(now), is_description_new: false };
                Ok(Arrival { lost, picture: Some(Ok(picture)) })
            }
            (None, Some(unusable)) => Ok(Arrival { lost: lost - 1, picture: Some(Err(unusable)) }),
            (None, None) => Ok(Arrival { lost, picture: None }),
        }
    }

    fn stall_reason(&self) -> Option<VideoError> {
        self.pictures.stall().map(|problem| error(self.url, self.settings, problem).into())
    }
}

/// Asks a camera for one picture, and says what it sends.
///
/// # Errors
/// Why it sends none.
pub(in crate::source) fn probe(url: &Url, settings: &CameraSettings) -> Result<String, VideoError> {
    let end = Cell::new(Instant::now() + PROBE_WHOLE_TIMEOUT);
    let is_wanted = || Instant::now() < end.get();
    let found = read_login(settings).and_then(|login| {
        let mut pictures = open(url, settings, login, &Account::unlimited(), &is_wanted)?;
        end.set(end.get().min(Instant::now() + PROBE_TIMEOUT));
        let (width, height) = first_size(&mut pictures)?;
        let login =
            pictures.resource().login_kind().map(|kind| format!(", login by {kind}")).unwrap_or_default();
        Ok(format!("{url}: {}, {width}x{height}{login}", mode(pictures.kind())))
    });
    found.map_err(|problem| {
        let problem = match problem {
            Problem::Client(ClientError::Stopped) => ClientError::Stalled.into(),
            other => other,
        };
        error(url, settings, problem).into()
    })
}

/// The size of the first picture.
fn first_size(pictures: &mut Pictures<'_>) -> Result<(u32, u32), Problem> {
    let mut damaged = 0;
    loop {
        let look = match pictures.next(Duration::from_millis(100)) {
            Err(Problem::Client(ClientError::Stopped)) if damaged > 0 => return Err(Problem::Parts),
            Err(Problem::Client(ClientError::Stopped)) => {
                return Err(pictures.stall().unwrap_or(ClientError::Stalled.into()));
            }
            look => look?,
        };
        damaged += look.dropped.damaged();
        if let Some(jpeg) = look.picture {
            return match Scanner::new().scan(jpeg) {
                Ok(found) => Ok((found.width, found.height)),
                Err(ScanError::NoEnd) => Err(Problem::Parts),
                Err(_) => Err(Problem::NoPicture(String::new())),
            };
        }
    }
}

fn open<'w>(
    url: &Url,
    settings: &CameraSettings,
    login: Option<Login>,
    account: &Arc<Account>,
    is_wanted: &'w dyn Fn() -> bool,
) -> Result<Pictures<'w>, Problem> {
    let resource = Resource::new(url.clone(), settings.fingerprint, login, Arc::clone(account));
    Pictures::open(resource, account, is_wanted)
}

/// The login as its file has it now: it may be changed without a restart.
fn read_login(settings: &CameraSettings) -> Result<Option<Login>, Problem> {
    settings.login_file.as_deref().map(Login::read).transpose().map_err(Problem::Login)
}

fn error(url: &Url, settings: &CameraSettings, problem: Problem) -> HttpError {
    HttpError::new(url, settings.login_file.clone(), problem)
}

fn mode(kind: Kind) -> &'static str {
    match kind {
        Kind::Stream => "a stream of JPEGs",
        Kind::Snapshot => "one JPEG for each request",
    }
}
