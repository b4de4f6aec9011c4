//! The secrets that key refresh tags and what else only this server may have written.

use aws_lc_rs::{constant_time, hmac};

use super::thumbprint::derive;
use crate::base::{Secret, base64url};

/// Which server key made a refresh token: 4 bytes that follow from the key, so that the order in the file may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyNumber(pub [u8; 4]);

/// `server_keys`: the first makes, all check.
#[derive(Debug)]
pub struct ServerKeys {
    first: ServerKey,
    others: Vec<ServerKey>,
}

#[derive(Debug)]
struct ServerKey {
    number: KeyNumber,
    fingerprint: [u8; 16],
    refresh: hmac::Key,
    /// Keys what must not be predicted from outside, such as which dummy hash an unknown user costs.
    blind: hmac::Key,
    /// Keys what authenticates issuers' keys on disk.
    issuer_keys: hmac::Key,
    /// Keys what tells one password hash from another.
    password: hmac::Key,
    /// Keys what marks a hash that was made anew here.
    carried: hmac::Key,
    /// Keys what failed logins are counted under in a store that several instances share.
    failures: hmac::Key,
}

/// Length of a refresh tag, in bytes: HMAC-SHA-256.
pub const TAG_BYTES: usize = 32;

impl ServerKeys {
    /// From secrets of at least 32 bytes; `None` if there is none.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Option<Self> {
        let mut keys = secrets.into_iter().map(ServerKey::new);
        let first = keys.next()?;
        Some(Self { first, others: keys.collect() })
    }

    /// The key that makes new refresh tokens.
    #[must_use]
    pub fn current(&self) -> KeyNumber {
        self.first.number
    }

    /// What tells each key from every other, and tells nothing else of it.
    pub fn fingerprints(&self) -> impl Iterator<Item = String> {
        std::iter::once(&self.first).chain(&self.others).map(|key| base64url::encode(key.fingerprint))
    }

    /// The tag over `message` under the key `number`; `None` if that key is no longer configured.
    #[must_use]
    pub fn tag(&self, number: KeyNumber, message: &[u8]) -> Option<[u8; TAG_BYTES]> {
        let tag = hmac::sign(&self.find(number)?.refresh, message);
        tag.as_ref().try_into().ok()
    }

    /// Whether `tag` is the key `number`'s over `message`, in constant time; `None` if that key is no longer configured.
    #[must_use]
    pub fn verifies(&self, number: KeyNumber, message: &[u8], tag: &[u8]) -> Option<bool> {
        Some(hmac::verify(&self.find(number)?.refresh, message, tag).is_ok())
    }

    /// A number that always follows from `text`, and that nobody outside can compute.
    #[must_use]
    pub fn blind(&self, text: &str) -> u64 {
        let tag = hmac::sign(&self.first.blind, text.as_bytes());
        tag.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The tag over the keys of an issuer as they are kept on disk, under the first key: who can write there but knows no server
    /// key cannot make keys that are believed.
    #[must_use]
    pub fn tag_issuer_keys(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.first.issuer_keys, message).as_ref().to_vec()
    }

    /// Whether one of the keys made `tag` for `message`, in constant time.
    #[must_use]
    pub fn verifies_issuer_keys(&self, message: &[u8], tag: &[u8]) -> bool {
        let mut keys = std::iter::once(&self.first).chain(&self.others);
        keys.any(|key| hmac::verify(&key.issuer_keys, message, tag).is_ok())
    }

    /// What failed logins of `message` are counted under: the same wherever the first key is the same, and of no use to whoever reads it there.
    /// With another first key they are counted anew.
    #[must_use]
    pub fn count_under(&self, message: &[u8]) -> [u8; 16] {
        hmac::sign(&self.first.failures, message).as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// What tells the password hash in `message` from others, under the key `number`; `None` if that key is no longer configured.
    pub(super) fn print_password(&self, number: KeyNumber, message: &[u8]) -> Option<[u8; 16]> {
        hmac::sign(&self.find(number)?.password, message).as_ref().first_chunk().copied()
    }

    /// The tag over a print that a new hash carries, under the first key.
    pub(super) fn tag_carried(&self, print: &[u8; 16]) -> [u8; 8] {
        hmac::sign(&self.first.carried, print).as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// Whether one of the keys made `tag` for `print`, in constant time.
    pub(super) fn verifies_carried(&self, print: &[u8; 16], tag: &[u8]) -> bool {
        let mut keys = std::iter::once(&self.first).chain(&self.others);
        keys.any(|key| {
            let whole = hmac::sign(&key.carried, print);
            let expected = whole.as_ref().first_chunk::<8>();
            expected.is_some_and(|expected| constant_time::verify_slices_are_equal(expected, tag).is_ok())
        })
    }

    fn find(&self, number: KeyNumber) -> Option<&ServerKey> {
        std::iter::once(&self.first).chain(&self.others).find(|key| key.number == number)
    }
}

impl ServerKey {
    fn new(secret: &Secret) -> Self {
        let key = |label| hmac::Key::new(hmac::HMAC_SHA256, &derive::<32>(secret.expose(), label));
        Self {
            number: KeyNumber(derive(secret.expose(), "key number")),
            fingerprint: derive(secret.expose(), "fingerprint"),
            refresh: key("refresh tag"),
            blind: key("blind"),
            issuer_keys: key("issuer keys"),
            password: key("password print"),
            carried: key("carried print"),
            failures: key("failed logins"),
        }
    }
}
