//! Serves one connection: the TLS handshake or a redirect, then request after request until it ends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use log::{debug, warn};

use super::admission::{Permit, Stage};
use super::client::{Caller, Client, is_timeout};
use super::head::{HeadError, RequestHead, complete_head};
use super::limits::Limits;
use super::pending::{After, OpenRequest, PendingRequests};
use super::reply::{self, Carried};
use super::tls::Tls;

/// First byte of a TLS record that carries a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Longest wait for the HTTP layer's reply: several password hashes on the slowest board.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a request is sent again that the library lost before it was claimed, because its accept loop ended
/// and is started again.
const RESEND_FOR: Duration = Duration::from_secs(5);

/// Pause before it is sent again.
const RESEND_PAUSE: Duration = Duration::from_millis(50);

/// How often it is checked whether a reply can still arrive, and is still wanted.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// What all connections share.
pub(super) struct Context {
    pub(super) limits: Limits,
    /// `None`: plain HTTP.
    pub(super) tls: Option<Tls>,
    pub(super) pending: Arc<PendingRequests>,
}

/// Serves one client from the first byte to the last.
pub(super) fn serve(context: &Context, socket: Arc<TcpStream>, caller: Caller, permit: &Arc<Permit>) {
    let peer = caller.address();
    let outcome = Client::new(socket, caller, &context.limits)
        .and_then(|client| Connection::run(context, client, permit));
    if let Err(error) = outcome {
        debug!("{peer}: connection ended: {error}");
    }
}

struct Connection<'a> {
    context: &'a Context,
    permit: &'a Arc<Permit>,
    client: Client,
    /// Received bytes that are not processed yet.
    received: Vec<u8>,
}

/// Why there is no request.
enum NoRequest {
    /// The client closed the connection, or was idle between requests.
    Ended,
    /// The request is refused with this status and message.
    Refused(u16, String),
}

impl<'a> Connection<'a> {
    fn run(context: &'a Context, mut client: Client, permit: &'a Arc<Permit>) -> io::Result<()> {
        let deadline = Instant::now() + context.limits.head_timeout;
        let redirects = match (&context.tls, client.peek(deadline)?) {
            (_, None) => return Ok(()),
            (Some(tls), Some(TLS_HANDSHAKE)) => {
                let config = tls.config_for(client.local()?.ip());
                client.start_tls(config, deadline)?;
                false
            }
            // It will never become a request head, so do not wait for one.
            (None, Some(TLS_HANDSHAKE)) => {
                debug!("{}: TLS handshake on a plain port", client.peer());
                return Ok(());
            }
            (tls, Some(_)) => tls.is_some(),
        };
        let mut connection = Self { context, permit, client, received: Vec::new() };
        if redirects { connection.redirect() } else { connection.requests() }?;
        // Only after success: a client that cannot be written to cannot receive a close either.
        connection.client.finish();
        Ok(())
    }

    fn requests(&mut self) -> io::Result<()> {
        // The first request has no idle time: the client connected for it.
        let mut begin_within = self.context.limits.head_timeout;
        loop {
            let after = match self.next_head(begin_within)? {
                Ok(head) => self.answer(head)?,
                Err(NoRequest::Ended) => After::Close,
                Err(NoRequest::Refused(status, message)) => self.refuse(status, &message)?,
            };
            if after == After::Close {
                return Ok(());
            }
            self.permit.slot().set_stage(Stage::Idle);
            begin_within = self.context.limits.idle_timeout;
        }
    }

    /// Reads one head: its first byte within `begin_within`, the rest within the head timeout.
    fn next_head(&mut self, begin_within: Duration) -> io::Result<Result<RequestHead, NoRequest>> {
        let limits = &self.context.limits;
        let begin_by = Instant::now() + begin_within;
        if self.received.is_empty() {
            match self.receive(begin_by) {
                Ok(0) => return Ok(Err(NoRequest::Ended)),
                Err(error) if is_timeout(&error) => return Ok(Err(NoRequest::Ended)),
                other => other?,
            };
        }
        let deadline = Instant::now() + limits.head_timeout;
        let mut searched = 0;
        loop {
            let length =
                complete_head(&self.received, searched).filter(|length| *length <= limits.head_bytes);
            searched = self.received.len();
            if let Some(length) = length {
                let parsed = RequestHead::parse(&self.received[..length], limits.body_bytes);
                self.received.drain(..length);
                return Ok(parsed.map_err(|error| self.refused(error)));
            }
            if self.received.len() >= limits.head_bytes {
                return Ok(Err(self.refused(HeadError::TooLarge(limits.head_bytes))));
            }
            match self.receive(deadline) {
                Ok(0) => return Ok(Err(NoRequest::Ended)),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => {
                    let timeout = NoRequest::Refused(408, "the request head took too long".to_owned());
                    return Ok(Err(timeout));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn refused(&self, error: HeadError) -> NoRequest {
        debug!("{}: {error}", self.client.peer());
        NoRequest::Refused(error.status(), error.to_string())
    }

    fn answer(&mut self, head: RequestHead) -> io::Result<After> {
        let Some(_lease) = self.context.pending.lease_body(head.body_bytes) else {
            return self.refuse(503, "too many large requests at once");
        };
        let body = match self.body(&head) {
            Ok(body) => body,
            Err(error) if is_timeout(&error) => return self.refuse(408, "the request body took too long"),
            Err(error) => return Err(error),
        };
        self.permit.slot().set_stage(Stage::Request);
        let open = self.context.pending.open(&self.client, head.keep_alive, self.permit)?;
        let mut request = head.canonical(&open.id);
        request.extend_from_slice(&body);
        let give_up = Instant::now() + RESEND_FOR;
        loop {
            let mut reply = match self.send_to_http(&request) {
                Ok(channel) => ReplyReader::new(channel, self.context, self.permit),
                Err(error) => {
                    warn!("cannot pass a request to the HTTP layer: {error}");
                    return self.refuse(503, "the server is starting, try again");
                }
            };
            match reply::carry(&mut reply, &mut self.client, head.method == "HEAD", head.keep_alive)? {
                Carried::Response if head.keep_alive => return Ok(After::KeepAlive),
                Carried::Response => return Ok(After::Close),
                Carried::Nothing if open.is_unclaimed() && Instant::now() < give_up => {
                    self.context.pending.check_accept_loop();
                    thread::sleep(RESEND_PAUSE);
                }
                Carried::Nothing => return self.run_job(&open),
                Carried::Broken(error) if self.permit.slot().is_evicted() => return Err(error),
                Carried::Broken(error) => {
                    let path = head.target.split('?').next().unwrap_or_default();
                    warn!("the HTTP layer's reply to {} {path} is invalid: {error}", head.method);
                    return self.refuse(502, "internal error: invalid reply");
                }
            }
        }
    }

    fn run_job(&mut self, open: &OpenRequest<'_>) -> io::Result<After> {
        match open.request.take_job() {
            Some(job) => job(&mut self.client),
            None if open.is_unclaimed() => self.refuse(503, "the server is starting, try again"),
            None => self.refuse(502, "internal error: no reply"),
        }
    }

    fn send_to_http(&self, request: &[u8]) -> io::Result<UnixStream> {
        let mut channel = self.context.pending.channel().connect()?;
        channel.set_read_timeout(Some(CHECK_EVERY))?;
        match channel.write_all(request) {
            // The library closed it unread; reading the reply will report that as well.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(channel),
            written => written.map(|()| channel),
        }
    }

    fn body(&mut self, head: &RequestHead) -> io::Result<Vec<u8>> {
        if head.body_bytes == 0 {
            return Ok(Vec::new());
        }
        if head.expects_continue && self.received.is_empty() {
            self.client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let deadline = Instant::now() + self.context.limits.head_timeout;
        while self.received.len() < head.body_bytes {
            if self.receive(deadline)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.received.split_off(head.body_bytes);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    fn receive(&mut self, deadline: Instant) -> io::Result<usize> {
        let mut chunk = [0; 4096];
        let got = self.client.read(&mut chunk, deadline)?;
        self.received.extend_from_slice(&chunk[..got]);
        Ok(got)
    }

    fn refuse(&mut self, status: u16, message: &str) -> io::Result<After> {
        self.client.write_all(&reply::refusal(status, message))?;
        Ok(After::Close)
    }

    /// Answers plain HTTP on the TLS port: with a redirect to https, and nothing else.
    fn redirect(&mut self) -> io::Result<()> {
        let head = match self.next_head(self.context.limits.head_timeout)? {
            Ok(head) => head,
            Err(NoRequest::Ended) => return Ok(()),
            Err(NoRequest::Refused(status, message)) => return self.refuse(status, &message).map(|_| ()),
        };
        let local = self.client.local()?;
        let host = head.host.filter(|host| is_plain_host(host)).unwrap_or_else(|| local.to_string());
        self.client.write_all(&reply::https_redirect(&host, &head.target))
    }
}

/// Reads the HTTP layer's reply, as long as it can arrive and the client is connected.
struct ReplyReader<'a> {
    channel: UnixStream,
    context: &'a Context,
    permit: &'a Permit,
    give_up: Instant,
}

impl<'a> ReplyReader<'a> {
    fn new(channel: UnixStream, context: &'a Context, permit: &'a Permit) -> Self {
        Self { channel, context, permit, give_up: Instant::now() + REPLY_TIMEOUT }
    }
}

impl Read for ReplyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.channel.read(buffer) {
                // Closed with the request unread: an end without a reply.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(0),
                Err(error) if is_timeout(&error) => {}
                done => return done,
            }
            if self.permit.slot().is_evicted() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            if Instant::now() >= self.give_up {
                return Err(ErrorKind::TimedOut.into());
            }
            self.context.pending.check_accept_loop();
        }
    }
}

/// Whether a `Host` is only a name or address with an optional port, and so safe in a `Location`.
fn is_plain_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::super::admission::Admission;
    use super::super::channel::Channel;
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    /// All that a client receives for one request to a gate whose HTTP layer is `http`.
    fn response(http: impl FnOnce(UnixListener) + Send) -> String {
        let channel = Channel::open(&std::env::temp_dir()).unwrap();
        let library = channel.listener().unwrap();
        let pending = Arc::new(PendingRequests::new(channel, crate::memory::Account::unlimited()));
        let context = Context { limits: Limits::default(), tls: None, pending };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        client.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let permit = Arc::new(Admission::new(&context.limits).admit(peer.ip(), Arc::new(|| {})).unwrap());
        let mut answer = String::new();
        thread::scope(|scope| {
            scope.spawn(|| http(library));
            scope.spawn(|| serve(&context, Arc::new(socket), Caller::Remote(peer), &permit));
            client.read_to_string(&mut answer).unwrap();
        });
        answer
    }

    /// The next request's connection, with the request read.
    fn next(library: &UnixListener) -> UnixStream {
        let (mut socket, _) = library.accept().unwrap();
        let mut request = Vec::new();
        while complete_head(&request, 0).is_none() {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        socket
    }

    #[test]
    fn a_reply_that_fails_in_its_middle_gets_no_second_head() {
        // More than one read returns: the head is forwarded before the error can be noticed.
        const BODY_BYTES: usize = 100_000;
        for sent_bytes in [BODY_BYTES + 1, BODY_BYTES - 1] {
            let answer = response(|library| {
                let mut socket = next(&library);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
                let _ = socket.write_all((head + &"x".repeat(sent_bytes)).as_bytes());
            });
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("xxx"), "{answer:.200}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{sent_bytes}: {answer:.200}");
        }
    }

    #[test]
    fn an_invalid_reply_is_answered_502_by_the_gate() {
        for reply in [
            "nonsense\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Le",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc",
        ] {
            let answer = response(|library| next(&library).write_all(reply.as_bytes()).unwrap());
            assert!(answer.starts_with("HTTP/1.1 502 "), "{reply:?}: {answer}");
        }
    }

    #[test]
    fn a_request_lost_before_it_was_claimed_is_sent_again() {
        let answer = response(|library| {
            drop(library.accept().unwrap());
            drop(next(&library));
            next(&library).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        });
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok"), "{answer}");
    }

    #[test]
    fn only_a_plain_host_is_sent_back() {
        assert!(is_plain_host("board.local:8443") && is_plain_host("[fe80::1]:8443"));
        for forged in ["", "a/b", "a@b", "a b", "a\tb", "a?b", "a\"b"] {
            assert!(!is_plain_host(forged), "{forged:?}");
        }
    }
}
