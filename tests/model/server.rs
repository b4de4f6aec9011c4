//! A server of the store, as far as a store's promises go: marks with their streams, families with compare-and-set.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use doorward::revocation::follower::{Bucket, Ends, Entry, History, StreamId};
use doorward::revocation::{Family, MarkKey, Sid, StoredMark};

/// What a server holds, and what is copied to another one.
#[derive(Clone, Debug, Default)]
pub struct Data {
    pub buckets: BTreeMap<Bucket, Marks>,
    pub families: BTreeMap<Sid, Family>,
    /// How many writes made it so.
    pub version: u64,
}

/// The marks of a bucket, and the stream of their changes.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    pub kept: BTreeMap<MarkKey, StoredMark>,
    stream: VecDeque<Entry>,
    last: StreamId,
    added: u64,
    /// All that ever was on the stream: what the checks know and no client can ask for.
    pub log: Vec<Entry>,
}

/// A server. It lives on for those who have not noticed that another one took over.
#[derive(Clone, Debug)]
pub struct Server {
    pub history: History,
    pub data: Data,
    /// How far its clock is ahead, in ticks; it may be behind.
    pub skew: i64,
}

impl Data {
    /// Makes a mark at the time `millis` and keeps `keep` entries of the stream. Nothing is put there for a mark that changes nothing.
    pub fn mark(&mut self, mark: &StoredMark, millis: u64, keep: usize) {
        self.version += 1;
        let bucket = self.buckets.entry(Bucket::of(&mark.key)).or_default();
        let merged = match bucket.kept.get(&mark.key) {
            Some(stored) => stored.clone().merged(mark.clone()),
            None => mark.clone(),
        };
        if bucket.kept.insert(mark.key, merged.clone()).as_ref() == Some(&merged) {
            return;
        }
        bucket.last = match bucket.last.millis.cmp(&millis) {
            std::cmp::Ordering::Less => StreamId::new(millis, 0),
            _ => StreamId::new(bucket.last.millis, bucket.last.sequence + 1),
        };
        let entry = Entry { id: bucket.last, mark: merged };
        bucket.added += 1;
        bucket.log.push(entry.clone());
        bucket.stream.push_back(entry);
        while bucket.stream.len() > keep {
            bucket.stream.pop_front();
        }
    }

    pub fn ends(&self, bucket: Bucket) -> Ends {
        let Some(marks) = self.buckets.get(&bucket) else { return Ends::default() };
        let first = marks.stream.front().map(|entry| entry.id);
        Ends { first, last: marks.last, deleted: StreamId::ZERO, added: marks.added }
    }

    pub fn read(&self, bucket: Bucket, after: StreamId, limit: usize) -> Vec<Entry> {
        let Some(marks) = self.buckets.get(&bucket) else { return Vec::new() };
        marks.stream.iter().filter(|entry| entry.id > after).take(limit).cloned().collect()
    }

    pub fn page(&self, bucket: Bucket, after: Option<MarkKey>, limit: usize) -> Vec<StoredMark> {
        let Some(marks) = self.buckets.get(&bucket) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        marks.kept.range((from, Bound::Unbounded)).take(limit).map(|(_, mark)| mark.clone()).collect()
    }
}
