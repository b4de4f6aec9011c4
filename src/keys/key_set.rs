//! The keys with which one issuer's tokens are verified.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{Algorithm, JwkSet, KeyRing, VerifyingKey};

/// Keys as they are at one moment.
#[derive(Debug, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    available: bool,
}

/// No key of the set is for a token with this header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// The keys were never learnt, or are too old to be believed.
    Unavailable,
    /// None has this key id; or the token names none, and several could be meant.
    Unknown,
    /// The key is for another algorithm than the token names.
    WrongAlgorithm,
}

impl KeySet {
    /// A set of keys that are all there is.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { keys: keys.into_iter().collect(), available: true }
    }

    /// No keys: they were never learnt, or are too old.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self { keys: Vec::new(), available: false }
    }

    /// Whether the keys are known.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.available
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Whether it has this very key: issuers reuse key ids.
    #[must_use]
    pub fn has(&self, key: &VerifyingKey) -> bool {
        self.keys.contains(key)
    }

    /// The key for a token that names `kid` and `algorithm`. The token only selects: a key verifies its own algorithm. With a
    /// `kid`, no other key is tried; without, there must be exactly one of this algorithm.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn find(&self, kid: Option<&str>, algorithm: Option<Algorithm>) -> Result<&VerifyingKey, NoKey> {
        if !self.available {
            return Err(NoKey::Unavailable);
        }
        let named = |key: &&VerifyingKey| kid.is_none_or(|kid| key.kid() == kid);
        let mut fitting = self.keys.iter().filter(named).filter(|key| Some(key.algorithm()) == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(NoKey::Unknown),
            (None, _) if kid.is_some() && !self.keys.iter().any(|key| named(&key)) => Err(NoKey::Unknown),
            (None, _) => Err(NoKey::WrongAlgorithm),
        }
    }
}

impl From<&KeyRing> for KeySet {
    fn from(ring: &KeyRing) -> Self {
        Self::new(ring.verifying().cloned())
    }
}

impl From<JwkSet> for KeySet {
    fn from(mut set: JwkSet) -> Self {
        // The order says nothing (RFC 7517 §5.1): servers that differ in it must not void at each fetch what was verified.
        set.keys.sort_by(|one, other| one.kid().cmp(other.kid()));
        Self::new(set.keys)
    }
}

/// The keys of an issuer while they change: replaced whole, read without a lock.
#[derive(Debug)]
pub struct LiveKeys(ArcSwap<KeySet>);

impl LiveKeys {
    /// Beginning with `set`.
    #[must_use]
    pub fn new(set: KeySet) -> Self {
        Self(ArcSwap::from_pointee(set))
    }

    /// The keys of this moment. As long as nothing changes it is the same set, so that what was verified with it can be
    /// remembered by it.
    #[must_use]
    pub fn now(&self) -> Guard<Arc<KeySet>> {
        self.0.load()
    }

    /// Puts `set` in the place of what is there; whether it is another one. Only the issuer's own task calls this.
    pub fn replace(&self, set: KeySet) -> bool {
        if **self.now() == set {
            return false;
        }
        self.0.store(Arc::new(set));
        true
    }
}
