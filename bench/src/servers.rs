//! Starting and ending the servers under test, all on the same stand-in camera.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::cameras::{self, Film};
use crate::failure::Failure;
use crate::kind::Kind;
use crate::options::Options;
use crate::viewers::{Crowd, Endpoint, careless_tls};

const START_TIMEOUT: Duration = Duration::from_secs(20);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What defender.conf has for a camera that is recorded.
const RECORDING: &str = "[camera.front.record]\nwhen = \"always\"\n[record]\ndir = \"recordings\"\n";

/// How long a write takes of a disk that stalls.
const STALL_MS: &str = "5000";

/// The account a measured Defender has; it lives as long as its temporary folder.
const USER: &str = "bench";
const PASSWORD: &str = "only for this loopback run";

/// A running server that has shown its first pictures. Dropping it ends it.
pub struct Server {
    kind: Kind,
    child: Child,
    /// A program that records its stream.
    ffmpeg: Option<Child>,
    endpoints: Vec<Endpoint>,
    /// What this program plays to it.
    film: Option<Film>,
    folder: TempDir,
}

impl Server {
    /// Starts a server and waits for its pictures. Cameras that this program plays take `start` for their first picture.
    pub fn start(kind: Kind, options: &Options, start: Duration) -> Result<Self, Failure> {
        let mut fed = None;
        let folder = tempfile::tempdir().map_err(Failure::while_doing("making a temporary folder"))?;
        let address = free_address()?;
        let mut command = if kind.is_fed() {
            let film = Film::read(&options.film, options.fps, start);
            let film = film.map_err(Failure::while_doing("reading the film"))?;
            fed = Some(film.clone());
            let sections = fed_cameras(kind, &film, options, folder.path())?;
            defender(options, &sections, address, kind.has_tls(), folder.path())?
        } else {
            let node = folder.path().join("camera");
            File::create(&node).map_err(Failure::while_doing("making a camera node"))?;
            let recording = if kind.records() { RECORDING } else { "" };
            let section = format!(
                "[camera.front]\ndevice = \"{}\"\nformat = \"mjpeg\"\n{}{recording}",
                node.display(),
                picture(options)
            );
            let mut command = match kind {
                Kind::Ustreamer => ustreamer(options, &node, address),
                _ => defender(options, &section, address, kind.has_tls(), folder.path())?,
            };
            preload(&mut command, options, &node)?;
            if kind == Kind::StalledDisk {
                command.env("STANDIN_SYNC_MS", STALL_MS);
            }
            command
        };
        let doing = || format!("starting {}", command_name(kind, options));
        let log = File::create(log_path(&folder)).map_err(Failure::while_doing(doing()))?;
        let log_too = log.try_clone().map_err(Failure::while_doing(doing()))?;
        command.stdin(Stdio::null()).stdout(log).stderr(log_too);
        let child = command.spawn().map_err(Failure::while_doing(doing()))?;
        let endpoints = endpoints(kind, address, options)?;
        let mut server = Self { kind, child, ffmpeg: None, endpoints, film: fed, folder };
        server.wait_for_pictures()?;
        if kind.has_ffmpeg() {
            server.ffmpeg = Some(ffmpeg(kind, address, server.folder.path())?);
        }
        Ok(server)
    }

    /// Where its streams are.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// What this program plays to it.
    pub fn film(&self) -> Option<&Film> {
        self.film.as_ref()
    }

    /// The ids of its processes.
    pub fn pids(&self) -> Vec<u32> {
        std::iter::once(&self.child).chain(&self.ffmpeg).map(Child::id).collect()
    }

    /// What went wrong while it was measured, with the end of its log where that helps.
    pub fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Stream(problem) => self.failure(problem),
            Failure::System { doing, source } => self.failure(format!("{doing}: {source}")),
            known => known,
        }
    }

    /// The first viewer also spares the others the slow check of a password never seen before.
    fn wait_for_pictures(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failure(format!("ended at its start ({status})")));
            }
            let looked = Crowd::new().and_then(|mut crowd| {
                crowd.join(&self.endpoints[0], 1)?;
                crowd.watch(Duration::from_secs(2))
            });
            match looked {
                Ok(seen) if seen.latencies_us.len() > 3 => return Ok(()),
                Ok(_) if Instant::now() > deadline => {
                    return Err(self.failure("no picture of the stand-in camera came".into()));
                }
                Err(failure) if Instant::now() > deadline => return Err(self.explain(failure)),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn failure(&self, problem: String) -> Failure {
        let log = fs::read(log_path(&self.folder)).unwrap_or_default();
        let end = &log[log.len().saturating_sub(2000)..];
        Failure::Server { name: self.kind.name(), problem, log: String::from_utf8_lossy(end).into_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut ffmpeg) = self.ffmpeg.take() {
            let _ = ffmpeg.kill();
            let _ = ffmpeg.wait();
        }
        // Errors mean that it is gone already, which is what is wanted.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ustreamer(options: &Options, node: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(&options.ustreamer);
    command.arg("--device").arg(node);
    command.args(["--format", "MJPEG", "--encoder", "HW", "-r"]).arg(size(options));
    command.arg("--desired-fps").arg(options.fps.to_string());
    command.args(["--host", "127.0.0.1", "--port"]).arg(address.port().to_string());
    // Its better side: without this, Nagle's algorithm holds the end of some frames for 40 ms.
    command.arg("--tcp-nodelay");
    command
}

/// ffmpeg as a recorder of the server's stream, with the time of arrival, as whoever records with it has it.
fn ffmpeg(kind: Kind, address: SocketAddr, folder: &Path) -> Result<Child, Failure> {
    let scheme = if kind.has_tls() { "https" } else { "http" };
    let login = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-use_wallclock_as_timestamps", "1", "-f", "mpjpeg"]);
    command.args(["-headers", &format!("Authorization: Basic {login}\r\n")]);
    command.args(["-i", &format!("{scheme}://{address}/video"), "-c", "copy"]).arg(folder.join("out.mkv"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(Failure::while_doing("starting ffmpeg"))
}

fn defender(
    options: &Options,
    cameras: &str,
    address: SocketAddr,
    tls: bool,
    folder: &Path,
) -> Result<Command, Failure> {
    add_user(options, folder)?;
    let config = folder.join("defender.conf");
    let text = format!(
        "[server]\naddress = \"127.0.0.1\"\nport = {}\ntls = {tls}\nuser = \"root\"\nusers = \"users\"\n\
         log_level = \"warn\"\nmax_connections = 512\nmax_connections_per_address = 512\n\n\
         {cameras}",
        address.port(),
    );
    fs::write(&config, text).map_err(Failure::while_doing("writing a defender.conf"))?;
    let mut command = Command::new(&options.defender);
    command.arg("run").arg("-c").arg(config);
    Ok(command)
}

/// What each camera's section says of its picture.
fn picture(options: &Options) -> String {
    format!("width = {}\nheight = {}\nfps = {}\n", options.width, options.height, options.fps)
}

/// The sections of cameras that play `film`, from now on.
fn fed_cameras(kind: Kind, film: &Film, options: &Options, folder: &Path) -> Result<String, Failure> {
    let mut sections = String::new();
    for number in 0..options.cameras {
        let device = if matches!(kind, Kind::Unix | Kind::UnixPlain) {
            let path = folder.join(format!("socket{number}"));
            cameras::start_socket(film, &path)
                .map_err(Failure::while_doing(format!("listening on {}", path.display())))?;
            format!("unix:{}", path.display())
        } else {
            let started = cameras::start_network(film);
            format!("http://{}/", started.map_err(Failure::while_doing("starting a network camera"))?)
        };
        let on_demand = if options.is_on_demand { "on_demand = true\n" } else { "" };
        sections += &format!("[camera.fed{number}]\ndevice = \"{device}\"\n{on_demand}{}", picture(options));
    }
    Ok(sections)
}

fn add_user(options: &Options, folder: &Path) -> Result<(), Failure> {
    let doing = || format!("adding a user with {}", options.defender.display());
    let mut command = Command::new(&options.defender);
    command.args(["user", "add", USER, "--password-stdin", "-u"]).arg(folder.join("users"));
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().map_err(Failure::while_doing(doing()))?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{PASSWORD}").map_err(Failure::while_doing(doing()))?;
    }
    let status = child.wait().map_err(Failure::while_doing(doing()))?;
    if status.success() { Ok(()) } else { Err(Failure::Usage(format!("{}: {status}", doing()))) }
}

/// The same camera for each server: same film, same clock, same size.
fn preload(command: &mut Command, options: &Options, node: &Path) -> Result<(), Failure> {
    // Beside the node: Defender opens nothing outside its own folders.
    let film = node.with_file_name("film");
    fs::copy(&options.film, &film).map_err(Failure::while_doing("copying the film"))?;
    command
        .env("LD_PRELOAD", absolute(&options.standin)?)
        .env("STANDIN_NODE", node)
        .env("STANDIN_MJPEG", film)
        .env("STANDIN_SIZE", size(options))
        .env("STANDIN_FPS", options.fps.to_string())
        .env("STANDIN_STAMP", "1")
        .env_remove("STANDIN_CONTROL")
        .env_remove("STANDIN_YUYV");
    Ok(())
}

fn endpoints(kind: Kind, address: SocketAddr, options: &Options) -> Result<Vec<Endpoint>, Failure> {
    let made = kind.has_tls().then(|| careless_tls().map_err(std::io::Error::other)).transpose();
    let tls = made.map_err(Failure::while_doing("setting up TLS"))?;
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let authorization = (kind != Kind::Ustreamer).then_some(basic);
    let of = |path: &str| Endpoint {
        address,
        path: path.to_owned(),
        tls: tls.clone(),
        authorization: authorization.clone(),
    };
    Ok(match kind {
        Kind::Ustreamer => vec![of("/stream")],
        _ if !kind.is_fed() => vec![of("/video")],
        _ => (0..options.cameras).map(|number| of(&format!("/video/fed{number}"))).collect(),
    })
}

/// A port that was free a moment ago: uStreamer cannot pick its own.
fn free_address() -> Result<SocketAddr, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(Failure::while_doing("looking for a free port"))
}

/// The path as the kernel names the mapping of the file.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(Failure::while_doing(format!("looking for {}", path.display())))
}

fn size(options: &Options) -> String {
    format!("{}x{}", options.width, options.height)
}

fn command_name(kind: Kind, options: &Options) -> String {
    let path = if kind == Kind::Ustreamer { &options.ustreamer } else { &options.defender };
    path.display().to_string()
}

fn log_path(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}
