//! Published keys (RFC 7517 §5), read so that nothing becomes a key that should not be one.
//!
//! Keys that cannot be used are left out one by one, and say why: issuers publish encryption keys and new kinds beside those
//! that sign (RFC 7517 §5: ignore what you do not understand). A set that is no set is refused whole.

use serde_json::{Map, Value};

use super::public_key::{self, Unusable};
use super::{Algorithm, VerifyingKey};
use crate::base::json;

/// The usable keys of a set.
#[derive(Clone, Debug)]
pub struct JwkSet {
    /// One for each algorithm a key may verify: an RSA key that names none may verify several, and each is bound to its own.
    pub keys: Vec<VerifyingKey>,
    /// Place in the set, and why the key there is not used.
    pub left_out: Vec<(usize, Unusable)>,
}

/// The text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASet {
    /// Not a JSON object with every member once, or without a list `keys` of objects.
    #[error("this is no JWK set: an object with a list `keys`")]
    Malformed,
    /// More than [`MAX_KEYS`].
    #[error("the set has more than {MAX_KEYS} keys")]
    TooMany,
}

impl JwkSet {
    /// Reads a set. The caller has bounded its length; `allowed` are the algorithms that may be verified with it, of which
    /// `HS256` never is one: the issuer would have published the secret.
    ///
    /// # Errors
    /// [`NotASet`].
    pub fn parse(text: &[u8], allowed: &[Algorithm]) -> Result<Self, NotASet> {
        let set = json::object(text).map_err(|_| NotASet::Malformed)?;
        let Some(Value::Array(members)) = set.get("keys") else { return Err(NotASet::Malformed) };
        if members.len() > MAX_KEYS {
            return Err(NotASet::TooMany);
        }
        let mut read = Self { keys: Vec::new(), left_out: Vec::new() };
        for (place, member) in members.iter().enumerate() {
            let jwk = member.as_object().ok_or(NotASet::Malformed)?;
            match read.keys_of(jwk, allowed) {
                Ok(keys) => read.keys.extend(keys),
                Err(why) => read.left_out.push((place, why)),
            }
        }
        Ok(read)
    }

    fn keys_of(&self, jwk: &Map<String, Value>, allowed: &[Algorithm]) -> Result<Vec<VerifyingKey>, Unusable> {
        let keys = public_key::read(jwk, allowed)?;
        // Of two keys with one name a token could be checked with either.
        let taken = |key: &VerifyingKey| self.keys.iter().any(|known| known.kid() == key.kid());
        if keys.iter().any(taken) { Err(Unusable::DuplicateKid) } else { Ok(keys) }
    }
}

/// No issuer has this many; each costs work for every key id that is looked for.
pub const MAX_KEYS: usize = 100;

#[cfg(test)]
mod tests;
