//! Passwords: hashed with bcrypt, verified in every form that the reference stores.
//!
//! A stored hash names its method in front, as Spring writes it: `{bcrypt}$2a$10$...`. Hashing and
//! verifying cost tens of milliseconds by design, so both run on the blocking pool.
//!
//! | stored form | verified by |
//! |---|---|
//! | `{bcrypt}...`, `$2a$...`, `$2b$...`, `$2y$...` | bcrypt |
//! | `{argon2}...`, `$argon2id$...`, `$argon2i$...`, `$argon2d$...` | Argon2 |
//! | anything else | nothing: nobody can log in with it |
//!
//! A configured hash that no password could ever fit is refused at the start: cost, memory, salt and
//! result are looked at, not only the first letters.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params};

use crate::problem::Problem;

/// Cost of new hashes; the reference's.
const COST: u32 = 10;
/// Costs that bcrypt has.
const COSTS: std::ops::RangeInclusive<u32> = 4..=31;
/// Most memory that verifying one Argon2 hash may take, KiB.
const ARGON2_MEMORY_MAX: u32 = 1 << 20;
/// What a hash has to be, for whoever configured another.
pub(crate) const FORMS: &str = "the hash is neither of bcrypt ($2a$, $2b$ or $2y$ with a cost of 4 to 31) nor \
     of Argon2 ($argon2id$, $argon2i$ or $argon2d$ with parameters, salt and result)";
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
            let parts = plain.parse::<bcrypt::HashParts>().ok()?;
            return COSTS
                .contains(&parts.get_cost())
                .then(|| Self::Bcrypt(plain.to_owned()));
        }
        if plain.starts_with("$argon2") {
            let hash = PasswordHash::new(plain).ok()?;
            let known = Algorithm::try_from(hash.algorithm.as_str()).is_ok();
            let complete = hash.salt.is_some() && hash.hash.is_some();
            let memory = Params::try_from(&hash).ok()?.m_cost();
            let usable = known && complete && memory <= ARGON2_MEMORY_MAX;
            return usable.then(|| Self::Argon2(plain.to_owned()));
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
        None if Hash::is_one(configured) => Err(FORMS.into()),
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
        assert_eq!(stored_form("$2a$nonsense").unwrap_err(), FORMS);
        assert!(hash_now(&"x".repeat(73)).is_err());
    }

    #[test]
    fn hashes_that_nothing_fits_are_refused() {
        const SALT: &str = "c29tZXNhbHRzYWx0";
        const RESULT: &str = "RdescudvJCsgt3ub+b+dWRWJTmaaJObG";
        let argon2 = |method: &str, rest: &str| format!("$argon2{method}$v=19${rest}");
        let whole = format!("m=19456,t=2,p=1${SALT}${RESULT}");
        for method in ["id", "i", "d"] {
            assert!(Hash::stored(&argon2(method, &whole)).is_some(), "{method}");
        }
        let bcrypt = bcrypt::hash("secret", 4).unwrap();
        let unusable = [
            argon2("x", &whole),
            argon2("", &whole),
            argon2("id", ""),
            argon2("id", "m=19456,t=2,p=1"),
            argon2("id", &format!("m=19456,t=2,p=1${SALT}")),
            argon2("id", &format!("m=0,t=2,p=1${SALT}${RESULT}")),
            argon2("id", &format!("m=4194304,t=2,p=1${SALT}${RESULT}")),
            argon2("id", &format!("m=19456,t=2,p=1,q=1${SALT}${RESULT}")),
            argon2("id", &format!("m=19456,t=2,p=1$!${RESULT}")),
            "$argon2".into(),
            "{argon2}".into(),
            "{bcrypt}secret".into(),
            bcrypt.replacen("$04$", "$03$", 1),
            bcrypt.replacen("$04$", "$32$", 1),
            bcrypt[..59].to_owned(),
            format!("{}!", &bcrypt[..59]),
        ];
        for text in unusable {
            assert!(Hash::stored(&text).is_none(), "{text}");
            assert_eq!(stored_form(&text).unwrap_err(), FORMS, "{text}");
        }
    }
}
