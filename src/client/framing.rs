//! Where a body ends (RFC 9112, sections 6 and 7).

use super::ClientError;

/// Longest line between chunks, in bytes: a size with its extensions, or a field behind the last chunk.
const LINE_BYTES: usize = 1024;

/// How the end of a body is known.
#[derive(Debug)]
pub(super) enum Framing {
    /// It goes on until the connection ends.
    UntilClose,
    /// So many bytes are still to come.
    Length(u64),
    /// It comes in chunks.
    Chunked(Chunks),
}

/// What of a body in chunks comes next.
#[derive(Debug)]
pub(super) enum Chunks {
    /// A line with the size of a chunk, as far as it has come.
    Size(Vec<u8>),
    /// So many bytes of a chunk.
    Data(u64),
    /// The end of the line behind a chunk, as far as it has come.
    DataEnd(Vec<u8>),
    /// A line behind the last chunk, as far as it has come.
    Trailer(Vec<u8>),
    /// Nothing: the body is whole.
    Nothing,
}

impl Framing {
    /// A body in chunks, of which nothing has come.
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunks::Size(Vec::new()))
    }

    /// Appends what of `received` belongs to the body to `body`.
    ///
    /// # Errors
    /// Chunks that are none.
    pub(super) fn decode(&mut self, received: &[u8], body: &mut Vec<u8>) -> Result<(), ClientError> {
        match self {
            Self::UntilClose => body.extend_from_slice(received),
            Self::Length(left) => body.extend_from_slice(taken(received, left)),
            Self::Chunked(chunks) => {
                let mut rest = received;
                while !rest.is_empty() && !matches!(chunks, Chunks::Nothing) {
                    rest = chunks.decode(rest, body)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the whole body has come, and is known to be whole.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks::Nothing))
    }

    /// How many of the next bytes are the body's as they come; none in the middle of chunks.
    pub(super) fn plain_bytes(&self) -> usize {
        match self {
            Self::UntilClose => usize::MAX,
            Self::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            Self::Chunked(_) => 0,
        }
    }

    /// So many of these bytes were taken.
    pub(super) fn pass(&mut self, count: usize) {
        if let Self::Length(left) = self {
            *left -= count as u64;
        }
    }

    /// How many bytes are known to be still to come, at least.
    pub(super) fn promised_bytes(&self) -> u64 {
        match self {
            Self::Length(left) | Self::Chunked(Chunks::Data(left)) => *left,
            _ => 0,
        }
    }
}

impl Chunks {
    /// Takes the next piece of `received`; what is behind it.
    fn decode<'r>(&mut self, received: &'r [u8], body: &mut Vec<u8>) -> Result<&'r [u8], ClientError> {
        let (line, rest) = match self {
            Self::Nothing => return Ok(&[]),
            Self::Data(left) => {
                let data = taken(received, left);
                body.extend_from_slice(data);
                if *left == 0 {
                    *self = Self::DataEnd(Vec::new());
                }
                return Ok(&received[data.len()..]);
            }
            Self::Size(line) | Self::DataEnd(line) | Self::Trailer(line) => {
                let end = received.iter().position(|byte| *byte == b'\n').map_or(received.len(), |at| at + 1);
                line.extend_from_slice(&received[..end]);
                if line.len() > LINE_BYTES {
                    return Err(ClientError::Garbled("a line between chunks that is too long"));
                }
                if !line.ends_with(b"\n") {
                    return Ok(&received[end..]);
                }
                (line.trim_ascii_end().to_vec(), &received[end..])
            }
        };
        *self = match self {
            Self::Size(_) => match chunk_size(&line)? {
                0 => Self::Trailer(Vec::new()),
                size => Self::Data(size),
            },
            Self::DataEnd(_) if line.is_empty() => Self::Size(Vec::new()),
            Self::Trailer(_) if line.is_empty() => Self::Nothing,
            Self::Trailer(_) => Self::Trailer(Vec::new()),
            _ => return Err(ClientError::Garbled("a chunk that is longer than it says")),
        };
        Ok(rest)
    }
}

/// The size of a chunk by its line, without the line's end.
fn chunk_size(line: &[u8]) -> Result<u64, ClientError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is_size = (1..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let size = str::from_utf8(digits).ok().filter(|_| is_size);
    size.and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(ClientError::Garbled("a chunk without a size"))
}

/// The first of `bytes`, at most `left` of them, which become fewer by that.
fn taken<'b>(bytes: &'b [u8], left: &mut u64) -> &'b [u8] {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= count as u64;
    &bytes[..count]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body in these pieces, and whether it is whole.
    fn decoded(mut framing: Framing, pieces: &[&[u8]]) -> Result<(String, bool), String> {
        let mut body = Vec::new();
        for piece in pieces {
            framing.decode(piece, &mut body).map_err(|error| error.to_string())?;
        }
        Ok((String::from_utf8(body).unwrap(), framing.is_complete()))
    }

    #[test]
    fn chunks_are_joined_wherever_they_are_cut() {
        let sent =
            b"4\r\nWiki\r\n6;name=value\r\npedia \r\n0E\r\nin \r\n\r\nchunks.\r\n0\r\nX-Sum: 1\r\n\r\nmore";
        let expected = Ok(("Wikipedia in \r\n\r\nchunks.".to_owned(), true));
        assert_eq!(decoded(Framing::chunked(), &[sent]), expected);
        for at in 0..sent.len() {
            assert_eq!(decoded(Framing::chunked(), &[&sent[..at], &sent[at..]]), expected, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = sent.chunks(1).collect();
        assert_eq!(decoded(Framing::chunked(), &bytes), expected);
        let until = |end: usize| decoded(Framing::chunked(), &[&sent[..end]]).unwrap().1;
        assert!(!until(sent.len() - 6), "the fields behind the last chunk belong to it");
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = [b"1;".to_vec(), vec![b'x'; LINE_BYTES]].concat();
        let broken: [&[u8]; 8] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"1 2\r\n",
            b"ffffffffffffffffff\r\n",
            b"1\r\nab\r\n",
            &long,
        ];
        for sent in broken {
            assert!(decoded(Framing::chunked(), &[sent]).is_err(), "{}", sent.escape_ascii());
        }
    }

    #[test]
    fn a_length_ends_a_body_and_nothing_else_does() {
        assert_eq!(decoded(Framing::Length(4), &[b"ab", b"cdef"]), Ok(("abcd".to_owned(), true)));
        assert_eq!(decoded(Framing::Length(4), &[b"abc"]), Ok(("abc".to_owned(), false)));
        assert_eq!(decoded(Framing::UntilClose, &[b"abc"]), Ok(("abc".to_owned(), false)));
        assert_eq!(Framing::Length(7).promised_bytes(), 7);
        assert_eq!(Framing::UntilClose.promised_bytes(), 0);
    }
}
