//! The head of an answer (RFC 9112, sections 4 to 6).

use super::framing::Framing;
use super::{Body, ClientError};

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
    /// Its own length, in bytes.
    length: usize,
}

impl<'w> Response<'w> {
    /// Reads a head; those that come before the answer itself (1xx) are passed over. An answer in chunks is refused
    /// unless the request `takes_chunks`.
    pub(super) fn read(mut body: Body<'w>, takes_chunks: bool) -> Result<Self, ClientError> {
        for _ in 0..=INTERIM_HEADS {
            let Head { status, fields, framing, length } =
                body.read_head(|received| parse(received, takes_chunks))?;
            if !(100..200).contains(&status) {
                body.begin(length, framing)?;
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
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
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
    Ok(Some(Head { status, fields, framing, length }))
}

const BROKEN: ClientError = ClientError::Garbled("the head of its answer");

/// How the body ends (RFC 9112, section 6.3). What two readers could understand in two ways is refused.
fn framing(status: u16, fields: &[(String, String)], may_be_chunked: bool) -> Result<Framing, ClientError> {
    let all = |name: &'static str| {
        let named = fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    };
    let mut lengths = all("Content-Length");
    let length = lengths.next();
    if lengths.any(|other| Some(other) != length) {
        return Err(BROKEN);
    }
    let mut codings = all("Transfer-Encoding");
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
