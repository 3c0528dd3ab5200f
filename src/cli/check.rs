//! `defender check`: what a configuration means, in words, and whether the server would start.

use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Access, OFlags, access};

use crate::app;
use crate::capture::sound::{self, MicrophoneSettings};
use crate::capture::{CameraSettings, DeviceChoice, devices};
use crate::config::{Config, Flags, Mode, ServerConfig};
use crate::remote::{Place, RemoteSettings};
use crate::users;

/// What was found.
pub struct Report {
    /// For people, line by line.
    pub text: String,
    /// Whether nothing was found that would keep the server from starting.
    pub would_start: bool,
}

/// Looks at everything the configuration names; opens cameras and microphones for a moment, changes nothing.
pub fn report(config: &Config) -> Report {
    let mut report = Report { text: String::new(), would_start: true };
    match &config.file {
        Some(file) => report.line("configuration", file.display()),
        None => report.line("configuration", "no file found, all is default"),
    }
    let config = &report.kept(config);
    for warning in &config.warnings {
        report.line("warning", warning);
    }
    report.server(&config.server);
    for camera in &config.cameras {
        report.line(&format!("camera {}", camera.name), describe(camera));
    }
    if config.cameras.is_empty() && config.remotes.is_empty() && config.server.mode != Mode::Server {
        report.line("cameras", "none is configured; add a section [camera.NAME]");
    }
    for microphone in &config.microphones {
        report.line(&format!("microphone {}", microphone.name), hears(microphone));
    }
    for remote in &config.remotes {
        report.line(&format!("remote {}", remote.name), answers(remote));
    }
    report
}

impl Report {
    fn line(&mut self, what: &str, meaning: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{what:<16} {meaning}");
    }

    fn trouble(&mut self, what: &str, meaning: impl std::fmt::Display) {
        self.would_start = false;
        self.line(what, format_args!("PROBLEM: {meaning}"));
    }

    /// The configuration with what was kept laid over it.
    fn kept(&mut self, config: &Config) -> Config {
        let mut laid = config.clone();
        // Where the user is unknown, that is told below.
        laid.keep = app::place_to_keep(config).unwrap_or_default();
        // Whatever flags do, they did it to the one that came.
        match laid.lay_over(&config.server.users, &Flags::default()) {
            Ok(Some(told)) => self.line("kept", told),
            Ok(None) => {}
            Err(error) => self.trouble("kept", error),
        }
        laid
    }

    fn server(&mut self, server: &ServerConfig) {
        let scheme = if server.tls { "https" } else { "http" };
        let port = if server.port == 0 {
            "a port the kernel chooses".to_owned()
        } else {
            format!("port {}", server.port)
        };
        let whole = if server.address.is_unspecified() { " (every address of this machine)" } else { "" };
        self.line("listens on", format_args!("{}{whole}, {port}, {scheme}", server.address));
        if !server.tls && !server.address.is_loopback() {
            self.trouble(
                "TLS",
                "without it only 127.0.0.1 may be listened on; set tls = true or address = \"127.0.0.1\"",
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
        self.runs_as(server);
        if server.tls {
            self.certificate(server);
        }
        self.users(server);
        self.page(server);
        self.log(server);
        self.audit_log(server);
    }

    fn runs_as(&mut self, server: &ServerConfig) {
        match app::runs_as(server) {
            Ok((user, warning)) => {
                if let Some(warning) = warning {
                    self.line("warning", warning);
                }
                self.line("runs as", user.as_deref().unwrap_or("the user who starts it"));
            }
            Err(why) => self.trouble("runs as", why),
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
                self.trouble("page", format_args!("{} is no folder to serve: {error}", www.display()))
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
        match app::has_certificate(server) {
            Ok(true) => self.line("certificate", format_args!("{cert}, key {key}")),
            Ok(false) => {
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
        for complaint in &complaints {
            self.line("warning", complaint);
        }
        if !found.is_empty() {
            self.line("users", format_args!("{} in {file}", found.len()));
        } else if is_unused {
            self.line(
                "users",
                format_args!("none yet; the first start makes `admin` in {file} and tells the password once"),
            );
        } else if server.address.is_loopback() {
            self.line("users", format_args!("{file} holds no usable user: nobody can sign in"));
        } else {
            self.trouble(
                "users",
                format_args!("{file} holds no usable user; add one with `defender user add NAME -u {file}`"),
            );
        }
    }
}

/// Whether lines could be added to a file, or the file be made; neither is done.
fn can_append(file: &Path) -> io::Result<()> {
    // Not waiting, should it be a pipe nobody reads.
    match OpenOptions::new().append(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            Ok(access(folder.unwrap_or(Path::new(".")), Access::WRITE_OK | Access::EXEC_OK)?)
        }
        opened => opened.map(drop),
    }
}

fn describe(camera: &CameraSettings) -> String {
    let demand = if camera.on_demand { ", only while somebody watches" } else { "" };
    let wish = format!("asked for {}x{} at {} fps", camera.width, camera.height, camera.fps);
    match devices::probe(camera) {
        Ok(found) => format!("{found}{demand}; {wish}"),
        Err(error) if camera.device == DeviceChoice::Auto => {
            format!("the test card until a camera is plugged in ({error}){demand}; {wish}")
        }
        // Not a reason not to start: it may be plugged in later.
        Err(error) => format!("NO SIGNAL now: {error}{demand}; {wish}"),
    }
}

fn hears(microphone: &MicrophoneSettings) -> String {
    match sound::probe(microphone) {
        Ok(found) => found,
        // Not a reason not to start: it may be plugged in later.
        Err(error) => format!("SILENT now: {error}; asked for {}", microphone.format),
    }
}

fn answers(remote: &RemoteSettings) -> String {
    let asked = Place::new(remote.clone()).and_then(|place| place.ask(&|| true));
    match asked {
        Ok(listing) => {
            let (cameras, microphones) = (listing.cameras.len(), listing.microphones.len());
            format!("{}: {cameras} cameras, {microphones} microphones", remote.address)
        }
        // Not a reason not to start: it may be switched on later.
        Err(error) => format!("NO ANSWER now: {}: {error}", remote.address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `[server]` says, the files there are with their text, and what is to be told.
    type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);

    /// Reports on a configuration in a folder that holds `files` and nothing else.
    fn check(text: &str, files: &[(&str, &str)]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files.iter().chain(&[("defender.conf", text)]) {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let flags = Flags { config: Some(folder.path().join("defender.conf")), ..Flags::default() };
        let report = report(&Config::load(&flags).unwrap_or_else(|error| panic!("{error}")));
        let made = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(made, files.len() + 1, "it changed something:\n{}", report.text);
        report
    }

    #[test]
    fn what_would_keep_the_server_from_starting_is_a_problem() {
        let rows: &[Row] = &[
            ("tls = false", &[], "only 127.0.0.1 may be listened on"),
            ("", &[("server.pem", "")], "key.pem is missing"),
            ("", &[("key.pem", "")], "server.pem is missing"),
            ("cert = \".\"\nkey = \"gone/k.pem\"", &[], "gone/k.pem is missing"),
            ("", &[("server.pem", "junk"), ("key.pem", "junk")], "expected a PEM file"),
            ("www = \"gone\"", &[], "no folder to serve"),
            ("log = \"gone/d.log\"", &[], "cannot be written"),
            ("audit_log = \"gone/a.log\"", &[], "a.log cannot be written"),
            ("log = \".\"", &[], "cannot be written"),
            ("users = \".\"", &[], "cannot read the user file"),
            ("", &[("users", "eve:viewer:broken\n")], "defender user add"),
            ("user = \"nobody-here\"", &[], "/etc/passwd has no such user"),
        ];
        for (server, files, told) in rows {
            let report = check(&format!("[server]\n{server}\n"), files);
            assert!(!report.would_start, "{server:?} {files:?}:\n{}", report.text);
            let problem = report.text.lines().find(|line| line.contains("PROBLEM")).unwrap();
            assert!(problem.contains(told), "{told:?} is missing in {problem:?}");
        }
    }

    #[test]
    fn what_the_server_can_start_with_is_no_problem() {
        let rows: &[Row] = &[
            ("", &[], "are made on the first start"),
            ("tls = false\naddress = \"127.0.0.1\"", &[], "http"),
            ("log = \"d.log\"\nlog_level = \"warn\"", &[], "d.log, from level warn"),
            ("mode = \"client\"\nwww = \"gone\"", &[], "is not used"),
            ("", &[("users", "# nobody yet\n")], "the first start makes `admin`"),
            ("address = \"::1\"", &[("users", "eve:viewer:broken\n")], "nobody can sign in"),
        ];
        for (server, files, told) in rows {
            let report = check(&format!("[server]\n{server}\n"), files);
            assert!(report.would_start, "{server:?} {files:?}:\n{}", report.text);
            assert!(report.text.contains(told), "{told:?} is missing in\n{}", report.text);
        }
    }

    #[test]
    fn a_configuration_without_cameras_is_remarked_where_there_should_be_some() {
        assert!(check("", &[]).text.contains("none is configured"));
        assert!(!check("[server]\nmode = \"server\"\n", &[]).text.contains("none is configured"));
    }
}
