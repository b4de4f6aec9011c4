//! Secrets of clients, as they are stored.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{SHA256, digest};

use crate::base::{Secret, base64url, entropy};
use crate::users::StoredHash;

/// What a client's secret is checked against.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretHash {
    /// A PHC string of argon2, for secrets that somebody may have made up.
    Argon2(Arc<StoredHash>),
    /// `$sha256$…`: enough for a secret of so many random bits that nobody can try them all.
    Sha256([u8; 32]),
}

impl SecretHash {
    /// Reads `$sha256$` and 43 letters of base64url; `None` for anything else.
    #[must_use]
    pub fn sha256(text: &str) -> Option<Self> {
        let digest = base64url::decode(text.strip_prefix(PREFIX)?).ok()?;
        digest.try_into().ok().map(Self::Sha256)
    }
}

/// Whether `digest` was made of `secret`, in constant time. A secret that a person could have chosen fits none: its digest could be
/// found by trying, and is in the configuration.
#[must_use]
pub(super) fn fits(digest_of: &[u8; 32], secret: &Secret) -> bool {
    let same = constant_time::verify_slices_are_equal(digest_of, digest(&SHA256, secret.expose()).as_ref()).is_ok();
    same && secret.len() >= SHORTEST
}

/// A new secret of 190 random bits, and what to store of it. Letters and digits alone: every client encodes them in the same way.
#[must_use]
pub fn generate() -> (Secret, String) {
    let mut letters = Vec::with_capacity(LENGTH);
    while letters.len() < LENGTH {
        // Of the 256 values the last eight would make some letters likelier than others.
        let even =
            entropy::random::<LENGTH>().into_iter().filter(|byte| usize::from(*byte) < 256 - 256 % ALPHABET.len());
        letters.extend(even.filter_map(|byte| ALPHABET.get(usize::from(byte) % ALPHABET.len())));
    }
    letters.truncate(LENGTH);
    let stored = format!("{PREFIX}{}", base64url::encode(digest(&SHA256, &letters)));
    (Secret::new(letters), stored)
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Argon2(_) => "[argon2]",
            Self::Sha256(_) => "[sha256]",
        })
    }
}

const PREFIX: &str = "$sha256$";

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Letters of a generated secret.
const LENGTH: usize = 32;

/// Letters and digits that hold 128 bits.
const SHORTEST: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_secret_fits_what_is_stored_of_it() {
        let ((one, stored), (other, _)) = (generate(), generate());
        assert_ne!(one, other);
        assert!(one.len() == LENGTH && one.expose().iter().all(u8::is_ascii_alphanumeric));
        let Some(SecretHash::Sha256(kept)) = SecretHash::sha256(&stored) else { panic!("{stored}") };
        for (secret, expected) in [(one.clone(), true), (other, false), (Secret::new(""), false)] {
            assert_eq!(fits(&kept, &secret), expected);
        }
    }

    #[test]
    fn what_a_person_could_have_chosen_fits_nothing() {
        for (secret, expected) in
            [("hunter2", false), ("abcdefghijklmnopqrstu", false), ("abcdefghijklmnopqrstuv", true)]
        {
            let kept: [u8; 32] = digest(&SHA256, secret.as_bytes()).as_ref().try_into().unwrap();
            assert_eq!(fits(&kept, &Secret::new(secret)), expected, "{secret}");
        }
    }

    #[test]
    fn only_a_whole_digest_is_one() {
        let whole = format!("$sha256${}", base64url::encode([7; 32]));
        assert_eq!(SecretHash::sha256(&whole), Some(SecretHash::Sha256([7; 32])));
        for text in ["", "$sha256$", "$sha256$AAAA", &whole[1..], &format!("{whole}="), &whole.to_uppercase()] {
            assert_eq!(SecretHash::sha256(text), None, "{text}");
        }
    }
}
