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
mod token;
mod user;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::app;
use crate::config::{Config, ConfigError, Flags};
use args::Wish;

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
                let _ = writeln!(io::stderr(), "defender: {line}");
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
            let config = Config::load(&flags).map_err(|error| usage(&error))?;
            app::run(config, &flags).map_err(|error| failed(&error))?;
        }
        Wish::Check(flags) => {
            let config = Config::load(&flags).map_err(|error| usage(&error))?;
            let report = check::report(&config);
            print(&report.text);
            if !report.would_start {
                return Err(failed(&"it would not start like this"));
            }
        }
        Wish::Board(command, as_json, flags) => {
            let socket = Config::load(&flags).map_err(|error| usage(&error))?.server.socket();
            print(&board::run(&command, &socket, as_json).map_err(|error| failed(&error))?);
        }
        Wish::Certificate(command, flags) => {
            let server = Config::load(&flags).map_err(|error| usage(&error))?.server;
            let printed = certificate::run(&command, &server).map_err(|error| failed(&error))?;
            // A reader that went away is no error.
            let _ = io::stdout().write_all(&printed).and_then(|()| io::stdout().flush());
        }
        Wish::User(command, flags) => {
            let users = user_file(&flags).map_err(|error| usage(&error))?;
            user::run(command, &users).map_err(|error| failed(&error))?;
        }
        Wish::Token(command, flags) => {
            let users = user_file(&flags).map_err(|error| usage(&error))?;
            token::run(command, &users).map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

/// A user file that is named needs no configuration.
fn user_file(flags: &Flags) -> Result<PathBuf, ConfigError> {
    flags.users.clone().map_or_else(|| Config::load(flags).map(|config| config.server.users), Ok)
}

/// Prints; a reader that went away (`defender --help | head -1`) is no error.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}
