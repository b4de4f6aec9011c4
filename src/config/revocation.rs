//! `store` and `revocation`.

use std::time::Duration;

use super::code::Code;
use super::defaults;
use super::redis;
use super::section::Section;
use super::settings::StoreKind;
use crate::revocation::{CacheSettings, OnStoreFailure, StalenessSettings};

/// `store`, read from the document's root. `shares_keys` is whether other instances can have the keys that sign.
pub(super) fn store(root: &Section<'_>, shares_keys: bool) -> StoreKind {
    let Some(field) = root.field("store") else { return StoreKind::Embedded };
    if field.is_map() {
        let settings = field.section(|section| {
            let redis = section.required("redis", "write `store: { redis: { url: … } }`, `store: embedded` or `store: memory`")?;
            if !shares_keys {
                let what = "is given without `tokens.keys`: each replica would sign with a key of its own, and refuse what the others sign";
                redis.refuse::<()>(Code::StoreNeedsKeys, what, "make a key with `doorward keygen` and give it to all of them");
            }
            redis.section(redis::redis).flatten()
        });
        return settings.flatten().map_or(StoreKind::Embedded, |settings| StoreKind::Redis(Box::new(settings)));
    }
    let word = field.text();
    let is_memory = word.as_deref() == Some("memory");
    let kind = if is_memory { StoreKind::Memory } else { StoreKind::Embedded };
    if word.is_some_and(|word| word != "memory" && word != "embedded") {
        // The word may be a URL, with a password in it: it is not shown.
        let what = "is neither `memory` nor `embedded`, nor Redis as `{ redis: { url: … } }`";
        field.refuse::<()>(Code::UnknownWord, what, "for Redis write `store: { redis: { url: { env: REDIS_URL } } }`");
    } else if is_memory {
        let what = "is `memory`: a restart logs everybody out and forgets every revocation";
        field.warn(Code::VolatileStore, what, "fine for tests; else use `embedded`");
    }
    kind
}

/// What `revocation` says.
#[derive(Clone, Copy)]
pub(super) struct Revocation {
    pub(super) cache: CacheSettings,
    pub(super) staleness: StalenessSettings,
    /// Whether revoking an access token ends its session.
    pub(super) cascade: bool,
}

/// `revocation`.
pub(super) fn revocation(section: &Section<'_>) -> Revocation {
    let cache = section.section("cache", |cache| CacheSettings {
        capacity: cache.integer("capacity", defaults::CACHE_CAPACITY, 0..=MOST_ANSWERS),
        ttl: cache.duration("ttl", defaults::CACHE_TTL, Duration::from_millis(1)..=LONGEST_TTL),
    });
    let staleness = StalenessSettings {
        max: section.duration("max_staleness", defaults::MAX_STALENESS, SHORTEST_STALENESS..=LONGEST_STALENESS),
        then: on_store_failure(section),
    };
    Revocation { cache, staleness, cascade: section.flag("cascade", defaults::CASCADE) }
}

fn on_store_failure(section: &Section<'_>) -> OnStoreFailure {
    let Some(field) = section.field("on_store_failure") else { return defaults::ON_STORE_FAILURE };
    let words = [("deny", OnStoreFailure::Deny), ("allow", OnStoreFailure::Allow)];
    let then = field.word(&words).unwrap_or(defaults::ON_STORE_FAILURE);
    if then == OnStoreFailure::Allow {
        let what = "is `allow`: whoever keeps an instance away from the store keeps revoked tokens alive there";
        field.warn(Code::Insecure, what, "write `deny`, unless a revoked token is worth less than an answer");
    }
    then
}

/// A view is up to a second old when nothing happens, and may have missed one answer.
const SHORTEST_STALENESS: Duration = Duration::from_secs(3);

/// An hour: who wants more wants `on_store_failure: allow`.
const LONGEST_STALENESS: Duration = Duration::from_hours(1);

/// About a gibibyte.
const MOST_ANSWERS: u64 = 10_000_000;

/// An hour: older answers are of tokens that hardly live any more.
const LONGEST_TTL: Duration = Duration::from_hours(1);
