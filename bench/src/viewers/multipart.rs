//! Reads a `multipart/x-mixed-replace` answer by its Content-Length headers, looking only at
//! the first bytes of each picture: the less the client works, the less it disturbs the server.

/// How the stand-in camera's stamp begins: SOI, then a COM segment of 30 bytes.
const STAMP_START: &[u8; 14] = b"\xff\xd8\xff\xfe\x00\x1estandin ";
const STAMP_DIGITS: usize = 20;
const STAMP_BYTES: usize = STAMP_START.len() + STAMP_DIGITS;

/// Longer lines than this are no header of a camera server.
const MAX_LINE_BYTES: usize = 8192;

/// One picture that has arrived to its last byte.
#[derive(Debug, PartialEq)]
pub struct Picture {
    /// When the camera captured it, CLOCK_MONOTONIC; `None` without a stamp, as on a no-signal frame.
    pub captured_ns: Option<u64>,
}

/// The state of one stream between two reads.
pub struct Parser {
    state: State,
    line: Vec<u8>,
    content_length: Option<usize>,
    opening: [u8; STAMP_BYTES],
    opening_bytes: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Status,
    Head,
    PartHead,
    Body { left: usize },
}

impl Parser {
    /// Before the first byte of the answer.
    pub fn new() -> Self {
        Self {
            state: State::Status,
            line: Vec::new(),
            content_length: None,
            opening: [0; STAMP_BYTES],
            opening_bytes: 0,
        }
    }

    /// Takes the next bytes of the answer, and calls `arrived` for each picture they complete.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub fn feed(&mut self, mut bytes: &[u8], mut arrived: impl FnMut(Picture)) -> Result<(), String> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Body { left } => self.body(bytes, left, &mut arrived),
                _ => self.head(bytes)?,
            };
        }
        Ok(())
    }

    fn body<'a>(&mut self, bytes: &'a [u8], left: usize, arrived: &mut impl FnMut(Picture)) -> &'a [u8] {
        let (here, rest) = bytes.split_at(left.min(bytes.len()));
        let wanted = here.len().min(STAMP_BYTES - self.opening_bytes);
        self.opening[self.opening_bytes..][..wanted].copy_from_slice(&here[..wanted]);
        self.opening_bytes += wanted;
        if here.len() < left {
            self.state = State::Body { left: left - here.len() };
        } else {
            arrived(Picture { captured_ns: stamp(&self.opening[..self.opening_bytes]) });
            self.state = State::PartHead;
        }
        rest
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.line.extend_from_slice(bytes);
            return if self.line.len() > MAX_LINE_BYTES {
                Err("a header without end".into())
            } else {
                Ok(&[])
            };
        };
        self.line.extend_from_slice(&bytes[..end]);
        let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        self.line.clear();
        self.take_line(&line)?;
        Ok(&bytes[end + 1..])
    }

    fn take_line(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match self.state {
            State::Status => {
                if line.split(' ').nth(1) != Some("200") {
                    return Err(format!("expected 200, got \"{line}\""));
                }
                self.state = State::Head;
            }
            State::Head if line.is_empty() => self.state = State::PartHead,
            State::Head if name.eq_ignore_ascii_case("transfer-encoding") => {
                return Err(format!("cannot read a stream with {line}"));
            }
            State::PartHead if name.eq_ignore_ascii_case("content-length") => {
                let length = value.trim().parse().map_err(|_| format!("cannot read \"{line}\""))?;
                self.content_length = Some(length);
            }
            // An empty line ends the head of a part, or is the one between a part and its boundary.
            State::PartHead if line.is_empty() => {
                if let Some(left) = self.content_length.take().filter(|length| *length > 0) {
                    self.opening_bytes = 0;
                    self.state = State::Body { left };
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn stamp(opening: &[u8]) -> Option<u64> {
    let digits = opening.strip_prefix(STAMP_START)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDARY_FIRST: &[u8] = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n--b\r\nContent-Length: 40\r\n\r\n\
        \xff\xd8\xff\xfe\x00\x1estandin 00000000000000000042......\r\n--b\r\ncontent-length: 3\r\n\r\nabc\r\n";
    const BOUNDARY_BEHIND: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n--b\r\nContent-Length: 3\r\n\r\nabc\r\n--b\r\n\
        Content-Length: 34\r\n\r\n\xff\xd8\xff\xfe\x00\x1estandin 00000000000000000007\r\n--b\r\n";

    fn stamps(answer: &[u8], piece_bytes: usize) -> Vec<Option<u64>> {
        let mut parser = Parser::new();
        let mut found = Vec::new();
        for piece in answer.chunks(piece_bytes) {
            parser.feed(piece, |picture| found.push(picture.captured_ns)).unwrap();
        }
        found
    }

    #[test]
    fn pictures_are_found_however_the_bytes_are_cut() {
        for piece_bytes in 1..BOUNDARY_FIRST.len() {
            assert_eq!(stamps(BOUNDARY_FIRST, piece_bytes), [Some(42), None], "in pieces of {piece_bytes}");
            assert_eq!(stamps(BOUNDARY_BEHIND, piece_bytes), [None, Some(7)], "in pieces of {piece_bytes}");
        }
    }

    #[test]
    fn an_answer_that_is_no_stream_is_an_error() {
        let feed = |answer: &[u8]| Parser::new().feed(answer, |_| {});
        assert!(feed(b"HTTP/1.1 401 Unauthorized\r\n").unwrap_err().contains("401"));
        assert!(feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n").is_err());
        assert!(feed(&[b'x'; MAX_LINE_BYTES + 1]).is_err());
    }
}
