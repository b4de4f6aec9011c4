//! One server: frozen, killed, full, made a replica.

use std::sync::Arc;
use std::time::Duration;

use doorward::base::{ManualClock, Stopwatch};
use doorward::revocation::redis::{DEADLINE, Mode, Wait};
use doorward::revocation::{CacheSettings, RedisStore, Revocations, Store, StoreError, Swap, Until};

use super::deployments::replicas;
use super::failover::until_it_works;
use super::server::{Maker, Server, eventually, free_place, settings, store};
use crate::fixtures::{all_marks, at, family, jti, rotated, sid};

/// Every method, each of which must fail, say so as [`StoreError::Unavailable`], and be back in time.
async fn nothing_works_and_nothing_hangs(store: &RedisStore, what: &str) {
    let in_time = DEADLINE + Duration::from_millis(500);
    let fails = async |name: &str, outcome: Result<(), StoreError>, started: Stopwatch| {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{what}: {name}: {outcome:?}");
        assert!(started.elapsed() < in_time, "{what}: {name}: {:?}", started.elapsed());
    };
    let now = Stopwatch::start();
    fails("create", store.create(sid(7), family()).await, now).await;
    let now = Stopwatch::start();
    fails("family", store.family(sid(1)).await.map(|_| ()), now).await;
    let now = Stopwatch::start();
    fails("swap", store.swap(sid(1), &family(), family().revoke()).await.map(|_| ()), now).await;
    let now = Stopwatch::start();
    fails("mark", store.mark(jti(7)).await.map(|_| ()), now).await;
    let now = Stopwatch::start();
    fails("marks", store.marks(None, 10).await.map(|_| ()), now).await;
    let now = Stopwatch::start();
    fails("marks_under", store.marks_under(&[jti(1).key(), jti(2).key()]).await.map(|_| ()), now).await;
    let now = Stopwatch::start();
    fails("latest_access_exp", store.latest_access_exp().await.map(|_| ()), now).await;
    let now = Stopwatch::start();
    fails("sweep", store.sweep(at(0)).await.map(|_| ()), now).await;
}

/// It is as it was, and works.
async fn all_is_well(store: &RedisStore, number: u64) {
    assert_eq!(store.family(sid(1)).await, Ok(Some(family())));
    assert!(all_marks(store, 10).await.contains(&jti(1)));
    store.mark(jti(number)).await.unwrap();
    store.create(sid(number), family()).await.unwrap();
    assert_eq!(store.swap(sid(number), &family(), rotated(&family(), at(1))).await, Ok(Swap::Done));
}

async fn fill(store: &RedisStore) {
    store.create(sid(1), family()).await.unwrap();
    store.mark(jti(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_holds_nobody_up_and_is_well_when_it_thaws() {
    let server = Server::start(Maker::Redis, &[]);
    let settings = settings(&[&server], Mode::Single);
    let (warm, cold) = (store(&settings), store(&settings));
    fill(&warm).await;
    server.signal("STOP");
    nothing_works_and_nothing_hangs(&warm, "with a connection").await;
    nothing_works_and_nothing_hangs(&cold, "without one").await;
    server.signal("CONT");
    // What was given up may have been done: never by halves.
    let written = warm.family(sid(7)).await.unwrap();
    assert!(written.is_none() || written == Some(family()));
    let stored = warm.family(sid(1)).await.unwrap().unwrap();
    assert!(stored == family() || stored == family().revoke(), "{stored:?}");
    for store in [warm, cold] {
        store.mark(jti(8)).await.unwrap();
        assert!(all_marks(&store, 10).await.contains(&jti(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_wait_for_a_frozen_server_wait_no_longer_than_one() {
    let server = Server::start(Maker::Redis, &[]);
    let store = Arc::new(store(&settings(&[&server], Mode::Single)));
    fill(&store).await;
    server.signal("STOP");
    let started = Stopwatch::start();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.mark(jti(number)).await.is_err() });
    }
    assert!(tasks.join_all().await.into_iter().all(|failed| failed));
    assert!(started.elapsed() < DEADLINE + Duration::from_millis(800), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let mut server = Server::start(Maker::Redis, &["--appendonly", "yes", "--appendfsync", "always"]);
    let store = store(&settings(&[&server], Mode::Single));
    fill(&store).await;
    for round in 10..13 {
        server.kill();
        let started = Stopwatch::start();
        nothing_works_and_nothing_hangs(&store, "killed").await;
        assert!(started.elapsed() < DEADLINE, "a closed port is known at once: {:?}", started.elapsed());
        server.restart();
        eventually_loaded(&server);
        // At once, and its scripts are unknown to it.
        all_is_well(&store, round).await;
    }
    assert_eq!(all_marks(&store, 10).await.len(), 4);
}

fn eventually_loaded(server: &Server) {
    eventually("loaded", || server.try_ask::<String>(&["PING"]).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_takes_nothing_new_and_shows_everything() {
    let server = Server::start(Maker::Redis, &["--maxmemory-policy", "noeviction"]);
    let store = store(&settings(&[&server], Mode::Single));
    fill(&store).await;
    for _ in 0..2 {
        server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        assert_eq!(store.mark(jti(5)).await, Err(StoreError::Full));
        assert_eq!(store.create(sid(5), family()).await, Err(StoreError::Full));
        assert_eq!(store.swap(sid(1), &family(), family().revoke()).await, Err(StoreError::Full));
        assert_eq!(store.family(sid(1)).await, Ok(Some(family())));
        assert_eq!(all_marks(&store, 10).await, [jti(1)]);
        assert!(store.sweep(at(0)).await.is_ok(), "what is over can go");
        server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    }
    all_is_well(&store, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_made_a_replica_is_not_believed() {
    let server = Server::start(Maker::Redis, &[]);
    let store = store(&settings(&[&server], Mode::Single));
    fill(&store).await;
    // Of a master that is not there, so that it keeps its data.
    let (host, port) = free_place();
    server.ask::<()>(&["REPLICAOF", &host.to_string(), &port.to_string()]);
    let outcome = store.mark(jti(2)).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    nothing_works_and_nothing_hangs(&store, "a replica").await;
    server.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
    all_is_well(&store, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_counts_once_enough_replicas_have_it() {
    let master = Server::start(Maker::Redis, &["--repl-diskless-sync-delay", "0", "--repl-timeout", "60"]);
    let wait = |replicas| Some(Wait { replicas, timeout: Duration::from_millis(300) });
    let settings = settings(&[&master], Mode::Single);
    let unconfirmed = store(&settings);
    let confirmed = store(&doorward::revocation::RedisSettings { wait: wait(1), ..settings });
    unconfirmed.create(sid(1), family()).await.unwrap();
    let error = confirmed.mark(jti(1)).await.unwrap_err();
    assert!(error.to_string().contains("0 replicas confirmed"), "{error}");
    assert_eq!(confirmed.family(sid(1)).await, Ok(Some(family())), "reading asks nobody");

    let replica = Server::start(Maker::Redis, &[]);
    replica.ask::<()>(&["REPLICAOF", &master.host.to_string(), &master.port.to_string()]);
    eventually("a replica", || replicas(&master) == 1);
    // Just after it has all it does not answer in time yet.
    until_it_works("a replica that answers", async || confirmed.mark(jti(1)).await).await;
    all_is_well(&confirmed, 9).await;
    // One that stands there already counts as little as a new one until the replica has it.
    confirmed.mark(jti(3)).await.unwrap();
    replica.signal("STOP");
    for number in [3, 4] {
        let error = confirmed.mark(jti(number)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    assert_eq!(confirmed.family(sid(1)).await, Ok(Some(family())), "and is not held up");
    replica.signal("CONT");
    until_it_works("the replica has caught up", async || confirmed.mark(jti(4)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_everything_is_told_how_long_tokens_live() {
    // It keeps nothing on disk.
    let mut server = Server::start(Maker::Redis, &[]);
    let settings = settings(&[&server], Mode::Single);
    let key = format!("{}{{meta}}:latest-access-exp", settings.prefix);
    let (here, elsewhere) = (store(&settings), store(&settings));
    let clock = Arc::new(ManualClock::at(at(0)));
    let cache = CacheSettings { capacity: 0, ttl: Duration::ZERO };
    let revocations = Revocations::new(Arc::new(store(&settings)), clock, cache);
    revocations.cover(Until { tokens: at(300), sessions: at(9_000) }).await.unwrap();
    here.create(sid(1), family().issued(at(400))).await.unwrap();
    for way in ["create", "swap", "sweep"] {
        server.kill();
        server.restart();
        eventually_loaded(&server);
        assert_eq!(server.try_ask::<Option<String>>(&["GET", &key]).unwrap(), None, "{way}: it is gone");
        let short = family().issued(at(100));
        match way {
            "create" => here.create(sid(2), short).await.unwrap(),
            "swap" => {
                elsewhere.create(sid(3), short.clone()).await.unwrap();
                server.ask::<i64>(&["DEL", &key]);
                assert_eq!(here.swap(sid(3), &short, rotated(&short, at(1))).await, Ok(Swap::Done));
            }
            _ => {
                assert!(here.latest_access_exp().await.unwrap() >= at(400), "who stored it knows still");
                here.sweep(at(0)).await.unwrap();
            }
        }
        let stored: i64 = server.ask(&["GET", &key]);
        assert!(stored >= at(400).millis(), "{way}: {stored}");
        revocations.sweep().await.unwrap();
        let other = Revocations::new(Arc::new(store(&settings)), Arc::new(ManualClock::at(at(0))), cache);
        assert!(other.issued_until().await.unwrap().sessions >= at(9_000), "{way}");
    }
}
