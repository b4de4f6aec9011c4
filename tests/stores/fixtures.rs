//! Sessions and marks to test with.

use std::time::Duration;

use doorward::base::Timestamp;
use doorward::keys::KeyNumber;
use doorward::revocation::{
    Family, Mark, MarkKind, MarkName, Presented, SessionLife, Sid, Step, Store, StoredMark, Terms,
};
use doorward::tokens::ScopeSet;

pub const ISSUER: &str = "https://issuer.example";
pub const KEY: KeyNumber = KeyNumber(*b"key1");

/// Seconds after some day, at a full minute. It is far off: a server that has a clock would forget what is past.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(4_000_000_020 + seconds)
}

pub fn sid(number: u64) -> Sid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Sid::from_bytes(bytes)
}

/// A login at second 0: lives for 1000 s, idles out after 500 s, has an access token for 100 s.
pub fn family() -> Family {
    let life = SessionLife { now: at(0), absolute: Duration::from_secs(1000), idle: Duration::from_secs(500) };
    Family::begin("alice", Some("web"), ScopeSet::parse("me items").unwrap(), KEY, life).issued(at(100))
}

/// `family` after its current refresh token was used at `now`.
pub fn rotated(family: &Family, now: Timestamp) -> Family {
    match family.present(&presented(family.generation, now), &terms()) {
        Step::Rotate(next) => next.issued(now.plus(Duration::from_secs(100))),
        other => panic!("{other:?}"),
    }
}

pub fn presented(generation: u32, at: Timestamp) -> Presented {
    Presented { generation, key_number: KEY, from: None, at }
}

pub fn terms() -> Terms {
    Terms { grace: Duration::from_secs(10), idle: Duration::from_secs(500), key_number: KEY }
}

pub fn mark(kind: MarkKind, value: &str, expires_at: Timestamp) -> Mark {
    Mark { kind, issuer: ISSUER.to_owned(), value: value.to_owned(), expires_at, issued_before: None }
}

pub fn jti(number: u64) -> Mark {
    mark(MarkKind::Jti, &format!("token {number}"), at(1000))
}

/// A mark whose name is known, as all are that this instance made.
pub fn named(stored: StoredMark) -> Mark {
    let StoredMark { key, name, expires_at, issued_before } = stored;
    let MarkName { kind, issuer, value } = name.unwrap();
    let mark = Mark { kind, issuer, value, expires_at, issued_before };
    assert_eq!(mark.key(), key);
    mark
}

/// All marks, by pages of `page`.
pub async fn all_marks(store: &dyn Store, page: usize) -> Vec<Mark> {
    let mut all: Vec<Mark> = Vec::new();
    loop {
        let marks = store.marks(all.last().map(Mark::key), page).await.unwrap().into_iter().map(named);
        let marks: Vec<Mark> = marks.collect();
        assert!(marks.len() <= page);
        if marks.is_empty() {
            return all;
        }
        all.extend(marks);
    }
}

/// The values of marks, sorted.
pub fn values(marks: &[Mark]) -> Vec<&str> {
    let mut values: Vec<_> = marks.iter().map(|mark| mark.value.as_str()).collect();
    values.sort_unstable();
    values
}
