//! Answers to a Digest challenge (RFC 7616, section 3.4).

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::challenge::{Algorithm, DigestChallenge};
use super::{Login, md5};
use crate::base::hex;

/// The value of `Authorization` that answers `challenge` for a GET of `target`. It is the answer number `count` to this
/// nonce, and `own_nonce` is random.
pub(super) fn answer(
    challenge: &DigestChallenge,
    login: &Login,
    target: &str,
    count: u32,
    own_nonce: &str,
) -> String {
    let DigestChallenge { realm, nonce, algorithm, is_session, has_qop, .. } = challenge;
    let hash = |text: &str| hash(*algorithm, text);
    let mut secret = hash(&format!("{}:{realm}:{}", login.user(), login.password()));
    if *is_session {
        secret = hash(&format!("{secret}:{nonce}:{own_nonce}"));
    }
    let request = hash(&format!("GET:{target}"));
    let response = if *has_qop {
        hash(&format!("{secret}:{nonce}:{count:08x}:{own_nonce}:auth:{request}"))
    } else {
        hash(&format!("{secret}:{nonce}:{request}"))
    };
    let mut field = String::from("Digest ");
    let user = login.user();
    for (name, value) in
        [("username", user), ("realm", realm), ("nonce", nonce), ("uri", target), ("response", &response)]
    {
        push_quoted(&mut field, name, value);
    }
    if let Some(opaque) = &challenge.opaque {
        push_quoted(&mut field, "opaque", opaque);
    }
    if *has_qop || *is_session {
        push_quoted(&mut field, "cnonce", own_nonce);
    }
    if *has_qop {
        // Writing to a string does not fail.
        let _ = write!(field, "qop=auth, nc={count:08x}, ");
    }
    if let Some(name) = &challenge.algorithm_name {
        let _ = write!(field, "algorithm={name}, ");
    }
    field.truncate(field.len() - ", ".len());
    field
}

fn hash(algorithm: Algorithm, text: &str) -> String {
    match algorithm {
        Algorithm::Md5 => hex::encode(&md5::digest(text.as_bytes())),
        Algorithm::Sha256 => hex::encode(&Sha256::digest(text.as_bytes())),
    }
}

/// Appends `name="value", `.
fn push_quoted(field: &mut String, name: &str, value: &str) {
    let _ = write!(field, "{name}=\"{}\", ", value.replace('\\', "\\\\").replace('"', "\\\""));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(realm: &str, nonce: &str, algorithm: Option<&str>) -> DigestChallenge {
        DigestChallenge {
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS".to_owned()),
            algorithm: if algorithm == Some("SHA-256") { Algorithm::Sha256 } else { Algorithm::Md5 },
            algorithm_name: algorithm.map(str::to_owned),
            has_qop: true,
            ..DigestChallenge::default()
        }
    }

    #[test]
    fn answers_are_those_of_rfc_7616() {
        // Its section 3.9.1.
        let login = Login::parse("Mufasa:Circle of Life").unwrap();
        let own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = challenge(
                "http-auth@example.org",
                "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                Some(algorithm),
            );
            let field = answer(&challenge, &login, "/dir/index.html", 1, own);
            let expected = format!(
                "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", \
                 response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", \
                 cnonce=\"{own}\", qop=auth, nc=00000001, algorithm={algorithm}"
            );
            assert_eq!(field, expected);
        }
    }

    #[test]
    fn without_qop_the_answer_is_that_of_rfc_2069() {
        // The example of its section 2.4, with the digest that erratum 749 gives.
        let login = Login::parse("Mufasa:CircleOfLife").unwrap();
        let old = DigestChallenge {
            has_qop: false,
            opaque: None,
            ..challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", None)
        };
        let field = answer(&old, &login, "/dir/index.html", 1, "unused");
        assert!(field.ends_with("response=\"1949323746fe6a43ef61f9606e7febea\""), "{field}");
    }

    #[test]
    fn a_quote_ends_no_value() {
        let odd = challenge("a\"b", "c\\d", None);
        let field = answer(&odd, &Login::parse("\"x:y").unwrap(), "/", 1, "own");
        assert!(field.contains("username=\"\\\"x\", realm=\"a\\\"b\", nonce=\"c\\\\d\""), "{field}");
    }
}
