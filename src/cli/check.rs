//! `defender check`: what a configuration means, in words, and whether the server would start.

use std::fmt::Write;

use crate::capture::{CameraSettings, DeviceChoice, devices};
use crate::config::{Config, Mode, ServerConfig};
use crate::users::Accounts;

/// What was found.
pub struct Report {
    /// For people, line by line.
    pub text: String,
    /// Whether nothing was found that would keep the server from starting.
    pub would_start: bool,
}

/// Looks at everything the configuration names; opens cameras for a moment, changes nothing.
pub fn report(config: &Config) -> Report {
    let mut report = Report { text: String::new(), would_start: true };
    match &config.file {
        Some(file) => report.line("configuration", file.display()),
        None => report.line("configuration", "no file found, all is default"),
    }
    for warning in &config.warnings {
        report.line("warning", warning);
    }
    report.server(&config.server);
    for camera in &config.cameras {
        report.line(&format!("camera {}", camera.name), describe(camera));
    }
    if config.cameras.is_empty() && config.server.mode != Mode::Server {
        report.line("cameras", "none is configured; add a section [camera.NAME]");
    }
    for microphone in &config.microphones {
        report.line(&format!("microphone {}", microphone.name), "understood; sound is not served yet");
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
        if server.tls {
            self.certificate(server);
        }
        self.users(server);
        if let Some(www) = &server.www {
            if www.is_dir() {
                self.line("page", www.display())
            } else {
                self.trouble("page", format_args!("{} is not a folder", www.display()))
            }
        }
        match &server.log {
            Some(log) => self.line("log", format_args!("{}, from level {}", log.display(), server.log_level)),
            None => self.line("log", format_args!("standard error, from level {}", server.log_level)),
        }
    }

    fn certificate(&mut self, server: &ServerConfig) {
        let (cert, key) = (server.cert.display(), server.key.display());
        match (server.cert.exists(), server.key.exists()) {
            (true, true) => self.line("certificate", format_args!("{cert}, key {key}")),
            (false, false) => {
                self.line("certificate", format_args!("{cert} and {key} are made on the first start"))
            }
            (true, false) => {
                self.trouble("certificate", format_args!("{cert} is there, its key {key} is not"))
            }
            (false, true) => {
                self.trouble("certificate", format_args!("the key {key} is there, {cert} is not"))
            }
        }
    }

    fn users(&mut self, server: &ServerConfig) {
        let accounts = Accounts::open(&server.users);
        let users = server.users.display();
        if !accounts.is_empty() {
            self.line("users", format_args!("{} in {users}", accounts.count()));
        } else if server.users.exists() {
            self.line("users", format_args!("{users} holds no usable user"));
        } else {
            self.line(
                "users",
                format_args!("none yet; the first start makes `admin` in {users} and prints the password"),
            );
        }
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
