//! The half of a key that checks.

use jsonwebtoken::DecodingKey;

use super::Algorithm;

/// A key that can verify, bound to its one algorithm.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Box<str>,
    thumbprint: Box<str>,
    key: DecodingKey,
}

/// The same key under the same name, for the same algorithm. An issuer may give a new key an old name.
impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm, &self.kid, &self.thumbprint) == (other.algorithm, &other.kid, &other.thumbprint)
    }
}

impl Eq for VerifyingKey {}

impl VerifyingKey {
    /// A key that its thumbprint names.
    pub(super) fn new(algorithm: Algorithm, thumbprint: String, key: DecodingKey) -> Self {
        Self { algorithm, kid: thumbprint.as_str().into(), thumbprint: thumbprint.into_boxed_str(), key }
    }

    /// The same key under the name its issuer gave it.
    pub(super) fn named(self, kid: &str) -> Self {
        Self { kid: kid.into(), ..self }
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
