//! Tokens of an identity provider (OIDC): JWTs that somebody shows as `Bearer`.
//!
//! A token counts if its signature fits a key of the provider, if it is of the right issuer and
//! audience, and if now lies within its times; then its claims say who shows it. Which keys there
//! are is asked of the provider ([`keys`]); the mathematics are [`signature`]'s.
//!
//! | condition | answer |
//! |---|---|
//! | no token, or another scheme | 401 / UNAUTHENTICATED |
//! | unreadable, unsigned, signed by a secret or by an unknown key, expired, too early, of another issuer or audience, without a name | the same |
//! | the provider gives no keys and none are known | 503 / UNAVAILABLE |
//!
//! Only asymmetric algorithms count: with a secret as key, whoever has the public key could sign.

mod keys;
mod signature;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors};
use ringflow_core::claims::{Claims, claim_values};
use ringflow_core::json;
use ringflow_core::record::{Document, Text};
use serde_json::Value;

use super::Known;
use crate::limits::Limits;
use crate::problem::{CredentialFault, Problem};
use keys::{Keys, family_of};

/// Seconds by which the clocks of provider and gateway may differ (Camunda: 60).
const CLOCK_SKEW: u64 = 60;
/// Keys that are tried for a token that names none.
const KEYS_TRIED: usize = 8;

/// Whose tokens count, and what of them says who somebody is. Names are Camunda's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcOptions {
    /// Issuer of the tokens, asked for its key set unless that is named; empty = any issuer.
    pub issuer: String,
    /// Address of the key set; empty = the issuer says it.
    pub key_set: String,
    /// Audiences of which a token needs one; empty = any.
    pub audiences: Vec<String>,
    /// Claim, or path to it, with the name of a user.
    pub username_claim: String,
    /// Claim with the id of a program; empty = tokens are of users.
    pub client_id_claim: String,
    /// Claim with groups; empty = groups are kept here.
    pub groups_claim: String,
    /// A token with both names is a user's, not a program's.
    pub prefer_username: bool,
}

impl Default for OidcOptions {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            key_set: String::new(),
            audiences: Vec::new(),
            username_claim: "sub".into(),
            client_id_claim: String::new(),
            groups_claim: String::new(),
            prefer_username: false,
        }
    }
}

/// Who showed a token.
pub(super) struct Bearer {
    pub(super) known: Known,
    pub(super) claims: Claims,
    /// Seconds since 1970 at which the token ends.
    pub(super) expires: u64,
}

/// Checks tokens.
pub(super) struct Tokens {
    options: OidcOptions,
    keys: Keys,
}

impl Tokens {
    pub(super) fn new(options: OidcOptions, limits: &Limits) -> Self {
        signature::install();
        Self {
            keys: Keys::new(&options, limits),
            options,
        }
    }

    /// Who shows the token in the value of an `authorization` header.
    ///
    /// # Errors
    /// The token does not count, or its signature cannot be checked now.
    pub(super) async fn check(&self, header: &str) -> Result<Bearer, Problem> {
        let token = match header.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            Some(_) | None => return Err(Problem::Unauthenticated(CredentialFault::NoToken)),
        };
        let head = decode_header(token).map_err(|_| bad("it is malformed or not signed"))?;
        // Extensions that must be understood are not.
        if head.crit.is_some() {
            return Err(bad("it has critical extensions"));
        }
        if family_of(head.alg).is_none() {
            return Err(bad("its algorithm is not accepted"));
        }
        let candidates = self.keys.of(head.alg, head.kid.as_deref()).await?;
        if candidates.is_empty() {
            return Err(bad("no key of the identity provider fits"));
        }
        let mut fault = bad("no key of the identity provider fits");
        for key in candidates.iter().take(KEYS_TRIED) {
            match self.verify(token, head.alg, key) {
                Ok(claims) => return self.bearer(&claims),
                Err(problem) => fault = problem,
            }
        }
        Err(fault)
    }

    fn verify(&self, token: &str, algorithm: Algorithm, key: &Jwk) -> Result<Value, Problem> {
        let key = DecodingKey::from_jwk(key).map_err(|_| bad("its key is unusable"))?;
        let mut rules = Validation::new(algorithm);
        rules.leeway = CLOCK_SKEW;
        rules.validate_nbf = true;
        let mut required = vec!["exp"];
        if self.options.audiences.is_empty() {
            rules.validate_aud = false;
        } else {
            rules.set_audience(&self.options.audiences);
            required.push("aud");
        }
        if !self.options.issuer.is_empty() {
            rules.set_issuer(&[&self.options.issuer]);
            required.push("iss");
        }
        rules.set_required_spec_claims(&required);
        let decoded = decode::<Value>(token, &key, &rules).map_err(|error| bad(words(&error)))?;
        Ok(decoded.claims)
    }

    /// Who somebody with these claims is.
    fn bearer(&self, claims: &Value) -> Result<Bearer, Problem> {
        let token = json::to_msgpack(claims.to_string()).map_err(|_| bad("its claims nest"))?;
        let token = Document::from(token);
        let first = |name: &str| {
            let named = !name.is_empty();
            let found = named
                .then(|| claim_values(&token, name))
                .into_iter()
                .flatten();
            found.into_iter().find(|value| !value.trim().is_empty())
        };
        let username = first(&self.options.username_claim);
        let client_id = first(&self.options.client_id_claim);
        let user = username.is_some() && (self.options.prefer_username || client_id.is_none());
        let name = if user { &username } else { &client_id };
        let Some(name) = name.clone() else {
            return Err(bad(
                "it has neither the claim of a user nor that of a client",
            ));
        };
        let groups = (!self.options.groups_claim.is_empty())
            .then(|| claim_values(&token, &self.options.groups_claim));
        let text = |name: &str| first(name).map_or(String::new(), |text| text.to_string());
        Ok(Bearer {
            known: Known {
                name: name.to_string(),
                display_name: text("name"),
                email: text("email"),
            },
            expires: claims.get("exp").and_then(whole_seconds).unwrap_or(0),
            claims: Claims {
                anonymous: false,
                username: user.then(|| name.clone()),
                client_id: (!user).then_some(name),
                groups: groups
                    .map(|groups| groups.iter().map(|it| Text::from(it.as_str())).collect()),
                token,
            },
        })
    }
}

/// A number of seconds, which some providers write with a fraction.
fn whole_seconds(value: &Value) -> Option<u64> {
    let fraction = || value.as_f64().filter(|it| it.is_finite() && *it >= 0.0);
    value.as_u64().or_else(|| fraction().map(|it| it as u64))
}

fn bad(reason: &'static str) -> Problem {
    Problem::Unauthenticated(CredentialFault::Token(reason))
}

/// What a caller is told; never what the token holds.
fn words(error: &errors::Error) -> &'static str {
    use errors::ErrorKind;
    let kind = error.kind();
    let known = [
        (ErrorKind::ExpiredSignature, "it has expired"),
        (ErrorKind::ImmatureSignature, "it does not count yet"),
        (ErrorKind::InvalidAudience, "it is of another audience"),
        (ErrorKind::InvalidIssuer, "it is of another issuer"),
        (ErrorKind::InvalidSignature, "its signature does not fit"),
    ];
    if matches!(kind, ErrorKind::MissingRequiredClaim(_)) {
        return "it lacks its end, its issuer or its audience";
    }
    let found = known.iter().find(|(known, _)| known == kind);
    found.map_or("it is malformed", |(_, words)| words)
}
