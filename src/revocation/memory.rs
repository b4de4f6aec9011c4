//! The store in memory: for tests and the demo. A restart forgets all, revocations too.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Family, Mark, MarkKey, Position, Sid, Store, StoreError, StoredMark, Swap, Swept};
use crate::base::Timestamp;

/// Sessions and marks in memory. Nothing survives the process.
pub struct MemoryStore {
    records: Mutex<Records>,
    capacity: Option<usize>,
}

#[derive(Default)]
struct Records {
    families: HashMap<Sid, Family>,
    marks: BTreeMap<MarkKey, StoredMark>,
    latest_access_exp: Timestamp,
}

impl MemoryStore {
    /// An empty store for `capacity` sessions and marks together; `None` sets no limit.
    #[must_use]
    pub fn new(capacity: Option<usize>) -> Self {
        Self { records: Mutex::default(), capacity }
    }

    fn room(&self, records: &Records) -> Result<(), StoreError> {
        let used = records.families.len() + records.marks.len();
        if self.capacity.is_some_and(|capacity| used >= capacity) { Err(StoreError::Full) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        let mut records = self.records.lock();
        if records.families.contains_key(&sid) {
            return Err(StoreError::Unavailable(TAKEN.to_owned()));
        }
        self.room(&records)?;
        records.latest_access_exp = records.latest_access_exp.max(family.latest_access_exp);
        records.families.insert(sid, family);
        Ok(())
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        Ok(self.records.lock().families.get(&sid).cloned())
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        let mut records = self.records.lock();
        let latest_access_exp = records.latest_access_exp.max(next.latest_access_exp);
        match records.families.get_mut(&sid) {
            Some(stored) if stored == expected => *stored = next,
            other => return Ok(Swap::Lost(other.cloned())),
        }
        records.latest_access_exp = latest_access_exp;
        Ok(Swap::Done)
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        let mut records = self.records.lock();
        let mark = StoredMark::from(mark);
        let merged = if let Some(stored) = records.marks.get(&mark.key) {
            mark.merged(stored.clone())
        } else {
            self.room(&records)?;
            mark
        };
        records.marks.insert(merged.key, merged);
        Ok(Position::Local)
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.records.lock();
        Ok(records.marks.range((from, Bound::Unbounded)).take(limit.max(1)).map(|(_, mark)| mark.clone()).collect())
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        Ok(self.records.lock().latest_access_exp)
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        let mut records = self.records.lock();
        let (marks, families) = (records.marks.len(), records.families.len());
        records.marks.retain(|_, mark| mark.expires_at > now);
        records.families.retain(|_, family| family.kept_until() > now);
        Ok(Swept { marks: marks - records.marks.len(), families: families - records.families.len() })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MemoryStore").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

pub(super) const TAKEN: &str = "a session of that name exists";
