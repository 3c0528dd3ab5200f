//! Reads the fields of a certificate (RFC 5280) without verifying it: what is needed to show a person what is
//! wrong with it, and who made it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use time::{Date, Month, PrimitiveDateTime, Time};

use super::der::{self, Element, Reader};

/// The fields of a certificate, as slices of it where they are compared.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// 1 to 3.
    pub(super) version: u8,
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) not_before_s: i64,
    pub(super) not_after_s: i64,
    /// The whole SubjectPublicKeyInfo.
    pub(super) public_key: &'a [u8],
    extensions: Vec<(&'a [u8], &'a [u8])>,
}

/// What a CA may certify (name constraints).
#[derive(Debug)]
pub(super) struct Permitted {
    /// Names, each with all names below it.
    pub(super) names: Vec<String>,
    /// Networks, each with its mask.
    pub(super) networks: Vec<(IpAddr, IpAddr)>,
}

/// The kind of a public key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// RSA with this many bits.
    Rsa(usize),
    /// ECDSA on the curve of this name.
    Curve(&'static str),
    Ed25519,
    Other,
}

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALT_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const CURVES: [(&[u8], &str); 4] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "P-256"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "P-384"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1"),
];

/// Tags of the forms of a GeneralName (RFC 5280, section 4.2.1.6).
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

impl<'a> Fields<'a> {
    /// Reads a certificate in DER; `None` if it is not one.
    pub(super) fn read(certificate: &'a [u8]) -> Option<Self> {
        let mut signed =
            Reader::new(certificate).tagged(der::SEQUENCE)?.inside().tagged(der::SEQUENCE)?.inside();
        let version = match signed.tagged(0xa0) {
            Some(tagged) => tagged.inside().tagged(der::INTEGER)?.content.first()?.checked_add(1)?,
            None => 1,
        };
        signed.tagged(der::INTEGER)?;
        signed.tagged(der::SEQUENCE)?;
        let issuer = signed.tagged(der::SEQUENCE)?.whole;
        let mut validity = signed.tagged(der::SEQUENCE)?.inside();
        let (not_before_s, not_after_s) = (time_s(validity.next()?)?, time_s(validity.next()?)?);
        let subject = signed.tagged(der::SEQUENCE)?.whole;
        let public_key = signed.tagged(der::SEQUENCE)?.whole;
        let extensions = signed.find(|element| element.tag == 0xa3).map(extensions).unwrap_or_default();
        Some(Self { version, issuer, subject, not_before_s, not_after_s, public_key, extensions })
    }

    /// The common name of the subject; empty if it has none.
    pub(super) fn common_name(&self) -> String {
        common_name(self.subject).unwrap_or_default()
    }

    /// Whether the subject consists of a common name alone.
    pub(super) fn has_plain_subject(&self) -> bool {
        let names = Reader::new(self.subject).tagged(der::SEQUENCE).map(Element::inside);
        names.is_some_and(|names| names.count() == 1) && common_name(self.subject).is_some()
    }

    pub(super) fn key_kind(&self) -> KeyKind {
        key_kind(self.public_key).unwrap_or(KeyKind::Other)
    }

    /// The names and addresses that it is for; empty if it has none.
    pub(super) fn alt_names(&self) -> (Vec<String>, Vec<IpAddr>) {
        let names = self.extension(ALT_NAMES).and_then(|value| Reader::new(value).tagged(der::SEQUENCE));
        let (mut dns, mut addresses) = (Vec::new(), Vec::new());
        for name in names.into_iter().flat_map(Element::inside) {
            match name.tag {
                DNS_NAME => dns.push(String::from_utf8_lossy(name.content).into_owned()),
                IP_ADDRESS => addresses.extend(address(name.content)),
                _ => {}
            }
        }
        (dns, addresses)
    }

    /// What a CA may certify (RFC 5280, section 4.2.1.10); `None`: anything.
    pub(super) fn permitted(&self) -> Option<Permitted> {
        let value = self.extension(NAME_CONSTRAINTS)?;
        let trees = Reader::new(value).tagged(der::SEQUENCE)?.inside().tagged(0xa0)?;
        let (mut dns, mut networks) = (Vec::new(), Vec::new());
        for base in trees.inside().filter_map(|tree| tree.inside().next()) {
            match base.tag {
                DNS_NAME => dns.push(String::from_utf8_lossy(base.content).into_owned()),
                IP_ADDRESS => {
                    let (network, mask) = base.content.split_at(base.content.len() / 2);
                    networks.extend(address(network).zip(address(mask)));
                }
                _ => {}
            }
        }
        Some(Permitted { names: dns, networks })
    }

    fn extension(&self, oid: &[u8]) -> Option<&'a [u8]> {
        self.extensions.iter().find(|(found, _)| *found == oid).map(|(_, value)| *value)
    }
}

fn extensions(list: Element<'_>) -> Vec<(&[u8], &[u8])> {
    let list = list.inside().tagged(der::SEQUENCE).map(Element::inside);
    let read = list.into_iter().flatten().filter_map(|element| {
        let mut parts = element.inside();
        let oid = parts.tagged(der::OID)?.content;
        parts.tagged(der::BOOLEAN);
        Some((oid, parts.tagged(der::OCTET_STRING)?.content))
    });
    read.collect()
}

/// The first common name in a distinguished name.
pub(super) fn common_name(name: &[u8]) -> Option<String> {
    let sets = Reader::new(name).tagged(der::SEQUENCE)?.inside();
    sets.filter(|set| set.tag == der::SET).flat_map(Element::inside).find_map(|pair| {
        let mut pair = pair.inside();
        let is_wanted = pair.tagged(der::OID)?.content == COMMON_NAME;
        let text = pair.next()?.content;
        is_wanted.then(|| String::from_utf8_lossy(text).into_owned())
    })
}

fn key_kind(public_key: &[u8]) -> Option<KeyKind> {
    let mut parts = Reader::new(public_key).tagged(der::SEQUENCE)?.inside();
    let mut algorithm = parts.tagged(der::SEQUENCE)?.inside();
    let oid = algorithm.tagged(der::OID)?.content;
    Some(match oid {
        RSA => {
            // The first byte of a bit string counts its unused bits, of which there are none here.
            let key = parts.tagged(der::BIT_STRING)?.content.get(1..)?;
            let modulus = Reader::new(key).tagged(der::SEQUENCE)?.inside().tagged(der::INTEGER)?.content;
            let digits = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
            let unused = digits.first().map_or(0, |byte| byte.leading_zeros() as usize);
            KeyKind::Rsa(digits.len() * 8 - unused)
        }
        EC => {
            let curve = algorithm.tagged(der::OID)?.content;
            KeyKind::Curve(CURVES.iter().find(|(oid, _)| *oid == curve).map_or("unknown", |(_, name)| name))
        }
        ED25519 => KeyKind::Ed25519,
        _ => KeyKind::Other,
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

/// Seconds since 1970 of a Time (RFC 5280, section 4.1.2.5).
fn time_s(element: Element<'_>) -> Option<i64> {
    let text = str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match element.tag {
        der::UTC_TIME => {
            let short: i32 = text.get(..2)?.parse().ok()?;
            (short + if short < 50 { 2000 } else { 1900 }, text.get(2..)?)
        }
        der::GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(two(0)?).ok()?, two(2)?).ok()?;
    let time = Time::from_hms(two(4)?, two(6)?, two(8)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    #[test]
    fn a_certificate_is_read_and_a_truncated_one_is_refused() {
        let mut parameters = CertificateParams::new(vec!["board".to_owned(), "10.0.0.1".to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, "Küche");
        parameters.not_before = rcgen::date_time_ymd(2024, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2055, 12, 31);
        let made = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let fields = Fields::read(made.der()).unwrap();
        assert_eq!((fields.version, fields.common_name().as_str()), (3, "Küche"));
        assert_eq!((fields.not_before_s, fields.not_after_s), (1_704_067_200, 2_713_824_000));
        assert_eq!(fields.key_kind(), KeyKind::Curve("P-256"));
        assert_eq!(fields.alt_names(), (vec!["board".to_owned()], vec!["10.0.0.1".parse().unwrap()]));
        assert!(fields.permitted().is_none() && fields.has_plain_subject());
        for length in 0..made.der().len() {
            assert!(Fields::read(&made.der()[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn no_bytes_can_make_the_reader_panic() {
        let made = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut bytes = made.der().to_vec();
        for at in 0..bytes.len() {
            for odd in [0, 1, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let before = std::mem::replace(&mut bytes[at], odd);
                if let Some(fields) = Fields::read(&bytes) {
                    let _ = (fields.common_name(), fields.key_kind(), fields.alt_names(), fields.permitted());
                }
                bytes[at] = before;
            }
        }
    }

    /// An element of DER, with a length of two bytes.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, 0x82], &(content.len() as u16).to_be_bytes()[..], content].concat()
    }

    fn kind(algorithm: &[&[u8]], key: &[u8]) -> KeyKind {
        let oids: Vec<u8> = algorithm.iter().flat_map(|oid| element(der::OID, oid)).collect();
        let bits = element(der::BIT_STRING, &[&[0], key].concat());
        let public_key = element(der::SEQUENCE, &[element(der::SEQUENCE, &oids), bits].concat());
        key_kind(&public_key).unwrap()
    }

    #[test]
    fn keys_of_every_kind_are_named() {
        let rsa = |modulus: &[u8]| element(der::SEQUENCE, &element(der::INTEGER, modulus));
        assert_eq!(kind(&[RSA], &rsa(&[&[0], &[0x80; 256][..]].concat())), KeyKind::Rsa(2048));
        assert_eq!(kind(&[RSA], &rsa(&[&[0, 0, 1], &[0; 126][..]].concat())), KeyKind::Rsa(1009));
        assert_eq!(kind(&[EC, CURVES[1].0], &[4]), KeyKind::Curve("P-384"));
        assert_eq!(kind(&[EC, RSA], &[4]), KeyKind::Curve("unknown"));
        assert_eq!(kind(&[ED25519], &[4]), KeyKind::Ed25519);
        assert_eq!(kind(&[COMMON_NAME], &[4]), KeyKind::Other);
    }

    #[test]
    fn years_of_two_digits_are_from_1950_to_2049() {
        let seconds = |tag, text: &str| time_s(Element { tag, content: text.as_bytes(), whole: &[] });
        assert_eq!(seconds(der::UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(seconds(der::UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(seconds(der::GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        for (tag, odd) in [
            (der::UTC_TIME, "491231235959"),
            (der::UTC_TIME, "491331235959Z"),
            (der::UTC_TIME, "4912312359Z"),
            (der::INTEGER, "491231235959Z"),
        ] {
            assert_eq!(seconds(tag, odd), None, "{odd}");
        }
    }

    /// A certificate of version 1 without extensions, whose subject has these common names.
    fn first_version(names: &[&[u8]]) -> Vec<u8> {
        let named = |name: &&[u8]| {
            let pair = [element(der::OID, COMMON_NAME), element(0x0c, name)].concat();
            element(der::SET, &element(der::SEQUENCE, &pair))
        };
        let subject: Vec<u8> = names.iter().flat_map(named).collect();
        let dates = [element(der::UTC_TIME, b"270101000000Z"), element(der::UTC_TIME, b"280101000000Z")];
        let signed = [
            element(der::INTEGER, &[7]),
            element(der::SEQUENCE, &[]),
            element(der::SEQUENCE, &[]),
            element(der::SEQUENCE, &dates.concat()),
            element(der::SEQUENCE, &subject),
            element(der::SEQUENCE, &[]),
        ];
        element(der::SEQUENCE, &element(der::SEQUENCE, &signed.concat()))
    }

    #[test]
    fn a_certificate_without_a_version_is_of_the_first() {
        let rows: [(&[&[u8]], bool); 3] = [(&[b"board"], true), (&[b"board", b"b"], false), (&[], false)];
        for (names, is_plain) in rows {
            let certificate = first_version(names);
            let fields = Fields::read(&certificate).unwrap();
            assert_eq!((fields.version, fields.has_plain_subject()), (1, is_plain), "{names:?}");
            assert_eq!(fields.key_kind(), KeyKind::Other);
            assert_eq!(fields.alt_names(), (Vec::new(), Vec::new()));
        }
    }
}
