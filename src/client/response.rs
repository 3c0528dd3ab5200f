//! The head of an answer (RFC 9112, sections 4 to 6).

use super::challenge::{Challenge, strongest};
use super::framing::Framing;
use super::{Body, ClientError, Login, digest};

/// Most fields of a head.
const FIELDS: usize = 64;

/// Most heads that may come before that of the answer.
const INTERIM_HEADS: usize = 8;

/// An answer, whose body is still to come.
pub struct Response<'w> {
    status: u16,
    fields: Vec<(String, String)>,
    body: Body<'w>,
}

/// What a head says.
struct Head {
    status: u16,
    fields: Vec<(String, String)>,
    framing: Framing,
    /// Whether the server keeps the connection (RFC 9112, section 9.3).
    is_kept: bool,
    /// Its own length, in bytes.
    length: usize,
}

impl<'w> Response<'w> {
    /// Reads a head; those that come before the answer itself (1xx) are passed over. An answer in chunks is refused
    /// unless the request `takes_chunks`.
    pub(super) fn read(mut body: Body<'w>, takes_chunks: bool) -> Result<Self, ClientError> {
        for _ in 0..=INTERIM_HEADS {
            let Head { status, fields, framing, is_kept, length } =
                body.read_head(|received| parse(received, takes_chunks))?;
            if !(100..200).contains(&status) {
                body.begin(length, framing, is_kept)?;
                return Ok(Self { status, fields, body });
            }
            body.take(length);
        }
        Err(BROKEN)
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first field of a name; upper and lower case are the same.
    pub fn field<'f>(&'f self, name: &'f str) -> Option<&'f str> {
        named(&self.fields, name).next()
    }

    /// All fields of a name, in their order.
    pub fn fields(&self, name: &'static str) -> impl Iterator<Item = &str> {
        named(&self.fields, name)
    }

    /// The body, as it comes.
    pub fn into_body(self) -> Body<'w> {
        self.body
    }
}

/// The head that `received` begins with; `None` while it is not whole.
fn parse(received: &[u8], takes_chunks: bool) -> Result<Option<Head>, ClientError> {
    let mut storage = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut storage);
    let length = match head.parse(received) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BROKEN),
    };
    let status = head.code.ok_or(BROKEN)?;
    let fields: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|field| (field.name.to_owned(), String::from_utf8_lossy(field.value).trim().to_owned()))
        .collect();
    let may_be_chunked = takes_chunks && head.version == Some(1);
    let framing = framing(status, &fields, may_be_chunked)?;
    let has_option = |option: &str| {
        let mut options = named(&fields, "Connection").flat_map(|value| value.split(','));
        options.any(|found| found.trim().eq_ignore_ascii_case(option))
    };
    let is_kept = !has_option("close") && (head.version == Some(1) || has_option("keep-alive"));
    Ok(Some(Head { status, fields, framing, is_kept, length }))
}

/// What is read of a head, for the fuzzer: its length, and the answer to its challenge if it has one.
pub(crate) fn look_at_head(
    received: &[u8],
    login: &Login,
) -> Result<Option<(usize, Option<String>)>, ClientError> {
    let Some(head) = parse(received, true)? else { return Ok(None) };
    let answer = match strongest(named(&head.fields, "WWW-Authenticate")) {
        Some(Challenge::Digest(challenge)) => Some(digest::answer(&challenge, login, "/", 1, "0")),
        Some(Challenge::Basic) | None => None,
    };
    Ok(Some((head.length, answer)))
}

const BROKEN: ClientError = ClientError::Garbled("the head of its answer");

/// The values of all fields of a name; upper and lower case are the same.
fn named<'f>(fields: &'f [(String, String)], name: &'f str) -> impl Iterator<Item = &'f str> {
    let found = fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// How the body ends (RFC 9112, section 6.3). What two readers could understand in two ways is refused.
fn framing(status: u16, fields: &[(String, String)], may_be_chunked: bool) -> Result<Framing, ClientError> {
    let mut lengths = named(fields, "Content-Length");
    let length = lengths.next();
    if lengths.any(|other| Some(other) != length) {
        return Err(BROKEN);
    }
    let mut codings = named(fields, "Transfer-Encoding");
    let coding = codings.next();
    if coding.is_some() && !may_be_chunked {
        return Err(ClientError::Garbled("an answer in chunks"));
    }
    let is_chunked = coding.is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    if coding.is_some() && (length.is_some() || !is_chunked || codings.next().is_some()) {
        return Err(ClientError::Garbled("an answer in a transfer coding other than chunks"));
    }
    if matches!(status, 100..=199 | 204 | 304) {
        return Ok(Framing::Length(0));
    }
    match length {
        _ if is_chunked => Ok(Framing::chunked()),
        None => Ok(Framing::UntilClose),
        // Digits alone: `parse` would take a sign, too.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map(Framing::Length).map_err(|_| BROKEN)
        }
        Some(_) => Err(BROKEN),
    }
}
