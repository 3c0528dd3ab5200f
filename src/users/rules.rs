//! What a password must be like before it is taken. Those that are in the file already stay valid.

/// Longest password taken, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// A password of so many characters is long enough.
const LONG_ENOUGH_CHARS: usize = 10;

/// A shorter one must have this many bits: four words drawn from a list of 7776.
const FOUR_WORDS_BITS: f64 = 51.0;

/// No password, however long, may have fewer: `aaaaaaaaaaaa` is long and nothing else.
const LEAST_BITS: f64 = 30.0;

/// The commonest ones that are long enough, from the top of every published list, without their
/// capitals, digits at the end and signs.
const COMMONEST: [&str; 32] = [
    "administrator",
    "adminadmin",
    "basketball",
    "camera",
    "changeme",
    "defender",
    "default",
    "football",
    "helloworld",
    "iloveyou",
    "iloveyouforever",
    "letmein",
    "letmeinplease",
    "liverpool",
    "manchester",
    "masterpassword",
    "mypassword",
    "newpassword",
    "passpass",
    "passw0rd",
    "password",
    "passwordpassword",
    "qazwsxedc",
    "raspberry",
    "raspberrypi",
    "starwars",
    "superman",
    "thepassword",
    "trustno",
    "welcome",
    "welcomehome",
    "yourpassword",
];

/// Rows of keys: what a finger draws over them is one choice, not many.
const ROWS: [&str; 6] =
    ["qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "1234567890", "abcdefghijklmnopqrstuvwxyz"];

/// Whether `name` may have the password.
///
/// # Errors
/// What is wrong with it, to stand behind "the password"; never a piece of it.
pub fn check(name: &str, password: &str) -> Result<(), &'static str> {
    if password.is_empty() {
        return Err("is empty");
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err("has more than 1024 bytes");
    }
    if password.chars().any(char::is_control) {
        return Err("holds a control character");
    }
    let plain = bare(password);
    if name == "default" && plain == "default" {
        return Err("is `default` for the user `default`, which every scanner tries first");
    }
    let own = bare(name);
    let is_own = !own.is_empty() && (plain == own || plain == own.repeat(2));
    if is_own || password.eq_ignore_ascii_case(name) {
        return Err("is the user's name");
    }
    if COMMONEST.contains(&plain.as_str()) {
        return Err("is one of the most common passwords");
    }
    let bits = bits(password);
    if password.chars().count() < LONG_ENOUGH_CHARS && bits < FOUR_WORDS_BITS {
        return Err("is too short: use 10 characters or more, such as four words");
    }
    if bits < LEAST_BITS {
        return Err("repeats itself or follows the keyboard: use four unrelated words");
    }
    Ok(())
}

/// Small letters, without the digits and signs at its end and any blanks.
fn bare(text: &str) -> String {
    let small: String = text.to_lowercase().split_whitespace().collect();
    small.trim_end_matches(|c: char| !c.is_alphabetic()).to_owned()
}

/// How many bits of choice are in a password, from below: a character that repeats, continues a
/// row of keys, or is part of an earlier piece counts as one bit.
fn bits(password: &str) -> f64 {
    let chars: Vec<char> = password.chars().flat_map(char::to_lowercase).collect();
    let per_char = pool(password).log2();
    (0..chars.len()).map(|at| if is_expected(&chars, at) { 1.0 } else { per_char }).sum()
}

/// How many characters one would have to try at each place.
fn pool(password: &str) -> f64 {
    let any = |is_kind: fn(char) -> bool, size| if password.chars().any(is_kind) { size } else { 0.0 };
    any(|c| c.is_ascii_lowercase(), 26.0)
        + any(|c| c.is_ascii_uppercase(), 26.0)
        + any(|c| c.is_ascii_digit(), 10.0)
        + any(|c| c.is_ascii() && !c.is_ascii_alphanumeric(), 33.0)
        + any(|c| !c.is_ascii(), 64.0)
}

fn is_expected(chars: &[char], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return false };
    let pair = [chars[before], chars[at]];
    let follows = |row: &&str| {
        let places = pair.map(|c| row.chars().position(|in_row| in_row == c));
        matches!(places, [Some(a), Some(b)] if a.abs_diff(b) == 1)
    };
    pair[0] == pair[1]
        || ROWS.iter().any(follows)
        || chars[..before].windows(2).any(|earlier| earlier == pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_can_remember_and_nobody_guesses_is_taken() {
        for password in [
            "correct horse battery",
            "four odd blue kites",
            "Tr0ub4dor&3",
            "x7#Kq!2pZ",
            "späte Züge im Regen",
            "abcde-fghij-kmnpq-rstuv",
        ] {
            assert_eq!(check("eve", password), Ok(()), "{password}");
        }
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for password in [
            "",
            "short",
            "eightlet",
            "aaaaaaaaaaaaaaaa",
            "1234567890",
            "12345678901234567890",
            "qwertyuiop",
            "qwertyuiopasdfghjkl",
            "abababababababab",
            "abcdefghijklmnop",
            "Password123!",
            "PASSWORD 2024",
            "administrator1",
            "raspberrypi4",
            "evelina1984",
            "Evelina evelina",
            "tab\tin the middle",
        ] {
            assert!(check("evelina", password).is_err(), "{password}");
        }
        assert!(check("a", &"x1".repeat(600)).unwrap_err().contains("1024"));
    }

    #[test]
    fn default_is_refused_by_its_name() {
        assert!(check("default", "default").unwrap_err().contains("scanner"));
    }

    #[test]
    fn a_name_of_digits_forbids_no_password_of_digits() {
        assert_eq!(check("42", "7391 2846 5501 9377"), Ok(()));
    }

    #[test]
    fn the_reason_for_a_refusal_is_the_right_one() {
        for (name, password, why) in [
            ("eve", "", "is empty"),
            ("eve", "default", "is one of the most common passwords"),
            ("eve", "vgtmhzkwp", "is too short: use 10 characters or more, such as four words"),
        ] {
            assert_eq!(check(name, password), Err(why), "{password}");
        }
        assert_eq!(check("eve", "vgtmhzkwpx"), Ok(()), "ten letters");
        assert_eq!(check("default", "correct horse battery"), Ok(()));
        assert_eq!(check("eve", &"x1".repeat(512)), Ok(()), "1024 bytes are not too many");
        assert!(check("eve", &"x1".repeat(513)).unwrap_err().contains("1024"));
    }

    #[test]
    fn expected_characters_count_one_bit_each() {
        let pools = [("a", 26.0), ("aA", 52.0), ("aA1", 62.0), ("aA1!", 95.0), ("é", 64.0)];
        for (password, size) in pools {
            assert_eq!(pool(password), size, "{password}");
        }
        let per_char = 26_f64.log2();
        for (password, unexpected) in [("m", 1), ("mm", 1), ("mt", 2), ("qw", 1), ("mtmt", 3), ("mtxmt", 4)] {
            let expected = f64::from(unexpected) * per_char + (password.len() - unexpected as usize) as f64;
            assert!((bits(password) - expected).abs() < 1e-9, "{password}: {}", bits(password));
        }
    }
}
