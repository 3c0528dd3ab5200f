//! The formats in which devices install a CA.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::base::hex;

/// A certificate in PEM (RFC 7468).
pub(super) fn pem(certificate: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", lines(certificate))
}

/// A configuration profile with a root certificate for iOS and macOS. Its identifiers are derived from the
/// certificate, so that installing it again replaces the first installation.
pub(super) fn mobile_configuration(name: &str, certificate: &[u8]) -> String {
    let (of_root, of_profile) = (uuid("root", certificate), uuid("profile", certificate));
    let (name, data) = (escaped(name), lines(certificate));
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
<key>PayloadContent</key>
<array>
<dict>
<key>PayloadCertificateFileName</key>
<string>defender-ca.cer</string>
<key>PayloadContent</key>
<data>
{data}</data>
<key>PayloadDescription</key>
<string>Trusts the certificates of this board</string>
<key>PayloadDisplayName</key>
<string>{name}</string>
<key>PayloadIdentifier</key>
<string>defender.ca.{of_root}</string>
<key>PayloadType</key>
<string>com.apple.security.root</string>
<key>PayloadUUID</key>
<string>{of_root}</string>
<key>PayloadVersion</key>
<integer>1</integer>
</dict>
</array>
<key>PayloadDescription</key>
<string>The camera server's own CA. Compare its fingerprint before you trust it.</string>
<key>PayloadDisplayName</key>
<string>{name}</string>
<key>PayloadIdentifier</key>
<string>defender.profile.{of_profile}</string>
<key>PayloadRemovalDisallowed</key>
<false/>
<key>PayloadType</key>
<string>Configuration</string>
<key>PayloadUUID</key>
<string>{of_profile}</string>
<key>PayloadVersion</key>
<integer>1</integer>
</dict>
</plist>
"#
    )
}

/// SHA-256 as devices show it: `sha256:` and hexadecimal digits.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(&Sha256::digest(bytes)))
}

/// A UUID that is derived from a digest (RFC 9562, version 8).
fn uuid(purpose: &str, certificate: &[u8]) -> String {
    let digest = Sha256::new().chain_update(purpose).chain_update(certificate).finalize();
    let mut bytes: Vec<u8> = digest.iter().take(16).copied().collect();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(&bytes).to_ascii_uppercase();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// Base64 in lines of 64 characters.
fn lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::new();
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            lines.push('\n');
        }
        lines.push(c);
    }
    lines.push('\n');
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_depends_on_its_certificate_alone() {
        let profile = mobile_configuration("a <b> & c", b"certificate");
        assert_eq!(profile, mobile_configuration("a <b> & c", b"certificate"));
        assert!(profile.contains("<string>a &lt;b&gt; &amp; c</string>"), "{profile}");
        assert_ne!(uuid("root", b"certificate"), uuid("root", b"other"));
        assert_ne!(uuid("root", b"certificate"), uuid("profile", b"certificate"));
        for number in 0..16 {
            let id = uuid("root", &[number]);
            // Version 8, and the variant of RFC 9562.
            assert!(id.len() == 36 && &id[14..15] == "8" && "89AB".contains(&id[19..20]), "{id}");
        }
    }

    #[test]
    fn pem_has_lines_of_64_characters() {
        let text = pem(&[7; 100]);
        assert!(text.lines().all(|line| line.len() <= 64), "{text}");
        assert_eq!(text.lines().count(), 5);
    }

    #[test]
    fn a_fingerprint_is_the_sha_256_digest() {
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint(b"abc"), format!("sha256:{digest}"));
    }
}
