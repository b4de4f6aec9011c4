//! PEM text (RFC 7468) of private keys, in and out.

use aws_lc_rs::encoding::AsDer;
pub use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use pem::{EncodeConfig, LineEnding, Pem};
use zeroize::Zeroize;

use super::{Algorithm, KeyError};
use crate::base::{Secret, base64url, entropy};

/// How many bits a new RSA key gets where nobody says.
pub const DEFAULT_RSA: KeySize = KeySize::Rsa2048;

/// Makes a private key for `algorithm`: PKCS#8 in PEM, RSA with 2048 bits. For HMAC it is the secret itself: random bytes,
/// as many as the hash has, in base64url, for `secret: { file: … }`.
///
/// # Errors
/// [`KeyError::Unreadable`] if the crypto library cannot make one.
pub fn generate(algorithm: Algorithm) -> Result<Secret, KeyError> {
    generate_of(algorithm, DEFAULT_RSA)
}

/// As [`generate`], with `size` for RSA.
///
/// # Errors
/// [`KeyError::Unreadable`] if the crypto library cannot make one.
pub fn generate_of(algorithm: Algorithm, size: KeySize) -> Result<Secret, KeyError> {
    let failed = |_| KeyError::Unreadable;
    let ecdsa = |curve| Ok(EcdsaKeyPair::generate_pkcs8(curve, &entropy::source()).map_err(failed)?.as_ref().to_vec());
    let der = match algorithm {
        Algorithm::Hs256 => return Ok(secret::<32>()),
        Algorithm::Hs384 => return Ok(secret::<48>()),
        Algorithm::Hs512 => return Ok(secret::<64>()),
        Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
        Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)?,
        // Version 1 of PKCS#8, which OpenSSL reads too; aws-lc's default form carries the public key as an attribute.
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&entropy::source()).map_err(failed)?.as_ref().to_vec(),
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => {
            let pair = RsaKeyPair::generate(size).map_err(failed)?;
            pair.as_der().map_err(failed)?.as_ref().to_vec()
        }
    };
    let mut text =
        pem::encode_config(&Pem::new("PRIVATE KEY", der), EncodeConfig::new().set_line_ending(LineEnding::LF));
    let secret = Secret::new(text.as_bytes());
    text.zeroize();
    Ok(secret)
}

fn secret<const BYTES: usize>() -> Secret {
    Secret::new(base64url::encode(entropy::random::<BYTES>()) + "\n")
}

/// The DER inside the first private key of `text`; other sections (parameters, certificates) may stand beside it.
///
/// # Errors
/// [`KeyError`] if there is none, or it is encrypted.
pub fn private_key(text: &[u8]) -> Result<Secret, KeyError> {
    let sections = pem::parse_many(text).map_err(|_| KeyError::NotPem)?;
    let mut error = KeyError::NotPem;
    for section in sections {
        match section.tag() {
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => {
                // A key that is encrypted the old way says so in its headers (RFC 1421 §4.6.1.1).
                if section.headers().iter().next().is_some() {
                    return Err(KeyError::Encrypted);
                }
                return Ok(Secret::new(section.into_contents()));
            }
            "ENCRYPTED PRIVATE KEY" => error = KeyError::Encrypted,
            _ => error = KeyError::NotPrivate,
        }
    }
    Err(error)
}
