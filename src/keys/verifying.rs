//! The half of a key that checks.

use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::members::members;
use super::{Algorithm, thumbprint};

/// A key that can verify, bound to its one algorithm. Each token that is remembered has one: copies share what is long, and of a
/// secret there is one in memory.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Arc<str>,
    thumbprint: Arc<str>,
    key: Arc<DecodingKey>,
}

/// The same key under the same name, for the same algorithm. An issuer may give a new key an old name.
impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm, &self.kid, &self.thumbprint) == (other.algorithm, &other.kid, &other.thumbprint)
    }
}

impl Eq for VerifyingKey {}

impl VerifyingKey {
    /// A public key that its thumbprint names (RFC 7638); `None` if the key is not of the algorithm's kind.
    pub(super) fn public(algorithm: Algorithm, key: DecodingKey) -> Option<Self> {
        let thumbprint = thumbprint::of(members(algorithm.kind(), &key)?);
        Some(Self::new(algorithm, thumbprint, key))
    }

    /// An HMAC key, under a name that does not tell the secret.
    pub(super) fn secret(algorithm: Algorithm, secret: &[u8]) -> Self {
        Self::new(algorithm, thumbprint::secret(secret), DecodingKey::from_secret(secret))
    }

    fn new(algorithm: Algorithm, thumbprint: String, key: DecodingKey) -> Self {
        let thumbprint: Arc<str> = thumbprint.into();
        Self { algorithm, kid: Arc::clone(&thumbprint), thumbprint, key: Arc::new(key) }
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

    /// The key as it is published (RFC 7517 §4): `kty`, `use`, `alg`, `kid` and the members of its kind. `None` for HMAC,
    /// where who can verify can sign.
    #[must_use]
    pub fn jwk(&self) -> Option<Map<String, Value>> {
        let mut public = members(self.algorithm.kind(), &self.key)?;
        let named = [("use", "sig"), ("alg", self.algorithm.name()), ("kid", &self.kid)];
        let kty = public.shift_remove_entry("kty");
        let named = named.map(|(name, value)| (name.to_owned(), Value::from(value)));
        Some(kty.into_iter().chain(named).chain(public).collect())
    }

    /// Whether `signature`, the third part of a compact JWS, is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.key, self.algorithm.jsonwebtoken()).unwrap_or(false)
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key of HMAC is the secret itself.
        out.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
