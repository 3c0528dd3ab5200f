//! Bytes as hexadecimal digits, and random names made of them.

use std::fmt::Write;
use std::io;

/// Random bytes of a [`random_id`].
const RANDOM_BYTES: usize = 16;

/// Length of a [`random_id`], in digits.
pub const RANDOM_ID_DIGITS: usize = 2 * RANDOM_BYTES;

/// Two lower-case digits for each byte.
pub fn encode(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The bytes of exactly `2 * N` digits of either case; `None` for anything else.
pub fn decode<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() != 2 * N || !is_hex(digits) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Whether there is nothing but hexadecimal digits, of either case.
pub fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// 128 random bits as [`RANDOM_ID_DIGITS`] digits: nobody guesses it, and no two are alike.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random_id() -> io::Result<String> {
    random_bytes().map(|random| encode(&random))
}

/// 128 random bits: no two results are alike.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random_bytes() -> io::Result<[u8; RANDOM_BYTES]> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_they_were_written() {
        assert_eq!(encode(&[0, 0x0a, 0xff]), "000aff");
        assert_eq!(decode("000aFF"), Some([0, 0x0a, 0xff]));
        for wrong in ["", "000af", "000aff0", "000afg", "+00aff", "é00af"] {
            assert_eq!(decode::<3>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn random_ids_differ_and_are_hexadecimal() {
        let (one, other) = (random_id().unwrap(), random_id().unwrap());
        assert!(one != other && one.len() == RANDOM_ID_DIGITS && is_hex(&one), "{one} {other}");
    }
}
