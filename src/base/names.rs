//! The names that cameras, microphones and other Defenders can have. They become parts of URLs, of file names and of
//! lines in the user file, so that the rule must be the same everywhere.

/// Longest name in defender.conf, in bytes.
const NAME_BYTES: usize = 32;

/// Whether a camera, a microphone or another Defender can have this name in defender.conf: 1 to 32 letters, digits,
/// `-` or `_`.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES && is_plain(name)
}

/// Whether a camera or a microphone can have this name in a URL: as [`is_name`], or two such names with a hyphen
/// between them, which are another Defender's and that of its device.
pub fn is_full_name(name: &str) -> bool {
    name.len() <= 2 * NAME_BYTES + 1 && is_plain(name)
}

/// The name of a part of a section of defender.conf, such as `camera.front.fps`; of the part alone where the section has none.
pub fn joined(section: &str, part: &str) -> String {
    if section.is_empty() { part.to_owned() } else { format!("{section}.{part}") }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_of_bounded_length() {
        let longest = "n".repeat(NAME_BYTES);
        let full = format!("{longest}-{longest}");
        assert!(is_name("front-Door_2") && is_name(&longest) && !is_name(&format!("{longest}x")));
        assert!(is_full_name(&full) && !is_name(&full) && !is_full_name(&format!("{full}x")));
        for wrong in ["", "a b", "a.b", "a/b", "a:b", "a,b", "é", "*", "a\n"] {
            assert!(!is_name(wrong) && !is_full_name(wrong), "{wrong}");
        }
    }
}
