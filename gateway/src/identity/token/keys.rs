//! The key set of an identity provider: fetched, kept, fetched again.
//!
//! Owned by the gateway's identity; reads never wait for a fetch unless they need it. A fetch is
//! one at a time, and at most one within [`Limits::key_pause`], whatever is asked: somebody who
//! shows tokens of invented keys must not make this program ask all the time.
//!
//! | condition | what happens |
//! |---|---|
//! | no key set yet | fetched; if that fails, 503 until it succeeds |
//! | older than [`KEYS_FRESH`] | fetched again; if that fails the old one counts for [`KEYS_OUTAGE`] |
//! | a token names a key that is not in it | fetched again (keys are rotated so), once per pause |
//! | an answer larger than [`ANSWER_BYTES`], slower than [`ANSWER_TIME`], or no 200 | a failed fetch |
//!
//! `https` needs a certificate that the host's authorities vouch for (`SSL_CERT_FILE` names others).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::OidcOptions;
use crate::limits::Limits;
use crate::problem::Problem;

/// Age at which a key set is fetched again.
const KEYS_FRESH: Duration = Duration::from_secs(300);
/// Age up to which a key set counts while it cannot be fetched again.
const KEYS_OUTAGE: Duration = Duration::from_secs(3600);
/// Largest answer of a provider; key sets have a few kilobytes.
const ANSWER_BYTES: usize = 1 << 20;
/// Time for one answer of a provider.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Most keys of a set that are looked at.
const KEYS_MAX: usize = 100;
/// Where an issuer describes itself.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The family of an algorithm that is accepted; `None` = with secrets as keys, which is not.
pub(super) fn family_of(algorithm: Algorithm) -> Option<AlgorithmFamily> {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => None,
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => Some(AlgorithmFamily::Rsa),
        Algorithm::ES256 | Algorithm::ES384 => Some(AlgorithmFamily::Ec),
        Algorithm::EdDSA => Some(AlgorithmFamily::Ed),
    }
}

/// What an issuer says of itself.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// A key set as it comes.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

/// A key set and when it came.
struct Known {
    keys: Vec<Jwk>,
    at: Instant,
}

/// When somebody last asked the provider, and where its keys are.
#[derive(Default)]
struct Asking {
    last: Option<Instant>,
    place: Option<String>,
}

/// The keys of one provider.
pub(super) struct Keys {
    issuer: String,
    known: watch::Sender<Option<Arc<Known>>>,
    asking: Mutex<Asking>,
    pause: Duration,
}

impl Keys {
    pub(super) fn new(options: &OidcOptions, limits: &Limits) -> Self {
        let place = Some(options.key_set.clone()).filter(|place| !place.is_empty());
        Self {
            issuer: options.issuer.clone(),
            known: watch::Sender::new(None),
            asking: Mutex::new(Asking { last: None, place }),
            pause: limits.key_pause,
        }
    }

    /// Keys that may have signed a token: that of the id it names, or all of its algorithm's family.
    ///
    /// # Errors
    /// There is no key set and it cannot be fetched.
    pub(super) async fn of(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Vec<Jwk>, Problem> {
        let before = self.known.borrow().clone();
        let age = before.as_ref().map(|known| known.at.elapsed());
        if age.is_some_and(|age| age < KEYS_FRESH) {
            let found = fitting(before.as_deref(), algorithm, id);
            if !found.is_empty() {
                return Ok(found);
            }
        }
        self.refresh(before.as_ref()).await;
        let now = self.known.borrow().clone();
        match now {
            Some(known) if known.at.elapsed() < KEYS_OUTAGE => {
                Ok(fitting(Some(&known), algorithm, id))
            }
            Some(_) | None => Err(Problem::ProviderUnavailable),
        }
    }

    /// Fetches the key set, unless somebody else did since `before` or a moment ago.
    async fn refresh(&self, before: Option<&Arc<Known>>) {
        let mut asking = self.asking.lock().await;
        let now = self.known.borrow().clone();
        let changed = match (before, &now) {
            (Some(before), Some(now)) => !Arc::ptr_eq(before, now),
            (before, now) => before.is_some() != now.is_some(),
        };
        if changed || asking.last.is_some_and(|last| last.elapsed() < self.pause) {
            return;
        }
        asking.last = Some(Instant::now());
        match self.fetch(&mut asking.place).await {
            Ok(keys) => {
                let at = Instant::now();
                self.known.send_replace(Some(Arc::new(Known { keys, at })));
            }
            Err(reason) => {
                tracing::warn!(reason, "the keys of the identity provider were not fetched");
            }
        }
    }

    async fn fetch(&self, place: &mut Option<String>) -> Result<Vec<Jwk>, String> {
        let address = match place {
            Some(address) => address.clone(),
            None => {
                let at = format!("{}{DISCOVERY}", self.issuer.trim_end_matches('/'));
                let described: Description = read(&get(&at).await?)?;
                if described.issuer != self.issuer {
                    return Err(format!("{at} describes another issuer"));
                }
                place.insert(described.jwks_uri).clone()
            }
        };
        let set: KeySet = read(&get(&address).await?)?;
        // Keys of a kind that nobody knows here are for others.
        let keys = set.keys.into_iter().take(KEYS_MAX);
        Ok(keys
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect())
    }
}

fn read<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("the answer is unreadable: {error}"))
}

fn fitting(known: Option<&Known>, algorithm: Algorithm, id: Option<&str>) -> Vec<Jwk> {
    let Some(known) = known else {
        return Vec::new();
    };
    let signs = |key: &&Jwk| {
        let of_family = matches!(
            (&key.algorithm, family_of(algorithm)),
            (AlgorithmParameters::RSA(_), Some(AlgorithmFamily::Rsa))
                | (
                    AlgorithmParameters::EllipticCurve(_),
                    Some(AlgorithmFamily::Ec)
                )
                | (
                    AlgorithmParameters::OctetKeyPair(_),
                    Some(AlgorithmFamily::Ed)
                )
        );
        let named = &key.common.key_algorithm;
        let encrypts = key.common.public_key_use == Some(PublicKeyUse::Encryption);
        let other = named.is_some_and(|named| format!("{named:?}") != format!("{algorithm:?}"));
        of_family && !encrypts && !other
    };
    let has_id = |key: &&Jwk| id.is_none() || key.common.key_id.as_deref() == id;
    let keys = known.keys.iter();
    keys.filter(has_id).filter(signs).cloned().collect()
}

/// The body that `address` answers.
async fn get(address: &str) -> Result<Bytes, String> {
    let answer = tokio::time::timeout(ANSWER_TIME, ask(address)).await;
    answer
        .unwrap_or_else(|_| Err("no answer in time".into()))
        .map_err(|reason| format!("{address}: {reason}"))
}

async fn ask(address: &str) -> Result<Bytes, String> {
    let uri: Uri = address.parse().map_err(|_| "no address".to_owned())?;
    let host = uri
        .host()
        .ok_or("no host")?
        .trim_matches(['[', ']'])
        .to_owned();
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return Err("neither http nor https".into()),
    };
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let socket = TcpStream::connect((host.as_str(), port)).await;
    let socket = socket.map_err(|error| error.to_string())?;
    if !secure {
        return converse(&uri, socket).await;
    }
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(trust()?);
    let socket = connector.connect(name, socket).await;
    converse(&uri, socket.map_err(|error| error.to_string())?).await
}

async fn converse<S>(uri: &Uri, socket: S) -> Result<Bytes, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let talking = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |it| it.as_str());
    let request = Request::get(path)
        .header(HOST, authority)
        .header(ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = async {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("status {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES)
            .collect()
            .await;
        body.map(|body| body.to_bytes())
            .map_err(|error| error.to_string())
    };
    let answer = answer.await;
    talking.abort();
    answer
}

/// Whom this host trusts; read once.
fn trust() -> Result<Arc<ClientConfig>, String> {
    static TRUST: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            return Err("this host has no certificates of authorities".to_owned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    };
    TRUST.get_or_init(read).clone()
}
