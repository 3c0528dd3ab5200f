//! The TLS configuration: versions and ciphers, and their order.
//!
//! The server chooses the cipher: AES-128-GCM if the CPU has AES instructions, otherwise ChaCha20, which is
//! faster on every Raspberry Pi before the 5.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig, SupportedCipherSuite};

use super::certificate::Certificates;

/// The TLS configuration of a gate.
pub(super) struct Tls {
    shared: ServerConfig,
    certificates: Arc<Certificates>,
}

impl Tls {
    /// A configuration with these certificates.
    ///
    /// # Errors
    /// If the system has no random numbers for the ticket key.
    pub(super) fn new(certificates: Arc<Certificates>) -> Result<Self, rustls::Error> {
        Ok(Self { shared: shared_config(Arc::clone(&certificates))?, certificates })
    }

    /// The configuration for a client that connected to this address of the machine. The handshake itself names
    /// the host that the client wants (SNI), but no address.
    pub(super) fn config_for(&self, local: IpAddr) -> Arc<ServerConfig> {
        let mut config = self.shared.clone();
        config.cert_resolver =
            Arc::new(Resolver { certificates: Arc::clone(&self.certificates), local: Some(local) });
        Arc::new(config)
    }
}

/// Chooses the certificate for an address.
#[derive(Debug)]
struct Resolver {
    certificates: Arc<Certificates>,
    local: Option<IpAddr>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certificates.for_address(self.local))
    }
}

/// The common part: TLS 1.2 and 1.3, forward secrecy only (rustls has nothing else), stateless resumption,
/// HTTP/1.1.
fn shared_config(certificates: Arc<Certificates>) -> Result<ServerConfig, rustls::Error> {
    let provider = CryptoProvider { cipher_suites: suites(has_aes()), ..ring::default_provider() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver { certificates, local: None }));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    // The order depends on the server's CPU; most clients have AES instructions and would choose AES.
    config.ignore_client_order = true;
    Ok(config)
}

/// The cipher suites, the cheapest first. With AES instructions that is AES-128-GCM; without them, as on every
/// Pi before the 5, ChaCha20 costs about a third of AES. AES-256 comes last: it costs two fifths more than
/// AES-128, which is secure enough.
fn suites(has_aes: bool) -> Vec<SupportedCipherSuite> {
    let cost = |suite: &SupportedCipherSuite| match suite.suite() {
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
            if has_aes {
                2
            } else {
                0
            }
        }
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 1,
        _ => 3,
    };
    let mut suites = ring::DEFAULT_CIPHER_SUITES.to_vec();
    // A stable sort keeps the order of rustls within a rank.
    suites.sort_by_key(cost);
    suites
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
fn has_aes() -> bool {
    // 32-bit ARM: the kernel lists the features of the CPU.
    std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| {
        text.lines()
            .filter(|line| line.starts_with("Features"))
            .any(|line| line.split_whitespace().any(|word| word == "aes"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_two(has_aes: bool) -> Vec<CipherSuite> {
        // One TLS 1.3 suite and one TLS 1.2 suite lead.
        suites(has_aes).iter().map(SupportedCipherSuite::suite).take(2).collect()
    }

    #[test]
    fn without_aes_instructions_chacha20_leads() {
        assert_eq!(first_two(false)[0], CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
        assert_eq!(first_two(true)[0], CipherSuite::TLS13_AES_128_GCM_SHA256);
    }

    #[test]
    fn no_suite_is_lost_by_the_order() {
        assert_eq!(suites(true).len(), ring::DEFAULT_CIPHER_SUITES.len());
    }
}
