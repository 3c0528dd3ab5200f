//! Where another Defender is, and how its key is known.

use std::fmt;

use crate::base::hex;

/// Port of a Defender where none is named.
const PORT: u16 = 8443;

/// The base of another Defender's URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is https.
    pub is_secure: bool,
}

/// SHA-256 of a public key (SubjectPublicKeyInfo in DER), or of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Address {
    /// Reads `https://host`, `https://host:port/`; plain http is for this machine alone, for the token
    /// would cross the network in the clear. `None` for anything else.
    pub fn parse(url: &str) -> Option<Self> {
        let (is_secure, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']')?;
                (host, behind.strip_prefix(':').map_or_else(|| behind.is_empty().then_some("8443"), Some)?)
            }
            None => rest.split_once(':').unwrap_or((rest, "8443")),
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        let is_here = ["localhost", "127.0.0.1", "::1"].contains(&host);
        if host.is_empty() || !host.bytes().all(is_plain) || !(is_secure || is_here) {
            return None;
        }
        let port = if port == "8443" { PORT } else { port.parse().ok().filter(|port| *port > 0)? };
        Some(Self { host: host.to_owned(), port, is_secure })
    }

    /// Host and port as they stand in a URL, and in the field `Host`.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}/", self.authority())
    }
}

impl Fingerprint {
    /// Reads `sha256:` and 64 hexadecimal digits, with colons between them or without.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.strip_prefix("sha256:")?.chars().filter(|c| *c != ':').collect();
        hex::decode(&digits).map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_what_could_betray_the_token_is_not() {
        let read = |url: &str| Address::parse(url).map(|address| address.to_string());
        for (url, meant) in [
            ("https://attic", "https://attic:8443/"),
            ("https://attic.local:9/", "https://attic.local:9/"),
            ("https://[fe80::1]:9", "https://[fe80::1]:9/"),
            ("https://[fe80::1]", "https://[fe80::1]:8443/"),
            ("http://127.0.0.1:80/", "http://127.0.0.1:80/"),
        ] {
            assert_eq!(read(url).as_deref(), Some(meant), "{url}");
        }
        for wrong in [
            "",
            "attic",
            "http://attic/",
            "https://",
            "https://a/b",
            "https://a b",
            "https://u@a",
            "https://a:0",
            "https://a:99999",
            "ftp://a",
            "https://[::1",
            "https://[::1]x",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_told_and_as_openssl_tells_it() {
        let told = format!("sha256:{}", "0aFf".repeat(16));
        let read = Fingerprint::parse(&told).unwrap();
        assert_eq!(read.to_string(), told.to_lowercase());
        let with_colons = format!("sha256:{}", vec!["0A:FF"; 16].join(":"));
        assert_eq!(Fingerprint::parse(&with_colons), Some(read));
        for wrong in
            ["", "sha256:", &told[7..], &told[..70], "sha1:0aff", &format!("sha256:{}", "é".repeat(32))]
        {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}
