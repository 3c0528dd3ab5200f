//! The names and addresses that a certificate may be for.

use std::net::IpAddr;

/// How the names of all CAs made here begin.
pub(super) const CA_NAME_PREFIX: &str = "Defender CA of ";

/// Domains of local networks: multicast DNS (RFC 6762), home networks (RFC 8375), private use (ICANN's
/// `internal`), and what routers use by habit. No public host can have a name in them.
pub(super) const LOCAL_DOMAINS: [&str; 4] = ["local", "lan", "home.arpa", "internal"];

/// Networks of local addresses, each with the length of its prefix: private (RFC 1918, RFC 4193), link-local
/// and loopback.
pub(super) const LOCAL_NETWORKS: [(&str, u8); 8] = [
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("169.254.0.0", 16),
    ("127.0.0.0", 8),
    ("fc00::", 7),
    ("fe80::", 10),
    ("::1", 128),
];

/// Top-level domains of the Internet that are likely names of machines. A CA that may certify such a name
/// may certify every site in that domain. The same holds for names of two letters, which are those of
/// countries.
const PUBLIC_DOMAINS: &str = "app arpa art auto baby bar bike blog boats boo box build business cab cafe cam camera \
    camp car cars casa cash cat center church city click clinic cloud club codes coffee com community computer cool \
    dance data day dev diy dog domains earth eco edu energy estate events express family farm fashion film fish fit \
    flights flowers foo forum free fun fund fyi gallery game games garden gay gift gle global glass gold golf goo gov \
    green group guide guru hair haus help here homes horse hospital host hot hotel house how info ink int jobs kids \
    kitchen land law life lighting like link live living lol love map market media meet mil mobi mobile mom monster \
    moto movie museum music name net network new news ninja now office one ong online open org page parts party pet \
    phone photo photography photos pics pictures pid pin pink pizza place play plus post press prod pub quest radio \
    read red rent repair rest review rip rocks room run safe sale save school science search secure security select \
    services sex shop show silk site ski sky smart soccer social software solar space spot storage store stream \
    studio style supply support surf surgery systems talk taxi team tech tel theater tips tires today tools top \
    total tours town toys training travel tube university vet video villas vision voting wang watch weather website \
    wiki win wine winners work works world wow wtf xyz yachts yoga you zero zip zone";

/// Longest label and longest name (RFC 1035, section 2.3.4).
const LABEL_BYTES: usize = 63;
const NAME_BYTES: usize = 253;

/// The names and addresses that a certificate is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// In DNS form: lower-case ASCII.
    pub(super) dns: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
}

impl Names {
    /// The names of a machine with the host name `host`, together with the configured ones; and those of
    /// the configured ones that are not valid.
    pub(super) fn of(host: &str, configured: &[String]) -> (Self, Vec<String>) {
        let mut names = Self { dns: vec!["localhost".to_owned()], addresses: Vec::new() };
        if let Some(host) = dns_name(host).filter(|host| host != "localhost") {
            let label = host.split('.').next().unwrap_or_default().to_owned();
            for name in [&host, &label] {
                if !is_public_domain(name) {
                    names.add(name.clone());
                }
            }
            for domain in LOCAL_DOMAINS {
                names.add(format!("{label}.{domain}"));
            }
        }
        let mut invalid = Vec::new();
        for name in configured {
            match (name.parse::<IpAddr>(), dns_name(name)) {
                (Ok(address), _) => names.addresses.push(address.to_canonical()),
                (_, Some(name)) => names.add(name),
                _ => invalid.push(name.clone()),
            }
        }
        (names, invalid)
    }

    fn add(&mut self, name: String) {
        if name.len() <= NAME_BYTES && !self.dns.contains(&name) {
            self.dns.push(name);
        }
    }
}

/// Whether a name is a top-level domain of the Internet.
fn is_public_domain(name: &str) -> bool {
    let is_of_country = name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_lowercase());
    is_of_country || PUBLIC_DOMAINS.split_whitespace().any(|domain| domain == name)
}

/// The host name of this machine, from the kernel.
pub(super) fn host() -> String {
    // Lossy: a name that is not UTF-8 is no DNS name either, and is left out for its replacement characters.
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Converts a name as people write it to the form in certificates: without a trailing dot, in lower case,
/// letters beyond ASCII in IDNA's encoding (RFC 5891). `None` for what is no valid DNS name.
fn dns_name(name: &str) -> Option<String> {
    let name = name.trim().strip_suffix('.').unwrap_or(name.trim());
    let labels = name.split('.').map(dns_label).collect::<Option<Vec<_>>>()?;
    // A last label of digits alone would be read as an address.
    let last_is_number = labels.last()?.bytes().all(|byte| byte.is_ascii_digit());
    Some(labels.join(".")).filter(|name| !last_is_number && name.len() <= NAME_BYTES)
}

fn dns_label(label: &str) -> Option<String> {
    let label = label.to_lowercase();
    let is_letter =
        |c: char| if c.is_ascii() { c.is_ascii_alphanumeric() || c == '-' } else { c.is_alphanumeric() };
    let is_invalid = label.is_empty() || label.starts_with('-') || label.ends_with('-');
    if is_invalid || !label.chars().all(is_letter) {
        return None;
    }
    let encoded = if label.is_ascii() { label } else { format!("xn--{}", punycode(&label)?) };
    (encoded.len() <= LABEL_BYTES).then_some(encoded)
}

/// Punycode (RFC 3492, section 6.3). `None` for a label too long to be one.
fn punycode(label: &str) -> Option<String> {
    const BASE: u32 = 36;
    const DAMP: u32 = 700;
    let threshold = |k: u32, bias: u32| k.saturating_sub(bias).clamp(1, 26);
    // 0 to 25 are letters, 26 to 35 digits.
    let digit =
        |value: u32| char::from(if value < 26 { b'a' + value as u8 } else { b'0' + (value - 26) as u8 });
    if label.chars().count() > LABEL_BYTES {
        return None;
    }
    let mut output: String = label.chars().filter(char::is_ascii).collect();
    let basic = output.len() as u32;
    if basic > 0 {
        output.push('-');
    }
    let (mut code, mut delta, mut bias, mut handled) = (128u32, 0u32, 72u32, basic);
    while let Some(next) = label.chars().map(u32::from).filter(|c| *c >= code).min() {
        delta = delta.checked_add((next - code).checked_mul(handled + 1)?)?;
        code = next;
        for c in label.chars().map(u32::from) {
            if c < code {
                delta = delta.checked_add(1)?;
            }
            if c == code {
                let (mut rest, mut k) = (delta, BASE);
                while rest >= threshold(k, bias) {
                    let t = threshold(k, bias);
                    output.push(digit(t + (rest - t) % (BASE - t)));
                    rest = (rest - t) / (BASE - t);
                    k += BASE;
                }
                output.push(digit(rest));
                bias = adapted(delta, handled + 1, if handled == basic { DAMP } else { 2 });
                (delta, handled) = (0, handled + 1);
            }
        }
        (delta, code) = (delta.checked_add(1)?, code + 1);
    }
    Some(output)
}

/// The bias for the next delta (RFC 3492, section 6.1).
fn adapted(delta: u32, handled: u32, damp: u32) -> u32 {
    let mut delta = delta / damp;
    delta += delta / handled;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_ascii_are_encoded_as_in_browsers() {
        for (name, encoded) in [
            ("küche", "xn--kche-0ra"),
            ("Küche.Example", "xn--kche-0ra.example"),
            ("bücher", "xn--bcher-kva"),
            ("münchen-ost", "xn--mnchen-ost-9db"),
            ("ü", "xn--tda"),
            ("カメラ", "xn--lckxfya"),
            ("камера", "xn--80aaoslz"),
            // Its second delta is the largest that is not scaled.
            ("abäƚя", "xn--ab-wia24e78h"),
            // RFC 3492, section 7.1, (L), (M) and (N), in lower case.
            ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"),
            ("安室奈美恵-with-super-monkeys", "xn---with-super-monkeys-pc58ag80a8qai00g7n9n"),
            ("hello-another-way-それぞれの場所", "xn--hello-another-way--fc4qua05auwb3674vfr0b"),
            ("board.", "board"),
            ("BOARD", "board"),
        ] {
            assert_eq!(dns_name(name).as_deref(), Some(encoded), "{name}");
        }
    }

    #[test]
    fn an_invalid_host_name_is_left_out() {
        let long = "a".repeat(64);
        for invalid in [
            "",
            "(none)",
            "a_b",
            "-a",
            "a-",
            ".",
            "..",
            "a..b",
            "a b",
            "a\0b",
            "10.0.0.1",
            "7",
            &long,
            "*.a",
            "a/b",
            "\u{fffd}",
            &"ü".repeat(64),
            &["a"; 130].join("."),
        ] {
            assert_eq!(dns_name(invalid), None, "{invalid:?}");
            assert_eq!(Names::of(invalid, &[]).0.dns, ["localhost"], "{invalid:?}");
        }
    }

    #[test]
    fn a_host_name_that_is_a_public_domain_is_kept_local() {
        let local =
            |name: &str| ["local", "lan", "home.arpa", "internal"].map(|domain| format!("{name}.{domain}"));
        for public in ["camera", "cam", "com", "tv", "zip"] {
            assert_eq!(Names::of(public, &[]).0.dns[1..], local(public), "{public}");
            let full = format!("{public}.example.org");
            let names = Names::of(&full, &[]).0.dns;
            assert_eq!((names[1].as_str(), &names[2..]), (full.as_str(), &local(public)[..]), "{public}");
            let (named, _) = Names::of("attic", &[public.to_owned()]);
            assert_eq!(named.dns.last().map(String::as_str), Some(public), "its owner may configure it");
        }
        assert!(Names::of("attic", &[]).0.dns.contains(&"attic".to_owned()));
    }

    #[test]
    fn a_machine_has_its_name_in_the_local_domains() {
        let (names, invalid) = Names::of(
            "attic",
            &["cam.example.org".to_owned(), "::ffff:9.9.9.9".to_owned(), "a b".to_owned()],
        );
        assert_eq!(
            names.dns,
            [
                "localhost",
                "attic",
                "attic.local",
                "attic.lan",
                "attic.home.arpa",
                "attic.internal",
                "cam.example.org"
            ]
        );
        assert_eq!((names.addresses, invalid), (vec![IpAddr::from([9, 9, 9, 9])], vec!["a b".to_owned()]));
        let (full, _) = Names::of("attic.example.org", &[]);
        assert_eq!(full.dns[1..4], ["attic.example.org", "attic", "attic.local"]);
        assert_eq!(Names::of("localhost", &[]).0.dns, ["localhost"]);
        assert_eq!(Names::of(&"a".repeat(63), &[]).0.dns.len(), 6);
    }

    #[test]
    fn the_host_name_is_the_kernels() {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(host(), name.trim_end());
    }

    #[test]
    fn a_name_has_at_most_253_bytes() {
        let name = |last: usize| [63, 63, 63, last].map(|length| "a".repeat(length)).join(".");
        assert_eq!(dns_name(&name(61)).map(|name| name.len()), Some(NAME_BYTES));
        assert_eq!(dns_name(&name(62)), None);
    }
}
