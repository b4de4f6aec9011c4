//! One published key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::pair::MIN_RSA_BITS;
use super::{Algorithm, KeyKind, VerifyingKey};
use crate::base::base64url;

/// Why a published key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unusable {
    /// A member is missing, of the wrong type or not what its specification says; or the key is none.
    #[error("the key is malformed")]
    Malformed,
    /// `oct`: who can read the set could sign with it (RFC 8725 §2.1).
    #[error("the key is symmetric")]
    Symmetric,
    /// Its private half was published with it, so that anybody can sign with it.
    #[error("the private half of the key is published")]
    Private,
    /// Another `kty` or `crv` than those of our algorithms.
    #[error("the key is of a kind that is not supported")]
    UnknownKind,
    /// `use` or `key_ops` say that it is not for signatures (RFC 7517 §4.2, §4.3).
    #[error("the key is not for verifying signatures")]
    NotForSignatures,
    /// `alg` is another kind's, or none that is allowed here.
    #[error("the key is for an algorithm that is not allowed")]
    WrongAlgorithm,
    /// RSA below 2048 bits, or above 8192: verifying would take too long.
    #[error("the RSA key has too few or too many bits")]
    WrongSize,
    /// Another key of the set has this `kid`.
    #[error("another key has the same key id")]
    DuplicateKid,
}

/// The key of a JWK, once for each of the `allowed` algorithms that it may verify.
///
/// # Errors
/// [`Unusable`].
pub(super) fn read(jwk: &Map<String, Value>, allowed: &[Algorithm]) -> Result<Vec<VerifyingKey>, Unusable> {
    if text(jwk, "kty")? == "oct" {
        return Err(Unusable::Symmetric);
    }
    if PRIVATE.iter().any(|member| jwk.contains_key(*member)) {
        return Err(Unusable::Private);
    }
    if !is_for_signatures(jwk)? {
        return Err(Unusable::NotForSignatures);
    }
    let (kind, key) = material(jwk)?;
    let kid = optional_text(jwk, "kid")?;
    let named = match optional_text(jwk, "alg")? {
        Some(name) => Some(Algorithm::from_name(name).ok_or(Unusable::WrongAlgorithm)?),
        None => None,
    };
    let fits = |algorithm: &Algorithm| algorithm.kind() == kind && named.is_none_or(|named| named == *algorithm);
    let bound = |algorithm: Algorithm| {
        let bound = VerifyingKey::public(algorithm, key.clone())?;
        Some(if let Some(kid) = kid { bound.named(kid) } else { bound })
    };
    let keys: Vec<_> = allowed.iter().copied().filter(fits).filter_map(bound).collect();
    if keys.is_empty() { Err(Unusable::WrongAlgorithm) } else { Ok(keys) }
}

fn material(jwk: &Map<String, Value>) -> Result<(KeyKind, DecodingKey), Unusable> {
    match (text(jwk, "kty")?, optional_text(jwk, "crv")?) {
        ("RSA", None) => Ok((KeyKind::Rsa, rsa(jwk)?)),
        ("EC", Some("P-256")) => Ok((KeyKind::P256, point(jwk, &ECDSA_P256_SHA256_FIXED, 32)?)),
        ("EC", Some("P-384")) => Ok((KeyKind::P384, point(jwk, &ECDSA_P384_SHA384_FIXED, 48)?)),
        ("OKP", Some("Ed25519")) => {
            let x = octets(jwk, "x")?;
            is_key(&ED25519, &x).ok_or(Unusable::Malformed)?;
            Ok((KeyKind::Ed25519, DecodingKey::from_ed_der(&x)))
        }
        _ => Err(Unusable::UnknownKind),
    }
}

/// A point on the curve of `algorithm`, whose coordinates have `length` bytes (RFC 7518 §6.2.1.2).
fn point(
    jwk: &Map<String, Value>,
    algorithm: &'static dyn VerificationAlgorithm,
    length: usize,
) -> Result<DecodingKey, Unusable> {
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    let point = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
    // A point that is not on the curve would be no key (RFC 8725 §3.4).
    is_key(algorithm, &point).filter(|()| x.len() == length).ok_or(Unusable::Malformed)?;
    Ok(DecodingKey::from_ec_der(&point))
}

fn rsa(jwk: &Map<String, Value>) -> Result<DecodingKey, Unusable> {
    let (modulus, exponent) = (number(jwk, "n")?, number(jwk, "e")?);
    let bits = bits(&modulus);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err(Unusable::WrongSize);
    }
    // An even modulus is no product of two large primes; with an exponent of 1 every message is its own signature.
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    if !is_odd(&modulus) || !is_odd(&exponent) || exponent == [1] || exponent.len() > MAX_EXPONENT_BYTES {
        return Err(Unusable::Malformed);
    }
    Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

fn is_key(algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Option<()> {
    ParsedPublicKey::new(algorithm, bytes).ok().map(drop)
}

fn is_for_signatures(jwk: &Map<String, Value>) -> Result<bool, Unusable> {
    let by_use = optional_text(jwk, "use")?.is_none_or(|purpose| purpose == "sig");
    let by_operations = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => return Err(Unusable::Malformed),
    };
    Ok(by_use && by_operations)
}

fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(leading).unwrap_or(8))
}

/// A positive integer (RFC 7518 §2, `Base64urlUInt`). Some issuers leave a leading zero on it.
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    let octets = octets(jwk, name)?;
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    octets.get(zeros..).filter(|digits| !digits.is_empty()).map(<[u8]>::to_vec).ok_or(Unusable::Malformed)
}

fn octets(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    base64url::decode(text(jwk, name)?).map_err(|_| Unusable::Malformed)
}

fn text<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<&'j str, Unusable> {
    optional_text(jwk, name)?.ok_or(Unusable::Malformed)
}

fn optional_text<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<Option<&'j str>, Unusable> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unusable::Malformed),
    }
}

/// Members that only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What an EC point in full begins with (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

const MAX_RSA_BITS: usize = 8192;
/// 65537 has three; verifying takes the longer the more there are.
const MAX_EXPONENT_BYTES: usize = 4;
