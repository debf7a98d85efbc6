//! Who asks: nobody in particular, a user who proved a password, or a program with a token.
//!
//! Three modes: *unprotected* (credentials are ignored, everybody is anonymous), *Basic* (name and
//! password of users kept here) and *OIDC* (signed tokens of a provider). Users are looked up in the
//! secondary storage, to which the engine's users are exported; the users of the configuration are
//! the engine's as well, and are also known in memory for the moment before the first of them is
//! exported, and where there is no secondary storage.
//!
//! A password is verified on the blocking pool, a few at a time. What was right is remembered for a
//! short while, by each thread for itself, so that the usual request takes no lock; a token is
//! remembered no longer than it lasts.
//!
//! | file | |
//! |---|---|
//! | [`password`] | hashes |
//! | [`token`] | tokens of an identity provider |
//! | [`rights`] | what somebody may read |

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringflow_core::claims::Claims;
use ringflow_core::record::Document;
use rustc_hash::FxHashMap;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::backend::{Cell, Entity, Filter, Literal, Op, PageSpec, PageStart, Query, Reads};
use crate::limits::Limits;
use crate::problem::{CredentialFault, Problem};

pub mod names;
pub mod password;
pub(crate) mod rights;
pub mod token;

use password::Hash;
use rights::Rights;
use token::{OidcOptions, Tokens};

/// Password hashes that are computed at the same time; more wait their turn.
const CONCURRENT_HASHES: usize = 2;
/// Longest credentials that are looked at.
const CREDENTIAL_BYTES: usize = 16 * 1024;
/// How long after its start a gateway knows configured users that are not exported yet.
const SETUP_TIME: Duration = Duration::from_secs(30);

/// How callers prove who they are.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// They do not.
    #[default]
    Unprotected,
    /// With name and password; the users of the configuration.
    Basic(Vec<User>),
    /// With a token of an identity provider.
    Oidc(OidcOptions),
}

/// How credentials are looked at.
enum Scheme {
    Open,
    Basic,
    Tokens(Box<Tokens>),
}

/// Which checks are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// Who asks needs the permission.
    pub authorizations: bool,
    /// Who asks has to be of the tenant.
    pub tenancy: bool,
}

/// A configured user.
#[derive(Clone)]
pub struct User {
    /// Name, as given with the credentials.
    pub name: String,
    /// Shown to people.
    pub display_name: String,
    /// Mail address; empty = none.
    pub email: String,
    /// A bcrypt or Argon2 hash (also with Spring's `{bcrypt}` prefix), or the password itself.
    pub password: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The configured users cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A hash is of no known form.
    #[error("the password hash of user {user} is unusable: {reason}")]
    Hash {
        /// The user.
        user: String,
        /// Why.
        reason: String,
    },
    /// Two users have the same name.
    #[error("user {0} is configured twice")]
    Twice(String),
}

/// Somebody who may ask.
#[derive(Debug)]
pub(crate) struct Principal {
    /// Name; `None` = anonymous.
    pub(crate) user: Option<Known>,
    /// Who that is, for checks.
    pub(crate) who: Claims,
    /// Claims that go with commands.
    pub(crate) claims: Document,
}

impl Principal {
    fn new(user: Option<Known>, who: Claims) -> Arc<Self> {
        Arc::new(Self {
            user,
            claims: who.document(),
            who,
        })
    }
}

/// What is known of a user.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) email: String,
}

#[derive(Clone)]
struct Account {
    hash: Hash,
    known: Known,
}

#[derive(Clone)]
struct Remembered {
    principal: Arc<Principal>,
    until: Instant,
}

/// Rights by gateway and claims, and until when they are believed.
type KnownRights = FxHashMap<(u64, Box<[u8]>), (Arc<Rights>, Instant)>;

thread_local! {
    /// Credentials that were right a moment ago, by gateway and text of the header.
    static REMEMBERED: RefCell<FxHashMap<(u64, Box<str>), Remembered>> = RefCell::default();
    /// Rights that were looked up a moment ago, by gateway and claims.
    static RIGHTS: RefCell<KnownRights> = RefCell::default();
}

/// Numbers of gateways of this process.
static GATEWAYS: AtomicU64 = AtomicU64::new(0);

/// Checks credentials.
pub(crate) struct Identity {
    number: u64,
    anonymous: Arc<Principal>,
    scheme: Scheme,
    accounts: Arc<HashMap<String, Account>>,
    reads: Option<Arc<dyn Reads>>,
    started: Instant,
    pub(crate) guards: Guards,
    hashing: Semaphore,
    limits: Limits,
}

impl Identity {
    /// Takes over the configured users.
    ///
    /// # Errors
    /// A hash is unusable or a name occurs twice.
    pub(crate) fn new(
        auth: Auth,
        guards: Guards,
        reads: Option<Arc<dyn Reads>>,
        limits: &Limits,
    ) -> Result<Self, AuthError> {
        let mut accounts = HashMap::new();
        let scheme = match auth {
            Auth::Unprotected => Scheme::Open,
            Auth::Oidc(options) => Scheme::Tokens(Box::new(Tokens::new(options, limits))),
            Auth::Basic(users) => {
                for user in users {
                    let name = user.name.clone();
                    let account = Account::new(user)?;
                    if accounts.insert(name.clone(), account).is_some() {
                        return Err(AuthError::Twice(name));
                    }
                }
                Scheme::Basic
            }
        };
        Ok(Self {
            number: GATEWAYS.fetch_add(1, Ordering::Relaxed),
            anonymous: Principal::new(None, Claims::anonymous()),
            scheme,
            accounts: Arc::new(accounts),
            reads,
            started: Instant::now(),
            guards,
            hashing: Semaphore::new(CONCURRENT_HASHES),
            limits: limits.clone(),
        })
    }

    /// Nobody in particular: callers of open operations.
    pub(crate) fn anonymous(&self) -> Arc<Principal> {
        Arc::clone(&self.anonymous)
    }

    /// Whether users with passwords are kept by this cluster.
    pub(crate) fn keeps_users(&self) -> bool {
        !matches!(self.scheme, Scheme::Tokens(_))
    }

    /// Who is behind the value of an `authorization` header.
    ///
    /// # Errors
    /// The API is protected and the credentials are missing or wrong.
    pub(crate) async fn check(&self, header: Option<&[u8]>) -> Result<Arc<Principal>, Problem> {
        let (missing, unreadable) = match &self.scheme {
            Scheme::Open => return Ok(Arc::clone(&self.anonymous)),
            Scheme::Basic => (CredentialFault::Missing, CredentialFault::Unreadable),
            Scheme::Tokens(_) => (CredentialFault::NoToken, CredentialFault::NoToken),
        };
        let header = header.ok_or(Problem::Unauthenticated(missing))?;
        let unreadable = Problem::Unauthenticated(unreadable);
        let header = match std::str::from_utf8(header) {
            Ok(header) if header.len() <= CREDENTIAL_BYTES => header,
            Ok(_) | Err(_) => return Err(unreadable),
        };
        if let Some(principal) = self.recall(header) {
            return Ok(principal);
        }
        if let Scheme::Tokens(tokens) = &self.scheme {
            let bearer = tokens.check(header).await?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let left = bearer
                .expires
                .saturating_sub(now.unwrap_or_default().as_secs());
            let left = Duration::from_secs(left).min(self.limits.credential_memory);
            let principal = Principal::new(Some(bearer.known), bearer.claims);
            self.remember(header, &principal, Instant::now() + left);
            return Ok(principal);
        }
        let (name, password) = decode(header).ok_or(unreadable)?;
        let Ok(_turn) = self.hashing.acquire().await else {
            return Err(Problem::ShuttingDown);
        };
        // Another call with the same credentials may have settled it while this one waited.
        if let Some(principal) = self.recall(header) {
            return Ok(principal);
        }
        let account = self.account(&name).await?;
        let verified = tokio::task::spawn_blocking(move || {
            let Some(account) = account else {
                // An unknown name takes as long as a wrong password, so that names stay unknown.
                password::waste(&password);
                return None;
            };
            account.hash.fits(&password).then_some(account.known)
        });
        match verified.await {
            Ok(Some(known)) => {
                let claims = Claims::of_user(&known.name);
                let principal = Principal::new(Some(known), claims);
                let until = Instant::now() + self.limits.credential_memory;
                self.remember(header, &principal, until);
                Ok(principal)
            }
            Ok(None) => Err(Problem::Unauthenticated(CredentialFault::Wrong)),
            Err(error) => Err(Problem::Internal(error.to_string())),
        }
    }

    /// The account of a name.
    async fn account(&self, name: &str) -> Result<Option<Account>, Problem> {
        let configured = || self.accounts.get(name).cloned();
        let Some(reads) = &self.reads else {
            return Ok(configured());
        };
        let query = Query {
            filter: Filter::Field {
                field: "username".into(),
                op: Op::Eq,
                values: vec![Literal::Text(name.to_owned())],
            },
            page: PageSpec {
                limit: 1,
                start: PageStart::From(0),
            },
            ..Query::of(Entity::Credential)
        };
        let page = match reads.search(query).await {
            Ok(page) => page,
            Err(error) => return Err(Problem::StorageUnavailable(error.to_string())),
        };
        let Some(row) = page.items.first() else {
            let setting_up = self.started.elapsed() < SETUP_TIME;
            return Ok(configured().filter(|_| setting_up));
        };
        let text = |field: &str| match row.get(field) {
            Some(Cell::Text(text)) => text.clone(),
            Some(_) | None => String::new(),
        };
        Ok(Hash::stored(&text("password")).map(|hash| Account {
            hash,
            known: Known {
                name: text("username"),
                display_name: text("name"),
                email: text("email"),
            },
        }))
    }

    fn recall(&self, header: &str) -> Option<Arc<Principal>> {
        let key = (self.number, Box::from(header));
        REMEMBERED.with_borrow(|remembered| {
            remembered
                .get(&key)
                .filter(|entry| entry.until > Instant::now())
                .map(|entry| Arc::clone(&entry.principal))
        })
    }

    fn remember(&self, header: &str, principal: &Arc<Principal>, until: Instant) {
        let now = Instant::now();
        let bound = self.limits.remembered_credentials;
        REMEMBERED.with_borrow_mut(|remembered| {
            if remembered.len() >= bound {
                remembered.retain(|_, entry| entry.until > now);
            }
            if remembered.len() < bound {
                remembered.insert(
                    (self.number, Box::from(header)),
                    Remembered {
                        principal: Arc::clone(principal),
                        until,
                    },
                );
            }
        });
    }

    /// What somebody is a member of and allowed, as of a moment ago.
    ///
    /// # Errors
    /// The secondary storage does not answer.
    pub(crate) async fn rights(&self, who: &Claims) -> Result<Arc<Rights>, Problem> {
        let key = (self.number, Box::from(who.document().as_bytes()));
        let now = Instant::now();
        let known = RIGHTS.with_borrow(|rights| {
            let known = rights.get(&key).filter(|(_, until)| *until > now);
            known.map(|(rights, _)| Arc::clone(rights))
        });
        if let Some(rights) = known {
            return Ok(rights);
        }
        let rights = Arc::new(match &self.reads {
            Some(reads) => Rights::load(reads.as_ref(), who).await?,
            None => Rights::default(),
        });
        let bound = self.limits.remembered_credentials;
        RIGHTS.with_borrow_mut(|all| {
            if all.len() >= bound {
                all.retain(|_, (_, until)| *until > now);
            }
            if all.len() < bound {
                all.insert(key, (Arc::clone(&rights), now + self.limits.rights_memory));
            }
        });
        Ok(rights)
    }
}

impl Account {
    fn new(user: User) -> Result<Self, AuthError> {
        let hash = if Hash::is_one(&user.password) {
            Hash::stored(&user.password)
        } else {
            password::in_memory(&user.password)
        };
        let hash = hash.ok_or_else(|| AuthError::Hash {
            user: user.name.clone(),
            reason: password::FORMS.into(),
        })?;
        Ok(Self {
            hash,
            known: Known {
                name: user.name,
                display_name: user.display_name,
                email: user.email,
            },
        })
    }
}

/// Name and password of a Basic header.
fn decode(header: &str) -> Option<(String, String)> {
    let (scheme, token) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(token.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests;
