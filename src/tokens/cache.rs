//! Tokens whose signature was verified, remembered by a digest of all of their text.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;

use super::Verified;
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
pub(super) type Digest = [u8; 32];

/// Only verification is remembered; expiry, route conditions and revocation are evaluated on every request. Nothing is
/// remembered of a token that failed: an attacker has any number of those. A verifier owns its cache, so a reload begins with an
/// empty one.
#[derive(Debug)]
pub(super) struct VerifiedCache(Cache<Digest, Arc<Entry>>);

#[derive(Debug)]
struct Entry {
    verified: Arc<Verified>,
    at: Timestamp,
}

impl VerifiedCache {
    pub(super) fn new() -> Self {
        Self::of(MAX_BYTES)
    }

    fn of(bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, entry: &Arc<Entry>| entry.weight())
            // For its memory; whether it counts is asked of the clock that everything else is asked of.
            .time_to_live(MAX_AGE)
            .build();
        Self(cache)
    }

    /// What was verified with the keys its issuer has now, no longer than [`MAX_AGE`] ago. Of a clock that was set back nobody knows
    /// how long ago that is.
    pub(super) fn get(&self, digest: &Digest, now: Timestamp) -> Option<Arc<Verified>> {
        let entry = self.0.get(digest)?;
        let counts = entry.at <= now && now < entry.at.plus(MAX_AGE) && entry.verified.is_of_current_keys();
        counts.then(|| Arc::clone(&entry.verified))
    }

    pub(super) fn insert(&self, digest: Digest, verified: Arc<Verified>, at: Timestamp) {
        self.0.insert(digest, Arc::new(Entry { verified, at }));
    }
}

impl Entry {
    fn weight(&self) -> u32 {
        u32::try_from(ENTRY + self.verified.weight()).unwrap_or(u32::MAX)
    }
}

pub(super) fn digest_of(said: impl AsRef<[u8]>) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, said.as_ref()).as_ref());
    bytes
}

/// What all entries may weigh, in bytes: some 10,000 tokens.
const MAX_BYTES: u64 = 32 << 20;

/// After this a token is verified anew, whatever its expiry.
const MAX_AGE: Duration = Duration::from_mins(5);

/// What an entry costs beside what is counted: what moka keeps for it, and what the allocator loses. In bytes, from what the process
/// grew by for 8000 tokens and for a full cache.
const ENTRY: usize = 1000;

#[cfg(test)]
mod tests;
