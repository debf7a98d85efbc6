//! Signatures of tokens, checked by `ring`: the one library for this in the program, as for TLS.
//!
//! The token library leaves the mathematics to a provider that is installed once a process. This
//! one verifies RSA (PKCS#1 and PSS, 2048 to 8192 bits), ECDSA (P-256, P-384) and Ed25519; it signs
//! nothing, and knows no secrets as keys: HMAC is an error, whatever a key set says.

use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtVerifier};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as Mismatch, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::keys::family_of;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: |algorithm, key| {
        // A key of one family must never be read as one of another.
        if family_of(*algorithm) != Some(key.family()) {
            return Err(Error::from(ErrorKind::InvalidAlgorithm));
        }
        Ok(Box::new(ByRing {
            algorithm: *algorithm,
            key: key.clone(),
        }))
    },
    // Only for making key sets, which is the provider's business.
    jwk_utils: JwkUtils::new_unimplemented(),
};

/// Makes the above the provider of this process; a second time changes nothing.
pub(super) fn install() {
    let _ = PROVIDER.install_default();
}

struct ByRing {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Mismatch> {
        let rsa = |parameters: &'static RsaParameters| match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => RsaPublicKeyComponents { n, e }
                .verify(parameters, message, signature)
                .map_err(|_| Mismatch::new()),
            DecodingKeyKind::SecretOrDer(_) => Err(Mismatch::new()),
        };
        let plain = |algorithm: &'static dyn VerificationAlgorithm| match self.key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => UnparsedPublicKey::new(algorithm, bytes)
                .verify(message, signature)
                .map_err(|_| Mismatch::new()),
            DecodingKeyKind::RsaModulusExponent { .. } => Err(Mismatch::new()),
        };
        match self.algorithm {
            Algorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => rsa(&RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => rsa(&RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => rsa(&RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => rsa(&RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => plain(&ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => plain(&ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => plain(&ED25519),
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Err(Mismatch::new()),
        }
    }
}
