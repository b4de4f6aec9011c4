//! The keys of own tokens.

use std::sync::Arc;

use super::{SigningKey, VerifyingKey};

/// One or more keys: the first signs, all verify.
#[derive(Clone, Debug)]
pub struct KeyRing {
    signing: Arc<SigningKey>,
    others: Vec<Arc<SigningKey>>,
}

impl KeyRing {
    /// A ring with one key.
    #[must_use]
    pub fn of(signing: Arc<SigningKey>) -> Self {
        Self { signing, others: Vec::new() }
    }

    /// A ring of `keys`, the first of which signs; `None` if there is none.
    pub fn new(keys: impl IntoIterator<Item = Arc<SigningKey>>) -> Option<Self> {
        let mut keys = keys.into_iter();
        let signing = keys.next()?;
        Some(Self { signing, others: keys.collect() })
    }

    /// The key that signs new tokens.
    #[must_use]
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Every key that verifies, the signing one first.
    pub fn verifying(&self) -> impl Iterator<Item = &VerifyingKey> {
        std::iter::once(&self.signing).chain(&self.others).map(|key| key.verifying())
    }
}

#[cfg(test)]
mod tests;
