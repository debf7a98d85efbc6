//! Who asks: nobody in particular, or a user who proved a password.
//!
//! Two modes: *unprotected* (credentials are ignored, everybody is anonymous) and *basic* (HTTP
//! Basic with configured users, on REST and on gRPC). Passwords are kept as hashes only: those
//! given in the configuration as text are hashed at start. A hash is verified on the blocking pool,
//! a few at a time, and the outcome is remembered for a short while, because it costs milliseconds
//! by design and clients send it with every call.
//!
//! Not here: authorizations (what a user may do), tokens, users kept in the engine.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringflow_core::msgpack;
use ringflow_core::record::Document;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::problem::{CredentialFault, Problem};

/// Claim under which records carry the name of the user.
const USERNAME_CLAIM: &str = "authorized_username";
/// Claim of a caller without name.
const ANONYMOUS_CLAIM: &str = "authorized_anonymous_user";
/// Password hashes that are computed at the same time; more wait their turn.
const CONCURRENT_HASHES: usize = 2;
/// Longest credentials that are looked at.
const CREDENTIAL_BYTES: usize = 4096;

/// How callers prove who they are.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// They do not.
    #[default]
    Unprotected,
    /// With name and password.
    Basic(Vec<User>),
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
    /// Claims that go with commands.
    pub(crate) claims: Document,
}

/// What is known of a user.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) email: String,
}

enum Hash {
    Bcrypt(String),
    Argon2(String),
}

struct Account {
    hash: Hash,
    principal: Arc<Principal>,
}

struct Remembered {
    principal: Arc<Principal>,
    until: Instant,
}

/// Checks credentials.
pub(crate) struct Identity {
    anonymous: Arc<Principal>,
    /// `None` = unprotected.
    accounts: Option<Arc<HashMap<String, Account>>>,
    /// Credentials that were right a moment ago, by the text of the header.
    remembered: Mutex<HashMap<String, Remembered>>,
    hashing: Semaphore,
    limits: Limits,
}

impl Identity {
    /// Takes over the configured users.
    ///
    /// # Errors
    /// A hash is unusable or a name occurs twice.
    pub(crate) fn new(auth: Auth, limits: &Limits) -> Result<Self, AuthError> {
        let accounts = match auth {
            Auth::Unprotected => None,
            Auth::Basic(users) => {
                let mut accounts = HashMap::new();
                for user in users {
                    let name = user.name.clone();
                    let account = Account::new(user)?;
                    if accounts.insert(name.clone(), account).is_some() {
                        return Err(AuthError::Twice(name));
                    }
                }
                Some(Arc::new(accounts))
            }
        };
        Ok(Self {
            anonymous: Arc::new(Principal {
                user: None,
                claims: claim(ANONYMOUS_CLAIM, |out| msgpack::write_bool(out, true)),
            }),
            accounts,
            remembered: Mutex::default(),
            hashing: Semaphore::new(CONCURRENT_HASHES),
            limits: limits.clone(),
        })
    }

    /// Nobody in particular: callers of open operations.
    pub(crate) fn anonymous(&self) -> Arc<Principal> {
        Arc::clone(&self.anonymous)
    }

    /// Who is behind the value of an `authorization` header.
    ///
    /// # Errors
    /// The API is protected and the credentials are missing or wrong.
    pub(crate) async fn check(&self, header: Option<&[u8]>) -> Result<Arc<Principal>, Problem> {
        let Some(accounts) = &self.accounts else {
            return Ok(Arc::clone(&self.anonymous));
        };
        let header = header.ok_or(Problem::Unauthenticated(CredentialFault::Missing))?;
        let unreadable = Problem::Unauthenticated(CredentialFault::Unreadable);
        let header = match std::str::from_utf8(header) {
            Ok(header) if header.len() <= CREDENTIAL_BYTES => header,
            Ok(_) | Err(_) => return Err(unreadable),
        };
        if let Some(principal) = self.recall(header) {
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
        let accounts = Arc::clone(accounts);
        let verified =
            tokio::task::spawn_blocking(move || verify(&accounts, &name, &password)).await;
        match verified {
            Ok(Some(principal)) => {
                self.remember(header, &principal);
                Ok(principal)
            }
            Ok(None) => Err(Problem::Unauthenticated(CredentialFault::Wrong)),
            Err(error) => Err(Problem::Internal(error.to_string())),
        }
    }

    fn recall(&self, header: &str) -> Option<Arc<Principal>> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered
            .get(header)
            .filter(|entry| entry.until > Instant::now())
            .map(|entry| Arc::clone(&entry.principal))
    }

    fn remember(&self, header: &str, principal: &Arc<Principal>) {
        let now = Instant::now();
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= self.limits.remembered_credentials {
            remembered.retain(|_, entry| entry.until > now);
        }
        if remembered.len() < self.limits.remembered_credentials {
            remembered.insert(
                header.to_owned(),
                Remembered {
                    principal: Arc::clone(principal),
                    until: now + self.limits.credential_memory,
                },
            );
        }
    }
}

impl Account {
    fn new(user: User) -> Result<Self, AuthError> {
        let refused = |reason: String| AuthError::Hash {
            user: user.name.clone(),
            reason,
        };
        let text = user
            .password
            .strip_prefix("{bcrypt}")
            .unwrap_or(&user.password);
        let hash = if ["$2a$", "$2b$", "$2x$", "$2y$"]
            .iter()
            .any(|p| text.starts_with(p))
        {
            text.parse::<bcrypt::HashParts>()
                .map_err(|error| refused(error.to_string()))?;
            Hash::Bcrypt(text.to_owned())
        } else if text.starts_with("$argon2") {
            PasswordHash::new(text).map_err(|error| refused(error.to_string()))?;
            Hash::Argon2(text.to_owned())
        } else {
            let hash = Argon2::default()
                .hash_password(text.as_bytes())
                .map_err(|error| refused(error.to_string()))?;
            Hash::Argon2(hash.to_string())
        };
        Ok(Self {
            hash,
            principal: Arc::new(Principal {
                claims: claim(USERNAME_CLAIM, |out| msgpack::write_str(out, &user.name)),
                user: Some(Known {
                    name: user.name,
                    display_name: user.display_name,
                    email: user.email,
                }),
            }),
        })
    }
}

fn claim(name: &str, put: impl FnOnce(&mut Vec<u8>)) -> Document {
    let mut bytes = Vec::new();
    msgpack::write_map_header(&mut bytes, 1);
    msgpack::write_str(&mut bytes, name);
    put(&mut bytes);
    Document::from(bytes)
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

fn verify(
    accounts: &HashMap<String, Account>,
    name: &str,
    password: &str,
) -> Option<Arc<Principal>> {
    let Some(account) = accounts.get(name) else {
        // An unknown name takes as long as a wrong password, so that names cannot be guessed.
        let _ = Argon2::default().hash_password(password.as_bytes());
        return None;
    };
    let right = match &account.hash {
        Hash::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
        Hash::Argon2(hash) => PasswordHash::new(hash).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        }),
    };
    right.then(|| Arc::clone(&account.principal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, password: &str) -> User {
        User {
            name: name.into(),
            display_name: String::new(),
            email: String::new(),
            password: password.into(),
        }
    }

    fn basic(credentials: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(credentials)).into_bytes()
    }

    #[tokio::test]
    async fn an_unprotected_api_ignores_credentials() {
        let identity = Identity::new(Auth::Unprotected, &Limits::default()).unwrap();
        for header in [None, Some(b"Basic !".as_slice())] {
            assert!(identity.check(header).await.unwrap().user.is_none());
        }
    }

    #[tokio::test]
    async fn basic_takes_all_forms_of_passwords_and_nothing_else() {
        let hashed = bcrypt::hash("secret", 4).unwrap();
        let users = vec![
            user("plain", "secret"),
            user("hashed", &hashed),
            user("spring", &format!("{{bcrypt}}{hashed}")),
        ];
        let identity = Identity::new(Auth::Basic(users), &Limits::default()).unwrap();
        for name in ["plain", "hashed", "spring"] {
            for _ in 0..2 {
                let header = basic(&format!("{name}:secret"));
                let principal = identity.check(Some(&header)).await.unwrap();
                assert_eq!(principal.user.as_ref().unwrap().name, name);
            }
        }
        let cases: [(Option<Vec<u8>>, CredentialFault); 6] = [
            (None, CredentialFault::Missing),
            (Some(b"Bearer x".to_vec()), CredentialFault::Unreadable),
            (Some(b"Basic %".to_vec()), CredentialFault::Unreadable),
            (Some(basic("no-colon")), CredentialFault::Unreadable),
            (Some(basic("plain:wrong")), CredentialFault::Wrong),
            (Some(basic("nobody:secret")), CredentialFault::Wrong),
        ];
        for (header, fault) in cases {
            assert_eq!(
                identity.check(header.as_deref()).await.unwrap_err(),
                Problem::Unauthenticated(fault)
            );
        }
    }

    #[test]
    fn unusable_users_are_refused_at_start() {
        let twice = vec![user("a", "x"), user("a", "y")];
        let broken = vec![user("a", "$2a$nonsense")];
        for users in [twice, broken] {
            assert!(Identity::new(Auth::Basic(users), &Limits::default()).is_err());
        }
    }
}
