//! Passwords: hashed with bcrypt, verified in every form that the reference stores.
//!
//! A stored hash names its method in front, as Spring writes it: `{bcrypt}$2a$10$...`. Hashing and
//! verifying cost tens of milliseconds by design, so both run on the blocking pool.
//!
//! | stored form | verified by |
//! |---|---|
//! | `{bcrypt}...`, `$2a$...`, `$2b$...`, `$2y$...` | bcrypt |
//! | `{argon2}...`, `$argon2...` | Argon2 |
//! | anything else | nothing: nobody can log in with it |

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::problem::Problem;

/// Cost of new hashes; the reference's.
const COST: u32 = 10;
/// What bcrypt looks at; more is refused, because the rest would not count.
const PASSWORD_BYTES_MAX: usize = 72;

/// A hash that can be verified.
#[derive(Clone, Debug)]
pub(crate) enum Hash {
    Bcrypt(String),
    Argon2(String),
}

impl Hash {
    /// The hash that a stored text is; `None` if it is none.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        let plain = text
            .strip_prefix("{bcrypt}")
            .or_else(|| text.strip_prefix("{argon2}"))
            .unwrap_or(text);
        if ["$2a$", "$2b$", "$2x$", "$2y$"]
            .iter()
            .any(|start| plain.starts_with(start))
        {
            plain.parse::<bcrypt::HashParts>().ok()?;
            return Some(Self::Bcrypt(plain.to_owned()));
        }
        if plain.starts_with("$argon2") {
            PasswordHash::new(plain).ok()?;
            return Some(Self::Argon2(plain.to_owned()));
        }
        None
    }

    /// Whether it looks like a hash, usable or not.
    pub(crate) fn is_one(text: &str) -> bool {
        text.starts_with('{') || text.starts_with("$2") || text.starts_with("$argon2")
    }

    /// Whether `password` is the one. Takes its time.
    pub(crate) fn fits(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Argon2(hash) => PasswordHash::new(hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            }),
        }
    }
}

/// Takes as long as verifying does: for names that nobody has.
pub(crate) fn waste(password: &str) {
    let _ = bcrypt::hash(password, COST);
}

/// The form in which a new password is stored. Takes its time.
///
/// # Errors
/// It is longer than what is looked at.
pub fn hash_now(password: &str) -> Result<String, String> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(format!(
            "The password exceeds the limit of {PASSWORD_BYTES_MAX} bytes"
        ));
    }
    let hash = bcrypt::hash(password, COST).map_err(|error| error.to_string())?;
    Ok(format!("{{bcrypt}}{hash}"))
}

/// The form of a configured password, which may be a hash already. Takes its time.
///
/// # Errors
/// It looks like a hash and is none, or is too long.
pub fn stored_form(configured: &str) -> Result<String, String> {
    match Hash::stored(configured) {
        Some(Hash::Bcrypt(hash)) => Ok(format!("{{bcrypt}}{hash}")),
        Some(Hash::Argon2(hash)) => Ok(hash),
        None if Hash::is_one(configured) => Err("the hash is of no known form".into()),
        None => hash_now(configured),
    }
}

/// As [`hash_now`], on the blocking pool.
///
/// # Errors
/// As [`hash_now`].
pub(crate) async fn hash(password: String) -> Result<String, Problem> {
    tokio::task::spawn_blocking(move || hash_now(&password))
        .await
        .map_err(|error| Problem::Internal(error.to_string()))?
        .map_err(Problem::invalid)
}

/// Hashes for tests of other files: the cheapest that there is.
#[cfg(test)]
pub(crate) fn cheap(password: &str) -> String {
    format!("{{bcrypt}}{}", bcrypt::hash(password, 4).unwrap())
}

/// Argon2 of a password given as text, for accounts that live in memory only.
pub(crate) fn in_memory(password: &str) -> Option<Hash> {
    let hash = Argon2::default().hash_password(password.as_bytes()).ok()?;
    Some(Hash::Argon2(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_forms_are_verified() {
        let hash = bcrypt::hash("secret", 4).unwrap();
        for stored in [hash.clone(), format!("{{bcrypt}}{hash}"), cheap("secret")] {
            let hash = Hash::stored(&stored).unwrap();
            assert!(hash.fits("secret") && !hash.fits("other"));
        }
        assert!(in_memory("secret").unwrap().fits("secret"));
        for unusable in ["secret", "{noop}secret", "$2a$nonsense"] {
            assert!(Hash::stored(unusable).is_none(), "{unusable}");
        }
        assert!(stored_form("$2a$nonsense").is_err());
        assert!(hash_now(&"x".repeat(73)).is_err());
    }
}
