//! The table of `[server]`: a row for each setting, in the order of defender.conf.

use super::{Form, Setting, Value};
use crate::base::level;
use crate::config::paths::Paths;
use crate::config::read::Section;
use crate::config::{Mode, ServerConfig};
use log::LevelFilter;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

/// Longest life of a session, in seconds: a year.
const SESSION_MOST_S: u32 = 365 * 24 * 3600;

/// `[server]`.
pub static SERVER: [Setting<ServerConfig>; 21] = [
    Setting::<ServerConfig>::new(
        "mode",
        "What is served",
        Form::Choice(|| Mode::NAMES.map(|(name, _)| name).to_vec()),
        |server| server.mode.name().into(),
        |server, value| server.mode = Mode::from_name(value.text()).unwrap_or(server.mode),
    ),
    Setting::<ServerConfig>::own("address", "Addresses", read_addresses, |server| {
        Value::List(server.addresses.iter().map(|address| address.to_string().into()).collect())
    }),
    Setting::<ServerConfig>::new(
        "port",
        "Port",
        Form::Integer(0..=65535),
        |server| u32::from(server.port).into(),
        |server, value| server.port = u16::try_from(value.number()).unwrap_or(server.port),
    ),
    Setting::<ServerConfig>::new(
        "tls",
        "HTTPS",
        Form::Boolean,
        |server| server.tls.into(),
        |server, value| server.tls = value.is_true(),
    ),
    Setting::<ServerConfig>::own("user", "System user", read_system_user, |server| {
        server.user.as_deref().unwrap_or_default().into()
    }),
    Setting::<ServerConfig>::own(
        "cert",
        "Certificate",
        |server, section, paths| section.path("cert", paths, &mut server.cert),
        |server| path_value(&server.cert),
    ),
    Setting::<ServerConfig>::own(
        "key",
        "Key of the certificate",
        |server, section, paths| section.path("key", paths, &mut server.key),
        |server| path_value(&server.key),
    ),
    Setting::<ServerConfig>::new(
        "names",
        "Names in the certificate",
        Form::Texts(
            "a list of names and addresses such as [\"cam.example.org\", \"203.0.113.5\"], without port or path",
            is_host,
        ),
        |server| server.names.as_slice().into(),
        |server, value| server.names = value.texts(),
    ),
    Setting::<ServerConfig>::own(
        "users",
        "User file",
        |server, section, paths| section.path("users", paths, &mut server.users),
        |server| path_value(&server.users),
    ),
    Setting::<ServerConfig>::own(
        "socket",
        "Socket for commands",
        |server, section, paths| section.optional_path("socket", paths, &mut server.socket),
        |server| optional_path_value(server.socket.as_deref()),
    ),
    Setting::<ServerConfig>::own(
        "www",
        "Folder of the page",
        |server, section, paths| section.optional_path("www", paths, &mut server.www),
        |server| optional_path_value(server.www.as_deref()),
    ),
    Setting::<ServerConfig>::own(
        "log",
        "Log file",
        |server, section, paths| section.optional_path("log", paths, &mut server.log),
        |server| optional_path_value(server.log.as_deref()),
    ),
    Setting::<ServerConfig>::new(
        "log_level",
        "Log level",
        Form::Choice(|| level::LEVELS.map(|(name, _)| name).to_vec()),
        |server| level::name(server.log_level).into(),
        |server, value| server.log_level = level::from_name(value.text()).unwrap_or(server.log_level),
    )
    .live(),
    Setting::<ServerConfig>::own(
        "audit_log",
        "Audit log",
        |server, section, paths| section.optional_path("audit_log", paths, &mut server.audit_log),
        |server| optional_path_value(server.audit_log.as_deref()),
    ),
    Setting::<ServerConfig>::new(
        "session_idle_s",
        "Seconds until an unused session ends",
        Form::Integer(1..=SESSION_MOST_S),
        |server| seconds(server.session_idle),
        |server, value| server.session_idle = Duration::from_secs(value.number().into()),
    ),
    Setting::<ServerConfig>::new(
        "session_max_s",
        "Seconds until a session ends",
        Form::Integer(1..=SESSION_MOST_S),
        |server| seconds(server.session_max),
        |server, value| server.session_max = Duration::from_secs(value.number().into()),
    ),
    Setting::<ServerConfig>::new(
        "cors_origins",
        "Sites that may read the answers",
        Form::Texts(
            "a list of origins such as [\"https://panel.example\"], as browsers send them: in small ASCII letters, and \
             without the usual port",
            is_origin,
        ),
        |server| server.cors_origins.as_slice().into(),
        |server, value| server.cors_origins = value.texts(),
    ),
    Setting::<ServerConfig>::new(
        "hsts_s",
        "Seconds of Strict-Transport-Security",
        Form::Integer(0..=2 * 365 * 24 * 3600),
        |server| server.hsts_s.into(),
        |server, value| server.hsts_s = value.number(),
    ),
    Setting::<ServerConfig>::new(
        "memory_mb",
        "MiB for large buffers",
        Form::Integer(0..=2048),
        |server| server.memory_mb.into(),
        |server, value| server.memory_mb = value.number(),
    ),
    Setting::<ServerConfig>::new(
        "max_connections",
        "Connections at a time",
        Form::Integer(1..=4096),
        |server| server.max_connections.into(),
        |server, value| server.max_connections = value.number(),
    ),
    Setting::<ServerConfig>::new(
        "max_connections_per_address",
        "Connections at a time from one address",
        Form::Integer(1..=4096),
        |server| server.max_connections_per_address.into(),
        |server, value| server.max_connections_per_address = value.number(),
    ),
];

/// The server with all defaults; its files lie in `folder`.
pub(in crate::config) fn default_server(folder: &Path) -> ServerConfig {
    ServerConfig {
        mode: Mode::Both,
        addresses: vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        port: 8443,
        tls: true,
        user: None,
        cert: folder.join("server.pem"),
        key: folder.join("key.pem"),
        names: Vec::new(),
        users: folder.join("users"),
        socket: None,
        www: None,
        log: None,
        log_level: LevelFilter::Info,
        audit_log: None,
        session_idle: Duration::from_secs(12 * 3600),
        session_max: Duration::from_secs(30 * 24 * 3600),
        cors_origins: Vec::new(),
        hsts_s: 0,
        memory_mb: 0,
        max_connections: 128,
        max_connections_per_address: 64,
    }
}

fn read_addresses(server: &mut ServerConfig, section: &Section<'_>, _paths: &Paths<'_>) {
    let expected = "an IP address such as \"::\" or \"127.0.0.1\", or a list of them";
    let default = std::mem::take(&mut server.addresses);
    let read = |found: &str| found.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    server.addresses = section.one_or_more("address", expected, default, read);
}

fn read_system_user(server: &mut ServerConfig, section: &Section<'_>, _paths: &Paths<'_>) {
    let expected = "the name of a system user, or \"\"";
    server.user = section.string("user", expected, None, |found| match found {
        "" => Some(None),
        name => is_system_name(name).then(|| Some(name.to_owned())),
    });
}

/// Whether a browser could send this as an `Origin` (RFC 6454, section 6.2): a scheme, a host, perhaps a
/// port other than the usual one of the scheme, and nothing behind.
fn is_origin(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    [("https://", ":443"), ("http://", ":80")].iter().any(|(scheme, port)| {
        let host = text.strip_prefix(scheme).filter(|host| !host.is_empty() && !host.ends_with(port));
        host.is_some_and(|host| host.bytes().all(is_plain))
    })
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

pub(super) fn seconds(duration: Duration) -> Value {
    Value::Integer(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

fn path_value(path: &Path) -> Value {
    path.display().to_string().into()
}

fn optional_path_value(path: Option<&Path>) -> Value {
    path.map_or_else(|| "".into(), path_value)
}
