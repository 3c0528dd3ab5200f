//! Responses: forwarding those of the HTTP layer, and the few that the gate makes itself.

use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

use super::client::Client;
use crate::gate::head::complete_head;

/// Largest reply head that the HTTP layer may send, in bytes; real ones are much smaller.
const MAX_HEAD_BYTES: usize = 16 * 1024;

const MAX_FIELDS: usize = 64;

/// A client that receives a long reply more slowly than this is disconnected.
const SLOWEST_BYTES_A_SECOND: u64 = 16 * 1024;

/// Time that any client has in addition.
const GRACE: Duration = Duration::from_secs(30);

/// What the HTTP layer replied.
#[derive(Debug)]
pub(super) enum Carried {
    /// A whole response, which was forwarded.
    Response,
    /// No byte: the handler left a job instead.
    Nothing,
    /// An invalid response. Nothing was sent to the client yet, so it can get an error.
    Broken(io::Error),
}

/// How long a client may take to receive so many bytes. One that takes longer is disconnected.
pub fn longest_reply(bytes: u64) -> Duration {
    GRACE + Duration::from_secs(bytes / SLOWEST_BYTES_A_SECOND)
}

/// Copies one response from the HTTP layer to the client, and replaces the fields that concern the connection.
///
/// # Errors
/// Any error after the first byte was passed to the client. The response cannot be completed, and another one
/// must not begin in its middle, so the connection can only be closed.
pub(super) fn carry(
    http: &mut impl Read,
    client: &mut Client,
    is_head: bool,
    keep: bool,
) -> io::Result<Carried> {
    let Beginning { head, first, mut left } = match begin(http, is_head, keep) {
        Ok(Some(beginning)) => beginning,
        Ok(None) => return Ok(Carried::Nothing),
        Err(error) => return Ok(Carried::Broken(error)),
    };
    client.write_all(&[head, first].concat())?;
    // Each write has its own limit; this one is for the whole reply.
    let give_up = Instant::now() + longest_reply(left as u64);
    let mut received = Vec::with_capacity(8192);
    while left > 0 {
        if Instant::now() >= give_up {
            return Err(ErrorKind::TimedOut.into());
        }
        received.clear();
        let got = read_some(http, &mut received)?;
        if got == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        left = left.checked_sub(got).ok_or_else(|| invalid("reply longer than it says"))?;
        client.write_all(&received)?;
    }
    Ok(Carried::Response)
}

/// The beginning of a response, of which nothing was sent yet.
struct Beginning {
    head: Vec<u8>,
    /// The part of the body that arrived with the head.
    first: Vec<u8>,
    /// Bytes of the body that have not arrived.
    left: usize,
}

/// Reads the head of a response; `None` if the reply is empty.
fn begin(http: &mut impl Read, is_head: bool, keep: bool) -> io::Result<Option<Beginning>> {
    let mut received = Vec::with_capacity(4096);
    let mut searched = 0;
    let head_bytes = loop {
        if let Some(length) = complete_head(&received, searched) {
            break length;
        }
        searched = received.len();
        if received.len() > MAX_HEAD_BYTES {
            return Err(invalid("reply head too large"));
        }
        if read_some(http, &mut received)? == 0 {
            let cut = Err(ErrorKind::UnexpectedEof.into());
            return if received.is_empty() { Ok(None) } else { cut };
        }
    };
    let (head, body_bytes) = rewrite(&received[..head_bytes], keep)?;
    let body_bytes = if is_head { 0 } else { body_bytes };
    let first = received.split_off(head_bytes);
    let left = body_bytes.checked_sub(first.len()).ok_or_else(|| invalid("reply longer than it says"))?;
    Ok(Some(Beginning { head, first, left }))
}

/// An error response of the gate itself, after which the connection closes.
pub(super) fn refusal(status: u16, message: &str) -> Vec<u8> {
    let reason = match status {
        400 => "Bad Request",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        505 => "HTTP Version Not Supported",
        _ => "Service Unavailable",
    };
    let retry = if status == 503 { "Retry-After: 5\r\n" } else { "" };
    // All messages are constants of the gate without characters that JSON would have to escape.
    let body = format!("{{\"error\":\"{message}\"}}");
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{retry}Connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Redirects a plain-HTTP request on the TLS port to the same target over https.
pub(super) fn https_redirect(host: &str, target: &str) -> Vec<u8> {
    // `OPTIONS *` has no path.
    let target = if target == "*" { "/" } else { target };
    format!(
        "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://{host}{target}\r\nContent-Length: 0\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

/// The head of a reply with the fields of the connection replaced, and the length of the body.
fn rewrite(head: &[u8], keep: bool) -> io::Result<(Vec<u8>, usize)> {
    let mut storage = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut storage);
    let parsed = response.parse(head).map_err(|_| invalid("reply is not HTTP"))?;
    let (true, Some(status)) = (parsed.is_complete(), response.code) else {
        return Err(invalid("reply head is incomplete"));
    };
    let mut rewritten = format!("HTTP/1.1 {status} {}\r\n", response.reason.unwrap_or("")).into_bytes();
    let mut body_bytes = 0;
    let is_bodyless = status == 204 || status == 304;
    for field in response.headers.iter() {
        if field.name.eq_ignore_ascii_case("Content-Length") {
            // A reply of this status has no body, and its length, if any, would be that of another reply
            // (RFC 9110, section 8.6); tiny_http sends 0.
            if is_bodyless {
                continue;
            }
            let digits = std::str::from_utf8(field.value).ok().and_then(|text| text.parse().ok());
            body_bytes = digits.ok_or_else(|| invalid("reply with a bad Content-Length"))?;
        } else if ["Connection", "Server", "Transfer-Encoding"]
            .iter()
            .any(|own| field.name.eq_ignore_ascii_case(own))
        {
            continue;
        }
        for piece in [field.name.as_bytes(), b": ", field.value, b"\r\n"] {
            rewritten.extend_from_slice(piece);
        }
    }
    rewritten.extend_from_slice(connection_field(keep).as_bytes());
    rewritten.extend_from_slice(b"\r\n");
    Ok((rewritten, body_bytes))
}

/// The one `Connection` field of every response.
pub fn connection_field(keep: bool) -> &'static str {
    if keep { "Connection: keep-alive\r\n" } else { "Connection: close\r\n" }
}

fn read_some(http: &mut impl Read, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 8192];
    loop {
        match http.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(got) => {
                into.extend_from_slice(&chunk[..got]);
                return Ok(got);
            }
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::super::client::Caller;
    use super::super::limits::Limits;
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    #[test]
    fn connection_fields_of_the_http_layer_are_replaced() {
        let reply = b"HTTP/1.1 200 OK\r\nServer: x\r\nConnection: close\r\nContent-Length: 5\r\n\
              transfer-encoding: identity\r\nETag: \"a\"\r\n\r\n";
        let (head, body_bytes) = rewrite(reply, true).unwrap();
        let expected =
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\nConnection: keep-alive\r\n\r\n";
        assert_eq!((String::from_utf8(head).unwrap().as_str(), body_bytes), (expected, 5));
    }

    #[test]
    fn a_response_that_may_have_no_body_has_none_and_no_length() {
        for status in ["204 No Content", "304 Not Modified"] {
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\nVary: Origin\r\n\r\n");
            let (head, body_bytes) = rewrite(reply.as_bytes(), true).unwrap();
            let expected = format!("HTTP/1.1 {status}\r\nVary: Origin\r\nConnection: keep-alive\r\n\r\n");
            assert_eq!((String::from_utf8(head).unwrap(), body_bytes), (expected, 0));
        }
    }

    #[test]
    fn refusals_are_json_and_close() {
        let text = String::from_utf8(refusal(503, "too many connections")).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
        assert!(text.contains("Retry-After: 5\r\n") && text.contains("Connection: close\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n{\"error\":\"too many connections\"}"), "{text}");
    }

    #[test]
    fn only_a_503_asks_the_client_to_try_again() {
        for status in [400, 408, 411, 413, 417, 431, 502, 505] {
            let text = String::from_utf8(refusal(status, "x")).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
            assert!(!text.contains("Retry-After") && !text.contains("Service Unavailable"), "{text}");
        }
    }

    #[test]
    fn a_redirect_leads_to_the_same_target() {
        for (target, location) in [("/video?fps=3", "/video?fps=3"), ("*", "/")] {
            let text = String::from_utf8(https_redirect("board:8443", target)).unwrap();
            assert!(text.contains(&format!("Location: https://board:8443{location}\r\n")), "{text}");
        }
    }

    #[test]
    fn the_reply_to_head_has_a_length_and_no_body() {
        let reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        for (is_head, expected) in [(true, 0), (false, 5)] {
            let beginning = begin(&mut reply.as_bytes(), is_head, true).unwrap().unwrap();
            assert_eq!((beginning.left, beginning.first.len()), (expected, 0));
            assert!(String::from_utf8(beginning.head).unwrap().contains("Content-Length: 5\r\n"));
        }
    }

    /// Carries a reply to a client over a real socket; what came of it, and what the client got.
    fn carried(reply: &str) -> (io::Result<Carried>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut receiver = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        let caller = Caller::Remote(peer);
        let mut client = Client::new(Arc::new(socket), caller, &Limits::default()).unwrap();
        let carried = carry(&mut reply.as_bytes(), &mut client, false, false);
        drop(client);
        let mut got = String::new();
        receiver.read_to_string(&mut got).unwrap();
        (carried, got)
    }

    #[test]
    fn a_long_body_arrives_whole_or_is_cut_with_an_error() {
        let body = "y".repeat(20_000);
        let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n{body}");
        let (whole, got) = carried(&reply);
        assert!(matches!(whole, Ok(Carried::Response)) && got.ends_with(&body));
        let (cut, got) = carried(&reply[..10_000]);
        assert_eq!(cut.err().map(|error| error.kind()), Some(ErrorKind::UnexpectedEof));
        assert!(got.ends_with('y'), "what there was has been sent");
    }

    #[test]
    fn a_reply_may_take_a_while_and_longer_for_each_byte() {
        assert_eq!(longest_reply(0), GRACE);
        assert_eq!(longest_reply(3 * SLOWEST_BYTES_A_SECOND), GRACE + Duration::from_secs(3));
    }

    #[test]
    fn a_reply_that_cannot_be_forwarded_is_an_error() {
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(2 * MAX_HEAD_BYTES));
        for reply in [
            endless.as_str(),
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        ] {
            let error = begin(&mut reply.as_bytes(), false, true).map(drop).expect_err(reply);
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{reply:.60}");
        }
        assert!(begin(&mut &b""[..], false, true).unwrap().is_none(), "no byte is no reply");
    }
}
