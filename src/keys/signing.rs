//! The half of a key that signs.

use std::fmt;

use super::pair::Pair;
use super::{Algorithm, VerifyingKey, pem, strength, thumbprint};
use crate::base::Secret;

/// A private key, bound to its one algorithm, parsed once.
pub struct SigningKey {
    pair: Pair,
    public: VerifyingKey,
    server_secret: Secret,
}

/// Why something cannot be a key. The texts never show any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It could be guessed, or is too short (RFC 7518 §3.2).
    #[error("this secret {0}")]
    WeakSecret(&'static str),
    /// Not PEM, or nothing in it that is a private key.
    #[error("no private key in PEM form (`BEGIN PRIVATE KEY`, `BEGIN EC PRIVATE KEY` or `BEGIN RSA PRIVATE KEY`)")]
    NotPem,
    /// A passphrase would have to be typed at every start.
    #[error("the private key is encrypted; doorward reads unencrypted keys only")]
    Encrypted,
    /// A public key or a certificate.
    #[error("this is a public key or a certificate, not a private key")]
    NotPrivate,
    /// The key itself is broken, or of a kind or curve that no algorithm here takes.
    #[error("the private key cannot be read: only RSA, EC on P-256 or P-384, and Ed25519 are taken")]
    Unreadable,
    /// RSA below 2048 bits (RFC 7518 §3.3).
    #[error("an RSA key needs at least 2048 bits, and this one has fewer")]
    WeakRsa,
    /// An elliptic curve key on another curve than its algorithm takes (RFC 7518 §3.4).
    #[error("the key is on the wrong curve: ES256 takes P-256, ES384 takes P-384")]
    WrongCurve,
    /// The algorithm named beside the file is another kind's.
    #[error("the key cannot sign {}", .0.name())]
    WrongAlgorithm(Algorithm),
}

impl SigningKey {
    /// An HS256 key.
    ///
    /// # Errors
    /// [`KeyError::WeakSecret`] below 32 bytes, and for what anybody could have written.
    pub fn from_secret(secret: &Secret) -> Result<Self, KeyError> {
        Self::hmac(secret, Algorithm::Hs256)
    }

    /// A key of an HMAC algorithm.
    ///
    /// # Errors
    /// [`KeyError::WeakSecret`] below the size of the algorithm's hash, and for what anybody could have written;
    /// [`KeyError::WrongAlgorithm`] for one that is not HMAC.
    pub fn hmac(secret: &Secret, algorithm: Algorithm) -> Result<Self, KeyError> {
        let (pair, public) = Pair::from_secret(secret, algorithm).ok_or(KeyError::WrongAlgorithm(algorithm))?;
        match strength::weakness_for(secret.expose(), algorithm) {
            Some(weakness) => Err(KeyError::WeakSecret(weakness)),
            None => Ok(Self { pair, public, server_secret: server_secret(secret.expose()) }),
        }
    }

    /// A private key from PEM text (PKCS#8, SEC 1 or PKCS#1). Without `algorithm` an RSA key signs RS256, and any other the
    /// one algorithm of its kind.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong, never what is in it.
    pub fn from_pem(text: &[u8], algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let der = pem::private_key(text)?;
        let (pair, public) = Pair::from_der(der.expose(), algorithm)?;
        Ok(Self { pair, public, server_secret: server_secret(der.expose()) })
    }

    /// The only algorithm this key signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// Its key id: the RFC 7638 thumbprint, or 8 bytes of HKDF for a secret.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The half that checks.
    #[must_use]
    pub fn verifying(&self) -> &VerifyingKey {
        &self.public
    }

    /// What keys refresh tokens where no `server_keys` are configured: it follows from the private key, under a label of
    /// its own.
    #[must_use]
    pub fn server_secret(&self) -> &Secret {
        &self.server_secret
    }

    /// Signs `message`; the bytes are in JWS form (RFC 7518 §3.4: r ‖ s for ECDSA).
    ///
    /// # Errors
    /// [`SigningFailed`] if the crypto library has no randomness or refuses the key.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        self.pair.sign(message)
    }
}

fn server_secret(private: &[u8]) -> Secret {
    Secret::new(thumbprint::derive::<32>(private, "server keys"))
}

/// The crypto library could not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key could not sign")]
pub struct SigningFailed;

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.public.fmt(out)
    }
}

#[cfg(test)]
mod tests;
