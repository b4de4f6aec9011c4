//! How answers are remembered.

use std::time::Duration;

/// `revocation.cache`: the answers per token that stand before the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How many answers are kept.
    pub capacity: u64,
    /// How long one is good at the most.
    pub ttl: Duration,
}
