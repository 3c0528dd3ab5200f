//! The JSON a request brings, and the error that says what it should have been.

use std::io::Read;

use miniserde::{Deserialize, json};
use tiny_http::Request;
use zeroize::Zeroizing;

use super::reply::Reply;

/// Largest document read, in bytes: names and a password are far below.
const MAX_BYTES: u64 = 16 * 1024;

/// Reads a request's document.
///
/// # Errors
/// 400 with `example` for what is no such document, 413 for one that is too large.
pub fn read<T: Deserialize>(request: &mut Request, example: &str) -> Result<T, Reply> {
    // Room for all of it at once: growing would leave pieces of a password in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1));
    let wrong = || Reply::error(400, &format!("expected a JSON body such as {example}"));
    request.as_reader().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|_| wrong())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Reply::error(413, "the body is larger than 16 KiB"));
    }
    let text = str::from_utf8(&bytes).map_err(|_| wrong())?;
    json::from_str(text).map_err(|_| wrong())
}
