//! `defender check`: explains a configuration, and whether the server would start with it.

mod detection;
mod disk;
mod recording;

use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Access, OFlags, access};

use crate::app::{self, AppError, RunsAs};
use crate::base::disk::folder_of;
use crate::base::text::printable;
use crate::config::{Config, Flags, Mode, ServerConfig, Store};
use crate::media::{Flip, PictureEdits, Rotation};
use crate::memory::{self, Account};
use crate::remote::{Endpoint, RemoteError, RemoteSettings};
use crate::source::{CameraSettings, DeviceChoice, MicrophoneSettings, probe_camera, probe_microphone};
use crate::users;

/// Most malformed lines of a user file that are reported.
const MAX_COMPLAINTS: usize = 20;

/// The findings.
pub struct Report {
    /// For people, line by line.
    pub text: String,
    /// Whether no problem would keep the server from starting.
    pub would_start: bool,
    /// The cameras with a configured device that give no picture now.
    pub silent_cameras: Vec<String>,
    /// Whether cameras that are to be recorded would not be.
    pub is_unrecorded: bool,
}

/// Checks everything that the configuration names. It opens cameras and microphones for a moment and changes
/// nothing. `runs_as` is the user that the server would run as. If `may_look` is an error, files are not checked.
/// `tries_disk` writes to the disk of recordings for a few seconds, to measure it.
pub fn report(
    config: &Config,
    runs_as: Result<RunsAs, AppError>,
    may_look: Result<(), AppError>,
    tries_disk: bool,
) -> Report {
    let mut report =
        Report { text: String::new(), would_start: true, silent_cameras: Vec::new(), is_unrecorded: false };
    match &config.file {
        Some(file) => report.line("configuration", file.display()),
        None => report.line("configuration", "no file found, all settings are defaults"),
    }
    if let Err(why) = may_look {
        report.runs_as(runs_as);
        report.trouble("files", why);
        return report;
    }
    let config = &report.with_overrides(config);
    for warning in &config.warnings {
        report.line("warning", warning);
    }
    report.server(&config.server, runs_as);
    for camera in &config.cameras {
        let (meaning, gives_picture) = describe(camera);
        report.line(&format!("camera {}", camera.name), meaning);
        if !gives_picture {
            report.silent_cameras.push(camera.name.clone());
        }
    }
    if config.cameras.is_empty() && config.remotes.is_empty() && config.server.mode != Mode::Server {
        report.line("cameras", "none is configured; add a section [camera.NAME]");
    }
    for microphone in &config.microphones {
        report.line(&format!("microphone {}", microphone.name), describe_microphone(microphone));
    }
    for remote in &config.remotes {
        let (answer, advice) = answers(remote);
        report.line(&format!("remote {}", remote.name), answer);
        advice.iter().for_each(|advice| report.line("warning", advice));
    }
    report.recordings(config, tries_disk);
    report.detection(config);
    report
}

impl Report {
    /// Adds a line. The text may come from a device, a file or another server.
    fn line(&mut self, what: &str, meaning: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{what:<16} {}", printable(&meaning.to_string()));
    }

    fn trouble(&mut self, what: &str, meaning: impl std::fmt::Display) {
        self.would_start = false;
        self.line(what, format_args!("PROBLEM: {meaning}"));
    }

    /// The configuration with the overrides in force.
    fn with_overrides(&mut self, config: &Config) -> Config {
        let mut config = config.clone();
        let store = Store::beside(&config.server.users);
        // Whatever flags do, they did it to the configuration that came.
        config.apply_overrides(&store, &Flags::default());
        for overridden in config.overrides.iter().filter(|overridden| overridden.is_in_force()) {
            self.line("override", overridden);
        }
        config
    }

    fn server(&mut self, server: &ServerConfig, runs_as: Result<RunsAs, AppError>) {
        let scheme = if server.tls { "https" } else { "http" };
        let port = if server.port == 0 {
            "a port the kernel chooses".to_owned()
        } else {
            format!("port {}", server.port)
        };
        let addresses = listed(&server.addresses);
        self.line("listens on", format_args!("{addresses}, {port}, {scheme}"));
        if !server.tls && !server.is_loopback_only() {
            self.trouble(
                "TLS",
                "without TLS only loopback addresses (127.0.0.1, ::1) are allowed; set tls = true or \
                 address = \"127.0.0.1\"",
            );
        }
        self.line(
            "serves",
            match server.mode {
                Mode::Both => "streams, API and the page",
                Mode::Client => "streams and API, without the page",
                Mode::Server => "the page and API, without devices of its own",
            },
        );
        self.runs_as(runs_as);
        if server.tls {
            self.certificate(server);
        }
        self.users(server);
        self.memory(server);
        self.page(server);
        self.log(server);
        self.audit_log(server);
    }

    fn runs_as(&mut self, runs_as: Result<RunsAs, AppError>) {
        match runs_as {
            Ok(RunsAs { user, warning }) => {
                if let Some(warning) = warning {
                    self.line("warning", warning);
                }
                self.line("runs as", user.as_deref().unwrap_or("the user that starts it"));
            }
            Err(why) => self.trouble("runs as", why),
        }
    }

    fn memory(&mut self, server: &ServerConfig) {
        let installed = memory::installed_bytes();
        let limit_mb = memory::limit_bytes(server.memory_mb, installed) >> 20;
        let of = installed.map(|bytes| format!(" of the {} MiB here", bytes >> 20)).unwrap_or_default();
        self.line("memory", format_args!("large buffers take at most {limit_mb} MiB{of}"));
        if installed.is_some_and(|bytes| bytes >> 20 <= u64::from(server.memory_mb)) {
            self.line(
                "warning",
                "memory_mb is not less than the memory of this machine, so it limits nothing",
            );
        }
    }

    fn page(&mut self, server: &ServerConfig) {
        let Some(www) = &server.www else { return };
        match fs::read_dir(www) {
            _ if server.mode == Mode::Client => {
                self.line("page", format_args!("{} is not used: mode is `client`", www.display()))
            }
            Ok(_) => self.line("page", www.display()),
            Err(error) => {
                self.trouble("page", format_args!("{} cannot be served as a folder: {error}", www.display()))
            }
        }
    }

    fn log(&mut self, server: &ServerConfig) {
        let level = server.log_level.as_str().to_ascii_lowercase();
        let Some(log) = &server.log else {
            return self.line("log", format_args!("standard error, from level {level}"));
        };
        match can_append(log) {
            Ok(()) => self.line("log", format_args!("{}, from level {level}", log.display())),
            Err(error) => self.trouble("log", format_args!("{} cannot be written: {error}", log.display())),
        }
    }

    fn audit_log(&mut self, server: &ServerConfig) {
        let Some(log) = &server.audit_log else { return };
        match can_append(log) {
            Ok(()) => self.line("audit log", log.display()),
            Err(error) => {
                self.trouble("audit log", format_args!("{} cannot be written: {error}", log.display()));
            }
        }
    }

    fn certificate(&mut self, server: &ServerConfig) {
        let (cert, key) = (server.cert.display(), server.key.display());
        match app::find_certificate(server) {
            Ok(Some(found)) => {
                self.line("certificate", format_args!("{cert}, key {key}"));
                for remark in &found.remarks {
                    self.line("warning", remark);
                }
            }
            Ok(None) => {
                self.line("certificate", format_args!("{cert} and {key} are made on the first start"))
            }
            Err(why) => self.trouble("certificate", why),
        }
    }

    fn users(&mut self, server: &ServerConfig) {
        let file = server.users.display();
        let (found, complaints, is_unused) = match users::list(&server.users) {
            Ok(read) => (read.users, read.complaints, read.is_unused),
            Err(error) => return self.trouble("users", error),
        };
        for complaint in complaints.iter().take(MAX_COMPLAINTS) {
            self.line("warning", complaint);
        }
        if let Some(more @ 1..) = complaints.len().checked_sub(MAX_COMPLAINTS) {
            self.line("warning", format_args!("{file}: and {more} more such lines"));
        }
        if !found.is_empty() {
            self.line("users", format_args!("{} in {file}", found.len()));
        } else if is_unused {
            self.line(
                "users",
                format_args!("none yet; the first start makes `admin` in {file} and shows the password once"),
            );
        } else if server.is_loopback_only() {
            self.line("users", format_args!("{file} has no usable user: nobody can sign in"));
        } else {
            self.trouble(
                "users",
                format_args!("{file} has no usable user; add one with `defender user add NAME -u {file}`"),
            );
        }
    }
}

/// The addresses with explanations.
fn listed(addresses: &[IpAddr]) -> String {
    let has_v4 = addresses.iter().any(IpAddr::is_ipv4);
    let word = |address: &IpAddr| match address {
        IpAddr::V4(v4) if v4.is_unspecified() => format!("{address} (every IPv4 address of this machine)"),
        IpAddr::V6(v6) if v6.is_unspecified() && has_v4 => {
            format!("{address} (every IPv6 address of this machine)")
        }
        IpAddr::V6(v6) if v6.is_unspecified() => format!("{address} (every address of this machine)"),
        other => other.to_string(),
    };
    addresses.iter().map(word).collect::<Vec<_>>().join(" and ")
}

/// Checks that lines can be appended to a file, or that the file can be created, without doing it.
fn can_append(file: &Path) -> io::Result<()> {
    // Non-blocking, in case it is a pipe without a reader.
    match OpenOptions::new().append(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(access(folder_of(file), Access::WRITE_OK | Access::EXEC_OK)?)
        }
        opened => opened.map(drop),
    }
}

/// What a camera would deliver, and whether it delivers a picture.
fn describe(camera: &CameraSettings) -> (String, bool) {
    let demand = if camera.on_demand { ", only while somebody watches" } else { "" };
    let edits = edits(&camera.edits);
    let requested = format!("asked for {}x{} at {} fps{edits}", camera.width, camera.height, camera.fps);
    match probe_camera(camera) {
        Ok(found) => (format!("{found}{demand}; {requested}"), true),
        Err(error) if camera.device == DeviceChoice::Auto => {
            (format!("the test card until a camera is plugged in ({error}){demand}; {requested}"), true)
        }
        // The server would start: the camera may be plugged in later. A busy camera gives its picture to another
        // program, most likely to the running server.
        Err(error) => {
            let is_busy = error.is_busy();
            (format!("NO SIGNAL now: {error}{demand}; {requested}"), is_busy)
        }
    }
}

/// What is done to the pictures of a camera.
fn edits(edits: &PictureEdits) -> String {
    let mut words = String::new();
    if edits.rotation != Rotation::None {
        let _ = write!(words, ", turned by {} degrees", edits.rotation.degrees());
    }
    if edits.flip != Flip::None {
        let _ = write!(words, ", flipped ({})", edits.flip.name());
    }
    match edits.masks.len() {
        0 => {}
        1 => words.push_str(", with a mask"),
        many => {
            let _ = write!(words, ", with {many} masks");
        }
    }
    if !edits.stamp.is_empty() {
        let _ = write!(words, ", stamped \"{}\"", edits.stamp);
    }
    words
}

fn describe_microphone(microphone: &MicrophoneSettings) -> String {
    match probe_microphone(microphone) {
        Ok(found) => found,
        // The server would start: the microphone may be plugged in later.
        Err(error) => format!("SILENT now: {error}; asked for {}", microphone.format),
    }
}

/// The answer of another Defender, and advice for its section in defender.conf.
fn answers(remote: &RemoteSettings) -> (String, Option<String>) {
    let asked = Endpoint::new(remote.clone(), Account::unlimited())
        .and_then(|endpoint| Ok((endpoint.ask(&|| true)?, endpoint.advice())));
    match asked {
        Ok((listing, advice)) => (format!("{}: {}", remote.address, listing.summary()), advice),
        // The server would start: the other one may be trusted, or switched on, later.
        Err(error) => (format!("{}: {}: {error}", fault(&error), remote.address), None),
    }
}

/// What is wrong with another Defender, in the words that stand before its address and the error.
fn fault(error: &RemoteError) -> &'static str {
    match error {
        error if error.is_untrusted() => "NOT TRUSTED",
        RemoteError::Token(..) => "TOKEN NOT READABLE",
        RemoteError::SignedOut | RemoteError::NotAllowed => "TOKEN REFUSED",
        RemoteError::Client(_) | RemoteError::Stopped => "NO ANSWER now",
        RemoteError::Missing | RemoteError::Status(_) | RemoteError::Garbled(_) | RemoteError::NoMemory => {
            "NOT USABLE now"
        }
    }
}

#[cfg(test)]
mod tests;
