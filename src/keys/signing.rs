//! The half of a key that signs.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use jsonwebtoken::DecodingKey;

use super::{Algorithm, VerifyingKey, pem, strength, thumbprint};
use crate::base::{Secret, entropy};

/// Shortest RSA modulus, in bits (RFC 7518 §3.3).
pub const MIN_RSA_BITS: usize = 2048;

/// A private key, bound to its one algorithm, parsed once.
pub struct SigningKey {
    pair: Pair,
    public: VerifyingKey,
    server_secret: Secret,
}

#[expect(clippy::large_enum_variant, reason = "there are a handful, and they live as long as the snapshot")]
enum Pair {
    Hmac(hmac::Key),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ed25519(Ed25519KeyPair),
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
    #[error("the private key cannot be read: only RSA, EC on P-256 and Ed25519 are taken")]
    Unreadable,
    /// RSA below 2048 bits (RFC 7518 §3.3).
    #[error("an RSA key needs at least 2048 bits, this one has {0}")]
    WeakRsa(usize),
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
        if let Some(weakness) = strength::weakness(secret.expose()) {
            return Err(KeyError::WeakSecret(weakness));
        }
        let kid = thumbprint::secret(secret.expose());
        Ok(Self {
            server_secret: server_secret(secret.expose()),
            pair: Pair::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.expose())),
            public: VerifyingKey::new(Algorithm::Hs256, kid, DecodingKey::from_secret(secret.expose())),
        })
    }

    /// A private key from PEM text (PKCS#8, SEC 1 or PKCS#1). Without `algorithm` an RSA key signs RS256.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong, never what is in it.
    pub fn from_pem(text: &[u8], algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let der = pem::private_key(text)?;
        let key = Self::from_der(&der, algorithm)?;
        match algorithm {
            Some(wanted) if wanted != key.algorithm() => Err(KeyError::WrongAlgorithm(wanted)),
            _ => Ok(key),
        }
    }

    fn from_der(der: &Secret, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let (pair, public) = Self::pair_from(der.expose(), algorithm)?;
        Ok(Self { pair, public, server_secret: server_secret(der.expose()) })
    }

    fn pair_from(der: &[u8], algorithm: Option<Algorithm>) -> Result<(Pair, VerifyingKey), KeyError> {
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            return Ok(Self::ecdsa(pair));
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self::ed25519(pair));
        }
        let pair =
            RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).map_err(|_| KeyError::Unreadable)?;
        let bits = pair.public_modulus_len() * 8;
        if bits < MIN_RSA_BITS { Err(KeyError::WeakRsa(bits)) } else { Ok(Self::rsa(pair, algorithm)) }
    }

    fn ecdsa(pair: EcdsaKeyPair) -> (Pair, VerifyingKey) {
        let point = pair.public_key().as_ref();
        // An uncompressed point: 0x04, then x and y (SEC 1 §2.3.3).
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
        let public = VerifyingKey::new(Algorithm::Es256, thumbprint::p256(x, y), DecodingKey::from_ec_der(point));
        (Pair::Ecdsa(pair), public)
    }

    fn ed25519(pair: Ed25519KeyPair) -> (Pair, VerifyingKey) {
        let point = pair.public_key().as_ref();
        let public = VerifyingKey::new(Algorithm::EdDsa, thumbprint::ed25519(point), DecodingKey::from_ed_der(point));
        (Pair::Ed25519(pair), public)
    }

    fn rsa(pair: RsaKeyPair, algorithm: Option<Algorithm>) -> (Pair, VerifyingKey) {
        let (modulus, exponent) = (pair.public_key().modulus(), pair.public_key().exponent());
        let (n, e) = (modulus.big_endian_without_leading_zero(), exponent.big_endian_without_leading_zero());
        let kid = thumbprint::rsa(n, e);
        let key = DecodingKey::from_rsa_raw_components(n, e);
        let (algorithm, encoding): (_, &'static dyn RsaEncoding) = match algorithm {
            Some(Algorithm::Ps256) => (Algorithm::Ps256, &signature::RSA_PSS_SHA256),
            _ => (Algorithm::Rs256, &signature::RSA_PKCS1_SHA256),
        };
        (Pair::Rsa(pair, encoding), VerifyingKey::new(algorithm, kid, key))
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
        let random = entropy::source();
        match &self.pair {
            Pair::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, message).map_err(|_| SigningFailed)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(|_| SigningFailed)?.as_ref().to_vec()),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(|_| SigningFailed)?;
                Ok(signature)
            }
        }
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
