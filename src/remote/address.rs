//! Which addresses another Defender can have.

use crate::client::Address;

/// Port of a Defender where none is named.
const PORT: u16 = 8443;

/// Reads `https://host`, `https://host:port/`; plain http is allowed to this machine only, for the token would cross the
/// network in the clear. `None` for anything else.
pub fn parse_address(url: &str) -> Option<Address> {
    let (is_secure, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let address = Address::from_authority(rest.strip_suffix('/').unwrap_or(rest), is_secure, PORT)?;
    let is_here = ["localhost", "127.0.0.1", "::1"].contains(&address.host.as_str());
    (is_secure || is_here).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_could_betray_the_token_are_refused() {
        let read = |url: &str| parse_address(url).map(|address| address.to_string());
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
}
