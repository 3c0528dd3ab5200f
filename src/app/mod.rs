//! The wiring: builds every room from a configuration, starts the threads, answers signals, and
//! joins everything on the way out. No other room knows this one.

mod certificate;
mod descriptors;
mod notify;
mod rights;
mod welcome;

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::{error, info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::{Config, ConfigError, Flags, Mode, ServerConfig, Store};
use crate::confine::{self, ConfineError};
use crate::control::{self, Control, ControlError};
use crate::gate::{
    COOKIE_PREFIX, CertificateError, Certificates, Channel, ChannelError, Exchanges, Gate, GateError, Limits,
    Listeners, LocalGate,
};
use crate::http::{Coders, Counts, HttpRoom, Origins, Page, PageError, Service};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed, Named};
use crate::logging::{self, FlushAtEnd, LogError, Logging};
use crate::memory::Memory;
use crate::users::{self, Accounts, SessionLimits, UsersError};
use notify::{Manager, Watchdog};

pub use crate::confine::Purpose;
pub use certificate::{certificate, find_certificate, renew_certificate, trust_anchor};
pub use rights::{RunsAs, become_owner, become_owner_of_pair, become_server_user, can_save, load_config};

/// How long a stop may take before threads still at work are left to die with the process.
const STOP_WITHIN: Duration = Duration::from_millis(900);

/// Pause before a thread that panicked runs again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Stack of the threads that only accept and hand out.
const STACK_BYTES: usize = 256 * 1024;

/// Why the server did not start.
#[derive(Debug)]
pub enum AppError {
    /// The log cannot be written.
    Log(LogError),
    /// There is no usable configuration.
    Config(ConfigError),
    /// The user file cannot be read or made.
    Users(UsersError),
    /// There is no usable certificate.
    Certificate(CertificateError),
    /// The certificate was not made yet.
    NoCertificate(PathBuf),
    /// The folder of the page cannot be used.
    Page(PageError),
    /// The address cannot be listened on.
    Gate(GateError),
    /// The socket between the gate and the HTTP room cannot be made.
    Channel(ChannelError),
    /// The configuration would expose pictures to the network unprotected.
    Exposed(String),
    /// It cannot give up its power, or could not work without.
    Confine(ConfineError),
    /// Capture cannot be started.
    Control(ControlError),
    /// The system gives no thread or no signals.
    System(io::Error),
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
            Self::Users(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::NoCertificate(cert) => {
                write!(
                    f,
                    "{}: there is no certificate yet; the server makes one when it starts",
                    cert.display()
                )
            }
            Self::Page(error) => error.fmt(f),
            Self::Gate(error) => error.fmt(f),
            Self::Channel(error) => error.fmt(f),
            Self::Exposed(why) => f.write_str(why),
            Self::Confine(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
            Self::System(error) => write!(f, "the system refused: {error}"),
        }
    }
}

/// Runs the server until SIGTERM or SIGINT. `flags` are those `config` was loaded with; SIGHUP
/// loads it anew with them.
///
/// # Errors
/// Why it did not start. Once it runs it heals or waits; it does not return an error.
pub fn run(mut config: Config, flags: &Flags) -> Result<(), AppError> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(AppError::System)?;
    let server = &config.server;
    refuse_plain_exposure(server)?;
    let listeners = Gate::listen(&server.addresses, server.port).map_err(AppError::Gate)?;
    let warnings = rights::drop_root(&config)?;
    config.can_save = can_save(&config)?;
    let store = Store::beside(&config.server.users);
    let moved = store.move_former();
    config.apply_overrides(&store, flags);
    let server = &config.server;
    let logging = Logging::init(server.log.as_deref(), server.audit_log.as_deref(), server.log_level)
        .map_err(AppError::Log)?;
    // Whatever ends this, also an error at the start: its reasons are in the log before the process is gone.
    let _flush = FlushAtEnd;
    logging::log_panics();
    for warning in config.warnings.iter().chain(&warnings) {
        warn!("{warning}");
    }
    listeners.warning().iter().for_each(|warning| warn!("{warning}"));
    match moved {
        Ok(moved) => moved.iter().for_each(|moved| info!("{moved}")),
        Err(why) => warn!("{why}"),
    }
    control::log_overrides(&config.overrides, server.log_level);
    let mut server = Server::start(config, flags, logging, listeners)?;
    server.obey(signals);
    server.stop();
    info!("stopped");
    Ok(())
}

/// Everything that runs.
struct Server {
    control: Arc<Control>,
    reload: Reload,
    gate: Arc<Gate>,
    /// `None` where the socket could not be made, which was said.
    local: Option<Arc<LocalGate>>,
    room: Arc<HttpRoom>,
    accounts: Arc<Accounts>,
    ended: Receiver<&'static str>,
    manager: Manager,
    watchdog: Option<Watchdog>,
}

impl Server {
    fn start(
        config: Config,
        flags: &Flags,
        logging: Logging,
        listeners: Listeners,
    ) -> Result<Self, AppError> {
        let server = &config.server;
        let sessions = SessionLimits { idle: server.session_idle, max: server.session_max };
        let accounts = Arc::new(Accounts::open(&server.users, sessions));
        let certificates = if server.tls { Some(open_certificates(server)?) } else { None };
        let page = if server.mode == Mode::Client { None } else { Some(open_page(server)?) };

        let memory = Memory::configured(server.memory_mb);
        let channel = Channel::open(&confine::folder_of(&server.users)).map_err(AppError::Channel)?;
        let exchanges = Arc::new(Exchanges::new(channel, Arc::clone(memory.for_bodies())));
        let limits = Limits {
            connections: descriptors::make_room(&config),
            connections_per_address: server.max_connections_per_address,
            ..Limits::default()
        };
        let gate = Gate::new(listeners, limits, certificates.clone(), Arc::clone(&exchanges))
            .map_err(AppError::Gate)?;
        let gate = Arc::new(gate);
        // As late as may be, and told at once: after a start that failed in between, the first
        // password would be known to nobody. Nobody is served yet.
        let first_password = welcome::first_admin(&accounts, server).map_err(AppError::Users)?;
        refuse_userless_exposure(server, &accounts)?;
        welcome::announce(server, gate.addresses(), certificates.as_deref(), first_password.as_deref());
        let id = users::server_id(&server.users, server.port).map_err(AppError::System)?;
        let cookie = format!("{COOKIE_PREFIX}-{id}");
        let local = listen_locally(server, &exchanges);
        rights::lock_in(&config);
        // The first threads: they may do what the process may do now.
        logging.start().map_err(AppError::System)?;

        let url = welcome::url(server, gate.addresses());
        let origins = Origins(server.cors_origins.clone());
        let hsts_s = server.hsts_s;
        let control = Control::start(config, flags, logging, memory.clone()).map_err(AppError::Control)?;
        let service = Service {
            accounts: Arc::clone(&accounts),
            cameras: Arc::clone(control.cameras()),
            microphones: Arc::clone(control.microphones()),
            control: Arc::clone(&control),
            coders: Coders::default(),
            page,
            admission: gate.admission(),
            memory,
            counts: Counts::default(),
            hsts_s,
            cookie,
            origins,
            certificates: certificates.clone(),
            started: Instant::now(),
        };
        let room = Arc::new(HttpRoom::new(service, exchanges));
        let ended = start_threads(&gate, local.as_ref(), &room, &accounts).map_err(AppError::System)?;
        let manager = Manager::from_environment();
        let (cameras, microphones) = (Arc::clone(control.cameras()), Arc::clone(control.microphones()));
        let pulses = move || pulses(&cameras, &microphones);
        let watchdog = manager.watch(pulses).map_err(AppError::System)?;
        let reload = Reload::start(&control, certificates, manager.clone()).map_err(AppError::System)?;
        manager.ready(&url);
        Ok(Self { control, reload, gate, local, room, accounts, ended, manager, watchdog })
    }

    /// Sleeps until a signal, and does what it says, until one says to stop.
    fn obey(&mut self, mut signals: Signals) {
        for signal in signals.forever() {
            match signal {
                SIGHUP => self.reload.ask(),
                other => {
                    end_in_any_case();
                    self.manager.stopping();
                    info!("stopping on {}", if other == SIGINT { "SIGINT" } else { "SIGTERM" });
                    return;
                }
            }
        }
    }

    fn stop(self) {
        let (done, joined) = mpsc::channel();
        let Self { control, reload, gate, local, room, accounts, ended, watchdog, .. } = self;
        watchdog.into_iter().for_each(Watchdog::stop);
        gate.stop();
        local.iter().for_each(|local| local.stop());
        room.stop();
        accounts.stop_keeping();
        let stopping =
            thread::Builder::new().name("stop".to_owned()).stack_size(STACK_BYTES).spawn(move || {
                // First, for a reload under way would start what was stopped.
                reload.stop();
                control.stop();
                // Each of the threads says so when it is done, then its sender goes.
                while ended.recv().is_ok() {}
                let _ = done.send(());
            });
        if stopping.is_err() || joined.recv_timeout(STOP_WITHIN).is_err() {
            warn!("some threads were still at work and end with the process");
        }
    }
}

/// The thread that takes over what a changed defender.conf says, as far as that goes without a restart.
/// Not main's work: a camera that is slow to close would keep it from answering SIGTERM.
struct Reload {
    ask: Sender<()>,
    thread: JoinHandle<()>,
}

impl Reload {
    fn start(
        control: &Arc<Control>,
        certificates: Option<Arc<Certificates>>,
        manager: Manager,
    ) -> io::Result<Self> {
        let (ask, asked) = mpsc::channel();
        let control = Arc::clone(control);
        let reload = move || {
            info!("SIGHUP: reading the configuration and the certificate again");
            certificates.iter().for_each(|certificates| certificates.follow());
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

    fn ask(&self) {
        // It is there until it is stopped.
        let _ = self.ask.send(());
    }

    /// Ends the thread when it has done what it was asked for.
    fn stop(self) {
        drop(self.ask);
        let _ = self.thread.join();
    }
}

/// What moves while capture threads go round. A camera's thread goes round only while whole frames
/// arrive, or after it has said in its state that they do not.
fn pulses(cameras: &FeedList<CameraFeed>, microphones: &FeedList<MicrophoneFeed>) -> Vec<notify::Pulse> {
    let (cameras, microphones) = (cameras.all(), microphones.all());
    let cameras = cameras.iter().map(|feed| (format!("camera {}", feed.name()), feed.pulse.get()));
    let microphones =
        microphones.iter().map(|feed| (format!("microphone {}", feed.name()), feed.pulse.get()));
    cameras.chain(microphones).collect()
}

/// Starts the threads of the gate, of the HTTP room and of what is kept of sessions; the receiver hears when they end.
fn start_threads(
    gate: &Arc<Gate>,
    local: Option<&Arc<LocalGate>>,
    room: &Arc<HttpRoom>,
    accounts: &Arc<Accounts>,
) -> io::Result<Receiver<&'static str>> {
    let (sender, ended) = mpsc::channel();
    let (gate, room) = (Arc::clone(gate), Arc::clone(room));
    start_thread("http", sender.clone(), move || room.run())?;
    let accounts = Arc::clone(accounts);
    start_thread("sessions", sender.clone(), move || accounts.keep_sessions())?;
    if let Some(local) = local.map(Arc::clone) {
        start_thread("local-gate", sender.clone(), move || local.run())?;
    }
    start_thread("gate", sender, move || gate.run())?;
    Ok(ended)
}

/// Starts a thread that runs `run` until it returns; after a panic it runs again.
fn start_thread(
    name: &'static str,
    ended: Sender<&'static str>,
    run: impl Fn() + Send + 'static,
) -> io::Result<()> {
    let body = move || {
        while panic::catch_unwind(AssertUnwindSafe(&run)).is_err() {
            error!("the thread {name} is started again after a fault in Defender");
            thread::sleep(RESTART_PAUSE);
        }
        let _ = ended.send(name);
    };
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body).map(drop)
}

/// Ends the process a little after all should have ended by itself, whatever holds that up.
fn end_in_any_case() {
    let late = STOP_WITHIN + Duration::from_secs(1);
    let watchdog = thread::Builder::new().name("watchdog".to_owned()).stack_size(STACK_BYTES);
    // Without a thread for it, stopping is as good as its parts.
    let _ = watchdog.spawn(move || {
        thread::sleep(late);
        logging::flush_at_end();
        std::process::exit(0);
    });
}

fn refuse_plain_exposure(server: &ServerConfig) -> Result<(), AppError> {
    if server.tls || server.is_loopback_only() {
        return Ok(());
    }
    Err(AppError::Exposed(format!(
        "without TLS, passwords and pictures would cross the network in the clear: not listening on {}; \
         set tls = true, or address = \"127.0.0.1\"",
        listed(server)
    )))
}

fn refuse_userless_exposure(server: &ServerConfig, accounts: &Accounts) -> Result<(), AppError> {
    if !accounts.is_empty() || server.is_loopback_only() {
        return Ok(());
    }
    Err(AppError::Exposed(format!(
        "{} holds no usable user: not listening on {}; add one with `defender user add NAME -u {}`",
        server.users.display(),
        listed(server),
        server.users.display()
    )))
}

fn listed(server: &ServerConfig) -> String {
    server.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// Without it the server is as good, but for commands on the board.
fn listen_locally(server: &ServerConfig, exchanges: &Arc<Exchanges>) -> Option<Arc<LocalGate>> {
    let path = server.socket();
    match LocalGate::listen(&path, Arc::clone(exchanges)) {
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
