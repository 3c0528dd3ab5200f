//! One viewer's socket, plain or TLS. It connects and asks in blocking mode, then only reads.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

/// A server that neither answers nor hangs up ends the run, not the patience of its user.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a stream is found.
#[derive(Clone)]
pub struct Endpoint {
    /// On IPv4 loopback.
    pub address: SocketAddr,
    /// The path of the stream.
    pub path: String,
    /// For TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// The value of an Authorization header.
    pub authorization: Option<String>,
}

/// A connection that has asked for the stream.
pub struct Connection {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

/// Buffers that all connections of a thread share.
pub struct Buffers {
    wire: Box<[u8]>,
    plain: Box<[u8]>,
}

impl Buffers {
    /// Room for a few pictures: a smaller one would cost more reads.
    pub fn new() -> Self {
        Self { wire: vec![0; 256 << 10].into(), plain: vec![0; 64 << 10].into() }
    }
}

impl Connection {
    /// Connects and asks. `receive_bytes` shrinks the socket's buffer.
    pub fn open(endpoint: &Endpoint, receive_bytes: Option<usize>) -> io::Result<Self> {
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        if let Some(bytes) = receive_bytes {
            sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
        }
        rustix::net::connect(&socket, &endpoint.address)?;
        let socket = TcpStream::from(socket);
        socket.set_read_timeout(Some(CONNECT_TIMEOUT))?;
        socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
        let mut connection = Self { socket, tls: None };
        connection.ask(endpoint)?;
        connection.socket.set_nonblocking(true)?;
        Ok(connection)
    }

    /// Reads once what has come, and hands the stream's bytes in it to `deliver`. False at the end.
    pub fn receive(
        &mut self,
        buffers: &mut Buffers,
        mut deliver: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<bool> {
        let count = match self.socket.read(&mut buffers.wire) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        let mut wire = &buffers.wire[..count];
        let Some(tls) = &mut self.tls else {
            deliver(wire)?;
            return Ok(true);
        };
        while !wire.is_empty() {
            tls.read_tls(&mut wire)?;
            tls.process_new_packets().map_err(io::Error::other)?;
            loop {
                match tls.reader().read(&mut buffers.plain) {
                    Ok(0) => return Ok(false),
                    Ok(count) => deliver(&buffers.plain[..count])?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(true)
    }

    fn ask(&mut self, endpoint: &Endpoint) -> io::Result<()> {
        let authorization = match &endpoint.authorization {
            Some(value) => format!("Authorization: {value}\r\n"),
            None => String::new(),
        };
        let request =
            format!("GET {} HTTP/1.1\r\nHost: {}\r\n{authorization}\r\n", endpoint.path, endpoint.address);
        let Some(config) = &endpoint.tls else {
            return self.socket.write_all(request.as_bytes());
        };
        let name = ServerName::from(endpoint.address.ip());
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        tls.writer().write_all(request.as_bytes())?;
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut self.socket)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A client configuration that takes any certificate: the servers timed here have just made
/// their own, and nothing is sent to them but what this program invented.
pub fn careless_tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
