//! Encryption between brokers: both sides show a certificate of the cluster's own authority.
//!
//! Who has a certificate that the authority signed is a member; names in it are not compared, because
//! brokers are found under addresses that change. All connections of a cluster are encrypted or none:
//! the first bytes of a plain peer are no handshake, and it is closed before anything is read as a
//! frame. TLS 1.3 only: all peers are of one program.
//!
//! The session is pumped by whoever reads and writes, on either driver and on any thread: what the
//! library wants written goes out before anything is waited for, so a handshake needs no step of its
//! own. A connection that is handed to another thread takes its session with it.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncRead, AsyncWrite};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ServerConnection, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, Connection, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme, version,
};

/// Largest PEM file.
const PEM_BYTES_MAX: u64 = 1 << 20;
/// Bytes taken from the connection at once.
const READ_BYTES: usize = 16 << 10;
/// Encrypted bytes that wait to be written; a writer waits above it.
const OUT_BYTES_MAX: usize = 256 << 10;
/// The name every broker is asked for; not compared.
const NAME: &str = "broker";

/// What a broker proves itself with, and by whom the others must be signed.
#[derive(Clone)]
pub struct PeerTls {
    certificates: PathBuf,
    authority: PathBuf,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTls")
            .field("certificates", &self.certificates)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl PartialEq for PeerTls {
    fn eq(&self, other: &Self) -> bool {
        (&self.certificates, &self.authority) == (&other.certificates, &other.authority)
    }
}

impl Eq for PeerTls {}

impl PeerTls {
    /// Reads the chain of this broker (its own certificate first), its key, and the certificates by
    /// which those of others must be signed.
    ///
    /// # Errors
    /// A sentence with the file that cannot be used.
    pub fn load(certificates: &Path, key: &Path, authority: &Path) -> Result<Self, String> {
        let wrong = |path: &Path, what: &dyn fmt::Display| format!("{}: {what}", path.display());
        let chain = read_certificates(certificates)?;
        let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|error| wrong(key, &format!("no private key without passphrase: {error}")))?;
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(authority)? {
            roots
                .add(certificate)
                .map_err(|error| wrong(authority, &error))?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(ring::default_provider());
        let of_clients =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()
                .map_err(|error| wrong(authority, &error))?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|error| wrong(certificates, &error))?
            .with_client_cert_verifier(of_clients)
            .with_single_cert(chain.clone(), secret.clone_key())
            .map_err(|error| wrong(key, &error))?;
        let of_servers = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| wrong(authority, &error))?;
        let of_servers = Arc::new(AnyMember { of_servers });
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|error| wrong(certificates, &error))?
            .dangerous()
            .with_custom_certificate_verifier(of_servers)
            .with_client_auth_cert(chain, secret)
            .map_err(|error| wrong(key, &error))?;
        Ok(Self {
            certificates: certificates.to_owned(),
            authority: authority.to_owned(),
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }

    /// The session of the side that dialled.
    pub(crate) fn dialled(&self) -> io::Result<Session> {
        let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
        let connection =
            ClientConnection::new(Arc::clone(&self.client), name).map_err(io::Error::other)?;
        Ok(Session::new(connection.into()))
    }

    /// The session of the side that accepted.
    pub(crate) fn accepted(&self) -> io::Result<Session> {
        let connection =
            ServerConnection::new(Arc::clone(&self.server)).map_err(io::Error::other)?;
        Ok(Session::new(connection.into()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |what: &dyn fmt::Display| format!("{}: {what}", path.display());
    let file = std::fs::File::open(path).map_err(|error| wrong(&error))?;
    let mut bytes = Vec::new();
    file.take(PEM_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(wrong(&format!("more than {PEM_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{}: no certificate in it", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Everybody whom the authority signed, whatever the name.
#[derive(Debug)]
struct AnyMember {
    of_servers: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyMember {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.of_servers.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // Asked last: the chain is good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of_servers
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of_servers
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of_servers.supported_verify_schemes()
    }
}

/// The state of an encrypted connection, without the connection.
pub(crate) struct Session {
    connection: Box<Connection>,
    /// Encrypted, and written up to `written`.
    out: Vec<u8>,
    written: usize,
    buffer: Box<[u8]>,
    ended: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    fn new(mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(OUT_BYTES_MAX));
        Self {
            connection: Box::new(connection),
            out: Vec::new(),
            written: 0,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            ended: false,
        }
    }

    /// Reads decrypted bytes from `stream`.
    pub(crate) fn poll_read<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            // First what the other side waits for; what does not fit is written when it does.
            if let Poll::Ready(Err(error)) = self.poll_out(stream, cx) {
                return Poll::Ready(Err(error));
            }
            match self.connection.reader().read(into) {
                Ok(read) => return Poll::Ready(Ok(read)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            if self.ended {
                return Poll::Ready(Ok(0));
            }
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut self.buffer))?;
            self.ended = read == 0;
            let mut bytes = &self.buffer[..read];
            // An empty read tells the session that the connection has ended.
            loop {
                self.connection.read_tls(&mut bytes)?;
                let processed = self.connection.process_new_packets();
                if let Err(error) = processed {
                    // Says why to the other side, if that can still be done.
                    let _ = self.poll_out(stream, cx);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
                if bytes.is_empty() {
                    break;
                }
            }
        }
    }

    /// Encrypts bytes and begins to write them.
    pub(crate) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.out.len() - self.written > OUT_BYTES_MAX {
            ready!(self.poll_out(stream, cx))?;
        }
        let taken = self.connection.writer().write(bytes)?;
        if taken == 0 && !bytes.is_empty() {
            // Everything is kept until the handshake is over, which reading brings about.
            ready!(self.poll_out(stream, cx))?;
            return Poll::Pending;
        }
        Poll::Ready(Ok(taken))
    }

    /// Writes what is encrypted.
    pub(crate) fn poll_out<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while self.connection.wants_write() {
                self.connection.write_tls(&mut self.out)?;
            }
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
                return Pin::new(&mut *stream).poll_flush(cx);
            }
            let rest = &self.out[self.written..];
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
    }

    /// Says that nothing follows.
    pub(crate) fn end(&mut self) {
        self.connection.send_close_notify();
    }
}
