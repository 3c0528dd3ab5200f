//! What a server asks for before it answers: the field `WWW-Authenticate` (RFC 9110, section 11.6.1).

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// RFC 7617.
    Basic,
    /// RFC 7616, and RFC 2069 where there is no `qop`.
    Digest(DigestChallenge),
}

/// A challenge for a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DigestChallenge {
    pub(super) realm: String,
    pub(super) nonce: String,
    pub(super) opaque: Option<String>,
    pub(super) algorithm: Algorithm,
    /// As the server wrote it; `None` where it did not.
    pub(super) algorithm_name: Option<String>,
    /// Whether the first digest covers the nonces, too (`-sess`).
    pub(super) is_session: bool,
    /// Whether the answer counts requests (`qop=auth`).
    pub(super) has_qop: bool,
    /// Whether the answer before was right but for an old nonce.
    pub(super) is_stale: bool,
}

/// What makes the digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Algorithm {
    #[default]
    Md5,
    Sha256,
}

/// The strongest of the challenges in these fields that can be answered; a digest does not show the password.
pub(super) fn strongest<'f>(fields: impl Iterator<Item = &'f str>) -> Option<Challenge> {
    let strength = |challenge: &Challenge| match challenge {
        Challenge::Basic => 0,
        Challenge::Digest(digest) => 1 + usize::from(digest.algorithm == Algorithm::Sha256),
    };
    fields.flat_map(parse).max_by_key(strength)
}

/// One challenge as it stands in a field.
struct Offer<'f> {
    scheme: &'f str,
    parameters: Vec<(&'f str, String)>,
}

fn parse(field: &str) -> Vec<Challenge> {
    offers(field).into_iter().filter_map(|offer| understand(&offer)).collect()
}

fn understand(offer: &Offer<'_>) -> Option<Challenge> {
    if offer.scheme.eq_ignore_ascii_case("Basic") {
        return Some(Challenge::Basic);
    }
    let is_digest = offer.scheme.eq_ignore_ascii_case("Digest");
    let get = |name: &str| {
        let found = offer.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.filter(|_| is_digest).map(|(_, value)| value.clone())
    };
    let algorithm_name = get("algorithm");
    let plain = algorithm_name.as_deref().unwrap_or("MD5").to_ascii_uppercase();
    let is_session = plain.ends_with("-SESS");
    let algorithm = match plain.trim_end_matches("-SESS") {
        "MD5" => Algorithm::Md5,
        "SHA-256" => Algorithm::Sha256,
        _ => return None,
    };
    let qop = get("qop");
    let has_qop = qop
        .as_ref()
        .is_some_and(|qop| qop.split([',', ' ']).any(|option| option.trim().eq_ignore_ascii_case("auth")));
    if qop.is_some() != has_qop {
        // It wants the body in the digest and nothing else (auth-int).
        return None;
    }
    let is_stale = get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
    let (realm, nonce, opaque) = (get("realm")?, get("nonce")?, get("opaque"));
    Some(Challenge::Digest(DigestChallenge {
        realm,
        nonce,
        opaque,
        algorithm,
        algorithm_name,
        is_session,
        has_qop,
        is_stale,
    }))
}

/// The challenges of a field. A word is a scheme unless `=` follows it; what is no word is passed over.
fn offers(field: &str) -> Vec<Offer<'_>> {
    let mut offers: Vec<Offer<'_>> = Vec::new();
    let mut rest = field;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        let end = rest.find(|c: char| "=,\"".contains(c) || c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() {
            rest = match behind.chars().next() {
                None => return offers,
                Some('"') => parameter_value(behind).1,
                Some(other) => &behind[other.len_utf8()..],
            };
            continue;
        }
        match (behind.trim_start().strip_prefix('='), offers.last_mut()) {
            (Some(value), Some(offer)) => {
                let (value, behind) = parameter_value(value.trim_start());
                offer.parameters.push((word, value));
                rest = behind;
            }
            (Some(value), None) => rest = parameter_value(value.trim_start()).1,
            (None, _) => {
                offers.push(Offer { scheme: word, parameters: Vec::new() });
                rest = behind;
            }
        }
    }
}

/// The value that `text` begins with, without quotes and escapes, and what stands behind it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ',' || c.is_ascii_whitespace()).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str]) -> Option<Challenge> {
        strongest(fields.iter().copied())
    }

    fn digest(field: &str) -> DigestChallenge {
        match of(&[field]) {
            Some(Challenge::Digest(digest)) => digest,
            other => panic!("{other:?} for {field}"),
        }
    }

    #[test]
    fn the_strongest_challenge_is_taken() {
        let (basic, md5, sha) = (
            "Basic realm=\"a, Digest b\"",
            "Digest realm=\"cam\", nonce=\"1\", qop=\"auth,auth-int\"",
            "digest realm=cam, nonce=2, algorithm=SHA-256, qop=auth",
        );
        assert_eq!(of(&[basic]), Some(Challenge::Basic));
        for fields in [&[basic, md5, sha][..], &[sha, md5], &[&format!("{sha}, {basic}, {md5}")]] {
            let Some(Challenge::Digest(digest)) = of(fields) else { panic!("{fields:?}") };
            assert_eq!((digest.nonce.as_str(), digest.algorithm), ("2", Algorithm::Sha256), "{fields:?}");
        }
        assert_eq!(digest(md5), digest(&format!("{basic}, {md5}")));
    }

    #[test]
    fn parameters_are_read_as_they_are_written() {
        let read = digest(
            "Digest qop = \"auth\" ,realm=\"a \\\"b\\\", c\",nonce=\"x==\", opaque=\"\",stale=TRUE,algorithm=md5-sess",
        );
        let expected = DigestChallenge {
            realm: "a \"b\", c".to_owned(),
            nonce: "x==".to_owned(),
            opaque: Some(String::new()),
            algorithm: Algorithm::Md5,
            algorithm_name: Some("md5-sess".to_owned()),
            is_session: true,
            has_qop: true,
            is_stale: true,
        };
        assert_eq!(read, expected);
        assert!(!digest("Digest realm=\"\", nonce=a").has_qop, "as RFC 2069 has it");
    }

    #[test]
    fn what_cannot_be_answered_is_left_out() {
        for field in [
            "",
            ",,",
            "Negotiate",
            "NTLM TlRMTVNTUAAB==",
            "Digest",
            "Digest nonce=1",
            "Digest realm=\"a",
            "Digest realm=a, nonce=1, algorithm=SHA-512-256",
            "Digest realm=a, nonce=1, qop=\"auth-int\"",
            "=x",
            "realm=\"Basic\"",
            "\"Basic",
        ] {
            assert_eq!(of(&[field]), None, "{field}");
        }
    }
}
