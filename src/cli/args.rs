//! Parses arguments into a command, or finds what is wrong with them. It runs nothing.

use std::convert::Infallible;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use pico_args::Arguments;

use super::board::{BoardCommand, SERVICES};
use super::certificate::{CertificateCommand, Form};
use super::help::{self, CommandHelp};
use super::settings::SettingsCommand;
use super::token::TokenCommand;
use super::user::{Confined, UserCommand};
use crate::base::{did_you_mean, nearest};
use crate::config::{Flags, Mode};
use crate::users::Role;

/// A command with its arguments.
#[derive(Debug)]
pub enum Command {
    /// Run the server.
    Run(Flags),
    /// Explain the configuration; true to try how fast the disk of recordings is.
    Check(Flags, bool),
    /// List cameras and microphones.
    ListDevices,
    /// Send a command to the running server; true for its answer as JSON.
    Board(BoardCommand, bool, Flags),
    /// List or reset overrides; true for the server's answer as JSON.
    Settings(SettingsCommand, bool, Flags),
    /// Show, renew or export the certificate.
    Certificate(CertificateCommand, Flags),
    /// Edit the user file.
    User(UserCommand, Flags),
    /// Edit the tokens in the user file.
    Token(TokenCommand, Flags),
    /// Print a command's help.
    Help(&'static CommandHelp),
    /// Print the version.
    Version,
}

/// What is wrong with the arguments; exit code 2.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl Error for UsageError {}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses the arguments after the program's name.
///
/// # Errors
/// The first mistake, with the nearest known word if there is one.
pub fn parse(arguments: Vec<OsString>) -> Result<Command, UsageError> {
    let mut arguments = Arguments::from_vec(arguments);
    let wants_help = arguments.contains(["-h", "--help"]);
    let (command, wants_help) = command(&mut arguments, wants_help)?;
    if wants_help {
        return Ok(Command::Help(command));
    }
    if command.words.is_empty() && arguments.contains(["-V", "--version"]) {
        return Ok(Command::Version);
    }
    let lists = command.words.is_empty() && arguments.contains("--list-devices");
    // Each verb is named: what `help.rs` has and nothing reads must not become another command.
    let parsed = match command.words {
        [] if lists => Command::ListDevices,
        [] | ["run"] => Command::Run(flags(&mut arguments)?),
        ["check"] => Command::Check(flags(&mut arguments)?, arguments.contains("--disk")),
        ["status" | "service" | "logging"] => board(command, &mut arguments)?,
        ["settings", verb @ ("list" | "reset")] => settings(verb, command, &mut arguments)?,
        ["certificate", verb @ ("show" | "export" | "renew")] => certificate(verb, command, &mut arguments)?,
        ["user", verb @ ("add" | "edit" | "remove" | "list")] => user(verb, command, &mut arguments)?,
        ["token", verb @ ("add" | "remove" | "list")] => token(verb, command, &mut arguments)?,
        _ => {
            let verbs = command.operands.replace('|', ", ");
            return Err(UsageError(format!(
                "{} needs one of: {verbs}\n{}",
                command.full_name(),
                hint(command)
            )));
        }
    };
    nothing_left(arguments, command)?;
    Ok(parsed)
}

/// Takes the words that name a command; `help COMMAND` is its `--help`.
fn command(arguments: &mut Arguments, wants_help: bool) -> Result<(&'static CommandHelp, bool), UsageError> {
    let mut command = &help::COMMANDS[0];
    let mut wants_help = wants_help;
    while let Some(word) = next_word(arguments, command)? {
        if command.words.is_empty() && word == "help" {
            wants_help = true;
            continue;
        }
        let words: Vec<&str> = command.words.iter().copied().chain([word.as_str()]).collect();
        command = help::find(&words).ok_or_else(|| {
            let known: Vec<&str> =
                command.children().filter_map(|child| child.words.last().copied()).collect();
            let near = nearest(&word, &known)
                .map(str::to_owned)
                .or_else(|| swapped(command, &word, arguments))
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            UsageError(format!("unknown command `{}`{near}\n{}", words.join(" "), hint(command)))
        })?;
    }
    Ok((command, wants_help))
}

/// The command whose second word came first, as in `defender add user` or `defender add eve`.
fn swapped(command: &CommandHelp, word: &str, arguments: &mut Arguments) -> Option<String> {
    if !command.words.is_empty() {
        return None;
    }
    let next = arguments.subcommand().ok().flatten();
    let by_both = next.and_then(|next| help::find(&[next.as_str(), word]));
    let by_second = || help::COMMANDS.iter().find(|other| other.words.len() == 2 && other.words[1] == word);
    by_both.or_else(by_second).map(CommandHelp::full_name)
}

/// The next word of a command that has subcommands; operands and flags are not consumed.
fn next_word(arguments: &mut Arguments, command: &CommandHelp) -> Result<Option<String>, UsageError> {
    if command.children().next().is_none() {
        return Ok(None);
    }
    arguments.subcommand().map_err(|error| UsageError(error.to_string()))
}

fn flags(arguments: &mut Arguments) -> Result<Flags, UsageError> {
    Ok(Flags {
        config: path(arguments, ["-c", "--config"])?,
        web_root: path(arguments, ["-w", "--web-root"])?,
        log: path(arguments, ["-l", "--log"])?,
        addresses: value(
            arguments,
            ["-a", "--address"],
            "an IP address such as 127.0.0.1, or several separated by commas",
            addresses,
        )?,
        port: value(arguments, ["-p", "--port"], "a port from 0 to 65535", |text| text.parse().ok())?,
        cert: path(arguments, ["-s", "--secure"])?,
        key: path(arguments, ["-k", "--key"])?,
        users: path(arguments, ["-u", "--user-db"])?,
        mode: value(arguments, ["-m", "--mode"], "both, client or server", Mode::from_name)?,
        debug: arguments.contains(["-d", "--debug"]),
    })
}

fn addresses(text: &str) -> Option<Vec<IpAddr>> {
    text.split(',')
        .map(|address| address.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical()))
        .collect()
}

fn board(command: &'static CommandHelp, arguments: &mut Arguments) -> Result<Command, UsageError> {
    let flags = user_file_flags(arguments)?;
    let as_json = arguments.contains("--json");
    let saves = command.words == ["logging"] && arguments.contains("--save");
    let parsed = match command.words {
        ["service"] => BoardCommand::Service(service(command, arguments)?),
        ["logging"] => BoardCommand::Logging(optional_operand(arguments, command)?, saves),
        _ => BoardCommand::Status,
    };
    Ok(Command::Board(parsed, as_json, flags))
}

/// Two words, or none.
fn service(command: &CommandHelp, arguments: &mut Arguments) -> Result<Option<(String, bool)>, UsageError> {
    let Some(name) = optional_operand(arguments, command)? else { return Ok(None) };
    let verb = optional_operand(arguments, command)?;
    match verb.as_deref() {
        Some(verb @ ("start" | "stop")) if SERVICES.contains(&name.as_str()) => {
            Ok(Some((name, verb == "start")))
        }
        _ => {
            let words = [Some(name), verb].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let (full_name, operands) = (command.full_name(), command.operands);
            Err(UsageError(format!("{full_name} takes {operands}; not `{words}`\n{}", hint(command))))
        }
    }
}

fn settings(
    verb: &str,
    command: &'static CommandHelp,
    arguments: &mut Arguments,
) -> Result<Command, UsageError> {
    let flags = user_file_flags(arguments)?;
    let as_json = verb == "list" && arguments.contains("--json");
    let asked = match verb {
        "list" => SettingsCommand::List,
        _ => SettingsCommand::Reset(optional_operand(arguments, command)?),
    };
    Ok(Command::Settings(asked, as_json, flags))
}

fn certificate(
    verb: &str,
    command: &'static CommandHelp,
    arguments: &mut Arguments,
) -> Result<Command, UsageError> {
    let flags = Flags {
        config: path(arguments, ["-c", "--config"])?,
        cert: path(arguments, ["-s", "--secure"])?,
        key: path(arguments, ["-k", "--key"])?,
        ..Flags::default()
    };
    let parsed = match verb {
        "show" => CertificateCommand::Show,
        "renew" => CertificateCommand::Renew { with_authority: arguments.contains("--ca") },
        _ => {
            let form = optional_operand(arguments, command)?.unwrap_or_else(|| "pem".to_owned());
            let form = Form::from_name(&form).ok_or_else(|| {
                let (name, operands) = (command.full_name(), command.operands);
                UsageError(format!("{name} takes {operands}; not `{form}`\n{}", hint(command)))
            })?;
            CertificateCommand::Export(form)
        }
    };
    Ok(Command::Certificate(parsed, flags))
}

fn user(verb: &str, command: &'static CommandHelp, arguments: &mut Arguments) -> Result<Command, UsageError> {
    let flags = user_file_flags(arguments)?;
    let parsed = match verb {
        "list" => UserCommand::List,
        "remove" => {
            let yes = arguments.contains("--yes");
            UserCommand::Remove { name: operand(arguments, command)?, yes }
        }
        "add" => {
            let (role, confined, past) =
                (take_role(arguments)?, take_confined(arguments)?, take_past(arguments)?);
            let password_stdin = arguments.contains("--password-stdin");
            UserCommand::Add { name: operand(arguments, command)?, role, confined, past, password_stdin }
        }
        _ => {
            let (role, confined, past) =
                (take_role(arguments)?, take_confined(arguments)?, take_past(arguments)?);
            let (unconfined, password) =
                (arguments.contains("--unconfined"), arguments.contains("--password"));
            let password_stdin = arguments.contains("--password-stdin");
            let name = operand(arguments, command)?;
            UserCommand::Edit { name, role, confined, unconfined, past, password, password_stdin }
        }
    };
    Ok(Command::User(parsed, flags))
}

fn token(
    verb: &str,
    command: &'static CommandHelp,
    arguments: &mut Arguments,
) -> Result<Command, UsageError> {
    let flags = user_file_flags(arguments)?;
    let parsed = match verb {
        "list" => TokenCommand::List,
        "remove" => TokenCommand::Remove { name: operand(arguments, command)? },
        _ => {
            let user = value(arguments, ["", "--user"], "a user's name", |name| Some(name.to_owned()))?;
            let confined = take_confined(arguments)?;
            let name = operand(arguments, command)?;
            let user = user.ok_or_else(|| {
                UsageError(format!("{} needs --user NAME\n{}", command.full_name(), hint(command)))
            })?;
            TokenCommand::Add { name, user, confined }
        }
    };
    Ok(Command::Token(parsed, flags))
}

fn user_file_flags(arguments: &mut Arguments) -> Result<Flags, UsageError> {
    let (config, users) = (path(arguments, ["-c", "--config"])?, path(arguments, ["-u", "--user-db"])?);
    Ok(Flags { config, users, ..Flags::default() })
}

fn take_role(arguments: &mut Arguments) -> Result<Option<Role>, UsageError> {
    value(arguments, ["", "--role"], "admin or viewer", Role::from_name)
}

fn take_past(arguments: &mut Arguments) -> Result<Option<bool>, UsageError> {
    value(arguments, ["", "--past"], "yes or no", |text| match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    })
}

fn take_confined(arguments: &mut Arguments) -> Result<Confined, UsageError> {
    let mut names = |flag| {
        value(arguments, ["", flag], "names separated by commas, such as front,yard", |text| {
            let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
            names.iter().all(|name| !name.is_empty()).then_some(names)
        })
    };
    Ok(Confined { cameras: names("--cameras")?, microphones: names("--microphones")? })
}

fn path(arguments: &mut Arguments, keys: [&'static str; 2]) -> Result<Option<PathBuf>, UsageError> {
    arguments
        .opt_value_from_os_str(keys, |text| Ok::<_, Infallible>(PathBuf::from(text)))
        .map_err(|error| unread_value(keys[1], &error))
}

fn value<T>(
    arguments: &mut Arguments,
    [short, long]: [&'static str; 2],
    expected: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, UsageError> {
    let found: Option<String> = match short {
        "" => arguments.opt_value_from_str(long),
        short => arguments.opt_value_from_str([short, long]),
    }
    .map_err(|error| unread_value(long, &error))?;
    let Some(text) = found else { return Ok(None) };
    read(&text).map(Some).ok_or_else(|| UsageError(format!("{long} is `{text}`; expected {expected}")))
}

fn unread_value(long: &str, error: &pico_args::Error) -> UsageError {
    UsageError(match error {
        pico_args::Error::OptionWithoutAValue(_) => {
            format!("{long} needs a value; see `defender --help`")
        }
        other => format!("{long}: {other}"),
    })
}

fn operand(arguments: &mut Arguments, command: &CommandHelp) -> Result<String, UsageError> {
    optional_operand(arguments, command)?.ok_or_else(|| {
        UsageError(format!("{} needs a {}\n{}", command.full_name(), command.operands, hint(command)))
    })
}

fn optional_operand(arguments: &mut Arguments, command: &CommandHelp) -> Result<Option<String>, UsageError> {
    match arguments.opt_free_from_str::<String>() {
        Ok(Some(flag)) if flag.starts_with('-') => Err(stray_flag(&flag, command)),
        Ok(found) => Ok(found),
        Err(error) => Err(UsageError(error.to_string())),
    }
}

fn nothing_left(arguments: Arguments, command: &CommandHelp) -> Result<(), UsageError> {
    match arguments.finish().first() {
        None => Ok(()),
        Some(left) => {
            let left = left.to_string_lossy();
            if left.starts_with('-') {
                return Err(stray_flag(&left, command));
            }
            if command.words.is_empty() && help::find(&[left.as_ref()]).is_some() {
                return Err(UsageError(format!(
                    "write the command before its flags: `defender {left} ...`\n{}",
                    hint(command)
                )));
            }
            Err(UsageError(format!("{} takes no operand `{left}`\n{}", command.full_name(), hint(command))))
        }
    }
}

/// The error for a flag that was not consumed: it is unknown, or given too often.
fn stray_flag(stray: &str, command: &CommandHelp) -> UsageError {
    let (name, has_value) = match stray.split_once('=') {
        Some((name, _)) => (name, true),
        None => (stray, false),
    };
    let known = command.all_flags().find(|flag| flag.long == name || flag.short == name);
    let wrong = match known {
        Some(flag) if flag.value.is_empty() && has_value => format!("`{name}` takes no value"),
        Some(_) => format!("`{name}` is given twice, or next to a flag that excludes it"),
        None => {
            let longs: Vec<&str> = command.all_flags().map(|flag| flag.long).collect();
            let near = did_you_mean(name, &longs);
            format!("{} has no flag `{name}`{near}", command.full_name())
        }
    };
    UsageError(format!("{wrong}\n{}", hint(command)))
}

fn hint(command: &CommandHelp) -> String {
    format!("see `{} --help`", command.full_name())
}

#[cfg(test)]
mod tests;
