use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::*;
use crate::base::{ManualClock, Timestamp};
use crate::keys::KeyNumber;
use crate::revocation::{
    CacheSettings, Family, Mark, MarkKey, MemoryStore, Position, Revocations, SessionLife, Sid, StoredMark, Swap, Swept,
};
use crate::tokens::ScopeSet;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const ISSUER: &str = "https://a";
const LEEWAY: Duration = Duration::from_mins(5);

/// A store whose server may be replaced by one that has not heard of the last writes.
#[derive(Debug)]
struct Failing {
    server: Mutex<Arc<MemoryStore>>,
    epoch: AtomicU64,
    silent: AtomicBool,
    read: AtomicUsize,
}

impl Failing {
    async fn fail_over(&self, sessions: &[(Sid, Family)]) {
        let server = MemoryStore::new(None);
        for (sid, family) in sessions {
            server.create(*sid, family.clone()).await.unwrap();
        }
        *self.server.lock() = Arc::new(server);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn server(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.server.lock())
    }
}

#[async_trait::async_trait]
impl Store for Failing {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        self.server().create(sid, family).await
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.read.fetch_add(1, Ordering::SeqCst);
        if self.silent.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("silent".to_owned()));
        }
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

struct World {
    store: Arc<Failing>,
    clock: Arc<ManualClock>,
    revocations: Revocations,
    /// As they were before they were ended.
    sessions: Vec<(Sid, Family)>,
}

impl World {
    /// With so many sessions.
    async fn new(count: u8) -> Self {
        let store = Arc::new(Failing {
            server: Mutex::new(Arc::new(MemoryStore::new(None))),
            epoch: AtomicU64::new(7),
            silent: AtomicBool::default(),
            read: AtomicUsize::default(),
        });
        let clock = Arc::new(ManualClock::at(NOW));
        let cache = CacheSettings { capacity: 0, ttl: Duration::ZERO };
        let revocations = Revocations::new(Arc::clone(&store) as _, Arc::clone(&clock) as _, cache);
        let month = Duration::from_hours(30 * 24);
        let life = SessionLife { now: NOW, absolute: month, idle: month };
        let exp = NOW.plus(Duration::from_mins(15));
        let family = Family::begin("alice", None, ScopeSet::default(), KeyNumber([1; 4]), life).issued(exp);
        let sessions: Vec<_> = (0..count).map(|number| (Sid::from_bytes([number; 16]), family.clone())).collect();
        for (sid, family) in &sessions {
            store.create(*sid, family.clone()).await.unwrap();
        }
        Self { store, clock, revocations, sessions }
    }

    async fn end(&self, number: usize) {
        assert!(self.revocations.revoke_session(self.sessions[number].0, ISSUER, LEEWAY).await.unwrap());
    }

    /// Which of the sessions are over.
    async fn over(&self) -> Vec<bool> {
        let mut over = Vec::new();
        for (sid, _) in &self.sessions {
            over.push(self.store.server().family(*sid).await.unwrap().unwrap().revoked);
        }
        over
    }
}

/// The mark of its end lives for twenty minutes, the session for a month.
#[tokio::test]
async fn a_session_that_was_ended_does_not_come_back_when_its_mark_is_over() {
    let world = World::new(3).await;
    world.end(0).await;
    world.end(1).await;
    world.store.fail_over(&world.sessions).await;
    assert_eq!(world.over().await, [false; 3], "that was lost");
    world.clock.advance(Duration::from_mins(1));
    world.revocations.sweep().await.unwrap();
    assert_eq!(world.over().await, [true, true, false]);
    // Lost again, and a part of it only.
    let mut known = world.sessions.clone();
    known[0].1 = known[0].1.clone().revoke();
    world.store.fail_over(&known).await;
    world.clock.advance(Duration::from_mins(1));
    world.revocations.sweep().await.unwrap();
    assert_eq!(world.over().await, [true, true, false]);
    world.clock.advance(Duration::from_hours(1));
    assert!(!world.revocations.has_ended(ISSUER, world.sessions[0].0), "the mark is over");
    assert_eq!(world.over().await, [true, true, false]);
}

#[tokio::test]
async fn nobody_is_asked_while_nothing_can_have_been_lost_nor_after_ten_minutes() {
    let world = World::new(1).await;
    world.end(0).await;
    world.store.read.store(0, Ordering::SeqCst);
    world.revocations.sweep().await.unwrap();
    assert_eq!(world.store.read.load(Ordering::SeqCst), 0, "the same server");
    for (minutes, asked) in [(9, 1), (1, 0)] {
        world.store.fail_over(&world.sessions).await;
        world.clock.advance(Duration::from_mins(minutes));
        world.revocations.sweep().await.unwrap();
        assert_eq!(world.store.read.swap(0, Ordering::SeqCst) > 0, asked > 0, "{minutes}");
    }
}

#[tokio::test]
async fn what_could_not_be_looked_at_is_the_next_time() {
    let world = World::new(2).await;
    world.end(0).await;
    world.end(1).await;
    world.store.fail_over(&world.sessions).await;
    world.store.silent.store(true, Ordering::SeqCst);
    assert!(world.revocations.sweep().await.is_err());
    world.store.silent.store(false, Ordering::SeqCst);
    world.revocations.sweep().await.unwrap();
    assert_eq!(world.over().await, [true, true]);
}

#[test]
fn no_more_are_remembered_than_there_is_room_for() {
    let endings = Endings::default();
    let ending = Ending { sid: Sid::from_bytes([0; 16]), issuer: ISSUER.to_owned(), leeway: LEEWAY };
    for _ in 0..=MOST {
        endings.note(ending.clone(), Uptime::default(), 7);
    }
    assert_eq!(endings.0.lock().len(), MOST);
}
