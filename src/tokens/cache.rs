//! Tokens whose signature was verified, remembered by a digest of all of their text.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;

use super::known::Remembered;
use crate::base::Timestamp;

/// How a look-up ended, for the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// It was there.
    Hit,
    /// It was not.
    Miss,
}

/// Digest of the whole token, signature included: keyed by `header.payload` alone a forged signature would hit. The
/// token itself is not kept.
///
/// SHA-256 and nothing faster: who finds two texts with one digest passes without a signature, and a keyed hash would be one more
/// secret whose leak does that.
pub type Digest = [u8; 32];

/// Only verification is remembered; expiry, route conditions and revocation are evaluated on every request. Nothing is
/// remembered of a token that failed: an attacker has any number of those. A verifier owns its cache, so a reload begins with an
/// empty one.
#[derive(Debug)]
pub(super) struct VerifiedCache(Cache<Digest, Remembered>);

impl VerifiedCache {
    pub(super) fn new() -> Self {
        Self::of(MAX_BYTES)
    }

    fn of(bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, entry: &Remembered| u32::try_from(ENTRY + entry.verified.weight()).unwrap_or(u32::MAX))
            // For its memory; whether it counts is asked of the clock that everything else is asked of.
            .time_to_live(MAX_AGE)
            .build();
        Self(cache)
    }

    /// What [still counts](Remembered::counts) of it.
    pub(super) fn get(&self, digest: &Digest, now: Timestamp) -> Option<Remembered> {
        self.0.get(digest).filter(|entry| entry.counts(now))
    }

    pub(super) fn insert(&self, digest: Digest, entry: Remembered) {
        self.0.insert(digest, entry);
    }
}

/// What a text is remembered by.
#[must_use]
pub fn digest_of(said: impl AsRef<[u8]>) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, said.as_ref()).as_ref());
    bytes
}

/// What all entries may weigh, in bytes: some 17,000 tokens.
const MAX_BYTES: u64 = 32 << 20;

/// After this a token is verified anew, whatever its expiry.
pub(super) const MAX_AGE: Duration = Duration::from_mins(5);

/// What an entry costs beside what is counted: what moka keeps for it, and what the allocator loses. In bytes, from what the process
/// grew by for 8000 tokens and for a full cache.
const ENTRY: usize = 1000;

#[cfg(test)]
mod tests;
