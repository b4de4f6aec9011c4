//! Key ids that follow from the key, so that replicas with the same key name it alike.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf;
use serde_json::{Map, Value};

use crate::base::base64url;

/// The RFC 7638 thumbprint of a key: `members` are those that make it up, in the order of their names.
#[must_use]
pub(super) fn of(members: Map<String, Value>) -> String {
    base64url::encode(digest(&SHA256, Value::Object(members).to_string().as_bytes()))
}

/// The key id of an HMAC secret: 8 bytes of HKDF(secret, "kid"). Not a hash of the secret itself, which could be
/// searched for.
#[must_use]
pub fn secret(secret: &[u8]) -> String {
    base64url::encode(derive::<8>(secret, "kid"))
}

/// `N` bytes of HKDF-SHA-256 over `secret` with the label `info` (RFC 5869).
///
/// # Panics
/// If `N` is above 255 × 32, which no caller asks for.
#[must_use]
#[expect(clippy::expect_used, reason = "HKDF refuses only lengths above 255 hashes")]
pub fn derive<const N: usize>(secret: &[u8], info: &str) -> [u8; N] {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut derived = [0; N];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"doorward")
        .extract(secret)
        .expand(&[info.as_bytes()], Length(N))
        .and_then(|output| output.fill(&mut derived))
        .expect("the length is allowed");
    derived
}
