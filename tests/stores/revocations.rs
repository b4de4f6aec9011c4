//! The view and the answers before it: what a request is told of its token.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use doorward::base::{Clock, ManualClock, Timestamp, Uptime};
use doorward::revocation::{
    CacheSettings, Family, Identifiers, LookUp, Mark, MarkKey, MarkKind, MemoryStore, Position, Revocations, Sid,
    Standing, Store, StoreError, StoredMark, Swap, Swept,
};
use tokio::sync::Semaphore;

use crate::failing_store::FailingStore;
use crate::fixtures::{ISSUER, all_marks, at, family, jti, mark, rotated, sid};

const CACHE: CacheSettings = CacheSettings { capacity: 1000, ttl: Duration::from_secs(30) };
const OFF: CacheSettings = CacheSettings { capacity: 0, ttl: Duration::from_secs(30) };
const LEEWAY: Duration = Duration::from_secs(30);

const GOOD: Standing = Standing::Good;
const DEAD: Standing = Standing::Revoked(MarkKind::Jti);

struct Bench {
    store: Arc<FailingStore>,
    clock: Arc<ManualClock>,
    revocations: Arc<Revocations>,
}

impl Bench {
    async fn new(cache: CacheSettings) -> Self {
        let store = Arc::new(FailingStore::new(Arc::new(MemoryStore::new(None))));
        let clock = Arc::new(ManualClock::at(at(0)));
        let revocations = Revocations::open(Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&clock) as _, cache).await;
        Self { store, clock, revocations: Arc::new(revocations.unwrap()) }
    }

    fn asks(&self, token: &Identifiers<'_>, now: Timestamp) -> (Standing, LookUp) {
        self.revocations.standing(token, now)
    }
}

/// `token 1` of alice, in session 1, issued at second 0.
fn token(session: &str) -> Identifiers<'_> {
    Identifiers {
        issuer: ISSUER,
        jti: Some("token 1"),
        sid: Some(session),
        subject: "alice",
        client: Some("web"),
        issued_at: Some(at(0)),
    }
}

#[tokio::test]
async fn a_mark_refuses_the_next_request_also_where_the_answer_was_remembered() {
    for kind in MarkKind::ALL {
        let bench = Bench::new(CACHE).await;
        let token = token("session 1");
        assert_eq!(bench.asks(&token, at(1)), (GOOD, LookUp::Miss));
        assert_eq!(bench.asks(&token, at(1)), (GOOD, LookUp::Hit));
        let value = match kind {
            MarkKind::Jti => "token 1",
            MarkKind::Sid => "session 1",
            MarkKind::Sub => "alice",
            MarkKind::Client => "web",
        };
        bench.revocations.mark(mark(kind, value, at(100))).await.unwrap();
        assert_eq!(bench.asks(&token, at(1)), (Standing::Revoked(kind), LookUp::Miss), "{kind:?}");
        assert_eq!(bench.asks(&token, at(1)), (Standing::Revoked(kind), LookUp::Hit), "{kind:?}");
        assert_eq!(bench.revocations.live_marks(), 1);
        assert_eq!(all_marks(bench.revocations.store(), 10).await.len(), 1, "and is in the store");
    }
}

#[tokio::test]
async fn a_mark_on_another_token_leaves_the_answer_good() {
    let bench = Bench::new(CACHE).await;
    bench.asks(&token("session 1"), at(1));
    bench.revocations.mark(jti(2)).await.unwrap();
    bench.revocations.mark(mark(MarkKind::Jti, "session 1", at(100))).await.unwrap();
    assert_eq!(bench.asks(&token("session 1"), at(1)).0, GOOD);
    let foreign = Mark { issuer: "https://other.example".to_owned(), ..jti(1) };
    bench.revocations.mark(foreign).await.unwrap();
    assert_eq!(bench.asks(&token("session 1"), at(1)).0, GOOD);
}

#[tokio::test]
async fn tokens_that_share_a_jti_do_not_share_an_answer() {
    let bench = Bench::new(CACHE).await;
    bench.revocations.mark(mark(MarkKind::Sub, "mallory", at(100))).await.unwrap();
    let alices = token("session 1");
    let mallorys = Identifiers { subject: "mallory", ..alices };
    assert_eq!(bench.asks(&alices, at(1)), (GOOD, LookUp::Miss));
    assert_eq!(bench.asks(&mallorys, at(1)), (Standing::Revoked(MarkKind::Sub), LookUp::Miss));
    assert_eq!(bench.asks(&alices, at(1)), (GOOD, LookUp::Hit));
}

#[tokio::test]
async fn an_answer_holds_for_its_time_by_the_clock_that_is_passed_in() {
    let bench = Bench::new(CACHE).await;
    let asks = |millis| bench.asks(&token("session 1"), Timestamp::from_millis(at(0).millis() + millis)).1;
    assert_eq!(
        [asks(0), asks(29_999), asks(30_000), asks(59_999), asks(60_000), asks(10)],
        [LookUp::Miss, LookUp::Hit, LookUp::Miss, LookUp::Hit, LookUp::Miss, LookUp::Miss],
        "the last one by a clock that was set back"
    );
}

#[tokio::test]
async fn nothing_is_remembered_where_the_settings_say_so() {
    let bench = Bench::new(OFF).await;
    for _ in 0..2 {
        assert_eq!(bench.asks(&token("session 1"), at(1)), (GOOD, LookUp::Off));
    }
    bench.revocations.mark(jti(1)).await.unwrap();
    assert_eq!(bench.asks(&token("session 1"), at(1)), (DEAD, LookUp::Off));
    // A reload.
    bench.revocations.set_cache(CACHE);
    assert_eq!(bench.asks(&token("session 1"), at(1)), (DEAD, LookUp::Miss));
    assert_eq!(bench.asks(&token("session 1"), at(1)), (DEAD, LookUp::Hit));
    bench.revocations.set_cache(CacheSettings { ttl: Duration::ZERO, ..CACHE });
    assert_eq!(bench.asks(&token("session 1"), at(1)), (DEAD, LookUp::Off));
    bench.revocations.set_cache(CacheSettings { capacity: u64::MAX, ttl: Duration::MAX });
    assert_eq!(bench.asks(&token("session 1"), at(1)), (DEAD, LookUp::Miss));
}

#[tokio::test]
async fn a_mark_ends_when_it_says_remembered_or_not() {
    for cache in [CACHE, OFF] {
        let bench = Bench::new(cache).await;
        bench.revocations.mark(mark(MarkKind::Jti, "token 1", at(10))).await.unwrap();
        let last = Timestamp::from_millis(at(10).millis() - 1);
        assert_eq!(bench.asks(&token("session 1"), last).0, DEAD);
        assert_eq!(bench.asks(&token("session 1"), last).0, DEAD);
        assert_eq!(bench.asks(&token("session 1"), at(10)).0, GOOD);
        bench.clock.set(at(609));
        assert_eq!(bench.revocations.sweep().await, Ok(Swept::default()));
        assert_eq!(bench.revocations.live_marks(), 1);
        bench.clock.set(at(610));
        assert_eq!(bench.revocations.sweep().await, Ok(Swept { marks: 1, families: 0 }));
        assert_eq!(bench.revocations.live_marks(), 0);
    }
}

#[tokio::test]
async fn a_clock_that_jumps_and_comes_back_costs_no_mark_and_no_session() {
    // What a machine does that was five minutes behind the store, or was set wrong for a moment.
    for measured in [false, true] {
        let bench = Bench::new(CACHE).await;
        if measured {
            let server = at(300);
            bench.revocations.clock().measured(Uptime::default(), Uptime::default(), server);
        }
        let now = bench.revocations.clock().now();
        bench.revocations.mark(mark(MarkKind::Jti, "token 1", now.plus(Duration::from_secs(240)))).await.unwrap();
        bench.revocations.store().create(sid(1), family()).await.unwrap();
        bench.clock.set(at(700));
        assert_eq!(bench.revocations.sweep().await, Ok(Swept::default()), "{measured}");
        if measured {
            assert_eq!(bench.revocations.clock().now(), now, "no time has passed");
        }
        bench.clock.set(at(0));
        assert_eq!(bench.asks(&token("session 1"), bench.revocations.clock().now()).0, DEAD, "{measured}");
        assert_eq!(all_marks(bench.revocations.store(), 10).await.len(), 1, "{measured}");
        assert_eq!(bench.revocations.store().family(sid(1)).await, Ok(Some(family())), "{measured}");
    }
}

#[tokio::test]
async fn a_start_reads_every_page_and_what_is_over_stays_out() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(None));
    for number in 0..2_345 {
        store.mark(jti(number)).await.unwrap();
    }
    store.mark(mark(MarkKind::Sub, "over", at(5))).await.unwrap();
    store.mark(mark(MarkKind::Sub, "just over", at(6))).await.unwrap();
    // What is over for less than ten minutes is read: the clock may yet be set back.
    let clock = Arc::new(ManualClock::at(at(605)));
    let revocations = Revocations::open(Arc::clone(&store), clock, CACHE).await.unwrap();
    assert_eq!(revocations.live_marks(), 2_346);
    for number in 0..2_345 {
        let name = format!("token {number}");
        let token = Identifiers { jti: Some(&name), ..token("session 1") };
        assert_eq!(revocations.standing(&token, at(5)).0, DEAD, "{name}");
    }
}

#[tokio::test]
async fn there_is_no_start_without_the_marks() {
    let store = FailingStore::new(Arc::new(MemoryStore::new(None)));
    store.set_down(true);
    let opened = Revocations::open(Arc::new(store), Arc::new(ManualClock::at(at(0))), CACHE).await;
    assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{opened:?}");
}

#[tokio::test]
async fn a_mark_that_is_not_durable_is_not_confirmed_and_one_that_is_needs_no_store() {
    let bench = Bench::new(CACHE).await;
    bench.revocations.mark(jti(1)).await.unwrap();
    bench.store.set_down(true);
    let lost = bench.revocations.mark(mark(MarkKind::Sid, "session 2", at(100))).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert_eq!(bench.asks(&token("session 1"), at(1)).0, DEAD, "whatever the store says now");
    assert!(bench.revocations.revoke_session(sid(1), ISSUER, LEEWAY).await.is_err());
    assert!(bench.revocations.sweep().await.is_err());
    bench.store.set_down(false);
    let other = Identifiers { jti: Some("token 2"), ..token("session 2") };
    assert_eq!(bench.asks(&other, at(1)).0, GOOD);
}

#[tokio::test]
async fn ending_a_session_marks_its_access_tokens_for_as_long_as_they_may_live() {
    let bench = Bench::new(CACHE).await;
    let store = bench.revocations.store();
    // Given an access token of an hour before the setting was lowered.
    let session = family().issued(at(3600));
    store.create(sid(1), session.clone()).await.unwrap();
    store.swap(sid(1), &session, rotated(&session, at(10))).await.unwrap();
    assert_eq!(bench.revocations.revoke_session(sid(1), ISSUER, LEEWAY).await, Ok(true));
    assert!(store.family(sid(1)).await.unwrap().unwrap().revoked);
    let name = sid(1).to_string();
    assert_eq!(all_marks(store, 10).await, [mark(MarkKind::Sid, &name, at(3630))]);
    assert_eq!(bench.asks(&token(&name), at(3629)).0, Standing::Revoked(MarkKind::Sid));
    assert_eq!(bench.revocations.revoke_session(sid(1), ISSUER, LEEWAY).await, Ok(true), "twice");
    assert_eq!(bench.revocations.revoke_session(sid(2), ISSUER, LEEWAY).await, Ok(false), "unknown");
    assert_eq!(all_marks(store, 10).await.len(), 1);
}

#[tokio::test]
async fn the_mark_comes_before_the_end_of_the_family() {
    let bench = Bench::new(CACHE).await;
    let store = bench.revocations.store();
    store.create(sid(1), family()).await.unwrap();
    bench.store.set_swaps_fail(true);
    assert!(bench.revocations.revoke_session(sid(1), ISSUER, LEEWAY).await.is_err());
    let name = sid(1).to_string();
    assert_eq!(bench.asks(&token(&name), at(1)).0, Standing::Revoked(MarkKind::Sid), "dead already");
    assert!(!store.family(sid(1)).await.unwrap().unwrap().revoked);
    bench.store.set_swaps_fail(false);
    assert_eq!(bench.revocations.revoke_session(sid(1), ISSUER, LEEWAY).await, Ok(true));
    assert!(store.family(sid(1)).await.unwrap().unwrap().revoked);
    bench.store.set_swaps_fail(true);
    let again = bench.revocations.revoke_session(sid(1), ISSUER, LEEWAY).await;
    assert!(again.is_err(), "what somebody else wrote may be lost yet: it is not confirmed by having been read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_rotates_meanwhile_ends_with_all_its_access_tokens() {
    for _ in 0..50 {
        let bench = Bench::new(CACHE).await;
        let revocations = Arc::clone(&bench.revocations);
        revocations.store().create(sid(1), family()).await.unwrap();
        let rotating = tokio::spawn({
            let revocations = Arc::clone(&revocations);
            async move {
                let mut current = family();
                loop {
                    let next = rotated(&current, at(i64::from(current.generation) + 1));
                    match revocations.store().swap(sid(1), &current, next.clone()).await.unwrap() {
                        Swap::Done => current = next,
                        Swap::Lost(last) => return (current, last.unwrap()),
                    }
                    if current.generation == 400 {
                        return (current.clone(), current.revoke());
                    }
                    tokio::task::yield_now().await;
                }
            }
        });
        assert_eq!(revocations.revoke_session(sid(1), ISSUER, LEEWAY).await, Ok(true));
        let (last_rotation, found) = rotating.await.unwrap();
        assert_eq!(found, last_rotation.clone().revoke());
        let marks = all_marks(revocations.store(), 10).await;
        assert_eq!(marks, [mark(MarkKind::Sid, &sid(1).to_string(), last_rotation.latest_access_exp.plus(LEEWAY))]);
    }
}

#[tokio::test]
async fn a_login_in_the_second_of_a_mark_on_its_subject_learns_of_it() {
    let bench = Bench::new(CACHE).await;
    let mut everything = mark(MarkKind::Sub, "alice", at(100));
    everything.issued_before = Some(at(0));
    assert_eq!(bench.revocations.cutoff(ISSUER, "alice", None), None);
    bench.revocations.mark(everything).await.unwrap();
    assert_eq!(bench.revocations.cutoff(ISSUER, "alice", None), Some(at(0)));
    assert_eq!(bench.revocations.cutoff(ISSUER, "bob", None), None);
    assert_eq!(bench.revocations.cutoff("https://other.example", "alice", None), None);
    let next = Identifiers { issued_at: Some(at(1)), ..token("session 1") };
    assert_eq!(bench.asks(&token("session 1"), at(1)).0, Standing::Revoked(MarkKind::Sub));
    assert_eq!(bench.asks(&next, at(1)).0, GOOD);
    bench.clock.set(at(100));
    assert_eq!(bench.revocations.cutoff(ISSUER, "alice", None), None, "over");
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_stop_a_mark_half_way() {
    let held = Arc::new(Held { inner: MemoryStore::new(None), writes: Semaphore::new(0) });
    let clock = Arc::new(ManualClock::at(at(0)));
    let revocations = Revocations::open(Arc::clone(&held) as Arc<dyn Store>, clock, CACHE).await.unwrap();
    let revocations = Arc::new(revocations);
    let caller = tokio::spawn({
        let revocations = Arc::clone(&revocations);
        async move { revocations.mark(jti(1)).await }
    });
    while held.writes.available_permits() == 0 && Arc::strong_count(&held) < 3 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(revocations.standing(&token("session 1"), at(1)).0, GOOD, "not durable yet");
    held.writes.add_permits(1);
    while revocations.live_marks() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(revocations.standing(&token("session 1"), at(1)).0, DEAD);
}

/// A store whose marks wait for a permit.
#[derive(Debug)]
struct Held {
    inner: MemoryStore,
    writes: Semaphore,
}

#[async_trait]
impl Store for Held {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        self.inner.create(sid, family).await
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.inner.family(sid).await
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        self.inner.swap(sid, expected, next).await
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        self.writes.acquire().await.unwrap().forget();
        self.inner.mark(mark).await
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.inner.marks(after, limit).await
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        self.inner.latest_access_exp().await
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        self.inner.sweep(now).await
    }
}
