//! Listeners, and their orderly end.
//!
//! Three sockets: gRPC, REST, management. All run on the tokio runtime that starts the gateway, and
//! all are served by one loop, so that they have the same bounds and the same end.
//!
//! Stop, in this order: health says NOT_SERVING and readiness DOWN; parked activations and push
//! streams end with UNAVAILABLE; listeners accept no more; requests in work have
//! [`Limits::drain`] to finish; what still runs then is cut.
//!
//! | condition | effect |
//! |---|---|
//! | an address cannot be bound | [`StartError::Bind`], nothing runs |
//! | as many connections as allowed | further ones wait in the kernel's queue |
//! | a listener has a [`TlsIdentity`] | it takes TLS only, see [`tls`](crate::tls) |
//! | headers too slow or too long | the connection is closed (HTTP/1: 408, 431) |
//! | a client that says nothing, or does not read | the connection is closed, see [`patience`] |

mod patience;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response};
use axum::middleware::map_response;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;

use crate::backend::Backend;
use crate::contract::ContractError;
use crate::documents::DocumentOptions;
use crate::grpc::proto::gateway_server::GatewayServer;
use crate::grpc::{self, Service};
use crate::identity::{Auth, AuthError, Guards, Identity};
use crate::limits::Limits;
use crate::management::{self, Management};
use crate::rest::Rest;
use crate::rest::headers::SecurityHeaders;
use crate::submit::Front;
use crate::tls::{Acceptor, TlsIdentity};
use patience::Patient;

/// The Camunda version whose wire this gateway speaks; clients check features by it.
pub const GATEWAY_VERSION: &str = "8.9.0";
/// A client that does not answer a ping for this long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Smallest buffer hyper allows for the headers of a request.
const SMALLEST_HEADER_BUFFER: usize = 8192;
/// After a failed accept (no file descriptors, mostly) the listener rests this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Address of the gRPC service; port 0 = any.
    pub grpc: SocketAddr,
    /// Address of REST.
    pub rest: SocketAddr,
    /// Address of probes and metrics; has no authentication.
    pub management: SocketAddr,
    /// Encryption of the gRPC service; `None` = plain text.
    pub grpc_tls: Option<TlsIdentity>,
    /// The same of REST.
    pub rest_tls: Option<TlsIdentity>,
    /// The same of probes and metrics.
    pub management_tls: Option<TlsIdentity>,
    /// How callers prove who they are.
    pub auth: Auth,
    /// Which checks are on; those of commands are the engine's.
    pub guards: Guards,
    /// Bounds.
    pub limits: Limits,
    /// `8.x.y`, as clients see it.
    pub version: String,
    /// Where documents are kept.
    pub documents: DocumentOptions,
    /// What every answer of REST tells browsers.
    pub headers: SecurityHeaders,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        let any = |port| SocketAddr::from(([0, 0, 0, 0], port));
        Self {
            grpc: any(26500),
            rest: any(8080),
            management: any(9600),
            grpc_tls: None,
            rest_tls: None,
            management_tls: None,
            auth: Auth::Unprotected,
            guards: Guards::default(),
            limits: Limits::default(),
            version: GATEWAY_VERSION.to_owned(),
            documents: DocumentOptions::default(),
            headers: SecurityHeaders::default(),
        }
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is in use or not ours.
    #[error("{what} cannot listen on {address}: {source}")]
    Bind {
        /// Which listener.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The configured users cannot be used.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The embedded contract is unusable.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A document store cannot be used as it is described.
    #[error("document stores: {0}")]
    Documents(String),
}

/// Starts gateways.
#[derive(Clone, Copy, Debug)]
pub struct Gateway;

/// A gateway that serves.
#[derive(Debug)]
pub struct RunningGateway {
    /// Bound address of the gRPC service.
    pub grpc: SocketAddr,
    /// Bound address of REST.
    pub rest: SocketAddr,
    /// Bound address of probes and metrics.
    pub management: SocketAddr,
    front: Arc<Front>,
    health: tonic_health::server::HealthReporter,
    stop: watch::Sender<bool>,
    servers: [JoinHandle<()>; 3],
    listener: JoinHandle<()>,
    drain: Duration,
}

impl Gateway {
    /// Binds all addresses and serves on the current tokio runtime until the result is stopped.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        options: GatewayOptions,
        backend: Backend,
    ) -> Result<RunningGateway, StartError> {
        let limits = options.limits;
        let auth = options.auth;
        let for_identity = limits.clone();
        // Passwords given as text are hashed here, which takes its time by design.
        let (guards, reads) = (options.guards, backend.reads.clone());
        let identity =
            tokio::task::spawn_blocking(move || Identity::new(auth, guards, reads, &for_identity));
        let identity = Arc::new(identity.await.unwrap_or_else(|error| {
            Err(AuthError::Hash {
                user: String::new(),
                reason: error.to_string(),
            })
        })?);
        let front = Front::new(
            backend,
            limits.clone(),
            options.version,
            &options.documents,
            guards.tenancy,
        )
        .map_err(|error| StartError::Documents(error.to_string()))?;
        let front = Arc::new(front);
        let rest =
            Rest::new(Arc::clone(&front), Arc::clone(&identity), options.headers)?.router()?;

        let (grpc_listener, grpc) = bind("gRPC", options.grpc).await?;
        let (rest_listener, rest_address) = bind("REST", options.rest).await?;
        let (management_listener, management_address) =
            bind("management", options.management).await?;

        let (stop, stopped) = watch::channel(false);
        let (health, health_service) = tonic_health::server::health_reporter();
        for service in ["", grpc::SERVICE] {
            health
                .set_service_status(service, tonic_health::ServingStatus::Serving)
                .await;
        }
        let service = GatewayServer::new(Service {
            front: Arc::clone(&front),
            identity,
        })
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(limits.message_bytes)
        .max_encoding_message_size(usize::MAX);
        let rpcs = Routes::new(service)
            .add_service(health_service)
            .prepare()
            .into_axum_router()
            .layer(map_response(too_large_is_exhausted));
        let management = management::router(Arc::new(Management {
            front: Arc::clone(&front),
            started: AtomicBool::new(false),
        }));
        let acceptor = |identity: Option<TlsIdentity>, protocols: &[&str]| {
            identity.map(|identity| identity.acceptor(protocols, &limits))
        };
        let grpc_tls = acceptor(options.grpc_tls, &["h2"]);
        let rest_tls = acceptor(options.rest_tls, &["h2", "http/1.1"]);
        let management_tls = acceptor(options.management_tls, &["h2", "http/1.1"]);
        let servers = [
            (grpc_listener, grpc_tls, rpcs),
            (rest_listener, rest_tls, rest),
            (management_listener, management_tls, management),
        ]
        .map(|(listener, tls, router)| {
            let serving = serve(listener, tls, router, limits.clone(), stopped.clone());
            tokio::spawn(serving)
        });
        let available = front.backend.commands.jobs_available();
        let listener = tokio::spawn(Arc::clone(&front.parking).listen(available));
        Ok(RunningGateway {
            grpc,
            rest: rest_address,
            management: management_address,
            front,
            health,
            stop,
            servers,
            listener,
            drain: limits.drain,
        })
    }
}

impl RunningGateway {
    /// Ends the gateway in the order the module states; returns when nothing of it runs.
    pub async fn stop(self) {
        for service in ["", grpc::SERVICE] {
            self.health
                .set_service_status(service, tonic_health::ServingStatus::NotServing)
                .await;
        }
        self.front.stop();
        // Nobody is left to hear it if this fails.
        let _ = self.stop.send(true);
        let deadline = tokio::time::Instant::now() + self.drain;
        for mut server in self.servers {
            if tokio::time::timeout_at(deadline, &mut server)
                .await
                .is_err()
            {
                tracing::warn!("requests were still in work at the end of the drain time");
                server.abort();
            }
        }
        self.listener.abort();
    }
}

/// A message over the limit is RESOURCE_EXHAUSTED in the reference's library and OUT_OF_RANGE in
/// ours; no operation answers OUT_OF_RANGE.
async fn too_large_is_exhausted(mut response: Response<Body>) -> Response<Body> {
    const STATUS: &str = "grpc-status";
    let out_of_range = HeaderValue::from(Code::OutOfRange as i32);
    if response.headers().get(STATUS) == Some(&out_of_range) {
        let exhausted = HeaderValue::from(Code::ResourceExhausted as i32);
        response.headers_mut().insert(STATUS, exhausted);
    }
    response
}

async fn bind(
    what: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind {
        what,
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn end(mut stopped: watch::Receiver<bool>) {
    // An error says that the gateway itself is gone, which is an end as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Serves HTTP/1 and HTTP/2 on `listener` until `stopped`.
async fn serve(
    listener: TcpListener,
    tls: Option<Acceptor>,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.slow_client)
        .max_buf_size(limits.header_bytes.max(SMALLEST_HEADER_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .keep_alive_timeout(KEEP_ALIVE);
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    // Owned here, so that cutting this task cuts them all.
    let mut connections = JoinSet::new();
    let ended = end(stopped.clone());
    tokio::pin!(ended);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = &mut ended => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => accepted,
        };
        let socket = match accepted {
            Ok((socket, _peer)) => socket,
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without it small answers wait for the client's acknowledgement.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection refused TCP_NODELAY");
        }
        let service = TowerToHyperService::new(router.clone());
        let (builder, watcher) = (builder.clone(), graceful.watcher());
        let (tls, stopped) = (tls.clone(), stopped.clone());
        let patience = limits.slow_client;
        connections.spawn(async move {
            let ended = match tls {
                None => {
                    let socket = Patient::new(socket, patience);
                    converse(&builder, watcher, socket, service).await
                }
                Some(tls) => {
                    // Who has said nothing yet has no request in work: an end does not wait.
                    let socket = tokio::select! {
                        socket = tls.accept(socket) => socket,
                        () = end(stopped) => return,
                    };
                    match socket {
                        Ok(socket) => {
                            let socket = Patient::new(socket, patience);
                            converse(&builder, watcher, socket, service).await
                        }
                        Err(error) => {
                            tracing::debug!(error, "a TLS handshake failed");
                            return;
                        }
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(error, "a connection ended with an error");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Serves one connection to its end.
async fn converse(
    builder: &auto::Builder<TokioExecutor>,
    watcher: Watcher,
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: TowerToHyperService<Router>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let connection = builder
        .serve_connection(TokioIo::new(socket), service)
        .into_owned();
    watcher.watch(connection).await
}
