//! Tests of whole requests, without a socket.

mod access;
mod bodies;
mod confined;
mod openapi;
mod sign_in;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tiny_http::TestRequest;

use super::reply::{Outcome, ResponseContext};
use super::state::AppState;
use super::{Origins, Page, service};
use crate::control::Control;
use crate::gate::{
    CertificateFiles, Certificates, Channel, Gate, Limits, PendingRequest, PendingRequests, REQUEST_ID_HEADER,
};
use crate::hub::{self, CameraFeed, FeedList, MicrophoneFeed, StreamFeed, latest};
use crate::journal::Journal;
use crate::media::{RecordStore, Scale, SoundFormat, StreamSettings};
use crate::memory::{Account, Memory};
use crate::motion::Motion;
use crate::record::Recordings;
use crate::users::{Accounts, SessionLimits};

/// "password" under "saltsalt", with few rounds.
const CHEAP: &str = "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQ$\
                     Q6v4xwJ8a9nWPp2BeEoAYYhHSo2xRmPWART17vTpSxt2q6iNp7BOozW557qqa95eNjUO4gKs0CyvJbYGGku1tA";

/// In place of a status: a job was handed over, for a stream or a picture.
const JOB: u16 = 0;

/// A server without a socket, the secrets of its users, and the id of the viewer's session.
struct Fixture {
    state: AppState,
    viewer: String,
    viewer_id: String,
    confined: String,
    admin: String,
    tokens: [String; 2],
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users");
        let text = format!("ada:admin:{CHEAP}\neve:viewer:{CHEAP}\nbob:viewer:{CHEAP}:cameras=yard\n");
        std::fs::write(&users, text).unwrap();
        let token = |name: &str, cameras: &[String]| {
            crate::users::add_token(&users, name, "ada", cameras, &[]).unwrap().to_string()
        };
        let tokens = [token("whole", &[]), token("narrow", &["yard".to_owned()])];
        let state = app_state(&users);
        let sign_in = |name: &str| {
            let user = state.accounts.authenticate(name, "password", peer().ip()).unwrap();
            state.accounts.begin_session(&user, peer().ip()).unwrap().unwrap().to_string()
        };
        let (viewer, confined, admin) = (sign_in("eve"), sign_in("bob"), sign_in("ada"));
        let viewer_id = state.accounts.by_secret(&viewer).unwrap().session_id().unwrap();
        Self { state, viewer, viewer_id, confined, admin, tokens, _folder: folder }
    }

    /// The status of the answer to a request, or [`JOB`].
    fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &'static str) -> u16 {
        match self.outcome(method, path, fields, body) {
            Outcome::Reply(reply) => reply.status(),
            Outcome::HandOver(_) => JOB,
        }
    }

    /// The head of the 401 that a request gets.
    fn refusal(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> String {
        match self.outcome(method, path, fields, "{}") {
            Outcome::Reply(reply) if reply.status() == 401 => {
                String::from_utf8(reply.into_bytes(&ResponseContext::default(), true, false)).unwrap()
            }
            Outcome::Reply(reply) => panic!("{method} {path}: {}", reply.status()),
            Outcome::HandOver(_) => panic!("{method} {path} was admitted"),
        }
    }

    fn outcome(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &'static str) -> Outcome {
        let mut asked =
            TestRequest::new().with_method(method.parse().unwrap()).with_path(path).with_body(body);
        for (name, value) in fields {
            asked = asked.with_header(tiny_http::Header::from_bytes(*name, *value).unwrap());
        }
        service::handle(&self.state, &mut asked.into(), &PendingRequest::of(peer(), true))
    }
}

fn app_state(users: &Path) -> AppState {
    let frames = || {
        let (publisher, frames) = latest(8);
        drop(publisher);
        frames
    };
    let small = StreamSettings { name: "small".to_owned(), scale: Scale::Half, fps: Some(5), quality: None };
    let feed = |name: &str| {
        let feed = CameraFeed::new(name, frames());
        feed.streams().replace(vec![Arc::new(StreamFeed::new(&small, frames()))]);
        Arc::new(feed)
    };
    let cameras = Arc::new(FeedList::default());
    cameras.replace(["front", "yard"].map(feed).into());
    let microphones = Arc::new(FeedList::default());
    let (_, microphone) = MicrophoneFeed::new("front", SoundFormat { rate_hz: 8000, channels: 1 });
    microphones.replace(vec![Arc::new(microphone)]);
    let listeners = Gate::listen(&[Ipv4Addr::LOCALHOST.into()], 0).unwrap();
    let channel = Channel::open(users.parent().unwrap()).unwrap();
    let pending = Arc::new(PendingRequests::new(channel, Account::unlimited()));
    let gate = Gate::new(listeners, Limits::default(), None, pending).unwrap();
    let journal = Arc::new(Journal::open(&users.with_file_name("events"), hub::events(16)));
    let store = RecordStore::in_folder(users.with_file_name("recordings"));
    let memory = Memory::new(1024 * 1024);
    let motion = Motion::new(
        Arc::clone(&cameras),
        Arc::clone(&microphones),
        Arc::clone(&journal),
        memory.for_device(),
    );
    AppState {
        // The feeds above stand for devices.
        control: Control::without_devices(),
        recordings: Arc::new(Recordings::new(store, Arc::clone(&journal))),
        journal,
        motion: Arc::new(motion),
        accounts: Arc::new(Accounts::open(users, SessionLimits::default())),
        cameras,
        microphones,
        encoders: Default::default(),
        page: Some(Page::open(None).unwrap()),
        admission: gate.admission(),
        memory,
        counters: Default::default(),
        failed_logins: Default::default(),
        reports: Default::default(),
        hsts_s: 0,
        cookie: "__Host-defender-0a1b2c3d".to_owned(),
        origins: Origins::default(),
        certificates: Some(certificates()),
        started: Instant::now(),
    }
}

/// A CA and a certificate of it, shared by all tests. Their files are gone by then, but are not read again.
fn certificates() -> Arc<Certificates> {
    static MADE: OnceLock<Arc<Certificates>> = OnceLock::new();
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("server.pem"), folder.path().join("key.pem"));
        Certificates::open(CertificateFiles::new(&cert, &key, &[])).unwrap()
    };
    Arc::clone(MADE.get_or_init(make))
}

fn peer() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 4321))
}

#[test]
fn handlers_read_only_fields_that_the_gate_passes_on() {
    let mut asked = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for piece in text.split("field(request, \"").skip(1) {
            let name = piece.split('"').next().unwrap();
            let passes = ["Host", "Cookie"].contains(&name) || crate::gate::is_passed_on(name);
            assert!(passes, "{name} in {}", path.display());
            asked += 1;
        }
    }
    for name in ["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "X-Requested-With"] {
        assert!(crate::gate::is_passed_on(name), "{name}");
    }
    assert!(asked > 10 && crate::gate::is_passed_on(REQUEST_ID_HEADER).eq(&false));
}

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let fixture = Fixture::new();
    let large: &'static str = Box::leak("x".repeat(65 * 1024).into_boxed_str());
    assert_eq!(fixture.ask("POST", "/api/1.0/login", &[], large), 413);
}
