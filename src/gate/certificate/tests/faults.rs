//! Files that are missing, broken or replaced while the server runs.

use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::*;
use crate::gate::certificate::files;

#[test]
fn half_a_pair_is_an_error_and_nothing_is_made() {
    let folder = Folder::new();
    folder.write_legacy();
    fs::remove_file(folder.path("server.pem")).unwrap();
    assert!(folder.error().contains("server.pem is missing"));
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1, "nothing was made");
    let folder = Folder::new();
    folder.open().unwrap();
    fs::remove_file(folder.path("key.pem")).unwrap();
    assert!(folder.error().contains("key.pem is missing"));
}

#[test]
fn a_ca_of_another_key_is_an_error_that_says_so() {
    let (folder, other) = (Folder::new(), Folder::new());
    folder.open().unwrap();
    other.open().unwrap();
    fs::copy(other.path("defender-ca-key.pem"), folder.path("defender-ca-key.pem")).unwrap();
    assert!(folder.error().contains("does not belong to the key beside it"), "{}", folder.error());
}

#[test]
fn without_the_key_of_the_ca_the_certificate_stays() {
    let folder = Folder::new();
    let made = seen(&folder.open().unwrap(), "");
    fs::remove_file(folder.path("defender-ca-key.pem")).unwrap();
    assert_eq!(seen(&folder.open().unwrap(), "10.0.0.1"), made);
}

#[test]
fn a_read_only_folder_does_not_stop_the_server() {
    let folder = Folder::new();
    folder.open().unwrap();
    // A folder in the place of the file that is written first stops root, too.
    fs::create_dir(folder.path("server.pem.new")).unwrap();
    NOW_S.set(NOW_S.get() + 300 * DAY_S);
    let certificates = folder.open().unwrap();
    assert!(Fields::read(&seen(&certificates, "")).unwrap().not_after_s > NOW_S.get() + 390 * DAY_S);
    let before = seen(&certificates, "");
    certificates.reload_if_changed();
    assert_eq!(seen(&certificates, ""), before, "it is not made again at each check");
}

#[test]
fn a_first_certificate_that_cannot_be_saved_is_an_error() {
    let folder = Folder::new();
    fs::create_dir(folder.path("server.pem.new")).unwrap();
    let error = folder.open().map(drop).expect_err("refused");
    assert!(
        error.to_string().contains("server.pem") && std::error::Error::source(&error).is_some(),
        "{error}"
    );
}

#[test]
fn saved_certificates_of_an_older_key_are_not_used() {
    let folder = Folder::new();
    seen(&folder.open().unwrap(), "192.168.1.7");
    for file in ["key.pem", "server.pem"] {
        fs::remove_file(folder.path(file)).unwrap();
    }
    folder.open().unwrap();
    let certificates = folder.open().unwrap();
    let leaf = seen(&certificates, "192.168.1.7");
    assert_eq!(profile::fingerprint(Fields::read(&leaf).unwrap().public_key), certificates.key_fingerprint());
}

#[test]
fn an_inspection_says_who_made_a_certificate() {
    let inspect = |folder: &Folder| Certificates::inspect(&folder.files());
    let shown = |folder: &Folder| inspect(folder).unwrap().unwrap().to_string();
    let folder = Folder::new();
    folder.write_legacy();
    for part in ["valid         2024-01-01 to 2049-12-31 (", "made by an older version"] {
        assert!(shown(&folder).contains(part), "{part} is missing in {}", shown(&folder));
    }
    folder.write_pair(&CertificateParams::new(vec!["board".to_owned()]).unwrap());
    assert!(shown(&folder).contains("made by its owner"), "{}", shown(&folder));
    fs::remove_file(folder.path("server.pem")).unwrap();
    let error = inspect(&folder).expect_err("half a pair").to_string();
    assert!(error.contains("server.pem is missing"), "{error}");
    // A power cut ended the first start.
    let cut = Folder::new();
    cut.open().unwrap();
    fs::remove_file(cut.path("server.pem")).unwrap();
    assert!(inspect(&cut).unwrap().is_none());
}

#[test]
fn a_renewed_certificate_and_ca_are_loaded() {
    let folder = Folder::new();
    let certificates = folder.open().unwrap();
    let (first, anchor, key) =
        (seen(&certificates, ""), certificates.trust_anchor(), certificates.key_fingerprint());
    Certificates::renew(&folder.files(), false).unwrap();
    certificates.reload_if_changed();
    assert_ne!(seen(&certificates, ""), first);
    assert_eq!(certificates.trust_anchor(), anchor);
    Certificates::renew(&folder.files(), true).unwrap();
    certificates.reload_if_changed();
    assert_ne!(certificates.trust_anchor(), anchor);
    assert_eq!(certificates.key_fingerprint(), key);
}

#[test]
fn a_changed_pair_is_loaded_and_a_broken_one_is_not() {
    let (folder, other) = (Folder::new(), Folder::new());
    let certificates = folder.open().unwrap();
    let first = seen(&certificates, "");
    fs::write(folder.path("server.pem"), "garbage").unwrap();
    certificates.reload_if_changed();
    assert_eq!(seen(&certificates, ""), first, "the old certificate stays");
    let own = other.write_pair(&CertificateParams::new(vec!["board".to_owned()]).unwrap());
    for file in ["key.pem", "server.pem"] {
        fs::copy(other.path(file), folder.path(file)).unwrap();
    }
    certificates.reload_if_changed();
    assert_eq!(seen(&certificates, ""), own, "the owner's is used");
    assert!(certificates.trust_anchor().is_none());
}

#[test]
fn only_a_key_that_others_may_write_is_refused() {
    let folder = Folder::new();
    folder.open().unwrap();
    for file in ["key.pem", "defender-ca-key.pem"] {
        for (mode, taken) in [(0o620, false), (0o602, false), (0o644, true), (0o600, true)] {
            fs::set_permissions(folder.path(file), fs::Permissions::from_mode(mode)).unwrap();
            let opened = folder.open();
            assert_eq!(opened.is_ok(), taken, "{file}: mode {mode:o}");
            if let Err(error) = opened {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }
}

#[test]
fn files_of_another_kind_are_named_in_the_error() {
    let folder = Folder::new();
    let der = folder.write_legacy();
    let (pem, key) =
        (fs::read_to_string(folder.path("server.pem")).unwrap(), fs::read(folder.path("key.pem")).unwrap());
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(pem.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let rows: [(&[u8], &str); 5] = [
        (b"hello", "expected a PEM file with a CERTIFICATE"),
        (&key, "found a PRIVATE KEY"),
        (&der, "openssl x509 -inform der"),
        (&utf16, "iconv -f utf-16"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n", "a CA has yet to sign"),
    ];
    for (bytes, expected) in rows {
        fs::write(folder.path("server.pem"), bytes).unwrap();
        assert!(folder.error().contains(expected), "{expected:?} is missing in {}", folder.error());
    }
    fs::write(folder.path("server.pem"), vec![b'\n'; 300 * 1024]).unwrap();
    assert!(folder.error().contains("more than 262144 bytes"), "{}", folder.error());
    fs::write(folder.path("server.pem"), format!("\u{feff}{}", pem.replace('\n', "\r\n"))).unwrap();
    folder.open().unwrap_or_else(|error| panic!("a mark and the line ends of Windows: {error}"));
}

#[test]
fn a_certificate_of_another_board_is_an_owners() {
    let (folder, other) = (Folder::new(), Folder::new());
    folder.open().unwrap();
    let theirs = seen(&other.open().unwrap(), "");
    for file in ["server.pem", "key.pem"] {
        fs::copy(other.path(file), folder.path(file)).unwrap();
    }
    let certificates = folder.open().unwrap();
    assert_eq!(seen(&certificates, "10.0.0.1"), theirs);
    assert!(certificates.trust_anchor().is_none());
}

#[test]
fn only_what_an_older_version_made_is_replaced() {
    let mut other_name = Folder::legacy();
    other_name.distinguished_name.push(DnType::OrganizationName, "Attic Ltd");
    let mut other_end = Folder::legacy();
    other_end.not_after = rcgen::date_time_ymd(2049, 12, 30);
    for parameters in [other_name, other_end] {
        let folder = Folder::new();
        let own = folder.write_pair(&parameters);
        assert_eq!(seen(&folder.open().unwrap(), ""), own);
    }
}

#[test]
fn an_owners_certificate_is_remarked_on() {
    let (folder, cert) = (Folder::new(), Path::new("server.pem"));
    let begin = rcgen::date_time_ymd(2027, 1, 1);
    let made = |days: i64, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        (parameters.not_before, parameters.not_after) = (begin, begin + time::Duration::days(days));
        CertificateDer::from(folder.write_pair(&parameters))
    };
    let remarks = |chain: &[CertificateDer<'_>], now_s: i64| {
        NOW_S.set(now_s);
        files::remarks(cert, chain, Clock::of(|| NOW_S.get())).concat()
    };
    let (begin_s, end_s) = (begin.unix_timestamp(), begin.unix_timestamp() + 825 * DAY_S);
    let good = made(825, &["board"]);
    for (now_s, expected) in
        [(begin_s - 1, "not valid yet"), (begin_s, ""), (end_s, ""), (end_s + 1, "has expired")]
    {
        let found = remarks(std::slice::from_ref(&good), now_s);
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{found}");
    }
    assert!(remarks(&[made(826, &["board"])], begin_s).contains("valid for 826 days"));
    assert!(remarks(&[made(10, &[])], begin_s).contains("no subjectAltName"));
    assert_eq!(remarks(&[made(10, &["10.0.0.1"])], begin_s), "");
    let mut other = CertificateParams::default();
    other.distinguished_name.push(DnType::CommonName, "another");
    let chain = [good, CertificateDer::from(folder.write_pair(&other))];
    assert!(remarks(&chain, begin_s).contains("certificate number 2 did not issue certificate number 1"));
}

#[test]
fn a_ca_without_its_key_is_an_error_at_a_first_start() {
    let folder = Folder::new();
    folder.open().unwrap();
    for file in ["server.pem", "key.pem", "defender-ca-key.pem"] {
        fs::remove_file(folder.path(file)).unwrap();
    }
    assert!(folder.error().contains("defender-ca-key.pem is missing"), "{}", folder.error());
}
