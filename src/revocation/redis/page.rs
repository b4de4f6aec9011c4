//! Marks by their keys, and pages of all of them in the order of their keys, out of buckets that have each a part of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use redis::{Value, cmd};
use tokio::task::JoinSet;

use super::connections::{Connections, Deadline};
use super::failure::Failure;
use super::keys::{Keys, slot};
use super::link::{Request, unexpected};
use super::record::to_mark;
use super::script;
use crate::revocation::Bucket;
use crate::revocation::{MarkKey, StoreError, StoredMark};

/// Marks, and how far they go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) marks: Vec<StoredMark>,
    /// The last key that was looked at; `None` behind the last mark of all.
    pub(super) last: Option<MarkKey>,
}

/// What one bucket has: keys in their order, each with its record, if it has one.
pub(super) type Part = Vec<(MarkKey, Option<Vec<u8>>)>;

/// At most `limit` marks behind `after`.
pub(super) async fn page(
    connections: &Arc<Connections>,
    keys: &Keys,
    after: Option<MarkKey>,
    limit: usize,
) -> Result<Page, StoreError> {
    let share = limit.div_ceil(Bucket::COUNT).saturating_add(SPREAD).min(LARGEST_PART);
    let deadline = Deadline::begin();
    let mut asked = JoinSet::new();
    for bucket in Bucket::all() {
        let (connections, keys) = (Arc::clone(connections), keys.bucket(bucket));
        asked.spawn(async move {
            let from = after.map_or_else(|| b"-".to_vec(), |after| [b"(".as_slice(), after.as_bytes()].concat());
            let share = share.to_string();
            let request = Request::Script {
                script: &script::PAGE,
                keys: &[&keys.marks, &keys.expiry, &keys.index, &keys.stream],
                arguments: &[&from, share.as_bytes()],
            };
            read(connections.ask(slot(&keys.marks), request, None, deadline).await?)
        });
    }
    let mut parts = Vec::with_capacity(Bucket::COUNT);
    while let Some(part) = asked.join_next().await {
        let part = part.map_err(|_| StoreError::Unavailable("a read was cancelled".to_owned()))?;
        parts.push(part?);
    }
    together(parts, share, limit)
}

/// The marks under `wanted`, all asked for at once, wherever they are.
pub(super) async fn under(
    connections: &Arc<Connections>,
    keys: &Keys,
    wanted: &[MarkKey],
    deadline: Deadline,
) -> Result<Vec<StoredMark>, StoreError> {
    let mut asked = JoinSet::new();
    for key in wanted.iter().copied() {
        let (connections, marks) = (Arc::clone(connections), keys.bucket(Bucket::of(&key)).marks);
        asked.spawn(async move {
            let mut command = cmd("HGET");
            command.arg(&marks).arg(key.as_bytes().as_slice());
            (key, connections.ask(slot(&marks), Request::Command(&command), None, deadline).await)
        });
    }
    let mut found = Vec::new();
    while let Some(answer) = asked.join_next().await {
        let (key, answer) = answer.map_err(|_| StoreError::Unavailable("a read was cancelled".to_owned()))?;
        match answer? {
            Value::Nil => {}
            Value::BulkString(record) => found.push(of(key, &record)?),
            _ => return Err(unexpected().into()),
        }
    }
    Ok(found)
}

/// The mark that stands under `key`.
fn of(key: MarkKey, record: &[u8]) -> Result<StoredMark, StoreError> {
    let mark = to_mark(record).ok().filter(|mark| mark.key == key);
    mark.ok_or_else(|| super::store::unreadable(crate::revocation::record::Unreadable))
}

pub(super) fn read(answer: Value) -> Result<Part, Failure> {
    let Value::Array(values) = answer else { return Err(unexpected()) };
    let mut part = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(key), Some(record)) = (values.next(), values.next()) {
        let Value::BulkString(key) = key else { return Err(unexpected()) };
        let key = MarkKey::from_bytes(key.try_into().map_err(|_| unexpected())?);
        part.push((key, if let Value::BulkString(record) = record { Some(record) } else { None }));
    }
    Ok(part)
}

/// The first `limit` of all parts, of which each has `share` unless it has come to its end.
fn together(parts: Vec<Part>, share: usize, limit: usize) -> Result<Page, StoreError> {
    // Behind the last key of a part that goes on, keys of it may be missing.
    let ends = parts.iter().filter(|part| part.len() >= share).filter_map(|part| part.last());
    let end = ends.map(|(key, _)| *key).min();
    let all: BTreeMap<_, _> =
        parts.into_iter().flatten().filter(|(key, _)| end.is_none_or(|end| *key <= end)).collect();
    let mut page = Page::default();
    for (key, record) in all.into_iter().take(limit) {
        page.last = Some(key);
        let Some(record) = record else { continue };
        page.marks.push(of(key, &record)?);
    }
    Ok(page)
}

/// How much more of a bucket than its share is read, since keys are not spread quite evenly.
const SPREAD: usize = 8;

/// More cannot be taken apart in a script.
const LARGEST_PART: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    fn key(first: u8, rest: u8) -> MarkKey {
        let mut bytes = [rest; 16];
        bytes[0] = first;
        MarkKey::from_bytes(bytes)
    }

    fn with_record(key: MarkKey) -> (MarkKey, Option<Vec<u8>>) {
        (key, Some([[1].as_slice(), key.as_bytes(), b"5 - "].concat()))
    }

    #[test]
    fn nothing_is_shown_of_which_something_before_may_be_missing() {
        let ends = Timestamp::from_millis(5);
        let mark = |key| StoredMark { key, name: None, expires_at: ends, issued_before: None };
        let one: Part = [0x01, 0x11, 0x21].map(|first| with_record(key(first, 0))).into();
        let two: Part = [0x02, 0x42].map(|first| with_record(key(first, 0))).into();
        // The first goes on behind 0x21: what the second has behind that must wait.
        let page = together(vec![one.clone(), two.clone()], 3, 100).unwrap();
        assert_eq!(page.marks, [0x01, 0x02, 0x11, 0x21].map(|first| mark(key(first, 0))));
        assert_eq!(page.last, Some(key(0x21, 0)));
        let page = together(vec![one.clone(), two.clone()], 4, 100).unwrap();
        assert_eq!(page.last, Some(key(0x42, 0)));
        let page = together(vec![one, two], 4, 2).unwrap();
        assert_eq!(page.last, Some(key(0x02, 0)));
        assert_eq!(together(vec![Vec::new(), Vec::new()], 3, 5), Ok(Page::default()));
    }

    #[test]
    fn a_key_without_its_record_is_passed_by_and_one_with_anothers_is_not() {
        let page = together(vec![vec![(key(1, 1), None)]], 3, 5).unwrap();
        assert_eq!(page, Page { marks: Vec::new(), last: Some(key(1, 1)) });
        let (_, record) = with_record(key(1, 2));
        assert!(together(vec![vec![(key(1, 1), record)]], 3, 5).is_err());
    }
}
