//! How answers are remembered, and how long they are trusted without the store.

use std::time::Duration;

/// `revocation.cache`: the answers per token that stand before the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How many answers are kept.
    pub capacity: u64,
    /// How long one is good at the most.
    pub ttl: Duration,
}

/// What becomes of tokens when the view of a shared store is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalenessSettings {
    /// `revocation.max_staleness`: how old the view may be.
    pub max: Duration,
    /// `revocation.on_store_failure`: what happens to tokens of which an older one knows nothing bad.
    pub then: OnStoreFailure,
}

/// What happens to tokens that were perhaps revoked, and nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStoreFailure {
    /// They are refused, with 503: the client is to come again.
    Deny,
    /// They pass, and are counted. What was revoked elsewhere meanwhile lives on.
    Allow,
}

impl Default for StalenessSettings {
    /// 10 s, and then nobody passes.
    fn default() -> Self {
        Self { max: Duration::from_secs(10), then: OnStoreFailure::Deny }
    }
}
