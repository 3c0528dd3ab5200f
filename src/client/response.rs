//! The head of an answer (RFC 9112, sections 4 to 6).

use super::challenge::{Challenge, strongest};
use super::framing::Framing;
use super::{Body, ClientError, Login, digest};

/// Most fields of a head.
const FIELDS: usize = 64;

/// Most heads that may come before that of the answer.
const INTERIM_HEADS: usize = 8;

/// How heads are read.
#[derive(Clone, Copy)]
pub(super) enum Heads {
    /// As servers have to write them. What two readers could understand in two ways is refused; so is an answer in chunks,
    /// unless the request `takes_chunks`.
    Strict { takes_chunks: bool },
    /// As cameras write them: with spaces before colons, values on several lines, fields without a colon, and lengths that
    /// are none, or disagree, or leave no room for a part.
    ///
    /// Two readers who find different ends of a message are a danger where others' messages follow on the connection. Here
    /// one reader asks one camera, one request at a time, and takes the connection again only where nothing was left on it;
    /// a camera that lies about its body spoils its own picture.
    Lenient,
}

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
    /// Reads a head; those that come before the answer itself (1xx) are passed over.
    pub(super) fn read(mut body: Body<'w>, heads: Heads) -> Result<Self, ClientError> {
        for _ in 0..=INTERIM_HEADS {
            let Head { status, fields, framing, is_kept, length } =
                body.read_head(|received| parse(received, heads))?;
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
fn parse(received: &[u8], heads: Heads) -> Result<Option<Head>, ClientError> {
    let mut storage = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut storage);
    let mut parser = httparse::ParserConfig::default();
    if let Heads::Lenient = heads {
        parser
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_multiple_spaces_in_response_status_delimiters(true)
            .ignore_invalid_headers_in_responses(true);
    }
    let length = match parser.parse_response(&mut head, received) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BROKEN),
    };
    let status = head.code.ok_or(BROKEN)?;
    let fields: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|field| (field.name.to_owned(), on_one_line(&String::from_utf8_lossy(field.value))))
        .collect();
    let framing = framing(status, &fields, heads, head.version == Some(1))?;
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
    let Some(head) = parse(received, Heads::Lenient)? else { return Ok(None) };
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

/// A value that may stand on several lines (RFC 9112, section 5.2).
fn on_one_line(value: &str) -> String {
    value.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}

/// How the body ends (RFC 9112, section 6.3).
fn framing(
    status: u16,
    fields: &[(String, String)],
    heads: Heads,
    is_current: bool,
) -> Result<Framing, ClientError> {
    let mut codings = named(fields, "Transfer-Encoding");
    let (coding, length) = match heads {
        Heads::Strict { takes_chunks } => {
            let (coding, length) = (codings.next(), length(fields)?);
            if coding.is_some() && !(takes_chunks && is_current) {
                return Err(ClientError::Garbled("an answer in chunks"));
            }
            if coding.is_some() && length.is_some() {
                return Err(OTHER_CODING);
            }
            (coding, length)
        }
        Heads::Lenient => {
            let coding = codings.find(|coding| !coding.eq_ignore_ascii_case("identity"));
            let has_parts = named(fields, "Content-Type").any(is_multipart);
            // Parts need bytes.
            (coding, length(fields).unwrap_or_default().filter(|length| *length > 0 || !has_parts))
        }
    };
    let is_chunked = coding.is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    if (coding.is_some() && !is_chunked) || codings.next().is_some() {
        return Err(OTHER_CODING);
    }
    Ok(match length {
        _ if matches!(status, 100..=199 | 204 | 304) => Framing::Length(0),
        _ if is_chunked => Framing::chunked(),
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    })
}

fn is_multipart(content_type: &str) -> bool {
    content_type.get(..10).is_some_and(|name| name.eq_ignore_ascii_case("multipart/"))
}

const OTHER_CODING: ClientError = ClientError::Garbled("an answer in a transfer coding other than chunks");

/// The length that a head says, in bytes. One that is none, or disagrees with another one, is an error.
fn length(fields: &[(String, String)]) -> Result<Option<u64>, ClientError> {
    let mut lengths = named(fields, "Content-Length");
    let Some(digits) = lengths.next() else { return Ok(None) };
    // Digits alone: `parse` would take a sign, too.
    let is_one = digits.bytes().all(|byte| byte.is_ascii_digit()) && lengths.all(|other| other == digits);
    digits.parse().ok().filter(|_| is_one).map(Some).ok_or(BROKEN)
}
