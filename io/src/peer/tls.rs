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
use std::task::{Context, Poll, Waker, ready};

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
    /// Who writes and waits for the end of the handshake, which reading brings about.
    writer: Option<Waker>,
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
            writer: None,
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
            if !self.connection.is_handshaking()
                && let Some(writer) = self.writer.take()
            {
                writer.wake();
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
        if taken > 0 || bytes.is_empty() {
            return Poll::Ready(Ok(taken));
        }
        // The session is full. What has no waker must not be waited for: a connection that took
        // everything at once wakes nobody, and then there is room.
        ready!(self.poll_out(stream, cx))?;
        if self.connection.is_handshaking() {
            // Until it is over everything is kept.
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(self.connection.writer().write(bytes))
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;
    use std::future::Future;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    /// What one side has written and the other has not read.
    #[derive(Default)]
    struct Way {
        bytes: VecDeque<u8>,
        reader: Option<Waker>,
        writer: Option<Waker>,
    }

    /// A connection in memory that takes bytes until `room` of them wait; it wakes whoever it made
    /// wait, and nobody else.
    struct Pipe {
        from: Rc<RefCell<Way>>,
        to: Rc<RefCell<Way>>,
        room: usize,
    }

    impl AsyncRead for Pipe {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            into: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let mut from = self.from.borrow_mut();
            if from.bytes.is_empty() {
                from.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let read = from.bytes.read(into)?;
            if let Some(writer) = from.writer.take() {
                writer.wake();
            }
            Poll::Ready(Ok(read))
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let mut to = self.to.borrow_mut();
            let taken = bytes.len().min(self.room.saturating_sub(to.bytes.len()));
            if taken == 0 {
                to.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            to.bytes.extend(&bytes[..taken]);
            if let Some(reader) = to.reader.take() {
                reader.wake();
            }
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A side: its session over its end of the pipe.
    struct Side {
        session: Session,
        pipe: Pipe,
    }

    impl AsyncRead for Side {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            into: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let Self { session, pipe } = &mut *self;
            session.poll_read(pipe, cx, into)
        }
    }

    impl AsyncWrite for Side {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let Self { session, pipe } = &mut *self;
            session.poll_write(pipe, cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let Self { session, pipe } = &mut *self;
            session.poll_out(pipe, cx)
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Whether a task was woken since it was last polled.
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Runs tasks, each polled only when it was woken itself, until all have ended.
    fn run(tasks: Vec<Pin<Box<dyn Future<Output = ()>>>>) {
        let mut tasks: Vec<_> = tasks
            .into_iter()
            .map(|task| (Arc::new(Woken(AtomicBool::new(true))), task))
            .collect();
        while !tasks.is_empty() {
            let mut polled = false;
            tasks.retain_mut(|(woken, task)| {
                if !woken.0.swap(false, Ordering::Relaxed) {
                    return true;
                }
                polled = true;
                let waker = Waker::from(Arc::clone(woken));
                task.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            });
            assert!(polled, "{} tasks wait and nobody wakes them", tasks.len());
        }
    }

    /// A broker's certificate of an authority that exists for this call.
    fn tls() -> PeerTls {
        let directory = tempfile::TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = authority.self_signed(&key).unwrap();
        let of_broker = KeyPair::generate().unwrap();
        let broker = CertificateParams::new(vec!["broker-0".to_owned()]).unwrap();
        let broker = broker.signed_by(&of_broker, &authority, &key).unwrap();
        std::fs::write(path("authority.pem"), authority.pem()).unwrap();
        std::fs::write(path("0.pem"), broker.pem()).unwrap();
        std::fs::write(path("0.key"), of_broker.serialize_pem()).unwrap();
        PeerTls::load(&path("0.pem"), &path("0.key"), &path("authority.pem")).unwrap()
    }

    fn sides(room: usize) -> (Side, Side) {
        let tls = tls();
        let (one, other) = (Rc::<RefCell<Way>>::default(), Rc::default());
        let pipe = |from: &Rc<_>, to: &Rc<_>| Pipe {
            from: Rc::clone(from),
            to: Rc::clone(to),
            room,
        };
        let dialled = Side {
            session: tls.dialled().unwrap(),
            pipe: pipe(&one, &other),
        };
        let accepted = Side {
            session: tls.accepted().unwrap(),
            pipe: pipe(&other, &one),
        };
        (dialled, accepted)
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    /// One side asks with `len` bytes, the other answers with three times as many; neither is woken
    /// by anything but the connection.
    fn exchange(room: usize, len: usize) {
        let (mut dialled, mut accepted) = sides(room);
        let ended = Rc::new(Cell::new(0));
        let (first, second) = (Rc::clone(&ended), Rc::clone(&ended));
        run(vec![
            Box::pin(async move {
                // Who dials says its hello, and what follows is written when that is answered.
                dialled.write_all(b"hello").await.unwrap();
                dialled.flush().await.unwrap();
                let mut hello = [0; 5];
                dialled.read_exact(&mut hello).await.unwrap();
                dialled.write_all(&bytes(len)).await.unwrap();
                dialled.flush().await.unwrap();
                let mut back = vec![0; 3 * len];
                dialled.read_exact(&mut back).await.unwrap();
                assert!(back == bytes(3 * len), "other bytes come out");
                first.set(first.get() + 1);
            }),
            Box::pin(async move {
                let mut hello = [0; 5];
                accepted.read_exact(&mut hello).await.unwrap();
                accepted.write_all(&hello).await.unwrap();
                accepted.flush().await.unwrap();
                let mut asked = vec![0; len];
                accepted.read_exact(&mut asked).await.unwrap();
                assert!(asked == bytes(len), "other bytes come out");
                accepted.write_all(&bytes(3 * len)).await.unwrap();
                accepted.flush().await.unwrap();
                second.set(second.get() + 1);
            }),
        ]);
        assert_eq!(ended.get(), 2);
    }

    #[test]
    fn large_frames_pass_a_connection_that_takes_everything_at_once() {
        for len in [OUT_BYTES_MAX - 1, OUT_BYTES_MAX + 1, 1 << 20, 5 << 20] {
            exchange(usize::MAX, len);
        }
    }

    #[test]
    fn large_frames_pass_a_connection_that_takes_little() {
        for room in [1_000, 64 << 10, OUT_BYTES_MAX] {
            exchange(room, 1 << 20);
        }
    }

    #[test]
    fn who_writes_much_before_the_handshake_is_woken_after_it() {
        let (dialled, mut accepted) = sides(usize::MAX);
        let len = 3 * OUT_BYTES_MAX;
        let (mut reader, mut writer) = dialled.split();
        run(vec![
            Box::pin(async move {
                writer.write_all(&bytes(len)).await.unwrap();
                writer.flush().await.unwrap();
            }),
            Box::pin(async move {
                let mut end = [0; 3];
                reader.read_exact(&mut end).await.unwrap();
            }),
            Box::pin(async move {
                let mut asked = vec![0; len];
                accepted.read_exact(&mut asked).await.unwrap();
                assert!(asked == bytes(len), "other bytes come out");
                accepted.write_all(b"end").await.unwrap();
                accepted.flush().await.unwrap();
            }),
        ]);
    }
}
