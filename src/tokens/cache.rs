//! Tokens whose signature was verified, remembered by a digest of all of their text.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;

use super::Verified;

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
/// remembered of a token that failed: an attacker has any number of those. A verifier owns its cache, so new keys
/// begin with an empty one.
#[derive(Debug)]
pub(super) struct VerifiedCache(Cache<Digest, Arc<Verified>>);

impl VerifiedCache {
    pub(super) fn new() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|_, verified: &Arc<Verified>| verified.weight())
            .time_to_live(MAX_AGE)
            .build();
        Self(cache)
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Verified>> {
        self.0.get(digest)
    }

    pub(super) fn insert(&self, digest: Digest, verified: Arc<Verified>) {
        self.0.insert(digest, verified);
    }
}

pub(super) fn digest_of(token: &str) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

/// What all entries may weigh, in bytes: some 30,000 tokens.
const MAX_BYTES: u64 = 32 << 20;

/// After this a token is verified anew, whatever its expiry.
const MAX_AGE: Duration = Duration::from_mins(5);
