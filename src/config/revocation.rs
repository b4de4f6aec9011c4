//! `store` and `revocation`.

use std::time::Duration;

use super::code::Code;
use super::defaults;
use super::section::Section;
use super::settings::StoreKind;
use crate::revocation::CacheSettings;

/// `store`, read from the document's root.
pub(super) fn store(root: &Section<'_>) -> StoreKind {
    let Some(field) = root.field("store") else { return StoreKind::Embedded };
    let kind =
        field.word(&[("memory", StoreKind::Memory), ("embedded", StoreKind::Embedded)]).unwrap_or(StoreKind::Embedded);
    if kind == StoreKind::Memory {
        let what = "is `memory`: a restart logs everybody out and forgets every revocation";
        field.warn(Code::VolatileStore, what, "fine for tests; else use `embedded`");
    }
    kind
}

/// `revocation`: the cache, and whether revoking an access token ends its session.
pub(super) fn revocation(section: &Section<'_>) -> (CacheSettings, bool) {
    let cache = section.section("cache", |cache| CacheSettings {
        capacity: cache.integer("capacity", defaults::CACHE_CAPACITY, 0..=MOST_ANSWERS),
        ttl: cache.duration("ttl", defaults::CACHE_TTL, Duration::from_millis(1)..=LONGEST_TTL),
    });
    (cache, section.flag("cascade", defaults::CASCADE))
}

/// About a gibibyte.
const MOST_ANSWERS: u64 = 10_000_000;

/// An hour: older answers are of tokens that hardly live any more.
const LONGEST_TTL: Duration = Duration::from_hours(1);
