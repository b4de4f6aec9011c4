//! The list of instances.
//!
//! What an instance tells is a version byte, 32 bytes for each bucket (the print of the history, and both halves of the id; zeros where it
//! knows of none), and its name.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Value, cmd};

use super::RedisStore;
use super::connections::Deadline;
use super::link::{Request, number, unexpected};
use super::script;
use crate::revocation::replicas::{FORGOTTEN_AFTER, LONGEST_NAME, Listed, Place, ReplicaId, Roll};
use crate::revocation::{Announcement, Bucket, HistoryPrint, Replicas, StoreError, StreamId};

#[async_trait]
impl Replicas for RedisStore {
    async fn announce(&self, announcement: &Announcement) -> Result<usize, StoreError> {
        let (list, told) = (self.keys.replicas(), self.keys.positions());
        let (record, kept) = (record(announcement), FORGOTTEN_AFTER.as_millis().to_string());
        let request = Request::Script {
            script: &script::ANNOUNCE,
            keys: &[&list, &told],
            arguments: &[&announcement.id.0, &record, kept.as_bytes(), MOST.as_bytes()],
        };
        let listed = number(&self.ask(&list, request, Deadline::begin()).await?)?;
        Ok(usize::try_from(listed).unwrap_or(0))
    }

    async fn leave(&self, id: ReplicaId) -> Result<(), StoreError> {
        let (list, told, deadline) = (self.keys.replicas(), self.keys.positions(), Deadline::begin());
        for (command, key) in [("ZREM", &list), ("HDEL", &told)] {
            let command = cmd(command).arg(key).arg(&id.0).to_owned();
            self.ask(key, Request::Command(&command), deadline).await?;
        }
        Ok(())
    }

    async fn roll(&self, bucket: Bucket) -> Result<Roll, StoreError> {
        let (list, told) = (self.keys.replicas(), self.keys.positions());
        // As Lua counts: from 1, both ends included, and the version byte before them.
        let from = 2 + usize::from(bucket.number()) * PLACE;
        let bounds = [from, from + PLACE - 1, 2 + Bucket::COUNT * PLACE].map(|bound| bound.to_string());
        let [from, to, name] = bounds.each_ref().map(String::as_bytes);
        let request = Request::Script {
            script: &script::ROLL,
            keys: &[&list, &told],
            arguments: &[from, to, name, MOST.as_bytes()],
        };
        let answer = self.ask(&list, request, Deadline::begin()).await?;
        roll(&answer).ok_or_else(|| unexpected().into())
    }
}

fn record(announcement: &Announcement) -> Vec<u8> {
    let Announcement { name, applied, .. } = announcement;
    let mut record = vec![VERSION];
    for place in applied.places() {
        let Some(Place { history, id }) = place else {
            record.extend([0; PLACE]);
            continue;
        };
        record.extend(history.as_bytes());
        record.extend(id.millis.to_be_bytes());
        record.extend(id.sequence.to_be_bytes());
    }
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    record.extend(name.as_bytes().get(..end.unwrap_or(0)).unwrap_or_default());
    record
}

fn roll(answer: &Value) -> Option<Roll> {
    let Value::Array(parts) = answer else { return None };
    let (kept_for, listed) = parts.split_first()?;
    let listed = listed.chunks(5).map(listed_one).collect::<Option<_>>()?;
    Some(Roll { kept_for: millis(kept_for)?, replicas: listed })
}

fn listed_one(parts: &[Value]) -> Option<Listed> {
    let [id, silent_for, version, place, name] = parts else { return None };
    let (Value::BulkString(id), Value::BulkString(version)) = (id, version) else { return None };
    let (Value::BulkString(place), Value::BulkString(name)) = (place, name) else { return None };
    // Of a doorward that tells it in another way, or that told nothing yet: it is there, and has confirmed nothing.
    let is_known = *version == [VERSION];
    let name = String::from_utf8(name.clone()).ok();
    Some(Listed {
        id: ReplicaId(id.as_slice().try_into().ok()?),
        // It ends up on a terminal.
        name: name.filter(|name| is_known && !name.is_empty() && !name.contains(char::is_control)),
        silent_for: millis(silent_for)?,
        place: if is_known { read(place) } else { None },
    })
}

fn read(bytes: &[u8]) -> Option<Place> {
    let (history, rest) = bytes.split_first_chunk::<16>()?;
    let (millis, sequence) = rest.split_first_chunk::<8>()?;
    let sequence: [u8; 8] = sequence.try_into().ok()?;
    let id = StreamId::new(u64::from_be_bytes(*millis), u64::from_be_bytes(sequence));
    // No history has this print.
    (*history != [0; 16]).then(|| Place { history: HistoryPrint::from_bytes(*history), id })
}

/// A clock that was set back makes it less than nothing.
fn millis(value: &Value) -> Option<Duration> {
    number(value).ok().map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

const VERSION: u8 = 1;

/// Bytes for each bucket.
const PLACE: usize = 32;

/// How many are listed: beyond that, who was silent for the longest time goes.
const MOST: &str = "10000";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::Applied;

    fn place(number: u8, millis: u64) -> Place {
        Place { history: HistoryPrint::from_bytes([number; 16]), id: StreamId::new(millis, u64::from(number)) }
    }

    #[test]
    fn what_is_told_is_read_again() {
        let bucket = Bucket::all().nth(7).unwrap();
        let mut applied = Applied::default();
        applied.set(bucket, place(3, 1_800_000_000_000));
        for (name, told) in [
            ("pod-1:8080", Some("pod-1:8080".to_owned())),
            ("", None),
            ("evil\n", None),
            (&"é".repeat(150), Some("é".repeat(100))),
            (&"x".repeat(500), Some("x".repeat(200))),
        ] {
            let announcement = Announcement { id: ReplicaId([9; 16]), name: name.to_owned(), applied: applied.clone() };
            let record = record(&announcement);
            let bytes = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
            for (number, expected) in [(7, Some(place(3, 1_800_000_000_000))), (6, None), (8, None)] {
                let at = 1 + number * PLACE;
                let parts = [
                    Value::Int(60_000),
                    bytes(&[9; 16]),
                    Value::Int(-5),
                    bytes(&record[..1]),
                    bytes(&record[at..at + PLACE]),
                    bytes(&record[1 + 16 * PLACE..]),
                ];
                let Roll { kept_for, replicas } = roll(&Value::Array(parts.to_vec())).unwrap();
                assert_eq!(kept_for, Duration::from_secs(60));
                let [listed] = replicas.try_into().unwrap();
                let expected =
                    Listed { id: ReplicaId([9; 16]), name: told.clone(), silent_for: Duration::ZERO, place: expected };
                assert_eq!(listed, expected, "{name}");
                // Told by another version.
                let mut parts = parts;
                parts[3] = bytes(&[2]);
                let listed = roll(&Value::Array(parts.to_vec())).unwrap().replicas;
                assert_eq!((&listed[0].name, listed[0].place), (&None, None));
            }
        }
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_no_list() {
        let id = || Value::BulkString(vec![1; 16]);
        let empty = || Value::BulkString(Vec::new());
        for (what, answer) in [
            ("nothing", Value::Nil),
            ("no age", Value::Array(Vec::new())),
            ("half an entry", Value::Array(vec![Value::Int(1), id(), Value::Int(1)])),
            ("a short id", Value::Array(vec![Value::Int(1), empty(), Value::Int(1), empty(), empty(), empty()])),
            ("no number", Value::Array(vec![Value::Int(1), id(), empty(), empty(), empty(), empty()])),
        ] {
            assert_eq!(roll(&answer), None, "{what}");
        }
        let told_nothing = Value::Array(vec![Value::Int(1), id(), Value::Int(1), empty(), empty(), empty()]);
        assert_eq!(roll(&told_nothing).unwrap().replicas[0].place, None);
    }
}
