//! The command line: one file for each command.
//!
//! What belongs here: parsing arguments, printing, exit codes. What must not: work of the server or of another
//! layer; a command calls that.

mod args;
mod board;
mod certificate;
mod check;
mod devices;
mod help;
mod settings;
mod token;
mod user;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::app::{self, AppError};
use crate::base::did_you_mean;
use crate::base::text::{printable, printable_lines};
use crate::config::{Config, Flags};
use crate::confine::Purpose;
use args::Command;
use user::Confined;

/// Exit code of a command that failed.
const FAILED: u8 = 1;

/// Exit code of wrong arguments or a wrong configuration.
const USAGE: u8 = 2;

/// Runs the command in the arguments after the program's name. Errors go to standard error.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            for line in message.lines() {
                // Best effort: standard error may be closed, and the exit code is left.
                let _ = writeln!(io::stderr(), "defender: {}", printable(line));
            }
            ExitCode::from(code)
        }
    }
}

fn run(arguments: Vec<OsString>) -> Result<(), (u8, String)> {
    let usage = |error: &dyn Display| (USAGE, error.to_string());
    let failed = |error: &dyn Display| (FAILED, error.to_string());
    match args::parse(arguments).map_err(|error| usage(&error))? {
        Command::Help(command) => print(&command.help()),
        Command::Version => print(concat!("defender ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::ListDevices => print(&devices::list()),
        Command::Run(flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            app::run(config, &flags).map_err(|error| failed(&error))?;
        }
        Command::Check(flags, tries_disk) => {
            explain(&app::load_config(&flags).map_err(|error| usage(&error))?, tries_disk)?;
        }
        Command::Board(command, as_json, flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            let socket = socket_of(&config)?;
            print(&board::run(&command, &socket, as_json).map_err(|error| failed(&error))?);
        }
        Command::Settings(command, as_json, flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            socket_of(&config)?;
            print(&settings::run(&command, config, as_json).map_err(|error| failed(&error))?);
        }
        Command::Certificate(command, flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            app::become_owner_of_pair(&config).map_err(|error| failed(&error))?;
            let printed = certificate::run(&command, &config.server).map_err(|error| failed(&error))?;
            // Best effort: a reader that closed the pipe is no error.
            let _ = io::stdout().write_all(&printed).and_then(|()| io::stdout().flush());
        }
        Command::User(command, flags) => {
            let (users, named_by) = user_file(&flags).map_err(|error| usage(&error))?;
            warn_of_unknown(&flags, command.confined());
            as_owner(&users, named_by.as_deref(), || user::run(command, &users))?;
        }
        Command::Token(command, flags) => {
            let (users, named_by) = user_file(&flags).map_err(|error| usage(&error))?;
            warn_of_unknown(&flags, command.confined());
            as_owner(&users, named_by.as_deref(), || token::run(command, &users))?;
        }
    }
    Ok(())
}

/// Prints what a configuration means.
fn explain(config: &Config, tries_disk: bool) -> Result<(), (u8, String)> {
    let (runs_as, may_look) = app::become_server_user(config);
    let report = check::report(config, runs_as, may_look, tries_disk);
    print(&report.text);
    if !report.would_start {
        return Err((FAILED, "the server would not start with this configuration".to_owned()));
    }
    if !report.silent_cameras.is_empty() {
        let names = report.silent_cameras.join(", ");
        return Err((FAILED, format!("the server would start, without a picture of: {names}")));
    }
    if report.is_unrecorded {
        return Err((FAILED, "the server would start, and record nothing".to_owned()));
    }
    Ok(())
}

/// The server's socket for commands; as root its owner's rights are taken.
fn socket_of(config: &Config) -> Result<PathBuf, (u8, String)> {
    let socket = config.server.socket();
    let became = app::become_owner(&socket, Purpose::Read, config.read_as.as_deref());
    became.map(|_| socket).map_err(|error| (FAILED, error.to_string()))
}

/// The user file, and the owner of the folder of the configuration that names it. With `-u` no configuration is
/// read.
fn user_file(flags: &Flags) -> Result<(PathBuf, Option<String>), AppError> {
    match &flags.users {
        Some(users) => Ok((users.clone(), None)),
        None => app::load_config(flags).map(|config| (config.server.users, config.read_as)),
    }
}

/// Warns of cameras and microphones of a confinement that the configuration does not have: with a mistyped name
/// the user would see nothing. Devices of other Defenders are not checked, because these may not answer now.
fn warn_of_unknown(flags: &Flags, confined: Option<&Confined>) {
    let Some(confined) = confined.filter(|confined| **confined != Confined::default()) else { return };
    let of_file = Flags { config: flags.config.clone(), ..Flags::default() };
    let Ok(config) = app::load_config(&of_file) else { return };
    // The user file of `-u` may belong to another configuration.
    let absolute = |file: &Path| std::path::absolute(file).ok();
    let is_its = |users: &PathBuf| absolute(users) == absolute(&config.server.users);
    if flags.config.is_none() && !flags.users.as_ref().is_none_or(is_its) {
        return;
    }
    let is_remote = |name: &str| {
        config
            .remotes
            .iter()
            .any(|remote| name.strip_prefix(remote.name.as_str()).is_some_and(|rest| rest.starts_with('-')))
    };
    let cameras: Vec<&str> = config.cameras.iter().map(|camera| camera.name.as_str()).collect();
    let microphones: Vec<&str> =
        config.microphones.iter().map(|microphone| microphone.name.as_str()).collect();
    for (kind, named, known) in
        [("camera", &confined.cameras, cameras), ("microphone", &confined.microphones, microphones)]
    {
        for name in named.iter().flatten().filter(|name| !known.contains(&name.as_str()) && !is_remote(name))
        {
            let near = did_you_mean(name, &known);
            let _ = writeln!(io::stderr(), "defender: warning: no {kind} `{name}` is configured{near}");
        }
    }
}

/// As root: works on a user file as the owner of its folder.
fn as_owner<E: Display>(
    users: &Path,
    named_by: Option<&str>,
    work: impl FnOnce() -> Result<(), E>,
) -> Result<(), (u8, String)> {
    let became =
        app::become_owner(users, Purpose::Write, named_by).map_err(|error| (FAILED, error.to_string()))?;
    work().map_err(|error| match became {
        Some(user) => (FAILED, format!("{error} (done as the user `{user}`, the owner of the folder)")),
        None => (FAILED, error.to_string()),
    })
}

/// Prints lines without control characters. A reader that closed the pipe (`defender --help | head -1`) is no
/// error.
fn print(text: &str) {
    let _ = io::stdout().write_all(printable_lines(text).as_bytes()).and_then(|()| io::stdout().flush());
}
