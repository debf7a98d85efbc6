//! TLS on all three ports, with a certificate that signs itself, made here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ringflow_gateway::{
    Backend, Gateway, GatewayOptions, Limits, RunningGateway, TlsFile, TlsIdentity,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fake::{self, Fake};

struct Files {
    _dir: TempDir,
    certificate: PathBuf,
    key: PathBuf,
    roots: RootCertStore,
}

fn files() -> Files {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.key_pair.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    Files {
        _dir: dir,
        certificate,
        key,
        roots,
    }
}

async fn start(files: &Files, limits: Limits) -> RunningGateway {
    let any = "127.0.0.1:0".parse().unwrap();
    let tls = TlsIdentity::load(&files.certificate, &files.key).unwrap();
    let options = GatewayOptions {
        grpc: any,
        rest: any,
        management: any,
        grpc_tls: Some(tls.clone()),
        rest_tls: Some(tls.clone()),
        management_tls: Some(tls),
        limits,
        ..GatewayOptions::default()
    };
    let backend = Backend {
        commands: Fake::new(1, fake::echo),
        reads: None,
        exporters: Vec::new(),
        backups: None,
        loggers: None,
    };
    Gateway::start(options, backend).await.unwrap()
}

async fn connect(
    files: &Files,
    address: std::net::SocketAddr,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(files.roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    let socket = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
}

#[tokio::test]
async fn all_ports_speak_tls_and_nothing_else() {
    let files = files();
    let gateway = start(&files, Limits::default()).await;
    for (address, path) in [
        (gateway.rest, "/v2/topology"),
        (gateway.management, "/actuator/health/liveness"),
    ] {
        let socket = connect(&files, address, &[b"http/1.1"]).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = hyper::Request::get(path).header("host", "localhost");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    }
    let socket = connect(&files, gateway.grpc, &[b"h2"]).await.unwrap();
    assert_eq!(socket.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let uri = "https://localhost/gateway_protocol.Gateway/Topology";
    let request = hyper::Request::post(uri)
        .header("content-type", "application/grpc")
        .body(http_body_util::Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let answer = answer.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");

    assert!(connect(&files, gateway.grpc, &[b"http/1.1"]).await.is_err());
    let mut plain = TcpStream::connect(gateway.rest).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET /v2/topology HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // A reset after the alert is as good an end as an orderly one.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn who_does_not_shake_hands_is_let_go() {
    let files = files();
    let limits = Limits {
        handshake: Duration::from_millis(100),
        handshakes: 1,
        ..Limits::default()
    };
    let gateway = start(&files, limits).await;
    let mut silent = TcpStream::connect(gateway.rest).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(10), silent.read(&mut [0; 16])).await;
    assert_eq!(read.unwrap().unwrap_or(0), 0);
    connect(&files, gateway.rest, &[]).await.unwrap();
    gateway.stop().await;
}

#[test]
fn wrong_files_are_refused_by_name() {
    let (files, others) = (files(), files());
    let absent = files.certificate.with_file_name("absent.pem");
    for (certificate, key, wrong) in [
        (&absent, &files.key, TlsFile::Certificates),
        (&files.key, &files.key, TlsFile::Certificates),
        (&files.certificate, &absent, TlsFile::Key),
        (&files.certificate, &files.certificate, TlsFile::Key),
        (&files.certificate, &others.key, TlsFile::Key),
    ] {
        let fault = TlsIdentity::load(certificate, key).unwrap_err();
        assert_eq!(fault.file, wrong, "{fault}");
        let path = match wrong {
            TlsFile::Certificates => certificate,
            TlsFile::Key => key,
        };
        assert!(fault.to_string().starts_with(path.to_str().unwrap()));
    }
}
