//! `defender status`, `defender service`, `defender logging`, `defender settings`: commands to the server
//! that runs on this board, over its local socket. What is asked and answered is the API; this is its shortest client.

use std::error::Error;
use std::fmt;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use miniserde::json::{self, Number, Value};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use crate::base::text::{printable, printable_json};

/// What can be stopped and started, by its names in the API.
pub const SERVICES: [&str; 4] = ["video", "audio", "recording", "motion"];

/// Longest wait for an answer. Stopping a camera takes a second at most.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Largest answer read, in bytes.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A command to the server.
#[derive(Debug, PartialEq, Eq)]
pub enum BoardCommand {
    /// Show the status.
    Status,
    /// Show which services run, or start (true) or stop one of them.
    Service(Option<(String, bool)>),
    /// How much is logged, or log so much and perhaps save that.
    Logging(Option<String>, bool),
    /// What is overridden.
    Settings,
    /// Take back one override, or all.
    Reset(Option<String>),
}

/// Why there is no answer, or no successful one.
#[derive(Debug)]
pub enum BoardError {
    /// Nobody listens at the socket.
    NotRunning(PathBuf),
    /// The socket belongs to another user.
    Denied(PathBuf),
    /// The connection failed.
    Io(PathBuf, io::Error),
    /// The answer is not valid.
    Garbled(PathBuf),
    /// The server refused, with this message.
    Refused(String),
}

impl Error for BoardError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::NotRunning(_) | Self::Denied(_) | Self::Garbled(_) | Self::Refused(_) => None,
        }
    }
}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning(path) => write!(
                f,
                "{}: no server listens on this socket; start it, or name its configuration with -c",
                path.display()
            ),
            Self::Denied(path) => {
                write!(f, "{}: only root and the server's own user may connect; try sudo", path.display())
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Garbled(path) => {
                write!(f, "{}: the answer is not that of a Defender; restart the server", path.display())
            }
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// Sends a command to the server that listens at `socket`; returns the text to print, or the JSON of the answer
/// if `as_json`.
///
/// # Errors
/// See [`BoardError`].
pub fn run(command: &BoardCommand, socket: &Path, as_json: bool) -> Result<String, BoardError> {
    let (method, path, body) = request(command);
    let text = ask(socket, method, &path, &body)?;
    if as_json {
        return Ok(printable_json(&text).into_owned() + "\n");
    }
    let document = json::from_str(&text).map_err(|_| BoardError::Garbled(socket.to_owned()))?;
    Ok(match command {
        BoardCommand::Status => status(&document),
        BoardCommand::Service(None) => SERVICES.iter().map(|name| service(&document, name)).collect(),
        BoardCommand::Service(Some((name, _))) => running(name, &document),
        BoardCommand::Logging(..) => format!("{}\n", text_of(&document, "level")),
        BoardCommand::Settings | BoardCommand::Reset(_) => overrides(&document),
    })
}

fn request(command: &BoardCommand) -> (&'static str, String, String) {
    let path = |rest: &str| format!("/api/1.0/{rest}");
    match command {
        BoardCommand::Status => ("GET", path("status"), String::new()),
        BoardCommand::Service(None) => ("GET", path("services"), String::new()),
        BoardCommand::Service(Some((name, run))) => {
            ("PUT", path(&format!("services/{name}")), format!("{{\"running\":{run}}}"))
        }
        BoardCommand::Logging(None, _) => ("GET", path("logging"), String::new()),
        BoardCommand::Settings => ("GET", path("settings"), String::new()),
        BoardCommand::Reset(None) => ("DELETE", path("settings"), String::new()),
        BoardCommand::Reset(Some(name)) => {
            let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            ("DELETE", path(&format!("settings/{name}")), String::new())
        }
        BoardCommand::Logging(Some(level), keeps) => {
            // Any text is a JSON string once miniserde wrote it.
            let level = json::to_string(level);
            ("PUT", path("logging"), format!("{{\"level\":{level},\"save\":{keeps}}}"))
        }
    }
}

/// The body of a successful answer.
fn ask(socket: &Path, method: &str, path: &str, body: &str) -> Result<String, BoardError> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => BoardError::NotRunning(socket.to_owned()),
        ErrorKind::PermissionDenied => BoardError::Denied(socket.to_owned()),
        _ => BoardError::Io(socket.to_owned(), error),
    };
    let end = Instant::now() + TIMEOUT;
    let mut stream = connect(socket).map_err(failed)?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: board\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).map_err(failed)?;
    let answer = read_until(&mut stream, end).map_err(failed)?;
    let (code, text) = parse(&answer).ok_or_else(|| BoardError::Garbled(socket.to_owned()))?;
    if (200..300).contains(&code) {
        return Ok(text.to_owned());
    }
    let why = json::from_str(text).map(|document: Value| text_of(&document, "error"));
    Err(BoardError::Refused(why.unwrap_or_else(|_| format!("the server answers with error {code}"))))
}

/// Connects, without waiting longer than [`TIMEOUT`] for a server that fetches nobody.
fn connect(socket: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(socket)?;
    let open = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let stream = UnixStream::from(open);
    stream.set_write_timeout(Some(TIMEOUT))?;
    rustix::net::connect(&stream, &address)?;
    // Any other user could answer where the folder is open to all, as /tmp is.
    let peer = rustix::net::sockopt::socket_peercred(&stream)?.uid;
    let own = rustix::process::geteuid();
    if own.is_root() && !peer.is_root() {
        let why = format!(
            "user {} listens on the socket, but is neither root nor the owner of its folder",
            peer.as_raw()
        );
        return Err(io::Error::other(why));
    }
    Ok(stream)
}

/// All of an answer; an error at `end`, however little by little it comes.
fn read_until(stream: &mut UnixStream, end: Instant) -> io::Result<Vec<u8>> {
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the answer did not arrive in time"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(answer),
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(io::Error::new(ErrorKind::FileTooLarge, "the answer is too long"));
        }
    }
}

fn parse(answer: &[u8]) -> Option<(u16, &str)> {
    let mut storage = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut storage);
    let httparse::Status::Complete(length) = head.parse(answer).ok()? else { return None };
    Some((head.code?, str::from_utf8(answer.get(length..)?).ok()?))
}

/// The status document for people.
fn status(document: &Value) -> String {
    let mut shown = format!(
        "Defender {}, up {}, {}\n",
        text_of(document, "version"),
        lasting(number_of(document, "uptime_s")),
        counted(number_of(document, "connections"), "connection")
    );
    for camera in list_of(document, "cameras") {
        let size = format!("{}x{}", number_of(camera, "width"), number_of(camera, "height"));
        let viewers = number_of(camera, "viewers");
        let rate = rate(camera).map(|rate| format!(" at {rate} fps")).unwrap_or_default();
        // The test card and pictures of other Defenders have no format of a driver.
        let format = text(camera, "format").map(|format| format!(" {format}")).unwrap_or_default();
        let _ = writeln!(
            shown,
            "camera {}: {}, {size}{format}{rate}, {viewers} watching{}{}",
            text_of(camera, "name"),
            source(camera),
            activity(camera, "recording"),
            activity(camera, "detection")
        );
    }
    for microphone in list_of(document, "microphones") {
        let _ = writeln!(
            shown,
            "microphone {}: {}, {} Hz, {}, {} dBFS, {} listening",
            text_of(microphone, "name"),
            source(microphone),
            number_of(microphone, "rate_hz"),
            counted(number_of(microphone, "channels"), "channel"),
            number_of(microphone, "rms_dbfs"),
            number_of(microphone, "listeners")
        );
    }
    for remote in list_of(document, "remotes") {
        let how = text(remote, "problem").unwrap_or_else(|| format!("{}: answers", text_of(remote, "url")));
        let _ = writeln!(shown, "remote {}: {how}", text_of(remote, "name"));
    }
    if let Some(warning) = text(document, "recording_warning") {
        let _ = writeln!(shown, "recording: {warning}");
    }
    if let Some(problem) = field(document, "journal").and_then(|journal| text(journal, "problem")) {
        let _ = writeln!(shown, "events: {problem}");
    }
    shown
}

/// What recording or detection does at a camera, behind a comma; nothing where it is not to be done.
fn activity(camera: &Value, what: &str) -> String {
    match text(camera, what) {
        Some(state) if state == what => format!(", {what}"),
        Some(state) => format!(", {what}: {state}"),
        None => String::new(),
    }
}

/// Frames a second: what the driver promised. Another Defender promises none; the rate is what was observed then.
fn rate(camera: &Value) -> Option<f64> {
    let interval_ms = number_of(camera, "interval_ms");
    let observed = (interval_ms > 0.0).then(|| (1000.0 / interval_ms).round());
    Some(number_of(camera, "fps")).filter(|fps| *fps > 0.0).or(observed)
}

/// The overrides in a document of settings.
fn overrides(document: &Value) -> String {
    let mut lines = String::new();
    for row in list_of(document, "settings") {
        let Some(found @ Value::Object(_)) = field(row, "override") else { continue };
        let shown = |name: &str| match field(found, name) {
            Some(Value::Null) | None => None,
            Some(value) => Some(printable(&json::to_string(value)).into_owned()),
        };
        let configured = shown("configured")
            .map_or("not in defender.conf".to_owned(), |configured| format!("defender.conf: {configured}"));
        let _ = writeln!(
            lines,
            "{} = {} ({}{}; {})",
            text_of(row, "name"),
            shown("value").unwrap_or_default(),
            text(found, "by").map_or("by version 0.1.0 or by hand".to_owned(), |by| format!("by {by}")),
            text(found, "at").map_or(String::new(), |at| format!(" at {at}")),
            text(found, "problem").map_or(configured, |problem| format!("IGNORED: {problem}")),
        );
    }
    if lines.is_empty() {
        lines.push_str("nothing is overridden: defender.conf is in force\n");
    }
    lines
}

/// Where a device's data comes from, or why there is none.
fn source(device: &Value) -> String {
    match text(device, "problem") {
        Some(problem) => format!("{problem} (for {})", lasting(number_of(device, "since_s"))),
        None => text_of(device, "source"),
    }
}

fn service(document: &Value, name: &str) -> String {
    field(document, name).map(|service| running(name, service)).unwrap_or_default()
}

fn running(name: &str, service: &Value) -> String {
    match text(service, "stopped_by") {
        Some(who) => format!("{name}: stopped by {who}\n"),
        None => format!("{name}: running\n"),
    }
}

fn counted(count: f64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1.0 { "" } else { "s" })
}

fn lasting(seconds: f64) -> String {
    let seconds = seconds as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn field<'v>(document: &'v Value, name: &str) -> Option<&'v Value> {
    match document {
        Value::Object(fields) => fields.get(name),
        _ => None,
    }
}

/// A field's text, made safe for a terminal, because devices, remotes and users can influence it.
fn text(document: &Value, name: &str) -> Option<String> {
    match field(document, name) {
        Some(Value::String(text)) => Some(printable(text).into_owned()),
        _ => None,
    }
}

/// The same; `-` if there is none.
fn text_of(document: &Value, name: &str) -> String {
    text(document, name).unwrap_or_else(|| "-".to_owned())
}

fn number_of(document: &Value, name: &str) -> f64 {
    match field(document, name) {
        Some(Value::Number(Number::U64(number))) => *number as f64,
        Some(Value::Number(Number::I64(number))) => *number as f64,
        Some(Value::Number(Number::F64(number))) => *number,
        _ => 0.0,
    }
}

fn list_of<'v>(document: &'v Value, name: &str) -> &'v [Value] {
    match field(document, name) {
        Some(Value::Array(list)) => list,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_distinguished_from_garbage() {
        let answer = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parse(answer), Some((409, "{}")));
        for garbled in [&b"HTTP/1.1 200 OK\r\n"[..], b"ssh-2.0", b""] {
            assert_eq!(parse(garbled), None);
        }
    }

    #[test]
    fn the_status_names_each_device_and_its_problem() {
        let text = r#"{"version":"1","uptime_s":7300,"connections":2,"cameras":[{"name":"front",
            "source":"C210","problem":"cable","since_s":61,"width":640,"height":480,"format":"mjpeg",
            "fps":30,"viewers":1,"recording":"recording","detection":"disarmed"}],"microphones":[],
            "recording_warning":"front: too little space","journal":{"problem":"disk full"}}"#;
        let document = json::from_str(text).unwrap();
        let expected = "Defender 1, up 2 h, 2 connections\n\
            camera front: cable (for 61 s), 640x480 mjpeg at 30 fps, 1 watching, recording, detection: disarmed\n\
            recording: front: too little space\nevents: disk full\n";
        assert_eq!(status(&document), expected);
        let relayed = |interval| {
            let text = r#"{"version":"1","uptime_s":1,"connections":1,"cameras":[{"name":"attic-front","source":"attic",
                "online":true,"width":640,"height":480,"fps":0,"relayed":true,"interval_ms":INTERVAL,"viewers":0}]}"#;
            status(&json::from_str(&text.replace("INTERVAL", interval)).unwrap())
        };
        assert!(relayed("66").ends_with("attic, 640x480 at 15 fps, 0 watching\n"), "{}", relayed("66"));
        assert!(relayed("null").ends_with("attic, 640x480, 0 watching\n"), "{}", relayed("null"));
        let one = json::from_str(r#"{"version":"1","uptime_s":1,"connections":1}"#).unwrap();
        assert_eq!(status(&one), "Defender 1, up 1 s, 1 connection\n");
    }

    #[test]
    fn a_level_is_quoted() {
        let (_, _, body) = request(&BoardCommand::Logging(Some("a\"b".to_owned()), true));
        assert_eq!(body, r#"{"level":"a\"b","save":true}"#);
    }
}
