//! What others have signed, against our keys: the examples of the specifications, and Wycheproof's signatures at the edges.
//! And the hashes that other libraries have written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test needs is there, or the test fails")]

mod jose;
mod passwords;
mod wycheproof;

use doorward::base::base64url;
use doorward::keys::{Algorithm, JwkSet, VerifyingKey};
use serde_json::{Value, json};

/// The key of a JWK for `algorithm`, read as a published one; else why there is none.
fn published(jwk: &Value, algorithm: Algorithm) -> Result<VerifyingKey, String> {
    let set = JwkSet::parse(json!({ "keys": [jwk] }).to_string().as_bytes(), &Algorithm::ALL)
        .map_err(|error| error.to_string())?;
    if let Some((_, why)) = set.left_out.first() {
        return Err(why.to_string());
    }
    set.keys.into_iter().find(|key| key.algorithm() == algorithm).ok_or_else(|| "no key of this algorithm".to_owned())
}

fn verifies(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    key.verifies(message, &base64url::encode(signature))
}
