//! The half of a key that checks.

use jsonwebtoken::DecodingKey;

use super::Algorithm;

/// A key that can verify, bound to its one algorithm.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Box<str>,
    key: DecodingKey,
}

impl VerifyingKey {
    pub(super) fn new(algorithm: Algorithm, kid: String, key: DecodingKey) -> Self {
        Self { algorithm, kid: kid.into_boxed_str(), key }
    }

    /// The only algorithm this key verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its key id: an exact-match name, never a path or an address (RFC 8725 §3.10).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether `signature`, the third part of a compact JWS, is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.key, self.algorithm.jsonwebtoken()).unwrap_or(false)
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key of HS256 is the secret itself.
        out.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}
