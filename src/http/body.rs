//! The JSON a request brings, and the error that says what it should have been.
//!
//! An unknown key is an error in bodies that contain no secret: a mistyped key would change nothing, silently.

use std::io::Read;

use miniserde::Deserialize;
use miniserde::json::{self, Number, Value};
use tiny_http::Request;
use zeroize::Zeroizing;

use super::reply::Reply;
use crate::base::did_you_mean;

/// Largest document read, in bytes: names and a password are far below.
const MAX_BYTES: u64 = 16 * 1024;

/// Deepest nesting read; the deepest document of the API has two levels.
const MAX_DEPTH: u32 = 8;

/// Reads a request's document.
///
/// # Errors
/// 400 with `example` for what is no such document, 413 for one that is too large.
pub fn read<T: Deserialize>(request: &mut Request, example: &str) -> Result<T, Reply> {
    // Room for all of it at once: growing would leave pieces of a password in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1));
    let wrong = || expected(example);
    request.as_reader().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|_| wrong())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Reply::error(413, "the body is larger than 16 KiB"));
    }
    let text = str::from_utf8(&bytes).map_err(|_| wrong())?;
    // Whoever walks or frees a nested value goes as deep as that is, on a stack that is small.
    if depth(text) > MAX_DEPTH {
        return Err(Reply::error(400, &format!("the body is nested more than {MAX_DEPTH} deep")));
    }
    json::from_str(text).map_err(|_| wrong())
}

/// Reads a request's document in which nothing is secret: a key that is not among `keys`, or a value
/// of null, is a mistake to be told.
///
/// # Errors
/// As [`read`], or 400 with the key and what may have been meant.
pub fn read_strictly<T: Deserialize>(
    request: &mut Request,
    keys: &[&str],
    example: &str,
) -> Result<T, Reply> {
    let mut document: Value = read(request, example)?;
    make_whole(&mut document);
    let Value::Object(fields) = &document else { return Err(expected(example)) };
    for (key, value) in fields {
        if !keys.contains(&key.as_str()) {
            let near = did_you_mean(key, keys);
            return Err(Reply::error(400, &format!("there is no `{key:.32}` in this{near}")));
        }
        if matches!(value, Value::Null) {
            return Err(Reply::error(400, &format!("`{key}` is null; leave it out instead")));
        }
    }
    json::from_str(&json::to_string(&document)).map_err(|_| expected(example))
}

/// How deep lists and objects are nested at the most. What is no JSON counts somehow: it is refused
/// right after.
fn depth(text: &str) -> u32 {
    let (mut depth, mut deepest) = (0_u32, 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// 54.0 is a whole number, too (JSON Schema, section 6.1.1).
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Number::F64(found) = *number
                && found.fract() == 0.0
                && found.abs() <= f64::from(u32::MAX)
            {
                *number = Number::I64(found as i64);
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(make_whole),
        Value::Array(values) => values.iter_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// 400 for a document that is not what was expected.
pub fn expected(example: &str) -> Reply {
    Reply::error(400, &format!("expected a JSON body such as {example}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest_and_those_outside_do() {
        let rows = [
            ("7", 0),
            (r#"{"a":[1],"b":{"c":2}}"#, 2),
            (r#"{"a":"[[[{","b":"\"[","c":"\\"}"#, 1),
            (r#"["\\\"[[",[[1]]]"#, 3),
            ("]]][[", 2),
        ];
        for (text, expected) in rows {
            assert_eq!(depth(text), expected, "{text}");
        }
    }
}
