//! The sections of defender.conf. Keys of cameras and microphones are in `settings`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use log::LevelFilter;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::paths::Paths;
use super::read::{Document, Section, shown};
use super::settings::{CAMERA, MICROPHONE, SERVER, default_camera, default_microphone};
use super::{Config, Mode, ServerConfig};
use crate::base::{did_you_mean, names};
use crate::client::Fingerprint;
use crate::remote::{RemoteSettings, Token, parse_address};
use crate::source::{CameraSettings, MicrophoneSettings};

const SECTIONS: [&str; 4] = ["server", "camera", "microphone", "remote"];

/// Most cameras, most microphones and most other Defenders: each has a thread.
const MOST_SECTIONS: usize = 64;

/// Longest life of a session, in seconds: a year.
const SESSION_MOST_S: u32 = 365 * 24 * 3600;

/// Checks a whole document. Relative paths start at `folder`, `~` at `home`.
///
/// # Errors
/// Every mistake, each with file, line and column.
pub(crate) fn parse(
    text: &str,
    file: &Path,
    folder: &Path,
    home: Option<&Path>,
) -> Result<Config, Vec<String>> {
    let document = Document::new(text, file);
    let (root, faults) = DeTable::parse_recoverable(text);
    note_faults(&document, text, faults);
    let root = root.into_inner();
    let config = Parser { document: &document, paths: Paths { folder, home } }.config(&root);
    let problems = document.into_problems();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Records what is not TOML.
pub(super) fn note_faults(document: &Document<'_>, text: &str, faults: Vec<toml::de::Error>) {
    for fault in faults {
        let place = fault.span().unwrap_or(0..0);
        // The parser names what it found, not where: a word of the text helps to find it.
        match text.get(place.clone()).map(str::trim).filter(|met| (1..=40).contains(&met.len())) {
            Some(met) if fault.message().contains("duplicate key") => {
                let message = format!("`{}` is set a second time here; remove one of the two", shown(met));
                document.problem(place, message);
            }
            Some(met) => document.problem(place, format_args!("{} at `{}`", fault.message(), shown(met))),
            None => document.problem(place, fault.message()),
        }
    }
}

pub(super) struct Parser<'a> {
    document: &'a Document<'a>,
    paths: Paths<'a>,
}

impl<'a> Parser<'a> {
    fn config(&self, root: &DeTable<'_>) -> Config {
        for (key, _) in root.iter().filter(|(key, _)| !SECTIONS.contains(&key.get_ref().as_ref())) {
            let hint = did_you_mean(key.get_ref(), &SECTIONS);
            let message = format!(
                "unknown section [{}]; there are [server], [camera.NAME], [microphone.NAME] and [remote.NAME]{hint}",
                shown(key.get_ref())
            );
            self.document.problem(key.span(), message);
        }
        let nothing = DeTable::new();
        let server = self.table(root, "server").unwrap_or(&nothing);
        Config {
            file: None,
            read_as: None,
            can_save: true,
            overrides: Vec::new(),
            server: self.server(Section::new(self.document, "server".to_owned(), server)),
            cameras: self.named(root, "camera", |name, section| camera(name, section, &self.paths)),
            microphones: self
                .named(root, "microphone", |name, section| microphone(name, section, &self.paths)),
            remotes: self
                .named(root, "remote", |name, section| remote(name, section, &self.paths))
                .into_iter()
                .flatten()
                .collect(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn table<'t>(&self, root: &'t DeTable<'t>, key: &str) -> Option<&'t DeTable<'t>> {
        let found = root.get(key)?;
        match found.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.document.problem(
                    found.span(),
                    format!(
                        "{key} is a section: write [{key}{}]",
                        if key == "server" { "" } else { ".NAME" }
                    ),
                );
                None
            }
        }
    }

    /// The sections `[kind.NAME]` in the order of the file.
    pub(super) fn named<T>(
        &self,
        root: &DeTable<'_>,
        kind: &'static str,
        read: impl Fn(String, &Section<'_>) -> T,
    ) -> Vec<T> {
        let Some(tables) = self.table(root, kind) else { return Vec::new() };
        let mut entries: Vec<_> = tables.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        if let Some((name, _)) = entries.get(MOST_SECTIONS) {
            let message =
                format!("{} sections [{kind}.NAME]; expected at most {MOST_SECTIONS}", entries.len());
            self.document.problem(name.span(), message);
            entries.truncate(MOST_SECTIONS);
        }
        let mut seen = HashSet::new();
        let mut values = Vec::new();
        for (name, value) in entries {
            self.check_name(kind, name, &seen);
            seen.insert(name.get_ref().to_ascii_lowercase());
            let DeValue::Table(table) = value.get_ref() else {
                let message = format!(
                    "`{}` in [{kind}] is not a section: write [{kind}.NAME] and its keys below",
                    shown(name.get_ref())
                );
                self.document.problem(value.span(), message);
                continue;
            };
            let section = Section::new(self.document, format!("{kind}.{}", shown(name.get_ref())), table);
            values.push(read(name.get_ref().to_string(), &section));
            section.finish();
        }
        values
    }

    fn check_name<'i>(&self, kind: &str, name: &Spanned<std::borrow::Cow<'i, str>>, seen: &HashSet<String>) {
        let text = name.get_ref();
        if !names::is_name(text) {
            let message = format!(
                "{kind} name `{}`; expected 1 to 32 letters, digits, - or _, because it becomes part of a URL",
                shown(text)
            );
            self.document.problem(name.span(), message);
        } else if seen.contains(&text.to_ascii_lowercase()) {
            self.document.problem(
                name.span(),
                format!(
                    "a second {kind} is named `{text}`; names must differ in more than upper and lower case"
                ),
            );
        }
    }

    fn server(&self, section: Section<'_>) -> ServerConfig {
        let path = |key, default: &str| {
            section.string(key, &self.paths.expected("a path"), self.paths.folder.join(default), |found| {
                self.paths.resolve(found).filter(|_| !found.is_empty())
            })
        };
        let optional = |key| {
            section.string(key, &self.paths.expected("a path, or \"\" for none"), None, |found| match found {
                "" => Some(None),
                path => self.paths.resolve(path).map(Some),
            })
        };
        let seconds =
            |key, default| Duration::from_secs(section.integer(key, 1..=SESSION_MOST_S, default).into());
        let mut server = ServerConfig {
            mode: section.choice("mode", &Mode::NAMES, Mode::Both),
            addresses: section.one_or_more(
                "address",
                "an IP address such as \"::\" or \"127.0.0.1\", or a list of them",
                vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
                |found| found.parse::<IpAddr>().ok().map(|address| address.to_canonical()),
            ),
            port: section.integer("port", 0..=65535, 8443).try_into().expect("the range is that of a port"),
            tls: section.boolean("tls", true),
            user: section.string("user", "the name of a system user, or \"\"", None, |found| match found {
                "" => Some(None),
                name => is_system_name(name).then(|| Some(name.to_owned())),
            }),
            cert: path("cert", "server.pem"),
            key: path("key", "key.pem"),
            names: section.strings(
                "names",
                "a list of names and addresses such as [\"cam.example.org\", \"203.0.113.5\"], without port or path",
                is_host,
            ),
            socket: optional("socket"),
            users: path("users", "users"),
            www: optional("www"),
            log: optional("log"),
            log_level: LevelFilter::Info,
            audit_log: optional("audit_log"),
            session_idle: seconds("session_idle_s", 12 * 3600),
            session_max: seconds("session_max_s", 30 * 24 * 3600),
            cors_origins: section.strings(
                "cors_origins",
                "a list of origins such as [\"https://panel.example\"]",
                is_origin,
            ),
            hsts_s: section.integer("hsts_s", 0..=2 * 365 * 24 * 3600, 0),
            memory_mb: section.integer("memory_mb", 0..=2048, 0),
            max_connections: section.integer("max_connections", 1..=4096, 128),
            max_connections_per_address: section.integer("max_connections_per_address", 1..=4096, 64),
        };
        SERVER.iter().for_each(|setting| setting.read(&mut server, &section, &self.paths));
        section.finish();
        server
    }
}

/// Whether a browser could send this as an `Origin` (RFC 6454, section 6.2): a scheme, a host, perhaps a
/// port, and nothing behind.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_plain))
}

/// Whether this could be the name or address of a host. Which names a certificate can have is not checked here.
fn is_host(text: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/:@*[]".contains(c);
    text.parse::<IpAddr>().is_ok() || !text.is_empty() && !text.contains(is_odd)
}

/// Whether a line of /etc/passwd could begin so. Whether the user exists is not checked here.
fn is_system_name(name: &str) -> bool {
    !name.bytes().any(|byte| byte == b':' || byte.is_ascii_control() || byte.is_ascii_whitespace())
}

fn camera(name: String, section: &Section<'_>, paths: &Paths<'_>) -> CameraSettings {
    let mut camera = default_camera(name);
    CAMERA.iter().for_each(|setting| setting.read(&mut camera, section, paths));
    camera.controls = section.numbers("controls");
    camera
}

fn microphone(name: String, section: &Section<'_>, paths: &Paths<'_>) -> MicrophoneSettings {
    let mut microphone = default_microphone(name);
    MICROPHONE.iter().for_each(|setting| setting.read(&mut microphone, section, paths));
    microphone
}

/// `None` where a required value is missing, which is recorded.
fn remote(name: String, section: &Section<'_>, paths: &Paths<'_>) -> Option<RemoteSettings> {
    let address = section.string(
        "url",
        "the address of another Defender such as \"https://attic:8443/\"; plain http is allowed to this machine only",
        None,
        |found| parse_address(found).map(Some),
    );
    let is_token = |found: &str| !found.is_empty() && found.bytes().all(|byte| byte.is_ascii_graphic());
    let token = section.string("token", "what `defender token add` printed there", None, |found| {
        is_token(found).then(|| Some(Token::Given(found.to_owned())))
    });
    let file = section.string("token_file", &paths.expected("a path"), None, |found| {
        paths.resolve(found).filter(|_| !found.is_empty()).map(|path| Some(Token::File(path)))
    });
    let fingerprint = section.string(
        "fingerprint",
        "`sha256:` and 64 hexadecimal digits, as the other Defender prints them when it starts",
        None,
        |found| Fingerprint::parse(found).map(Some),
    );
    let address = section.needed("url", address)?;
    let key = if section.has("token_file") { "token_file" } else { "token" };
    let token = section.needed(key, token.or(file))?;
    Some(RemoteSettings { name, address, token, fingerprint })
}

#[cfg(test)]
mod tests;
