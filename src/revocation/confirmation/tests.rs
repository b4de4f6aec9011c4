//! How long it waits, and how often it asks, in a time that passes by itself.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::*;
use crate::base::SystemClock;
use crate::revocation::replicas::{Listed, ReplicaId, Roll, SILENT_AFTER};
use crate::revocation::{Announcement, CacheSettings, HistoryPrint, MemoryStore, StreamId};

const HISTORY: HistoryPrint = HistoryPrint::from_bytes([7; 16]);
const SECOND: Duration = Duration::from_secs(1);

/// Another instance, which has the mark after some time, is frozen from some time on, or both; and a list that fails until then.
#[derive(Debug)]
struct Other {
    since: Instant,
    has_it_after: Duration,
    frozen_after: Duration,
    fails_until: Duration,
    begun_before: Duration,
    asked: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Replicas for Other {
    async fn announce(&self, _: &Announcement) -> Result<usize, StoreError> {
        Ok(1)
    }

    async fn leave(&self, _: ReplicaId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn roll(&self, _: Bucket) -> Result<Roll, StoreError> {
        let now = self.since.elapsed();
        self.asked.lock().push(now);
        if now < self.fails_until {
            return Err(StoreError::Unavailable("down".to_owned()));
        }
        let millis = if now.min(self.frozen_after) < self.has_it_after { 1 } else { 1000 };
        let place = Some(Place { history: HISTORY, id: StreamId::new(millis, 0) });
        let silent_for = now.saturating_sub(self.frozen_after);
        let listed = Listed { id: ReplicaId([1; 16]), name: Some("other".to_owned()), silent_for, place };
        Ok(Roll { kept_for: self.begun_before + now, replicas: vec![listed] })
    }
}

const NEVER: Duration = Duration::from_secs(1000);

fn well() -> Other {
    let (has_it_after, frozen_after, fails_until) = (Duration::ZERO, NEVER, Duration::ZERO);
    Other {
        since: Instant::now(),
        has_it_after,
        frozen_after,
        fails_until,
        begun_before: NEVER,
        asked: Mutex::default(),
    }
}

/// What came of it, after which time, and when it asked.
async fn wait(other: Other, wait: Duration) -> (Result<Confirmation, StoreError>, Duration, Vec<Duration>) {
    let other = Arc::new(other);
    let cache = CacheSettings { capacity: 0, ttl: Duration::ZERO };
    let revocations = Revocations::new(Arc::new(MemoryStore::new(None)), Arc::new(SystemClock), cache);
    let revocations = revocations.named("own".to_owned()).among(Arc::<Other>::clone(&other));
    let bucket = Bucket::all().next().unwrap();
    let position = Position::Stream { bucket, id: StreamId::new(1000, 0), history: HISTORY };
    let begun = Instant::now();
    let confirmation = revocations.confirmation(position, wait).await;
    let asked = other.asked.lock().clone();
    (confirmation, begun.elapsed(), asked)
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_those_who_live_and_no_longer_than_it_may() {
    let seconds = Duration::from_secs;
    for (what, other, patience, expected, at_least, at_most) in [
        ("at once", well(), seconds(10), Some(true), seconds(0), seconds(0)),
        (
            "a moment later",
            Other { has_it_after: seconds(1), ..well() },
            seconds(10),
            Some(true),
            seconds(1),
            seconds(2),
        ),
        (
            "at the deadline",
            Other { has_it_after: seconds(3), ..well() },
            seconds(3),
            Some(true),
            seconds(3),
            seconds(3),
        ),
        ("never", Other { has_it_after: NEVER, ..well() }, seconds(3), Some(false), seconds(3), seconds(3)),
        (
            "frozen, and less patience than silence",
            Other { has_it_after: NEVER, frozen_after: seconds(0), ..well() },
            seconds(3),
            Some(false),
            seconds(3),
            seconds(3),
        ),
        (
            "frozen, and more patience than silence",
            Other { has_it_after: NEVER, frozen_after: seconds(0), ..well() },
            seconds(60),
            Some(false),
            SILENT_AFTER,
            SILENT_AFTER + SECOND / 2,
        ),
        (
            "frozen a moment too early",
            Other { has_it_after: seconds(2), frozen_after: seconds(1), ..well() },
            seconds(60),
            Some(false),
            SILENT_AFTER + SECOND,
            SILENT_AFTER + SECOND * 3 / 2,
        ),
        (
            "frozen with it",
            Other { frozen_after: seconds(0), ..well() },
            seconds(60),
            Some(true),
            seconds(0),
            seconds(0),
        ),
        (
            "a list that comes late",
            Other { fails_until: seconds(2), ..well() },
            seconds(9),
            Some(true),
            seconds(2),
            seconds(3),
        ),
        ("no list in time", Other { fails_until: NEVER, ..well() }, seconds(2), None, seconds(2), seconds(2)),
        (
            "a list of a moment ago",
            Other { begun_before: seconds(1), ..well() },
            seconds(2),
            None,
            seconds(2),
            seconds(2),
        ),
        (
            "a list that is old enough soon",
            Other { begun_before: seconds(1), ..well() },
            seconds(9),
            Some(true),
            seconds(4),
            seconds(5),
        ),
    ] {
        // The clock of the others begins with the wait.
        let (confirmation, took, asked) = wait(Other { since: Instant::now(), ..other }, patience).await;
        let has_it = confirmation.ok().map(|confirmation| {
            let all = [confirmation.confirmed_by.clone(), confirmation.missing].concat();
            assert_eq!(all, ["own", "other"], "{what}");
            confirmation.confirmed_by.len() == 2
        });
        assert_eq!(has_it, expected, "{what}");
        assert!(at_least <= took && took <= at_most, "{what}: {took:?}");
        assert!(asked.len() <= 5 + usize::try_from(took.as_millis()).unwrap() / 500, "{what}: {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_nobody_is_asked() {
    let (confirmation, took, asked) = wait(Other { has_it_after: NEVER, ..well() }, Duration::ZERO).await;
    let own = Confirmation { confirmed_by: vec!["own".to_owned()], missing: Vec::new() };
    assert_eq!((confirmation, took, asked), (Ok(own), Duration::ZERO, Vec::new()));
}
