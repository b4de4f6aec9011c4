//! All live marks in memory, compact enough to hold a million of them.

use std::cmp::max;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::follower::Bucket;
use super::identifiers::Keys;
use super::mark::later_cutoff;
use super::{Identifiers, MarkKey, MarkKind, StoredMark};
use crate::base::Timestamp;

/// All live marks. Every request asks it, none waits for I/O.
///
/// # Why a hash map of fixed entries
///
/// A mark is 16 bytes of key and 16 of times here, whatever the length of what it names: 33 bytes with the map's own, at
/// most 76 a mark in the emptiest table that growing makes. The texts stay in the store.
pub struct View {
    shards: Box<[RwLock<HashMap<MarkKey, Entry>>]>,
    /// How often something changed near a key. Many more than shards, so that one mark unsettles few cached answers.
    changes: Box<[AtomicU64]>,
    /// How often anything changed, and one more. On a line of its own: every request reads it, and nothing else may move it.
    epoch: Apart,
    /// How often each bucket was compared with a store.
    comparisons: [AtomicU64; Bucket::COUNT],
}

/// Alone on what processors exchange, two lines of 64 bytes where they fetch them in pairs.
#[repr(align(128))]
struct Apart(AtomicU64);

/// What a mark says, less what it says it of.
#[derive(Clone, Copy)]
struct Entry {
    expires_at: Timestamp,
    /// [`Timestamp::MAX`] for a mark that spares nothing.
    issued_before: Timestamp,
}

/// What the marks say of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Good,
    /// It is dead, by a mark of this kind.
    Revoked(MarkKind),
    /// None of the marks there are refuses it, but the view is too old: one that was made meanwhile might.
    Unknown,
}

impl View {
    /// A view without marks.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shards: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
            changes: std::iter::repeat_with(AtomicU64::default).take(COUNTERS).collect(),
            epoch: Apart(AtomicU64::new(1)),
            comparisons: Default::default(),
        }
    }

    /// A number that changes whenever anything does: as long as it is the same, so is what was found out. Never 0.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.0.load(Ordering::SeqCst)
    }

    /// Has everything found out anew.
    pub(super) fn unsettle(&self) {
        self.epoch.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Adds a mark; as [`StoredMark::merged`] if one of its key is there. Every look-up that begins later sees it.
    pub fn insert(&self, mark: &StoredMark) {
        self.insert_if(mark, || true);
    }

    /// Adds a mark, unless its bucket has been compared with a store since there were so many [`comparisons`](View::comparisons).
    pub(super) fn insert_since(&self, mark: &StoredMark, comparisons: u64) -> bool {
        self.insert_if(mark, || self.comparisons(&mark.key) == comparisons)
    }

    fn insert_if(&self, mark: &StoredMark, still: impl Fn() -> bool) -> bool {
        let key = mark.key;
        let new = Entry { expires_at: mark.expires_at, issued_before: mark.issued_before.unwrap_or(Timestamp::MAX) };
        if let Some(shard) = self.shard(&key) {
            let mut shard = shard.write();
            // INVARIANT: under the lock. A comparison that is counted later comes to this shard later too, and finds the mark.
            if !still() {
                return false;
            }
            shard.entry(key).and_modify(|entry| *entry = entry.merged(new)).or_insert(new);
        }
        // INVARIANT: after the mark is in place. A reader that counted before it looked, and looked too early, then finds that
        // the count has moved on.
        if let Some(counter) = self.counter(&key) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        // INVARIANT: last. Who still reads the number of before is asked again with the next request.
        self.unsettle();
        true
    }

    /// What the marks say of `token` at `now`.
    #[must_use]
    pub fn standing(&self, token: &Identifiers<'_>, now: Timestamp) -> Standing {
        self.look_up(&token.keys(), token.issued_at, now).0
    }

    /// The standing, and until when a dead token's stays so: then its mark is over, and the token with it.
    pub(super) fn look_up(
        &self,
        keys: &Keys,
        issued_at: Option<Timestamp>,
        now: Timestamp,
    ) -> (Standing, Option<Timestamp>) {
        for (kind, key) in keys.iter() {
            if let Some(entry) = self.entry(key)
                && entry.expires_at > now
                && entry.kills(issued_at)
            {
                return (Standing::Revoked(kind), Some(entry.expires_at));
            }
        }
        (Standing::Good, None)
    }

    /// The cut-off of a live mark under `key`: `None` if there is no mark, or none with a cut-off.
    pub(super) fn cutoff(&self, key: &MarkKey, now: Timestamp) -> Option<Timestamp> {
        let entry = self.entry(key).filter(|entry| entry.expires_at > now)?;
        entry.spares()
    }

    /// Whether there is a live mark under `key`.
    pub(super) fn has(&self, key: &MarkKey, now: Timestamp) -> bool {
        self.entry(key).is_some_and(|entry| entry.expires_at > now)
    }

    /// A number that has changed whenever something under one of `keys` has: as long as it is the same, so is the answer.
    pub(super) fn version_for(&self, keys: &Keys) -> u64 {
        // A sum will do: each part only ever grows.
        keys.iter()
            .filter_map(|(_, key)| self.counter(key))
            .fold(0, |sum, counter| sum.wrapping_add(counter.load(Ordering::SeqCst)))
    }

    /// The marks of one bucket that are `wanted`, as the view has them: without names, and in no order.
    #[must_use]
    pub fn marks_in(&self, bucket: Bucket, wanted: impl Fn(&StoredMark) -> bool) -> Vec<StoredMark> {
        let mut found = Vec::new();
        for shard in &self.shards {
            // A copy, so that a mark which comes waits for a part of the marks only, and never for `wanted`.
            let some: Vec<(MarkKey, Entry)> = {
                let marks = shard.read();
                let of_bucket = marks.iter().filter(|(key, _)| Bucket::of(key) == bucket);
                of_bucket.map(|(key, entry)| (*key, *entry)).collect()
            };
            found.extend(some.into_iter().map(|(key, entry)| entry.stored(key)).filter(&wanted));
        }
        found
    }

    /// The marks of one bucket that a store turned out to lack.
    pub(super) fn compare(&self, bucket: Bucket, lacks: impl Fn(&StoredMark) -> bool) -> Vec<StoredMark> {
        // INVARIANT: before the marks are looked at. Who puts one in later, and had counted before, finds that it is missing here.
        if let Some(counter) = self.comparisons.get(usize::from(bucket.number())) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        self.marks_in(bucket, lacks)
    }

    /// How often the bucket of `key` was compared with a store.
    pub(super) fn comparisons(&self, key: &MarkKey) -> u64 {
        let counter = self.comparisons.get(usize::from(Bucket::of(key).number()));
        counter.map_or(0, |counter| counter.load(Ordering::SeqCst))
    }

    /// Drops the marks with `expires_at` ≤ `now`; returns how many. They had no effect any more.
    pub fn sweep(&self, now: Timestamp) -> usize {
        let mut dropped = 0;
        for shard in &self.shards {
            let mut marks = shard.write();
            let before = marks.len();
            marks.retain(|_, entry| entry.expires_at > now);
            dropped += before - marks.len();
            // A wave of revocations must not hold its memory for ever.
            if marks.capacity() / 4 > marks.len() {
                marks.shrink_to_fit();
            }
        }
        dropped
    }

    /// How many marks there are, those included that are over and not swept yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all of it takes up, in bytes, by the capacities of its tables.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tables: usize = self.shards.iter().map(|shard| table_bytes(shard.read().capacity())).sum();
        tables + size_of_val(&*self.shards) + size_of_val(&*self.changes)
    }

    fn entry(&self, key: &MarkKey) -> Option<Entry> {
        self.shard(key)?.read().get(key).copied()
    }

    fn shard(&self, key: &MarkKey) -> Option<&RwLock<HashMap<MarkKey, Entry>>> {
        self.shards.get(key.bucket(SHARDS))
    }

    fn counter(&self, key: &MarkKey) -> Option<&AtomicU64> {
        self.changes.get(key.bucket(COUNTERS))
    }
}

impl Entry {
    fn stored(self, key: MarkKey) -> StoredMark {
        StoredMark { key, name: None, expires_at: self.expires_at, issued_before: self.spares() }
    }

    fn spares(self) -> Option<Timestamp> {
        (self.issued_before != Timestamp::MAX).then_some(self.issued_before)
    }

    fn merged(self, other: Self) -> Self {
        Self {
            expires_at: max(self.expires_at, other.expires_at),
            issued_before: later_cutoff(self.spares(), other.spares()).unwrap_or(Timestamp::MAX),
        }
    }

    /// In whole seconds and inclusive: a NumericDate does not tell which half of its second a token is of.
    fn kills(self, issued_at: Option<Timestamp>) -> bool {
        issued_at.is_none_or(|issued_at| issued_at.seconds() <= self.issued_before.seconds())
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("View").field("marks", &self.len()).finish_non_exhaustive()
    }
}

/// What a table of that capacity allocates: a power of two of buckets, of which at most 7 in 8 are used, and a byte for each.
fn table_bytes(capacity: usize) -> usize {
    let buckets = if capacity == 0 { 0 } else { (capacity * 8).div_ceil(7).next_power_of_two() };
    buckets * (size_of::<(MarkKey, Entry)>() + 1)
}

/// So many that a table which grows holds up few readers, and that few readers meet on one lock.
const SHARDS: usize = 64;
const COUNTERS: usize = 4096;

#[cfg(test)]
mod tests;
