//! The members of a JWK that make up a public key (RFC 7518 §6, RFC 8037 §2).

use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use serde_json::{Map, Value};

use super::KeyKind;
use crate::base::base64url;

/// The public members of `key` and no others, in the order of their names, which is that of RFC 7638 §3.3. `None` for a
/// secret, which has none, and for a key that is not of this `kind`.
pub(super) fn members(kind: KeyKind, key: &DecodingKey) -> Option<Map<String, Value>> {
    let of = |members: &[(&str, String)]| {
        members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect()
    };
    match (kind, key.kind()) {
        (KeyKind::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Some(of(&[("e", base64url::encode(e)), ("kty", "RSA".to_owned()), ("n", base64url::encode(n))]))
        }
        (KeyKind::P256, DecodingKeyKind::SecretOrDer(point)) => Some(of(&on_curve("P-256", point)?)),
        (KeyKind::P384, DecodingKeyKind::SecretOrDer(point)) => Some(of(&on_curve("P-384", point)?)),
        (KeyKind::Ed25519, DecodingKeyKind::SecretOrDer(x)) => {
            Some(of(&[("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", base64url::encode(x))]))
        }
        (KeyKind::Secret | KeyKind::Rsa, _) | (_, DecodingKeyKind::RsaModulusExponent { .. }) => None,
    }
}

/// `point` is uncompressed: 0x04, then x and y (SEC 1 §2.3.3).
fn on_curve(curve: &str, point: &[u8]) -> Option<[(&'static str, String); 4]> {
    let (x, y) = point.get(1..)?.split_at_checked(point.len() / 2)?;
    Some([
        ("crv", curve.to_owned()),
        ("kty", "EC".to_owned()),
        ("x", base64url::encode(x)),
        ("y", base64url::encode(y)),
    ])
}
