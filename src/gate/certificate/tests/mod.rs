//! Certificates while their files, the clock and the host name change.

mod faults;

use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose};

use super::authority::new_key;
use super::clock::Clock;
use super::current::{Certificates, Current};
use super::error::CertificateError;
use super::names::Names;
use super::paths::CertificateFiles;
use super::profile;
use super::x509::Fields;
use crate::base::clock::RELEASED_S;

const DAY_S: i64 = 24 * 3600;

thread_local! {
    static NOW_S: Cell<i64> = const { Cell::new(RELEASED_S + 100 * DAY_S) };
    static HOST: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        HOST.set("attic".to_owned());
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn files(&self) -> CertificateFiles {
        CertificateFiles::new(&self.path("server.pem"), &self.path("key.pem"), &[])
    }

    fn open(&self) -> Result<Arc<Certificates>, CertificateError> {
        Certificates::open_with(self.files(), Clock::of(|| NOW_S.get()), || HOST.with_borrow(Clone::clone))
    }

    fn error(&self) -> String {
        self.open().map(drop).expect_err("refused").to_string()
    }

    /// The self-signed certificate as older versions made it.
    fn write_legacy(&self) -> Vec<u8> {
        self.write_pair(&Self::legacy())
    }

    fn legacy() -> CertificateParams {
        let mut parameters =
            CertificateParams::new(vec!["localhost".to_owned(), "attic".to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, "Defender on attic");
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.not_before = rcgen::date_time_ymd(2024, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2049, 12, 31);
        parameters
    }

    fn write_pair(&self, parameters: &CertificateParams) -> Vec<u8> {
        let key = new_key().unwrap();
        let made = parameters.self_signed(&key).unwrap();
        fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        fs::set_permissions(self.path("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(self.path("server.pem"), made.pem()).unwrap();
        made.der().to_vec()
    }
}

fn seen(certificates: &Certificates, local: &str) -> Vec<u8> {
    certificates.for_address(local.parse().ok()).cert[0].to_vec()
}

fn addresses(certificate: &[u8]) -> Vec<String> {
    Fields::read(certificate).unwrap().alt_names().1.iter().map(ToString::to_string).collect()
}

#[test]
fn a_second_start_finds_what_the_first_one_made() {
    let folder = Folder::new();
    let first = folder.open().unwrap();
    for (file, mode) in [
        ("key.pem", 0o600),
        ("defender-ca-key.pem", 0o600),
        ("server.pem", 0o644),
        ("defender-ca.pem", 0o644),
    ] {
        assert_eq!(fs::metadata(folder.path(file)).unwrap().mode() & 0o777, mode, "{file}");
    }
    let before = folder.files().stamps();
    let again = folder.open().unwrap();
    assert_eq!(folder.files().stamps(), before, "nothing is written a second time");
    assert_eq!(again.current().common().cert, first.current().common().cert);
    assert_eq!(first.trust_anchor(), again.trust_anchor());
}

#[test]
fn a_client_sees_only_the_address_it_connected_to() {
    let certificates = Folder::new().open().unwrap();
    assert_eq!(addresses(&seen(&certificates, "192.168.1.7")), ["192.168.1.7"]);
    assert_eq!(addresses(&seen(&certificates, "::ffff:10.0.0.1")), ["10.0.0.1"]);
    assert_eq!(addresses(&seen(&certificates, "fd00::7")), ["fd00::7"]);
    // What the CA may not certify would spoil the names, too.
    let public = seen(&certificates, "2001:db8::7");
    assert_eq!(addresses(&public), ["127.0.0.1", "::1"]);
    assert!(Fields::read(&public).unwrap().alt_names().0.contains(&"attic.local".to_owned()));
    assert_eq!(seen(&certificates, "10.0.0.1"), seen(&certificates, "10.0.0.1"), "made once");
}

#[test]
fn a_restart_changes_no_certificate() {
    let folder = Folder::new();
    let first = seen(&folder.open().unwrap(), "192.168.1.7");
    let again = folder.open().unwrap();
    assert_eq!(seen(&again, "192.168.1.7"), first);
    fs::write(folder.path("defender-addresses.pem"), "garbage").unwrap();
    assert_ne!(seen(&folder.open().unwrap(), "192.168.1.7"), first, "a broken file costs no more than that");
    HOST.set("cellar".to_owned());
    again.reload_if_changed();
    assert_ne!(seen(&again, "192.168.1.7"), first, "another name");
    Certificates::renew(&folder.files(), false).unwrap();
    assert_ne!(seen(&folder.open().unwrap(), "192.168.1.7"), first, "renewed");
}

#[test]
fn certificates_for_many_addresses_are_bounded() {
    let certificates = Folder::new().open().unwrap();
    for number in 0..200 {
        let local = format!("10.0.1.{number}");
        assert_eq!(addresses(&seen(&certificates, &local)), [local.as_str()]);
    }
    let Current::Issued(issued) = &*certificates.current() else { panic!("not ours") };
    assert!(issued.count() <= 64, "{}", issued.count());
}

#[test]
fn a_certificate_is_renewed_before_its_end_for_its_key() {
    let folder = Folder::new();
    let certificates = folder.open().unwrap();
    let (first, key) = (seen(&certificates, ""), certificates.key_fingerprint());
    NOW_S.set(NOW_S.get() + 200 * DAY_S);
    certificates.reload_if_changed();
    assert_eq!(seen(&certificates, ""), first, "it is good for longer");
    assert_eq!(key, profile::fingerprint(Fields::read(&first).unwrap().public_key));
    NOW_S.set(NOW_S.get() + 80 * DAY_S);
    certificates.reload_if_changed();
    let second = seen(&certificates, "");
    let fields = Fields::read(&second).unwrap();
    assert!(fields.not_before_s < NOW_S.get() && NOW_S.get() + 390 * DAY_S < fields.not_after_s);
    assert_eq!(certificates.key_fingerprint(), key);
    assert_eq!(seen(&folder.open().unwrap(), ""), second, "it is kept in the file");
    NOW_S.set(NOW_S.get() - 50 * DAY_S);
    certificates.reload_if_changed();
    assert!(
        Fields::read(&seen(&certificates, "")).unwrap().not_before_s < NOW_S.get(),
        "the clock was ahead"
    );
}

#[test]
fn a_board_without_a_clock_dates_nothing_1970() {
    let folder = Folder::new();
    NOW_S.set(17);
    let certificates = folder.open().unwrap();
    let first = seen(&certificates, "");
    let fields = Fields::read(&first).unwrap();
    assert!((RELEASED_S - 3 * DAY_S..RELEASED_S).contains(&fields.not_before_s));
    NOW_S.set(RELEASED_S + 300 * DAY_S);
    certificates.reload_if_changed();
    let second = seen(&certificates, "");
    assert!(
        Fields::read(&second).unwrap().not_after_s > RELEASED_S + 600 * DAY_S,
        "made anew by the right clock"
    );
    NOW_S.set(17);
    assert_eq!(seen(&folder.open().unwrap(), ""), second, "a clock that is lost again changes nothing");
}

#[test]
fn a_new_host_name_needs_no_restart() {
    let folder = Folder::new();
    let certificates = folder.open().unwrap();
    let anchor = certificates.trust_anchor();
    HOST.set("cellar".to_owned());
    certificates.reload_if_changed();
    let names = Fields::read(&seen(&certificates, "10.0.0.1")).unwrap().alt_names().0;
    assert!(
        names.contains(&"cellar.local".to_owned()) && !names.contains(&"attic.local".to_owned()),
        "{names:?}"
    );
    // The CA was made for `attic`: a name without a domain that it may not certify would spoil the others.
    assert!(!names.contains(&"cellar".to_owned()), "{names:?}");
    assert_eq!(certificates.trust_anchor(), anchor);
}

#[test]
fn the_first_start_works_with_any_host_name() {
    for host in
        ["küche", "(none)", &"a".repeat(64), "my_cam", "", "attic.", "a.b.example.org", "-", "10.0.0.1"]
    {
        let folder = Folder::new();
        HOST.set(host.to_owned());
        let certificates = folder.open().unwrap_or_else(|error| panic!("{host}: {error}"));
        assert_eq!(addresses(&seen(&certificates, "10.0.0.1")), ["10.0.0.1"], "{host}");
    }
}

#[test]
fn a_legacy_certificate_is_replaced_and_its_key_kept() {
    let folder = Folder::new();
    let legacy = folder.write_legacy();
    let key = fs::read(folder.path("key.pem")).unwrap();
    let certificates = folder.open().unwrap();
    let chain = certificates.for_address("10.0.0.1".parse().ok()).cert.clone();
    assert_ne!(chain[0].as_ref(), legacy);
    assert_eq!(chain[1].as_ref(), legacy, "for other Defenders that pin it");
    assert_eq!(fs::read(folder.path("key.pem")).unwrap(), key);
    let again = folder.open().unwrap().for_address("10.0.0.1".parse().ok()).cert.clone();
    assert_eq!(again[1].as_ref(), legacy, "after the next start as well");
}

#[test]
fn an_owners_certificate_is_used_whatever_its_name() {
    let names = ["board", "Defender on attic", "Defender CA of attic (000000)"];
    for name in names {
        let folder = Folder::new();
        let mut parameters = CertificateParams::new(vec!["board".to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let own = folder.write_pair(&parameters);
        let certificates = folder.open().unwrap();
        assert_eq!(seen(&certificates, "10.0.0.1"), own, "{name}");
        assert!(certificates.trust_anchor().is_none() && !folder.path("defender-ca.pem").exists(), "{name}");
        let refused = Certificates::renew(&folder.files(), false).expect_err("refused").to_string();
        assert!(refused.contains("was not made by Defender"), "{refused}");
    }
}

#[test]
fn a_first_start_cut_by_power_loss_is_completed() {
    let leftovers: [&[&str]; 3] = [
        &["defender-ca-key.pem"],
        &["defender-ca-key.pem", "defender-ca.pem"],
        &["defender-ca-key.pem", "defender-ca.pem", "key.pem"],
    ];
    for left in leftovers {
        let folder = Folder::new();
        folder.open().unwrap();
        for file in ["defender-ca-key.pem", "defender-ca.pem", "key.pem", "server.pem"] {
            if !left.contains(&file) {
                fs::remove_file(folder.path(file)).unwrap();
            }
        }
        let ca_key = fs::read(folder.path("defender-ca-key.pem")).unwrap();
        folder.open().unwrap_or_else(|error| panic!("{left:?}: {error}"));
        assert_eq!(fs::read(folder.path("defender-ca-key.pem")).unwrap(), ca_key, "{left:?}");
    }
}

#[test]
fn a_ca_renewal_cut_by_power_loss_is_completed() {
    // In the order in which they are written.
    const WRITTEN: [&str; 3] = ["defender-ca-key.pem", "defender-ca.pem", "server.pem"];
    for count in 0..=WRITTEN.len() {
        let folder = Folder::new();
        let before = folder.open().unwrap().trust_anchor();
        let lost: Vec<_> =
            WRITTEN[count..].iter().map(|file| (file, fs::read(folder.path(file)).unwrap())).collect();
        Certificates::renew(&folder.files(), true).unwrap();
        let key = fs::read(folder.path("key.pem")).unwrap();
        for (file, text) in lost {
            fs::write(folder.path(file), text).unwrap();
        }
        let certificates = folder.open().unwrap_or_else(|error| panic!("{count} written: {error}"));
        let anchor = certificates.trust_anchor().unwrap_or_else(|| panic!("{count} written: no CA"));
        assert_eq!(before.as_ref() == Some(&anchor), count == 0, "{count} written");
        let (leaf, ca) = (seen(&certificates, "10.0.0.1"), anchor.der.clone());
        let stamps = folder.files().stamps();
        assert_eq!(
            Fields::read(&leaf).unwrap().issuer,
            Fields::read(&ca).unwrap().subject,
            "{count} written"
        );
        assert_eq!(fs::read(folder.path("key.pem")).unwrap(), key, "{count} written");
        assert_eq!(folder.open().unwrap().trust_anchor(), Some(anchor), "{count} written");
        assert_eq!(folder.files().stamps(), stamps, "{count} written: nothing is written a second time");
        let inspected = Certificates::inspect(&folder.files()).unwrap().unwrap();
        assert!(inspected.trust_anchor.is_some(), "{count} written");
    }
}

#[test]
fn shortly_before_the_ca_ends_no_check_makes_a_certificate() {
    let folder = Folder::new();
    let certificates = folder.open().unwrap();
    let end_s = certificates.trust_anchor().unwrap().validity.not_after_s;
    NOW_S.set(end_s - 20 * DAY_S);
    certificates.reload_if_changed();
    let both = || (seen(&certificates, ""), seen(&certificates, "10.0.0.1"));
    let last = both();
    assert_eq!(Fields::read(&last.0).unwrap().not_after_s, end_s);
    // Two thirds of its life are over, as they would be for a new one.
    NOW_S.set(end_s - DAY_S / 2);
    certificates.reload_if_changed();
    assert!(both() == last);
}

#[test]
fn the_end_of_the_ca_is_remarked_a_year_before() {
    let certificates = Folder::new().open().unwrap();
    let end_s = certificates.trust_anchor().unwrap().validity.not_after_s;
    let current = certificates.current();
    let Current::Issued(issued) = &*current else { panic!("not ours") };
    let remarks = |host: &str, now_s: i64| {
        NOW_S.set(now_s);
        issued.remarks(&Names::of(host, &[]).0, Clock::of(|| NOW_S.get())).concat()
    };
    assert_eq!(remarks("attic", end_s - 365 * DAY_S), "");
    assert!(remarks("attic", end_s - 365 * DAY_S + 1).contains("CA expires on"));
    assert!(remarks("cellar", RELEASED_S).contains("may not certify `cellar`"));
}
