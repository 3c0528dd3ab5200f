//! The table of commands and flags, from which help texts, known words and suggestions come.

use std::fmt::Write;

/// A flag of a command.
#[derive(Debug)]
pub struct Flag {
    /// Short form such as `-c`; empty if there is none.
    pub short: &'static str,
    /// Long form such as `--config`.
    pub long: &'static str,
    /// The name of its value; empty for a flag without one.
    pub value: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// The help of a command.
#[derive(Debug)]
pub struct CommandHelp {
    /// The words after `defender`; none for the program itself.
    pub words: &'static [&'static str],
    /// The operands in the usage line.
    pub operands: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Its flags. Every command also has `--help`.
    pub flags: &'static [&'static [Flag]],
}

const fn flag(short: &'static str, long: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { short, long, value, about }
}

const CONFIG: [Flag; 1] = [flag(
    "-c",
    "--config",
    "FILE",
    "configuration file; default: the first that exists of ./defender.conf, ~/.defender/defender.conf, \
     /etc/defender/defender.conf",
)];

const OVERRIDES: [Flag; 9] = [
    flag("-w", "--web-root", "DIR", "serve this folder instead of the built-in page"),
    flag("-l", "--log", "FILE", "log to this file instead of standard error"),
    flag("-a", "--address", "ADDRESS", "listen on this address, or on several, separated by commas"),
    flag("-p", "--port", "PORT", "listen on this port"),
    flag("-s", "--secure", "CERT", "certificate chain, PEM"),
    flag("-k", "--key", "KEY", "key of the certificate, PEM"),
    flag("-u", "--user-db", "FILE", "user file"),
    flag("-m", "--mode", "MODE", "both, client (streams and API, no page) or server (page, no devices)"),
    flag("-d", "--debug", "", "log more"),
];

const USERS: [Flag; 1] = [flag("-u", "--user-db", "FILE", "user file; default: that of the configuration")];

const ROLE: [Flag; 1] = [flag("", "--role", "ROLE", "admin or viewer")];

const CONFINED: [Flag; 2] = [
    flag(
        "",
        "--cameras",
        "NAMES",
        "only these cameras, separated by commas, and no microphone that is not named",
    ),
    flag(
        "",
        "--microphones",
        "NAMES",
        "only these microphones, separated by commas, and no camera that is not named",
    ),
];

const PAST: [Flag; 1] = [flag("", "--past", "yes|no", "whether recordings and events may be seen")];

const DISK: [Flag; 1] =
    [flag("", "--disk", "", "write to the disk of recordings for 3 s, and tell how fast it is")];

const UNCONFINED: [Flag; 1] = [flag("", "--unconfined", "", "allow all cameras and microphones again")];

const CERTIFICATE: [Flag; 2] = [
    flag("-s", "--secure", "CERT", "certificate chain, PEM; default: that of the configuration"),
    flag("-k", "--key", "KEY", "key of the certificate, PEM; default: that of the configuration"),
];

const AUTHORITY: [Flag; 1] = [flag("", "--ca", "", "also make a new CA, which each device must then trust")];

const JSON: [Flag; 1] = [flag("", "--json", "", "print the server's answer as JSON")];

const SAVE: [Flag; 1] = [flag("", "--save", "", "save it for the next start")];

const OWNER: [Flag; 1] = [flag("", "--user", "NAME", "the user that the token signs in")];

const STDIN: [Flag; 1] =
    [flag("", "--password-stdin", "", "read the password from the first line of standard input")];

const PASSWORD: [Flag; 1] = [flag("", "--password", "", "also ask for a new password")];

const YES: [Flag; 1] = [flag("", "--yes", "", "do not ask for confirmation")];

const TOP: [Flag; 2] = [
    flag("", "--list-devices", "", "list cameras and microphones with their formats"),
    flag("-V", "--version", "", "print the version"),
];

const HELP: [Flag; 1] = [flag("-h", "--help", "", "print this help")];

/// All commands; the program itself comes first.
pub const COMMANDS: [CommandHelp; 22] = [
    CommandHelp {
        words: &[],
        operands: "[COMMAND]",
        about: "A private camera server. Without a command it runs the server.",
        flags: &[&CONFIG, &OVERRIDES, &TOP],
    },
    CommandHelp {
        words: &["run"],
        operands: "",
        about: "Run the server until SIGTERM or SIGINT; SIGHUP reads the configuration again.",
        flags: &[&CONFIG, &OVERRIDES],
    },
    CommandHelp {
        words: &["check"],
        operands: "",
        about: "Explain the configuration and what each camera would deliver, without starting the server. Fails if \
                the server would not start, if a camera that is named by its device gives no picture, or if nothing \
                can be recorded.",
        flags: &[&CONFIG, &OVERRIDES, &DISK],
    },
    CommandHelp {
        words: &["status"],
        operands: "",
        about: "Show the status of the server that runs on this machine.",
        flags: &[&CONFIG, &USERS, &JSON],
    },
    CommandHelp {
        words: &["service"],
        operands: "[video|audio|recording|motion start|stop]",
        about: "Stop or start a service of the running server; without operands show what runs.",
        flags: &[&CONFIG, &USERS, &JSON],
    },
    CommandHelp {
        words: &["logging"],
        operands: "[off|error|warn|info|debug|trace]",
        about: "Change the log level of the running server; without an operand show it.",
        flags: &[&CONFIG, &USERS, &JSON, &SAVE],
    },
    CommandHelp {
        words: &["settings"],
        operands: "list|reset",
        about: "Show which settings of defender.conf are overridden by changes that were saved, or take them back.",
        flags: &[],
    },
    CommandHelp {
        words: &["settings", "list"],
        operands: "",
        about: "List the overrides: who saved each and when, and what defender.conf says.",
        flags: &[&CONFIG, &USERS, &JSON],
    },
    CommandHelp {
        words: &["settings", "reset"],
        operands: "[NAME]",
        about: "Take back an override such as camera.front.fps, or all of them; a running server follows at once.",
        flags: &[&CONFIG, &USERS],
    },
    CommandHelp {
        words: &["certificate"],
        operands: "show|renew|export",
        about: "Show or renew the certificate that Defender made, or export its CA for devices to trust.",
        flags: &[],
    },
    CommandHelp {
        words: &["certificate", "show"],
        operands: "",
        about: "Show who made the certificate, its names and validity, and the fingerprints of key and CA.",
        flags: &[&CONFIG, &CERTIFICATE],
    },
    CommandHelp {
        words: &["certificate", "renew"],
        operands: "",
        about: "Make a new certificate for the same key. A running server loads it; it also renews in time by itself.",
        flags: &[&CONFIG, &CERTIFICATE, &AUTHORITY],
    },
    CommandHelp {
        words: &["certificate", "export"],
        operands: "[pem|der|mobileconfig]",
        about: "Print the certificate of this board's CA: as PEM, as DER, or as a profile for iOS and macOS.",
        flags: &[&CONFIG, &CERTIFICATE],
    },
    CommandHelp {
        words: &["user"],
        operands: "add|edit|remove|list",
        about: "Edit the user file. A running server applies the changes at once.",
        flags: &[],
    },
    CommandHelp {
        words: &["user", "add"],
        operands: "NAME",
        about: "Add a user. The first user is an admin and later ones are viewers, unless --role is given.",
        flags: &[&CONFIG, &USERS, &ROLE, &CONFINED, &PAST, &STDIN],
    },
    CommandHelp {
        words: &["user", "edit"],
        operands: "NAME",
        about: "Change a user: a new password, or what the flags say. This ends the user's sessions and streams.",
        flags: &[&CONFIG, &USERS, &ROLE, &CONFINED, &UNCONFINED, &PAST, &PASSWORD, &STDIN],
    },
    CommandHelp {
        words: &["user", "remove"],
        operands: "NAME",
        about: "Remove a user with all tokens, sessions and streams.",
        flags: &[&CONFIG, &USERS, &YES],
    },
    CommandHelp {
        words: &["user", "list"],
        operands: "",
        about: "List the users, their roles and confinements.",
        flags: &[&CONFIG, &USERS],
    },
    CommandHelp {
        words: &["token"],
        operands: "add|remove|list",
        about: "Edit the tokens: secrets for programs, used as Bearer token or in place of a password.",
        flags: &[],
    },
    CommandHelp {
        words: &["token", "add"],
        operands: "NAME",
        about: "Add a token and print it once. A confined token has the role viewer.",
        flags: &[&CONFIG, &USERS, &OWNER, &CONFINED],
    },
    CommandHelp {
        words: &["token", "remove"],
        operands: "NAME",
        about: "Remove a token. Its sessions and streams end.",
        flags: &[&CONFIG, &USERS],
    },
    CommandHelp {
        words: &["token", "list"],
        operands: "",
        about: "List the tokens, their users and confinements.",
        flags: &[&CONFIG, &USERS],
    },
];

/// The command of exactly these words.
pub fn find(words: &[&str]) -> Option<&'static CommandHelp> {
    COMMANDS.iter().find(|command| command.words == words)
}

impl CommandHelp {
    /// All its flags, `--help` last.
    pub fn all_flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.flags.iter().copied().chain(std::iter::once(HELP.as_slice())).flatten()
    }

    /// The commands one word longer.
    pub fn children(&self) -> impl Iterator<Item = &'static CommandHelp> {
        let words = self.words;
        COMMANDS
            .iter()
            .filter(move |other| other.words.len() == words.len() + 1 && other.words.starts_with(words))
    }

    /// Its words with the program's name before them.
    pub fn full_name(&self) -> String {
        ["defender"].iter().chain(self.words).copied().collect::<Vec<_>>().join(" ")
    }

    /// The help text, within 80 columns.
    pub fn help(&self) -> String {
        let mut text = String::new();
        wrap(&mut text, self.about, 0);
        let gap = if self.operands.is_empty() { "" } else { " " };
        let _ = writeln!(text, "\nUsage: {}{gap}{} [FLAGS]", self.full_name(), self.operands);
        let children: Vec<_> = self.children().map(|child| (child.words.join(" "), child.about)).collect();
        list(&mut text, "Commands", &children);
        let flags: Vec<_> = self.all_flags().map(|flag| (flag.spelled(), flag.about)).collect();
        list(&mut text, "Flags", &flags);
        if self.words.is_empty() {
            text.push_str(
                "\nSee `defender help COMMAND`. Exit codes: 0 success, 1 failure, 2 wrong usage\n\
                 or an error in the configuration.\n",
            );
        }
        text
    }
}

impl Flag {
    fn spelled(&self) -> String {
        let short = if self.short.is_empty() { "    ".to_owned() } else { format!("{}, ", self.short) };
        format!("{short}{} {}", self.long, self.value).trim_end().to_owned()
    }
}

fn list(text: &mut String, title: &str, rows: &[(String, &str)]) {
    if rows.is_empty() {
        return;
    }
    let _ = write!(text, "\n{title}:\n");
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    for (left, about) in rows {
        let _ = write!(text, "  {left:width$}  ");
        wrap(text, about, width + 4);
    }
}

/// Appends words, wrapped at 80 columns; later lines start at `indent`.
fn wrap(text: &mut String, words: &str, indent: usize) {
    let mut column = indent;
    for (number, word) in words.split_whitespace().enumerate() {
        if number > 0 && column + 1 + word.len() > 80 {
            let _ = write!(text, "\n{:indent$}", "");
            column = indent;
        } else if number > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_all_flags_and_subcommands_in_80_columns() {
        for command in &COMMANDS {
            let help = command.help();
            for flag in command.all_flags() {
                assert!(help.contains(flag.long), "{} is missing in\n{help}", flag.long);
            }
            for child in command.children() {
                assert!(help.contains(&child.words.join(" ")), "{help}");
            }
            assert!(help.lines().all(|line| line.len() <= 80), "{help}");
        }
    }

    #[test]
    fn the_man_page_has_each_command_and_flag_and_no_other() {
        let page = man_page();
        let has = |line: &str| assert!(page.lines().any(|other| other == line), "no {line:?} in\n{page}");
        for command in &COMMANDS {
            // What only leads to others, and the program itself, stand in no line of their own.
            if command.children().next().is_none() {
                has(format!("{} {}", command.full_name(), command.operands).trim_end());
            }
            for flag in command.all_flags() {
                has(flag.spelled().trim_start());
            }
        }
        let flags = || COMMANDS.iter().flat_map(CommandHelp::all_flags);
        for word in page.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(flags().any(|flag| flag.long == word), "{word} is no flag");
        }
        for line in page.lines().filter_map(|line| line.strip_prefix("defender ")) {
            let known = |command: &CommandHelp| line.starts_with(&command.words.join(" "));
            let other = line.starts_with("- ") || line.starts_with("help");
            assert!(other || COMMANDS[1..].iter().any(known), "{line} is no command");
        }
    }

    /// Its text without fonts, escapes and macros.
    fn man_page() -> String {
        let mut text = include_str!("../../packaging/defender.1").replace("\\-", "-");
        for font in ["\\fB", "\\fI", "\\fR", ".BR ", ".IR ", ".B ", ".I "] {
            text = text.replace(font, "");
        }
        text
    }
}
