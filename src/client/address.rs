//! The address of a server: its host and port.

use std::fmt;

/// The origin of a server's URLs (RFC 6454): scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the scheme is https.
    pub is_secure: bool,
}

impl Address {
    /// Reads what stands behind `://` in a URL without a path or a user: `host`, `host:port`, `[v6]` or `[v6]:port`.
    /// `None` for anything else.
    pub fn from_authority(authority: &str, is_secure: bool, default_port: u16) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']')?;
                let port = behind.strip_prefix(':').map(Some);
                (host, port.or_else(|| behind.is_empty().then_some(None))?)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_plain) {
            return None;
        }
        let port = match port {
            Some(digits) => digits.parse().ok().filter(|port| *port > 0)?,
            None => default_port,
        };
        Some(Self { host: host.to_owned(), port, is_secure })
    }

    /// Host and port as they stand in a URL, and in the field `Host`.
    pub fn authority(&self) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_read_as_they_are_written() {
        let read = |text: &str| Address::from_authority(text, true, 443).map(|address| address.authority());
        for (text, meant) in [
            ("attic", "attic:443"),
            ("attic.local:9", "attic.local:9"),
            ("192.0.2.1:65535", "192.0.2.1:65535"),
            ("[fe80::1]:9", "[fe80::1]:9"),
            ("[fe80::1]", "[fe80::1]:443"),
        ] {
            assert_eq!(read(text).as_deref(), Some(meant), "{text}");
        }
        for wrong in
            ["", ":9", "a:0", "a:", "a:99999", "a:b:9", "a b", "u@a", "a/b", "[::1", "[::1]x", "[]", "a\r"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
