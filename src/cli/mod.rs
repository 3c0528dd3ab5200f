//! The command line: one file for each command.
//!
//! What belongs here: reading arguments, printing, exit codes. What must not: anything the server
//! or another room does; a command calls it.

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

use crate::app::{self, AppError, Purpose};
use crate::config::{Flags, nearest};
use crate::text::{printable, printable_lines};
use args::Wish;
use user::Confined;

/// It failed while running.
const FAILED: u8 = 1;

/// It was asked or configured wrongly.
const USAGE: u8 = 2;

/// Does what the arguments after the program's name ask for. Errors go to standard error.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            for line in message.lines() {
                // Standard error may be closed; the exit code still tells.
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
        Wish::Help(command) => print(&command.help()),
        Wish::Version => print(concat!("defender ", env!("CARGO_PKG_VERSION"), "\n")),
        Wish::ListDevices => print(&devices::list()),
        Wish::Run(flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            app::run(config, &flags).map_err(|error| failed(&error))?;
        }
        Wish::Check(flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            let (runs_as, may_look) = app::become_server_user(&config);
            let report = check::report(&config, runs_as, may_look);
            print(&report.text);
            if !report.would_start {
                return Err(failed(&"it would not start like this"));
            }
            if !report.silent_cameras.is_empty() {
                let names = report.silent_cameras.join(", ");
                return Err(failed(&format!("it would start, without a picture of: {names}")));
            }
        }
        Wish::Board(command, as_json, flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            let socket = config.server.socket();
            app::become_owner(&socket, Purpose::Read, config.read_as.as_deref())
                .map_err(|error| failed(&error))?;
            print(&board::run(&command, &socket, as_json).map_err(|error| failed(&error))?);
        }
        Wish::Settings(command, as_json, flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            let socket = config.server.socket();
            app::become_owner(&socket, Purpose::Read, config.read_as.as_deref())
                .map_err(|error| failed(&error))?;
            print(&settings::run(&command, config, as_json).map_err(|error| failed(&error))?);
        }
        Wish::Certificate(command, flags) => {
            let config = app::load_config(&flags).map_err(|error| usage(&error))?;
            app::become_owner_of_pair(&config).map_err(|error| failed(&error))?;
            let printed = certificate::run(&command, &config.server).map_err(|error| failed(&error))?;
            // A reader that went away is no error.
            let _ = io::stdout().write_all(&printed).and_then(|()| io::stdout().flush());
        }
        Wish::User(command, flags) => {
            let (users, named_by) = user_file(&flags).map_err(|error| usage(&error))?;
            warn_of_unknown(&flags, command.confined());
            as_owner(&users, named_by.as_deref(), || user::run(command, &users))?;
        }
        Wish::Token(command, flags) => {
            let (users, named_by) = user_file(&flags).map_err(|error| usage(&error))?;
            warn_of_unknown(&flags, command.confined());
            as_owner(&users, named_by.as_deref(), || token::run(command, &users))?;
        }
    }
    Ok(())
}

/// The user file, and in whose folder the configuration lies that names it. A user file that is named needs
/// no configuration.
fn user_file(flags: &Flags) -> Result<(PathBuf, Option<String>), AppError> {
    match &flags.users {
        Some(users) => Ok((users.clone(), None)),
        None => app::load_config(flags).map(|config| (config.server.users, config.read_as)),
    }
}

/// Says which cameras and microphones of a confinement the configuration does not have: a mistyped name
/// would let its user see nothing. Those of other Defenders are known only while these answer.
fn warn_of_unknown(flags: &Flags, confined: Option<&Confined>) {
    let Some(confined) = confined.filter(|confined| **confined != Confined::default()) else { return };
    let of_file = Flags { config: flags.config.clone(), ..Flags::default() };
    let Ok(config) = app::load_config(&of_file) else { return };
    // A user file that is named may be that of another configuration.
    let place = |file: &Path| std::path::absolute(file).ok();
    let is_its = |users: &PathBuf| place(users) == place(&config.server.users);
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
            let near = nearest(name, &known).map(|near| format!("; did you mean `{near}`?"));
            let near = near.unwrap_or_default();
            let _ = writeln!(io::stderr(), "defender: warning: no {kind} `{name}` is configured{near}");
        }
    }
}

/// Works on a user file as the user who owns its folder, where it is root that asks.
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

/// Prints lines, without what a terminal would act on; a reader that went away (`defender --help | head -1`) is no error.
fn print(text: &str) {
    let _ = io::stdout().write_all(printable_lines(text).as_bytes()).and_then(|()| io::stdout().flush());
}
