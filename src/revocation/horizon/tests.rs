use std::sync::Arc;

use super::*;
use crate::base::{ManualClock, entropy};
use crate::revocation::{CacheSettings, Mark, MarkKey, MemoryStore, Position, Revocations, StoredMark, Swept};

const CACHE: CacheSettings = CacheSettings { capacity: 0, ttl: Duration::ZERO };

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_seconds(minutes * 60)
}

/// An instance that has just started, over a store that was there before.
async fn instance(store: &Arc<MemoryStore>) -> Revocations {
    let store = Arc::clone(store) as Arc<dyn Store>;
    Revocations::open(store, Arc::new(ManualClock::at(at(0))), CACHE).await.unwrap()
}

#[tokio::test]
async fn ends_only_grow_whoever_writes_them() {
    let store = Arc::new(MemoryStore::new(None));
    let (one, other) = (instance(&store).await, instance(&store).await);
    assert_eq!(one.issued_until().await.unwrap(), Until::default(), "nothing was issued");
    // By whom, which ends; then what the store has.
    for (who, tokens, sessions, has) in [
        (&one, 60, 0, (75, 0)),
        (&other, 10, 100, (75, 115)),
        // In what was written ahead.
        (&one, 75, 0, (75, 115)),
        (&one, 76, 0, (91, 115)),
        (&other, 50, 50, (91, 115)),
        (&other, 0, 1000, (91, 1015)),
    ] {
        who.cover(Until { tokens: at(tokens), sessions: at(sessions) }).await.unwrap();
        let until = one.issued_until().await.unwrap();
        assert_eq!((until.tokens, until.sessions), (at(has.0), at(has.1)), "{tokens} {sessions}");
    }
}

#[tokio::test]
async fn what_sessions_keep_themselves_counts_too() {
    let store = Arc::new(MemoryStore::new(None));
    let revocations = instance(&store).await;
    let session = record(Until { tokens: at(500), sessions: at(1) });
    store.create(Sid::from_bytes(entropy::random()), session).await.unwrap();
    assert_eq!(revocations.issued_until().await.unwrap().tokens, at(500));
}

#[tokio::test]
async fn a_record_that_is_past_is_made_anew() {
    let store = Arc::new(MemoryStore::new(None));
    let revocations = instance(&store).await;
    revocations.cover(Until { tokens: at(0), sessions: at(10) }).await.unwrap();
    assert_eq!(store.sweep(at(24)).await.unwrap().families, 0, "it is needed");
    assert_eq!(store.sweep(at(26)).await.unwrap().families, 1);
    revocations.cover(Until { tokens: at(0), sessions: at(30) }).await.unwrap();
    assert_eq!(revocations.issued_until().await.unwrap().sessions, at(45));
}

#[tokio::test]
async fn nothing_counts_as_written_that_was_not() {
    let full = Arc::new(MemoryStore::new(Some(0)));
    let revocations = instance(&full).await;
    for _ in 0..2 {
        let until = Until { tokens: at(1), sessions: at(1) };
        assert_eq!(revocations.cover(until).await, Err(StoreError::Full));
    }
}

/// Forty at once, of two instances: none may take back what another has written.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_end_with_the_latest() {
    let store = Arc::new(MemoryStore::new(None));
    let instances = [Arc::new(instance(&store).await), Arc::new(instance(&store).await)];
    let mut writing = tokio::task::JoinSet::new();
    for turn in 0..40 {
        let [one, other] = &instances;
        let who = Arc::clone(if turn % 2 == 0 { one } else { other });
        writing.spawn(async move {
            who.cover(Until { tokens: at(turn * 20), sessions: at((39 - turn) * 20) }).await.unwrap();
        });
    }
    while let Some(done) = writing.join_next().await {
        done.unwrap();
    }
    let latest = instances[0].issued_until().await.unwrap();
    assert!(latest.tokens >= at(39 * 20) && latest.sessions >= at(39 * 20), "{latest:?}");
}

/// A store whose server may be replaced by one that never heard of anything.
#[derive(Debug)]
struct Failing {
    server: parking_lot::Mutex<Arc<MemoryStore>>,
    epoch: AtomicU64,
}

impl Failing {
    fn new() -> Arc<Self> {
        Arc::new(Self { server: parking_lot::Mutex::new(empty()), epoch: AtomicU64::new(7) })
    }

    fn fail_over(&self) {
        *self.server.lock() = empty();
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn server(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.server.lock())
    }
}

fn empty() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(None))
}

#[async_trait::async_trait]
impl Store for Failing {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        self.server().create(sid, family).await
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.server().family(sid).await
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        self.server().swap(sid, expected, next).await
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        self.server().mark(mark).await
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.server().marks(after, limit).await
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        self.server().latest_access_exp().await
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        self.server().sweep(now).await
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_server_that_took_over_is_told_what_the_other_had() {
    let store = Failing::new();
    let clock = Arc::new(ManualClock::at(at(0)));
    let here = Revocations::new(Arc::clone(&store) as _, Arc::clone(&clock) as _, CACHE);
    let elsewhere = Revocations::new(Arc::clone(&store) as _, clock, CACHE);
    let [early, late] = [10, 60].map(|minutes| Until { tokens: at(minutes), sessions: at(2 * minutes) });
    let all = Until { tokens: at(75), sessions: at(135) };
    here.cover(late).await.unwrap();
    assert_eq!(elsewhere.issued_until().await.unwrap(), all);
    store.fail_over();
    assert_eq!(here.issued_until().await.unwrap(), all, "who issued it knows still");
    here.cover(early).await.unwrap();
    assert_eq!(elsewhere.issued_until().await.unwrap(), all, "with the next that is issued, whatever its end");
    store.fail_over();
    here.sweep().await.unwrap();
    assert_eq!(elsewhere.issued_until().await.unwrap(), all, "or soon, if nothing is");
    let nothing_issued = Revocations::new(Arc::clone(&store) as _, Arc::new(ManualClock::at(at(0))), CACHE);
    store.fail_over();
    nothing_issued.sweep().await.unwrap();
    assert_eq!(store.family(name()).await, Ok(None), "nothing is written where nothing was issued");
}

/// Fails each write, half a second after it was begun.
#[derive(Debug)]
struct Slow(MemoryStore);

#[async_trait::async_trait]
impl Store for Slow {
    async fn create(&self, _: Sid, _: Family) -> Result<(), StoreError> {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Err(StoreError::Unavailable("asked for by the test".to_owned()))
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.0.family(sid).await
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        self.0.swap(sid, expected, next).await
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        self.0.mark(mark).await
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.0.marks(after, limit).await
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        self.0.latest_access_exp().await
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        self.0.sweep(now).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_wait_for_a_write_that_fails_wait_no_longer_than_two() {
    let (horizon, store) = (Arc::new(Horizon::default()), Arc::new(Slow(MemoryStore::new(None))));
    let began = tokio::time::Instant::now();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (horizon, store) = (Arc::clone(&horizon), Arc::clone(&store));
        waiting.spawn(async move { horizon.cover(&*store, Until { tokens: at(1), sessions: at(1) }).await });
    }
    assert!(waiting.join_all().await.iter().all(Result::is_err));
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
    let later = tokio::time::Instant::now();
    assert!(horizon.cover(&*store, Until { tokens: at(1), sessions: at(1) }).await.is_err());
    assert_eq!(later.elapsed(), Duration::from_millis(500), "who comes later tries anew");
}
