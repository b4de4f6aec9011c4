//! Key pairs as the crypto library has them, from DER, bound to one algorithm.

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use jsonwebtoken::DecodingKey;

use super::signing::SigningFailed;
use super::{Algorithm, KeyError, KeyKind, VerifyingKey};
use crate::base::{Secret, entropy};

/// Shortest RSA modulus, in bits (RFC 7518 §3.3).
pub(super) const MIN_RSA_BITS: usize = 2048;

#[expect(clippy::large_enum_variant, reason = "there are a handful, and they live as long as the snapshot")]
pub(super) enum Pair {
    Hmac(hmac::Key),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    /// A secret as a key of an HMAC algorithm; `None` for any other.
    pub(super) fn from_secret(secret: &Secret, algorithm: Algorithm) -> Option<(Self, VerifyingKey)> {
        let hash = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            _ => return None,
        };
        let pair = Self::Hmac(hmac::Key::new(hash, secret.expose()));
        Some((pair, VerifyingKey::secret(algorithm, secret.expose())))
    }

    /// A private key: PKCS#8, SEC 1 or PKCS#1. Without `wanted` it gets its kind's first algorithm.
    pub(super) fn from_der(der: &[u8], wanted: Option<Algorithm>) -> Result<(Self, VerifyingKey), KeyError> {
        let (kind, pair, key) = Self::read(der)?;
        let algorithm = match (wanted, kind) {
            (Some(wanted), kind) if wanted.kind() == kind => wanted,
            (Some(Algorithm::Es256 | Algorithm::Es384), KeyKind::P256 | KeyKind::P384) => {
                return Err(KeyError::WrongCurve);
            }
            (Some(wanted), _) => return Err(KeyError::WrongAlgorithm(wanted)),
            (None, kind) => Algorithm::ALL.into_iter().find(|any| any.kind() == kind).ok_or(KeyError::Unreadable)?,
        };
        let pair = match pair {
            Self::Rsa(pair, _) => Self::Rsa(pair, encoding(algorithm)),
            other => other,
        };
        Ok((pair, VerifyingKey::public(algorithm, key).ok_or(KeyError::Unreadable)?))
    }

    fn read(der: &[u8]) -> Result<(KeyKind, Self, DecodingKey), KeyError> {
        for (kind, curve) in
            [(KeyKind::P256, &ECDSA_P256_SHA256_FIXED_SIGNING), (KeyKind::P384, &ECDSA_P384_SHA384_FIXED_SIGNING)]
        {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve, der) {
                let key = DecodingKey::from_ec_der(pair.public_key().as_ref());
                return Ok((kind, Self::Ecdsa(pair), key));
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let key = DecodingKey::from_ed_der(pair.public_key().as_ref());
            return Ok((KeyKind::Ed25519, Self::Ed25519(pair), key));
        }
        // Named apart, so that nobody searches the file for another mistake.
        if [&ECDSA_P521_SHA512_FIXED_SIGNING, &ECDSA_P256K1_SHA256_FIXED_SIGNING]
            .into_iter()
            .any(|curve| EcdsaKeyPair::from_private_key_der(curve, der).is_ok())
        {
            return Err(KeyError::WrongCurve);
        }
        let pair = rsa(der)?;
        let (modulus, exponent) = (pair.public_key().modulus(), pair.public_key().exponent());
        let key = DecodingKey::from_rsa_raw_components(
            modulus.big_endian_without_leading_zero(),
            exponent.big_endian_without_leading_zero(),
        );
        Ok((KeyKind::Rsa, Self::Rsa(pair, &signature::RSA_PKCS1_SHA256), key))
    }

    /// Signs `message` in JWS form.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = entropy::source();
        match self {
            Self::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Self::Ecdsa(pair) => Ok(pair.sign(&random, message).map_err(|_| SigningFailed)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.try_sign(message).map_err(|_| SigningFailed)?.as_ref().to_vec()),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(|_| SigningFailed)?;
                Ok(signature)
            }
        }
    }
}

/// The library itself refuses fewer than [`MIN_RSA_BITS`].
fn rsa(der: &[u8]) -> Result<RsaKeyPair, KeyError> {
    let too_small = |error: &KeyRejected| error.to_string() == "TooSmall";
    let pkcs8 = match RsaKeyPair::from_pkcs8(der) {
        Ok(pair) => return Ok(pair),
        Err(error) => error,
    };
    match RsaKeyPair::from_der(der) {
        Ok(pair) => Ok(pair),
        Err(pkcs1) if too_small(&pkcs8) || too_small(&pkcs1) => Err(KeyError::WeakRsa),
        Err(_) => Err(KeyError::Unreadable),
    }
}

fn encoding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}
