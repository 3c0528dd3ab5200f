//! The JSON body of a request, and the error that says what was expected instead.
//!
//! An unknown key is an error in bodies that contain no secret: a mistyped key would change nothing, silently.

use std::io::Read;

use miniserde::Deserialize;
use miniserde::json::{self, Number, Object, Value};
use tiny_http::Request;
use zeroize::Zeroizing;

use super::reply::Reply;
use crate::base::did_you_mean;

/// Largest body that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Largest body with settings of a camera: each list of polygons, written with all digits of its numbers, takes 42 KiB,
/// and a camera has three of them.
const MAX_SETTINGS_BYTES: usize = crate::gate::MAX_BODY_BYTES;

/// Deepest nesting that is read. The deepest document of the API has six levels: a corner in a zone of the settings of motion.
const MAX_DEPTH: u32 = 8;

/// Reads the body of a request.
///
/// # Errors
/// 400 with `example` if it is not such a document, 413 if it is too large.
pub fn read<T: Deserialize>(request: &mut Request, example: &str) -> Result<T, Reply> {
    read_within(request, MAX_BYTES, example)
}

fn read_within<T: Deserialize>(request: &mut Request, most: usize, example: &str) -> Result<T, Reply> {
    let length = request.body_length().map_or(most, |length| length.min(most));
    // Allocated once: growing would leave pieces of a password in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    let wrong = || expected(example);
    request.as_reader().take(most as u64 + 1).read_to_end(&mut bytes).map_err(|_| wrong())?;
    if bytes.len() > most {
        return Err(Reply::error(413, &format!("the body is larger than {} KiB", most / 1024)));
    }
    let text = str::from_utf8(&bytes).map_err(|_| wrong())?;
    // Walking or freeing a nested value recurses as deep as it is nested, and this thread's stack is small.
    if depth(text) > MAX_DEPTH {
        return Err(Reply::error(400, &format!("the body is nested more than {MAX_DEPTH} deep")));
    }
    json::from_str(text).map_err(|_| wrong())
}

/// Reads the body of a request that holds no secret. Other than [`read`], it refuses a key that is not among
/// `keys`, and null.
///
/// # Errors
/// As [`read`], or 400 with the key that is wrong, and the one that may be meant.
pub fn read_strictly<T: Deserialize>(
    request: &mut Request,
    keys: &[&str],
    example: &str,
) -> Result<T, Reply> {
    read_strictly_within(request, MAX_BYTES, keys, example)
}

/// As [`read_strictly`], with settings of a camera, which may be longer.
///
/// # Errors
/// As [`read_strictly`].
pub fn read_settings<T: Deserialize>(
    request: &mut Request,
    keys: &[&str],
    example: &str,
) -> Result<T, Reply> {
    read_strictly_within(request, MAX_SETTINGS_BYTES, keys, example)
}

fn read_strictly_within<T: Deserialize>(
    request: &mut Request,
    most: usize,
    keys: &[&str],
    example: &str,
) -> Result<T, Reply> {
    let mut document: Value = read_within(request, most, example)?;
    make_whole(&mut document);
    let Value::Object(fields) = &document else { return Err(expected(example)) };
    for (key, value) in fields {
        if !keys.contains(&key.as_str()) {
            let near = did_you_mean(key, keys);
            return Err(Reply::error(400, &format!("unknown key `{key:.32}`{near}")));
        }
        if matches!(value, Value::Null) {
            return Err(Reply::error(400, &format!("`{key}` is null; leave it out instead")));
        }
    }
    let read = |fields: &Object| json::from_str(&json::to_string(fields)).ok();
    read(fields).ok_or_else(|| match wrong_key(fields, &|others| read(others).is_some()) {
        Some(key) => wrong_value(key, example),
        None => expected(example),
    })
}

/// The key without which `fields` are a document as it is read; `None` if every such document has that key.
fn wrong_key<'f>(fields: &'f Object, is_read: &dyn Fn(&Object) -> bool) -> Option<&'f String> {
    fields.keys().find(|key| {
        let mut others = fields.clone();
        others.remove(*key);
        is_read(&others)
    })
}

/// The deepest nesting of lists and objects. For text that is not JSON the number means nothing: it is refused
/// anyway.
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

/// Turns 54.0 into 54: it is a whole number, too (JSON Schema, section 6.1.1).
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

/// 400 for a key whose value is none that is expected, with an example of the body.
pub fn wrong_value(key: &str, example: &str) -> Reply {
    Reply::error(400, &format!("the value of `{key}` is wrong: expected a JSON body such as {example}"))
}

/// 400 with an example of the body that was expected.
pub fn expected(example: &str) -> Reply {
    Reply::error(400, &format!("expected a JSON body such as {example}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_outside_of_strings_nest() {
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
