//! The running server: builds every layer from a configuration, starts the threads, answers signals, and
//! joins all threads at the end.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use log::{info, warn};
use signal_hook::consts::{SIGHUP, SIGINT};
use signal_hook::iterator::Signals;

use super::error::AppError;
use super::faults::{self, Faults};
use super::notify::{Manager, Pulse, Watchdog};
use super::reload::Reload;
use super::threads::{STACK_BYTES, STOP_WITHIN, end_in_any_case, start_thread};
use super::{certificate, descriptors, rights, welcome};
use crate::base::disk::folder_of;
use crate::base::lock;
use crate::config::{Config, Flags, Mode, ServerConfig};
use crate::control::{Control, Media};
use crate::gate::{
    COOKIE_PREFIX, Certificates, Channel, Gate, Limits, Listeners, LocalGate, PendingRequests,
};
use crate::http::{AppState, HttpServer, Origins, Page};
use crate::hub::{self, CameraFeed, FeedList, MicrophoneFeed, Named, Stop};
use crate::journal::Journal;
use crate::logging::Logging;
use crate::media::Timestamp;
use crate::memory::Memory;
use crate::motion::Motion;
use crate::record::{Recorder, Recordings};
use crate::users::{self, Accounts, SessionLimits};

/// Events that are held for readers of the broadcast which are behind.
const EVENTS: u32 = 256;

/// Everything that runs.
pub(super) struct Server {
    control: Arc<Control>,
    reload: Reload,
    gate: Arc<Gate>,
    /// `None` if the socket could not be made, which was logged.
    local: Option<Arc<LocalGate>>,
    http: Arc<HttpServer>,
    accounts: Arc<Accounts>,
    journal: Arc<Journal>,
    recorder: Recorder,
    /// Of the threads that have nothing else to wake them.
    stop: Stop,
    ended: Receiver<&'static str>,
    manager: Manager,
    watchdog: Option<Watchdog>,
}

impl Server {
    /// Builds and starts everything.
    ///
    /// # Errors
    /// The first part that cannot be built or started.
    pub(super) fn start(
        config: Config,
        flags: &Flags,
        logging: Logging,
        listeners: Listeners,
    ) -> Result<Self, AppError> {
        let server = &config.server;
        let sessions = SessionLimits { idle: server.session_idle, max: server.session_max };
        let accounts = Arc::new(Accounts::open(&server.users, sessions));
        let journal = Arc::new(Journal::open(&server.events(), hub::events(EVENTS)));
        let certificates = if server.tls { Some(open_certificates(server)?) } else { None };
        let page = if server.mode == Mode::Client { None } else { Some(open_page(server)?) };

        let memory = Memory::configured(server.memory_mb);
        let (gate, pending) = open_gate(&config, &memory, listeners, certificates.clone())?;
        // As late as possible, and announced at once: if the start failed in between, nobody would know the
        // first password. No client is served yet.
        let first_password = welcome::first_admin(&accounts, server).map_err(AppError::Users)?;
        refuse_userless_exposure(server, &accounts)?;
        welcome::announce(server, gate.addresses(), certificates.as_deref(), first_password.as_deref());
        let id = users::server_id(&server.users, server.port).map_err(AppError::System)?;
        let cookie = format!("{COOKIE_PREFIX}-{id}");
        let local = listen_locally(server, &pending);
        rights::restrict_files(&config);
        // The first threads: they inherit the privileges of this moment.
        logging.start().map_err(AppError::System)?;

        let url = welcome::url(server, gate.addresses());
        let origins = Origins(server.cors_origins.clone());
        let hsts_s = server.hsts_s;
        let recordings = Arc::new(Recordings::new(config.record.clone(), Arc::clone(&journal)));
        let control = Control::start(config, flags, logging, memory.clone()).map_err(AppError::Control)?;
        let (cameras, microphones) = (Arc::clone(control.cameras()), Arc::clone(control.microphones()));
        let recorder =
            Recorder::start(Arc::clone(&recordings), cameras, microphones).map_err(AppError::System)?;
        let motion = Arc::new(Motion::new(
            Arc::clone(control.cameras()),
            Arc::clone(control.microphones()),
            Arc::clone(&journal),
            memory.for_device(),
        ));
        let state = AppState {
            accounts: Arc::clone(&accounts),
            cameras: Arc::clone(control.cameras()),
            microphones: Arc::clone(control.microphones()),
            control: Arc::clone(&control),
            journal: Arc::clone(&journal),
            recordings: Arc::clone(&recordings),
            motion: Arc::clone(&motion),
            encoders: Default::default(),
            page,
            admission: gate.admission(),
            memory,
            counters: Default::default(),
            failed_logins: Default::default(),
            reports: Default::default(),
            hsts_s,
            cookie,
            origins,
            certificates: certificates.clone(),
            started: Instant::now(),
        };
        let http = Arc::new(HttpServer::new(state, pending));
        let (sender, ended) = mpsc::channel();
        start_threads(&gate, local.as_ref(), &http, (&accounts, &journal), &sender)
            .map_err(AppError::System)?;
        let stop = Stop::new();
        let detect = {
            let stop = stop.clone();
            move || motion.run(&stop)
        };
        start_thread("detect", sender.clone(), detect).map_err(AppError::System)?;
        start_thread("faults", sender, look_for_faults(&control, &journal, &recordings, &stop))
            .map_err(AppError::System)?;
        let manager = Manager::from_environment();
        let watchdog = manager.watch(pulses_of(&control)).map_err(AppError::System)?;
        let reload = Reload::start(&control, certificates, manager.clone()).map_err(AppError::System)?;
        manager.ready(&url);
        Ok(Self {
            control,
            reload,
            gate,
            local,
            http,
            accounts,
            journal,
            recorder,
            stop,
            ended,
            manager,
            watchdog,
        })
    }

    /// Handles signals until one of them ends the server.
    pub(super) fn run_until_signal(&mut self, mut signals: Signals) {
        for signal in signals.forever() {
            match signal {
                SIGHUP => self.reload.request(),
                other => {
                    end_in_any_case();
                    self.manager.stopping();
                    info!("stopping on {}", if other == SIGINT { "SIGINT" } else { "SIGTERM" });
                    return;
                }
            }
        }
    }

    /// Stops everything and joins the threads; gives up on those that take longer than [`STOP_WITHIN`].
    pub(super) fn stop(self) {
        let (done, joined) = mpsc::channel();
        let Self {
            control,
            reload,
            gate,
            local,
            http,
            accounts,
            journal,
            recorder,
            stop,
            ended,
            watchdog,
            ..
        } = self;
        watchdog.into_iter().for_each(Watchdog::stop);
        gate.stop();
        local.iter().for_each(|local| local.stop());
        http.stop();
        accounts.stop_saving();
        stop.request();
        let stopping =
            thread::Builder::new().name("stop".to_owned()).stack_size(STACK_BYTES).spawn(move || {
                // The reload first: it would restart what is stopped here.
                reload.stop();
                // Before the cameras end: what it has of them is written.
                recorder.stop();
                control.stop();
                // After those who post.
                journal.stop();
                // Each thread sends its name when it ends; after the last one the channel is closed.
                while ended.recv().is_ok() {}
                let _ = done.send(());
            });
        if stopping.is_err() || joined.recv_timeout(STOP_WITHIN).is_err() {
            warn!("some threads were still at work and end with the process");
        }
    }
}

/// The gate, which serves nobody yet, and the requests that it will send to the HTTP layer.
fn open_gate(
    config: &Config,
    memory: &Memory,
    listeners: Listeners,
    certificates: Option<Arc<Certificates>>,
) -> Result<(Arc<Gate>, Arc<PendingRequests>), AppError> {
    let server = &config.server;
    let channel = Channel::open(folder_of(&server.users)).map_err(AppError::Channel)?;
    let pending = Arc::new(PendingRequests::new(channel, Arc::clone(memory.for_bodies())));
    let limits = Limits {
        connections: descriptors::allowed_connections(config),
        connections_per_address: server.max_connections_per_address,
        ..Limits::default()
    };
    let gate = Gate::new(listeners, limits, certificates, Arc::clone(&pending)).map_err(AppError::Gate)?;
    Ok((Arc::new(gate), pending))
}

/// The counters of the devices that run, whenever they are asked for.
fn pulses_of(control: &Control) -> impl Fn() -> Vec<Pulse> + Send + 'static {
    let (cameras, microphones) = (Arc::clone(control.cameras()), Arc::clone(control.microphones()));
    move || pulses(&cameras, &microphones)
}

/// The counters that advance while capture threads are alive.
fn pulses(cameras: &FeedList<CameraFeed>, microphones: &FeedList<MicrophoneFeed>) -> Vec<Pulse> {
    let (cameras, microphones) = (cameras.all(), microphones.all());
    let cameras = cameras.iter().map(|feed| (format!("camera {}", feed.name()), feed.pulse.get()));
    let microphones =
        microphones.iter().map(|feed| (format!("microphone {}", feed.name()), feed.pulse.get()));
    cameras.chain(microphones).collect()
}

/// Starts the threads of gate, HTTP layer, session file and journal; each of them sends its name to `sender` when it ends.
fn start_threads(
    gate: &Arc<Gate>,
    local: Option<&Arc<LocalGate>>,
    http: &Arc<HttpServer>,
    (accounts, journal): (&Arc<Accounts>, &Arc<Journal>),
    sender: &Sender<&'static str>,
) -> io::Result<()> {
    let (gate, http) = (Arc::clone(gate), Arc::clone(http));
    start_thread("http", sender.clone(), move || http.run())?;
    let accounts = Arc::clone(accounts);
    start_thread("sessions", sender.clone(), move || accounts.save_sessions())?;
    let journal = Arc::clone(journal);
    start_thread("journal", sender.clone(), move || journal.run())?;
    if let Some(local) = local.map(Arc::clone) {
        start_thread("local-gate", sender.clone(), move || local.run())?;
    }
    start_thread("gate", sender.clone(), move || gate.run())
}

/// Looks once a second for what is wrong, until the stop.
fn look_for_faults(
    control: &Arc<Control>,
    journal: &Arc<Journal>,
    recordings: &Arc<Recordings>,
    stop: &Stop,
) -> impl Fn() + Send + 'static {
    let (control, journal, stop) = (Arc::clone(control), Arc::clone(journal), stop.clone());
    let recordings = Arc::clone(recordings);
    let faults = Mutex::new(Faults::default());
    move || {
        while !stop.sleep(faults::LOOK_EVERY) {
            let cameras = control.cameras().all();
            let is_stopped = control.stopped_by(Media::Video).is_some();
            let cameras = cameras.iter().map(|camera| &**camera);
            let (unrecorded, slowed) = (faults::unrecorded(&recordings), faults::slowed(Path::new("/sys")));
            let (now, mut faults) = (Timestamp::now(), lock(&faults));
            faults.cameras(&journal, cameras, is_stopped, now);
            faults.disk(&journal, unrecorded, now);
            faults.board(&journal, slowed, now);
        }
    }
}

/// Refuses to start without a user, unless all addresses are loopback.
fn refuse_userless_exposure(server: &ServerConfig, accounts: &Accounts) -> Result<(), AppError> {
    if !accounts.is_empty() || server.is_loopback_only() {
        return Ok(());
    }
    Err(AppError::WithoutUser(server.users.clone(), server.addresses.clone()))
}

/// Best effort: without the local socket only commands on the board do not work.
fn listen_locally(server: &ServerConfig, pending: &Arc<PendingRequests>) -> Option<Arc<LocalGate>> {
    let path = server.socket();
    match LocalGate::listen(&path, Arc::clone(pending)) {
        Ok(local) => Some(Arc::new(local)),
        Err(error) => {
            warn!("{}: no local socket, so `defender status` will not work: {error}", path.display());
            None
        }
    }
}

fn open_certificates(server: &ServerConfig) -> Result<Arc<Certificates>, AppError> {
    Certificates::open(certificate::files(server)).map_err(AppError::Certificate)
}

fn open_page(server: &ServerConfig) -> Result<Page, AppError> {
    Page::open(server.www.as_deref()).map_err(AppError::Page)
}
