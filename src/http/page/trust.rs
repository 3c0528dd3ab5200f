//! The server's CA, in the formats that devices take, and the page that explains how to install it. They need
//! no sign-in: a device should trust the server before its user types a password.

use crate::gate::{Certificates, TrustAnchor};
use crate::http::reply::Reply;

/// The page with placeholders.
const DOCUMENT: &str = include_str!("../../../www/sign-in/trust.html");

/// The placeholders for the CA's name, for its fingerprint as devices show it and as Defender prints it, and the attributes of the parts that are shown with and
/// without a CA.
const NAME: &str = "{name}";
const FINGERPRINT: &str = "{fingerprint}";
const PRINTED: &str = "{printed}";
const WITH_CA: &str = "data-with-ca";
const WITHOUT_CA: &str = "data-without-ca";

/// `GET /ca.crt`: the CA in PEM, with the media type that all systems accept.
pub fn certificate(certificates: Option<&Certificates>) -> Reply {
    let reply = answer(certificates, "application/x-x509-ca-cert", TrustAnchor::pem);
    // A download, because Android installs a CA only from a file. An error is shown instead.
    match reply.status() {
        200 => reply.with("Content-Disposition", "attachment; filename=\"defender-ca.crt\""),
        _ => reply,
    }
}

/// `GET /ca.mobileconfig`: the CA as a configuration profile for iOS and macOS.
pub fn mobile_configuration(certificates: Option<&Certificates>) -> Reply {
    answer(certificates, "application/x-apple-aspen-config", TrustAnchor::mobile_configuration)
}

/// `GET /trust`: how to install the CA, for each system.
pub fn page(certificates: Option<&Certificates>) -> Reply {
    let anchor = certificates.and_then(Certificates::trust_anchor);
    let filled = match &anchor {
        Some(anchor) => DOCUMENT
            .replace(WITHOUT_CA, "hidden")
            .replace(NAME, &escaped(&anchor.name))
            .replace(FINGERPRINT, &in_pairs(&anchor.fingerprint()))
            .replace(PRINTED, &anchor.fingerprint()),
        None => [NAME, FINGERPRINT, PRINTED]
            .iter()
            .fold(DOCUMENT.replace(WITH_CA, "hidden"), |text, place| text.replace(place, "")),
    };
    Reply::new(200, "text/html; charset=utf-8", filled.into_bytes().into()).with("Cache-Control", "no-store")
}

fn answer(
    certificates: Option<&Certificates>,
    content_type: &str,
    form: impl Fn(&TrustAnchor) -> String,
) -> Reply {
    match certificates.and_then(Certificates::trust_anchor) {
        Some(anchor) => {
            Reply::new(200, content_type, form(&anchor).into_bytes().into()).with("Cache-Control", "no-store")
        }
        None => Reply::error(
            404,
            "the server's certificate was not issued by a CA of its own; ask its administrator which CA to trust",
        ),
    }
}

/// A fingerprint as devices show it: pairs of upper-case hexadecimal digits. A line may break between them only.
fn in_pairs(fingerprint: &str) -> String {
    let digits = fingerprint.rsplit(':').next().unwrap_or_default().to_uppercase();
    let pairs: Vec<&str> = digits.as_bytes().chunks(2).filter_map(|pair| str::from_utf8(pair).ok()).collect();
    pairs.join(":<wbr>")
}

/// Text for an HTML document.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_looks_as_devices_show_it() {
        assert_eq!(in_pairs("sha256:0aff10"), "0A:<wbr>FF:<wbr>10");
    }

    #[test]
    fn the_page_has_all_placeholders() {
        for place in [NAME, FINGERPRINT, PRINTED, WITH_CA, WITHOUT_CA] {
            assert!(DOCUMENT.contains(place), "{place}");
        }
    }
}
