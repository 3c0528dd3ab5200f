//! The one table of commands and flags: help texts, known words and hints all come from it.

use std::fmt::Write;

/// A flag of a command.
#[derive(Debug)]
pub struct Flag {
    /// Short form such as `-c`; empty when there is none.
    pub short: &'static str,
    /// Long form such as `--config`.
    pub long: &'static str,
    /// What its value is called; empty for a flag without one.
    pub value: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// A command, by the words that call it.
#[derive(Debug)]
pub struct Command {
    /// The words after `defender`; none for the program itself.
    pub words: &'static [&'static str],
    /// What stands behind the words in the usage line.
    pub operands: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Its flags; `--help` is one of every command.
    pub flags: &'static [&'static [Flag]],
}

const fn flag(short: &'static str, long: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { short, long, value, about }
}

const CONFIG: [Flag; 1] = [flag(
    "-c",
    "--config",
    "FILE",
    "configuration file; else ./defender.conf, ~/.defender/defender.conf, /etc/defender/defender.conf",
)];

const OVERRIDES: [Flag; 9] = [
    flag("-w", "--web-root", "DIR", "serve this folder in place of the built-in page"),
    flag("-l", "--log", "FILE", "log to this file in place of standard error"),
    flag("-a", "--address", "ADDRESS", "listen on this address, or these, with commas between them"),
    flag("-p", "--port", "PORT", "listen on this port"),
    flag("-s", "--secure", "CERT", "certificate chain, PEM"),
    flag("-k", "--key", "KEY", "key of the certificate, PEM"),
    flag("-u", "--user-db", "FILE", "user file"),
    flag("-m", "--mode", "MODE", "both, client (no page) or server (no devices)"),
    flag("-d", "--debug", "", "log more"),
];

const USERS: [Flag; 1] = [flag("-u", "--user-db", "FILE", "user file; else the one the configuration names")];

const ROLE: [Flag; 1] = [flag("", "--role", "ROLE", "admin or viewer")];

const CONFINED: [Flag; 2] = [
    flag(
        "",
        "--cameras",
        "NAMES",
        "only these cameras, with commas between them, and no microphone that is not named",
    ),
    flag(
        "",
        "--microphones",
        "NAMES",
        "only these microphones, with commas between them, and no camera that is not named",
    ),
];

const UNCONFINED: [Flag; 1] = [flag("", "--unconfined", "", "all cameras and microphones again")];

const CERTIFICATE: [Flag; 2] = [
    flag("-s", "--secure", "CERT", "certificate chain, PEM; else the one the configuration names"),
    flag("-k", "--key", "KEY", "key of the certificate, PEM; else the one the configuration names"),
];

const AUTHORITY: [Flag; 1] =
    [flag("", "--ca", "", "make a new CA, too; each device then has to trust it anew")];

const JSON: [Flag; 1] = [flag("", "--json", "", "print the server's answer as it is")];

const SAVE: [Flag; 1] = [flag("", "--save", "", "save it for the next start")];

const OWNER: [Flag; 1] = [flag("", "--user", "NAME", "the user it lets in")];

const STDIN: [Flag; 1] =
    [flag("", "--password-stdin", "", "read the password from the first line of standard input")];

const PASSWORD: [Flag; 1] = [flag("", "--password", "", "ask for a new password along with other flags")];

const YES: [Flag; 1] = [flag("", "--yes", "", "do not ask")];

const TOP: [Flag; 2] = [
    flag("", "--list-devices", "", "list cameras and microphones with what they can do"),
    flag("-V", "--version", "", "print the version"),
];

const HELP: [Flag; 1] = [flag("-h", "--help", "", "print this help")];

/// Every command there is; the program itself comes first.
pub const COMMANDS: [Command; 22] = [
    Command {
        words: &[],
        operands: "[COMMAND]",
        about: "A private camera server. Without a command: run.",
        flags: &[&CONFIG, &OVERRIDES, &TOP],
    },
    Command {
        words: &["run"],
        operands: "",
        about: "Run the server until SIGTERM or SIGINT; SIGHUP reads the configuration again.",
        flags: &[&CONFIG, &OVERRIDES],
    },
    Command {
        words: &["check"],
        operands: "",
        about: "Say what the configuration means and what each camera would give; start nothing. Fails where the \
                server would not start, or a camera gives no picture.",
        flags: &[&CONFIG, &OVERRIDES],
    },
    Command {
        words: &["status"],
        operands: "",
        about: "Say how the server is that runs on this machine.",
        flags: &[&CONFIG, &USERS, &JSON],
    },
    Command {
        words: &["service"],
        operands: "[video|audio start|stop]",
        about: "Stop capture in the running server, or start it; without words say what runs.",
        flags: &[&CONFIG, &USERS, &JSON],
    },
    Command {
        words: &["logging"],
        operands: "[off|error|warn|info|debug|trace]",
        about: "Change how much the running server logs; without a word say how much.",
        flags: &[&CONFIG, &USERS, &JSON, &SAVE],
    },
    Command {
        words: &["settings"],
        operands: "list|reset",
        about: "Show which settings of defender.conf are overridden by changes that were saved, or take them back.",
        flags: &[],
    },
    Command {
        words: &["settings", "list"],
        operands: "",
        about: "List the overrides: who saved each and when, and what defender.conf says.",
        flags: &[&CONFIG, &USERS, &JSON],
    },
    Command {
        words: &["settings", "reset"],
        operands: "[NAME]",
        about: "Take back an override such as camera.front.fps, or all of them; a running server follows at once.",
        flags: &[&CONFIG, &USERS],
    },
    Command {
        words: &["certificate"],
        operands: "show|renew|export",
        about: "Show or renew the certificate that Defender made, or export its CA for devices to trust.",
        flags: &[],
    },
    Command {
        words: &["certificate", "show"],
        operands: "",
        about: "Say whose the certificate is, for which names and how long, and the fingerprints of key and CA.",
        flags: &[&CONFIG, &CERTIFICATE],
    },
    Command {
        words: &["certificate", "renew"],
        operands: "",
        about: "Make a new certificate for the same key; a running server follows. It does so by itself in time.",
        flags: &[&CONFIG, &CERTIFICATE, &AUTHORITY],
    },
    Command {
        words: &["certificate", "export"],
        operands: "[pem|der|mobileconfig]",
        about: "Print the certificate of this board's CA: as PEM, as DER, or as a profile for iOS and macOS.",
        flags: &[&CONFIG, &CERTIFICATE],
    },
    Command {
        words: &["user"],
        operands: "add|edit|remove|list",
        about: "Edit the user file; a running server follows by itself.",
        flags: &[],
    },
    Command {
        words: &["user", "add"],
        operands: "NAME",
        about: "Add a user. The first one is an admin, later ones viewers, unless --role says otherwise.",
        flags: &[&CONFIG, &USERS, &ROLE, &CONFINED, &STDIN],
    },
    Command {
        words: &["user", "edit"],
        operands: "NAME",
        about: "Give a user a new password, or what the flags say. It ends the user's sessions and streams.",
        flags: &[&CONFIG, &USERS, &ROLE, &CONFINED, &UNCONFINED, &PASSWORD, &STDIN],
    },
    Command {
        words: &["user", "remove"],
        operands: "NAME",
        about: "Remove a user with the user's tokens, sessions and streams.",
        flags: &[&CONFIG, &USERS, &YES],
    },
    Command {
        words: &["user", "list"],
        operands: "",
        about: "List the users, their roles and what they are confined to.",
        flags: &[&CONFIG, &USERS],
    },
    Command {
        words: &["token"],
        operands: "add|remove|list",
        about: "Edit the tokens: secrets for programs, used as Bearer or in place of a password.",
        flags: &[],
    },
    Command {
        words: &["token", "add"],
        operands: "NAME",
        about: "Add a token and print it, this once. A confined one is a viewer's, whoever the user is.",
        flags: &[&CONFIG, &USERS, &OWNER, &CONFINED],
    },
    Command {
        words: &["token", "remove"],
        operands: "NAME",
        about: "Remove a token; whoever came in by it is out.",
        flags: &[&CONFIG, &USERS],
    },
    Command {
        words: &["token", "list"],
        operands: "",
        about: "List the tokens, whose they are and what they are confined to.",
        flags: &[&CONFIG, &USERS],
    },
];

/// The command that exactly these words call.
pub fn find(words: &[&str]) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.words == words)
}

impl Command {
    /// All its flags, `--help` last.
    pub fn all_flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.flags.iter().copied().chain(std::iter::once(HELP.as_slice())).flatten()
    }

    /// The commands one word longer.
    pub fn children(&self) -> impl Iterator<Item = &'static Command> {
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
            text.push_str("\n`defender help COMMAND` tells more. Exit codes: 0 well, 1 failed, 2 misused.\n");
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

/// Appends words, broken at 80 columns; later lines start at `indent`.
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
    fn the_help_of_each_command_names_its_flags_and_children_within_80_columns() {
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
        let flags = || COMMANDS.iter().flat_map(Command::all_flags);
        for word in page.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(flags().any(|flag| flag.long == word), "{word} is no flag");
        }
        for line in page.lines().filter_map(|line| line.strip_prefix("defender ")) {
            let known = |command: &Command| line.starts_with(&command.words.join(" "));
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
