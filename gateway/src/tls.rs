//! Encryption of a listener: a certificate chain and a private key out of PEM files.
//!
//! Read and checked once, at the start: whoever loads a [`TlsIdentity`] has one that works. TLS 1.2
//! and 1.3; clients show no certificates. gRPC offers HTTP/2 only, the other listeners HTTP/1.1 too.
//!
//! | condition | effect |
//! |---|---|
//! | a file is missing, too large, no PEM, or its key is another one's | [`TlsFault`], nothing runs |
//! | a handshake that takes longer than [`Limits::handshake`] | the connection is closed |
//! | as many handshakes as [`Limits::handshakes`] | further ones wait, within the same time |

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::limits::Limits;

/// Largest file of certificates or of a key.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// Which of the two files is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// That of the certificate chain.
    Certificates,
    /// That of the private key.
    Key,
}

/// The files cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct TlsFault {
    /// Which one.
    pub file: TlsFile,
    /// Its path.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

/// What a listener proves itself with.
#[derive(Clone)]
pub struct TlsIdentity {
    certificates: PathBuf,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

impl TlsIdentity {
    /// Reads a chain, the listener's own certificate first, and its key (PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// A file cannot be read or does not hold what it should, or the key is not the certificate's.
    pub fn load(certificates: &Path, key: &Path) -> Result<Self, TlsFault> {
        let wrong_chain = |reason| TlsFault {
            file: TlsFile::Certificates,
            path: certificates.to_owned(),
            reason,
        };
        let wrong_key = |reason| TlsFault {
            file: TlsFile::Key,
            path: key.to_owned(),
            reason,
        };
        let chain = read_certificates(certificates).map_err(wrong_chain)?;
        let text = read(key).map_err(wrong_key)?;
        let secret = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|error| wrong_key(format!("no private key without passphrase: {error}")))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong_key(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| {
                if matches!(error, rustls::Error::InvalidCertificate(_)) {
                    return wrong_chain(error.to_string());
                }
                let certificates = certificates.display();
                wrong_key(format!("it does not go with {certificates}: {error}"))
            })?;
        Ok(Self {
            certificates: certificates.to_owned(),
            config: Arc::new(config),
        })
    }

    /// Takes connections of one listener.
    pub(crate) fn acceptor(&self, protocols: &[&str], limits: &Limits) -> Acceptor {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        Acceptor {
            tls: TlsAcceptor::from(Arc::new(config)),
            places: Arc::new(Semaphore::new(limits.handshakes)),
            within: limits.handshake,
        }
    }
}

/// The certificates of a PEM file; at least one.
///
/// # Errors
/// In words, without the path.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| format!("no PEM: {error}"))?;
    if chain.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(chain)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if size > PEM_BYTES_MAX {
        return Err(format!("larger than {PEM_BYTES_MAX} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// Encrypts what one listener accepts.
#[derive(Clone)]
pub(crate) struct Acceptor {
    tls: TlsAcceptor,
    places: Arc<Semaphore>,
    within: std::time::Duration,
}

impl Acceptor {
    /// The handshake; waiting for a place counts.
    ///
    /// # Errors
    /// In words, for a log line of developers.
    pub(crate) async fn accept(&self, socket: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let handshake = async {
            let _place = self.places.acquire().await;
            self.tls.accept(socket).await
        };
        match tokio::time::timeout(self.within, handshake).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err("it took too long".to_owned()),
        }
    }
}
