use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::ManualClock;
use crate::revocation::{CacheSettings, Mark, MarkKind, MemoryStore, StoredMark};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const CACHE: CacheSettings = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };

const TOKEN: Identifiers<'_> = Identifiers {
    issuer: "https://a",
    jti: Some("one"),
    sid: None,
    subject: "alice",
    client: None,
    issued_at: Some(NOW),
};

async fn revocations(cache: CacheSettings) -> Revocations {
    let clock = Arc::new(ManualClock::at(NOW));
    Revocations::open(Arc::new(MemoryStore::new(None)), clock, cache).await.unwrap()
}

fn mark(value: &str, seconds: u64) -> StoredMark {
    let (kind, issuer, value) = (MarkKind::Jti, "https://a".to_owned(), value.to_owned());
    Mark { kind, issuer, value, expires_at: NOW.plus(Duration::from_secs(seconds)), issued_before: None }.into()
}

/// Whoever remembers an answer gets what he would get without one, whatever happened in between.
#[tokio::test]
async fn an_answer_that_is_remembered_is_the_one_that_would_be_given() {
    const GOOD: Standing = Standing::Good;
    const DEAD: Standing = Standing::Revoked(MarkKind::Jti);
    // The mark there was, what happens then, how many seconds pass, what is said after that, and whether what is remembered says so.
    type Case = (&'static str, Option<StoredMark>, fn(&Revocations), i64, Standing, bool);
    let cases: [Case; 12] = [
        ("nothing", None, |_| (), 0, GOOD, true),
        ("nothing, for a while", None, |_| (), 29, GOOD, true),
        ("too long a while", None, |_| (), 30, GOOD, false),
        ("the clock was set back", None, |_| (), -1, GOOD, false),
        ("a mark on it", None, |it| it.view().insert(&mark("one", 60)), 0, DEAD, false),
        ("a mark on another", None, |it| it.view().insert(&mark("other", 60)), 0, GOOD, false),
        ("the cache was set", None, |it| it.set_cache(CACHE), 0, GOOD, false),
        ("the cache was switched off", None, |it| it.set_cache(CacheSettings { capacity: 0, ..CACHE }), 0, GOOD, false),
        ("dead before", Some(mark("one", 60)), |_| (), 0, DEAD, true),
        ("dead, and its mark is over", Some(mark("one", 20)), |_| (), 20, GOOD, false),
        ("dead, and nearly over", Some(mark("one", 20)), |_| (), 19, DEAD, true),
        (
            "a sweep",
            Some(mark("one", 20)),
            |it| assert_eq!(it.view().sweep(NOW.plus(Duration::from_secs(5))), 0),
            1,
            DEAD,
            true,
        ),
    ];
    for (story, before, between, seconds, standing, holds) in cases {
        let revocations = revocations(CACHE).await;
        before.iter().for_each(|mark| revocations.view().insert(mark));
        let mut answered = Answered::default();
        let _first = revocations.standing_of(&TOKEN, &mut answered, NOW);
        between(&revocations);
        let later = Timestamp::from_seconds(NOW.seconds() + seconds);
        assert_eq!(answered.now(revocations.view().epoch(), later).is_some(), holds, "{story}");
        assert_eq!(revocations.standing_of(&TOKEN, &mut answered, later).0, standing, "{story}");
        assert_eq!(revocations.standing(&TOKEN, later).0, standing, "{story}: without it");
    }
}

#[tokio::test]
async fn nothing_is_remembered_where_the_cache_is_off() {
    let revocations = revocations(CacheSettings { capacity: 0, ..CACHE }).await;
    let mut answered = Answered::default();
    for _ in 0..2 {
        assert_eq!(revocations.standing_of(&TOKEN, &mut answered, NOW), (Standing::Good, LookUp::Off));
    }
    assert_eq!(answered, Answered::default());
}
