//! A store that has to be asked, and answers as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::*;
use crate::base::ManualClock;
use crate::tokens::ScopeSet;
use crate::users::{Candidate, StoredHash, UserStoreError};

const EVERY: Duration = Duration::from_secs(30);

/// Questions that the store takes at once.
const AT_ONCE: usize = 5;

#[derive(Debug, Default)]
struct Scripted {
    /// What it answers; `None` = it is down.
    answer: Mutex<Option<Answer>>,
    asked: AtomicUsize,
    /// Held back until this is notified, if that is asked for.
    held: Mutex<Option<Arc<Notify>>>,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Has(&'static str),
    Disabled,
    Gone,
}

fn user(name: &str, scopes: &str, disabled: bool) -> User {
    User {
        username: name.to_owned(),
        password_hash: Arc::new(StoredHash::default_decoy()),
        disabled,
        scopes: ScopeSet::parse(scopes).unwrap(),
        roles: Vec::new(),
        email: None,
        full_name: None,
        claims: serde_json::Map::default(),
    }
}

#[async_trait]
impl UserStore for Scripted {
    fn at_once(&self) -> usize {
        AT_ONCE
    }

    async fn candidate(&self, _: &str, _: u64) -> Result<Candidate, UserStoreError> {
        Err(UserStoreError("not asked here".to_owned()))
    }

    async fn find(&self, username: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let held = self.held.lock().clone();
        if let Some(held) = held {
            held.notified().await;
        }
        match *self.answer.lock() {
            Some(Answer::Has(scopes)) => Ok(Some(Arc::new(user(username, scopes, false)))),
            Some(Answer::Disabled) => Ok(Some(Arc::new(user(username, "me", true)))),
            Some(Answer::Gone) => Ok(None),
            None => Err(UserStoreError("down".to_owned())),
        }
    }
}

struct World {
    store: Arc<Scripted>,
    clock: Arc<ManualClock>,
    recheck: Recheck,
}

impl World {
    fn new(every: Option<Duration>) -> Self {
        let (store, clock) = (Arc::new(Scripted::default()), Arc::new(ManualClock::at(Timestamp::from_seconds(1000))));
        let recheck = Recheck::new(Arc::clone(&store) as _, every, Arc::clone(&clock) as _);
        Self { store, clock, recheck }
    }

    fn answer(&self, answer: Option<Answer>) {
        *self.store.answer.lock() = answer;
    }

    fn standing(&self) -> UserStanding {
        match self.recheck.standing("alice", self.clock.now()) {
            Standing::Asked(standing) => standing,
            Standing::Known(user) => panic!("{user:?}"),
        }
    }

    /// As a request does: what is known, or else what the answer says.
    async fn ask(&self) -> UserStanding {
        match self.standing() {
            UserStanding::Unknown { failed: false } => {
                self.recheck.answer("alice").await;
                self.standing()
            }
            known => known,
        }
    }

    /// Until a question that was begun beside a request is answered.
    async fn settle(&self) {
        self.recheck.answer("alice").await;
    }

    fn asked(&self) -> usize {
        self.store.asked.load(Ordering::SeqCst)
    }

    fn later(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }
}

fn has(scopes: &str) -> UserStanding {
    UserStanding::Has(Arc::new(ScopeSet::parse(scopes).unwrap()))
}

#[tokio::test]
async fn without_the_setting_nobody_is_asked() {
    let world = World::new(None);
    assert_eq!(world.ask().await, UserStanding::Unasked);
    assert_eq!(world.asked(), 0);
}

#[tokio::test]
async fn a_change_is_known_within_the_time_and_a_busy_user_waits_once() {
    for (change, after) in [
        (Answer::Disabled, UserStanding::Disabled),
        (Answer::Gone, UserStanding::Disabled),
        (Answer::Has("me"), has("me")),
    ] {
        let world = World::new(Some(EVERY));
        world.answer(Some(Answer::Has("me items")));
        assert_eq!(world.standing(), UserStanding::Unknown { failed: false }, "begun, not answered");
        assert_eq!(world.ask().await, has("me items"));
        world.answer(Some(change));
        world.later(14_999);
        assert_eq!((world.standing(), world.asked()), (has("me items"), 1));
        world.later(1);
        assert_eq!(world.standing(), has("me items"), "asked beside it");
        world.settle().await;
        assert_eq!((world.standing(), world.asked()), (after, 2), "{change:?}");
    }
}

#[tokio::test]
async fn what_is_too_old_is_not_believed() {
    let world = World::new(Some(EVERY));
    world.answer(Some(Answer::Has("me")));
    assert_eq!(world.ask().await, has("me"));
    world.answer(Some(Answer::Disabled));
    world.later(30_000);
    assert_eq!(world.standing(), UserStanding::Unknown { failed: false });
    assert_eq!(world.ask().await, UserStanding::Disabled);
    // Nor is what is of a time to come.
    world.answer(Some(Answer::Has("me")));
    world.clock.set(Timestamp::from_seconds(500));
    assert_eq!(world.ask().await, has("me"));
}

#[tokio::test]
async fn a_store_that_is_down_is_asked_once_a_while_and_heals() {
    let world = World::new(Some(EVERY));
    world.answer(Some(Answer::Has("me")));
    assert_eq!(world.ask().await, has("me"));
    world.answer(None);
    world.later(20_000);
    assert_eq!(world.standing(), has("me"));
    world.settle().await;
    assert_eq!((world.standing(), world.asked()), (has("me"), 2), "what was known holds for as long as it would have");
    world.settle().await;
    assert_eq!(world.asked(), 2, "not again at once");
    world.later(10_000);
    assert_eq!(world.ask().await, UserStanding::Unknown { failed: true });
    for _ in 0..5 {
        assert_eq!(world.ask().await, UserStanding::Unknown { failed: true });
    }
    assert_eq!(world.asked(), 3);
    world.answer(Some(Answer::Has("me")));
    world.later(1000);
    assert_eq!(world.ask().await, has("me"));
}

#[tokio::test]
async fn of_many_requests_one_asks() {
    let world = Arc::new(World::new(Some(EVERY)));
    let held = Arc::new(Notify::new());
    *world.store.held.lock() = Some(Arc::clone(&held));
    world.answer(Some(Answer::Disabled));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let world = Arc::clone(&world);
        requests.spawn(async move { world.ask().await });
    }
    while world.asked() == 0 {
        tokio::task::yield_now().await;
    }
    held.notify_one();
    assert!(requests.join_all().await.iter().all(|standing| *standing == UserStanding::Disabled));
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_a_second() {
    let world = World::new(Some(EVERY));
    *world.store.held.lock() = Some(Arc::default());
    let begun = tokio::time::Instant::now();
    let standing = world.ask().await;
    assert!(matches!(standing, UserStanding::Unknown { .. }), "{standing:?}");
    assert_eq!(begun.elapsed().as_secs(), 1);
}

/// A question that was put is not taken back, and its answer not lost.
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_counts_and_is_not_asked_for_twice() {
    let world = World::new(Some(EVERY));
    let held = Arc::new(Notify::new());
    *world.store.held.lock() = Some(Arc::clone(&held));
    world.answer(Some(Answer::Has("me")));
    assert!(matches!(world.ask().await, UserStanding::Unknown { .. }));
    world.later(5000);
    let begun = tokio::time::Instant::now();
    assert!(matches!(world.ask().await, UserStanding::Unknown { .. }));
    assert_eq!((world.asked(), begun.elapsed().as_secs()), (1, 0), "nobody waits for what is late");
    held.notify_one();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((world.standing(), world.asked()), (has("me"), 1));
    world.later(25_000);
    assert_eq!(world.standing(), UserStanding::Unknown { failed: false }, "it is as old as its question");
}

#[tokio::test(start_paused = true)]
async fn half_of_what_the_store_takes_is_left_for_logins() {
    let world = World::new(Some(EVERY));
    *world.store.held.lock() = Some(Arc::default());
    for number in 0..20 {
        let standing = world.recheck.standing(&format!("user{number}"), world.clock.now());
        assert_eq!(standing, Standing::Asked(UserStanding::Unknown { failed: false }));
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.asked(), AT_ONCE / 2);
    let begun = tokio::time::Instant::now();
    assert!(world.recheck.find("another").await.is_err());
    assert_eq!((world.asked(), begun.elapsed().as_secs()), (AT_ONCE / 2, 1));
}

#[tokio::test]
async fn what_is_asked_for_otherwise_is_learnt() {
    let world = World::new(Some(EVERY));
    world.answer(Some(Answer::Gone));
    assert_eq!(world.recheck.find("alice").await, Ok(None));
    assert_eq!((world.standing(), world.asked()), (UserStanding::Disabled, 1));
}

#[test]
fn a_question_that_was_never_put_is_not_open_for_ever() {
    let world = World::new(Some(EVERY));
    world.answer(Some(Answer::Has("me")));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended = runtime();
    {
        let _entered = ended.enter();
        assert_eq!(world.standing(), UserStanding::Unknown { failed: false });
    }
    drop(ended);
    assert_eq!(world.asked(), 0);
    assert_eq!(runtime().block_on(world.ask()), has("me"));
}

#[tokio::test]
async fn who_logs_in_anew_is_believed_at_once() {
    let world = World::new(Some(EVERY));
    world.answer(Some(Answer::Disabled));
    assert_eq!(world.ask().await, UserStanding::Disabled);
    world.later(1);
    world.recheck.note(&user("alice", "me", false), world.clock.now());
    assert_eq!((world.standing(), world.asked()), (has("me"), 1));
    // An answer to an older question does not undo it.
    world.recheck.note(&user("alice", "me", true), Timestamp::from_seconds(999));
    assert_eq!(world.standing(), has("me"));
}

#[test]
fn the_table_is_bounded() {
    let table = StandingTable::new(EVERY, 160);
    let now = Timestamp::from_seconds(1000);
    for number in 0..10_000 {
        table.learn(&format!("user{number}"), Some(&user("x", "me", false)), now, now);
        table.failed(&format!("other{number}"), now);
    }
    assert!(table.len() <= 160, "{}", table.len());
    table.learn("last", Some(&user("last", "me", false)), now, now);
    assert_eq!(table.look("last", now).standing, has("me"));
}
