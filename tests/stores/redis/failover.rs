//! A failover, a Cluster that changes, one frozen node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use doorward::base::Stopwatch;
use doorward::revocation::Bucket;
use doorward::revocation::redis::DEADLINE;
use doorward::revocation::{Mark, RedisStore, Store, Swap};

use super::deployments::{Cluster, Sentinels, replicas};
use super::server::{Maker, Server, eventually, store};
use crate::fixtures::{all_marks, at, family, jti, rotated, sid};

/// Asks until it works, which must be within the time that a failover takes; each time it must be back in time.
pub(super) async fn until_it_works<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, doorward::revocation::StoreError>,
) -> T {
    let started = Stopwatch::start();
    loop {
        let asked = Stopwatch::start();
        let answer = ask().await;
        assert!(asked.elapsed() < DEADLINE + Duration::from_millis(500), "{what}: {:?}", asked.elapsed());
        match answer {
            Ok(answer) => return answer,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(30), "{what}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) fn master(servers: &[Server], sentinels: &Sentinels) -> usize {
    let address: Vec<String> = sentinels.sentinels[0].ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]);
    servers.iter().position(|server| server.host.to_string() == address[0]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_lead_to_the_new_master_whether_the_old_one_is_killed_or_frozen() {
    let mut all = Sentinels::start();
    let store = store(&all.settings());
    store.create(sid(1), family()).await.unwrap();
    store.mark(jti(0)).await.unwrap();
    for (round, way) in ["STOP", "KILL"].into_iter().enumerate() {
        let old = master(&all.servers, &all);
        eventually("replicas that are up to date", || replicas(&all.servers[old]) == 2);
        if way == "KILL" {
            all.servers[old].kill();
        } else {
            all.servers[old].signal(way);
        }
        let number = round as u64 + 1;
        until_it_works(way, async || store.mark(jti(number)).await).await;
        // The one that is asked may hear of it last.
        eventually("the Sentinels agree", || master(&all.servers, &all) != old);
        assert_eq!(store.family(sid(1)).await, Ok(Some(family())), "{way}");
        assert_eq!(all_marks(&store, 10).await.len(), round + 2, "{way}");
        // The old one thaws, believes for a moment that it is master, and must not be asked.
        if way == "STOP" {
            all.servers[old].signal("CONT");
            store.mark(jti(number)).await.unwrap();
            eventually("the old master is a replica", || replicas(&all.servers[master(&all.servers, &all)]) == 2);
            assert_eq!(all_marks(&store, 10).await.len(), round + 2);
        }
    }
}

/// Sessions whose keys are at each of the first three nodes.
fn of_node(cluster: &Cluster, prefix: &str, node: usize) -> u64 {
    let bounds = [0..=5460, 5461..=10922, 10923..=16383][node].clone();
    (1..10_000)
        .find(|number| {
            let key = format!("{prefix}{{f:{}}}", sid(*number));
            bounds.contains(&cluster.nodes[0].ask::<i64>(&["CLUSTER", "KEYSLOT", &key]))
        })
        .unwrap()
}

async fn rotate(store: &RedisStore, number: u64, second: i64) -> Result<(), doorward::revocation::StoreError> {
    let stored = store.family(sid(number)).await?.unwrap();
    store.swap(sid(number), &stored, rotated(&stored, at(second))).await.map(|swap| assert_eq!(swap, Swap::Done))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_holds_up_its_own_keys_alone_until_its_replica_takes_over() {
    let cluster = Cluster::start(Maker::Redis);
    let settings = cluster.settings();
    let store = Arc::new(store(&settings));
    let [frozen, well, well_too] = [0, 1, 2].map(|node| of_node(&cluster, &settings.prefix, node));
    for number in [frozen, well, well_too] {
        store.create(sid(number), family()).await.unwrap();
    }
    let many: Vec<_> = (0..100).map(jti).collect();
    for mark in &many {
        store.mark(mark.clone()).await.unwrap();
    }
    eventually("replicas that are up to date", || replicas(&cluster.nodes[0]) == 1);
    cluster.nodes[0].signal("STOP");
    let over = Arc::new(AtomicBool::new(false));
    let others = tokio::spawn({
        let (store, over) = (Arc::clone(&store), Arc::clone(&over));
        async move {
            let (mut slowest, mut second, mut failed, mut down) = (Duration::ZERO, 1, 0, None);
            while !over.load(Ordering::SeqCst) {
                for number in [well, well_too] {
                    let started = Stopwatch::start();
                    match rotate(&store, number, second).await {
                        Ok(()) => slowest = slowest.max(started.elapsed()),
                        // While the others find out that a third of the keys has no node, they take nothing either.
                        Err(error) => {
                            failed += 1;
                            down = Some(error);
                        }
                    }
                }
                second += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            (slowest, second, failed, down)
        }
    });
    until_it_works("its keys", async || rotate(&store, frozen, 1).await).await;
    over.store(true, Ordering::SeqCst);
    let (slowest, rounds, failed, down) = others.await.unwrap();
    assert!(slowest < Duration::from_millis(900), "{slowest:?}");
    assert!(rounds > 20 && failed < rounds, "{failed} of {} failed: {down:?}", 2 * rounds);
    let marks = all_marks(&*store, 30).await;
    assert!(many.iter().all(|mark| marks.contains(mark)));
    cluster.nodes[0].signal("CONT");
    rotate(&store, frozen, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slots_move_from_node_to_node_under_load_and_nothing_fails() {
    let cluster = Cluster::start(Maker::Redis);
    let settings = cluster.settings();
    let store = Arc::new(store(&settings));
    let bucket = Bucket::of(&jti(0).key());
    let in_bucket = move |mark: &Mark| Bucket::of(&mark.key()) == bucket;
    for mark in (0..2_000).map(jti).filter(in_bucket) {
        store.mark(mark).await.unwrap();
    }
    let slot: i64 = cluster.nodes[0].ask(&[
        "CLUSTER",
        "KEYSLOT",
        &format!("{}{{m:{:02}}}:marks", settings.prefix, bucket.number()),
    ]);
    let session = (1..10_000).find(|number| {
        let key = format!("{}{{f:{}}}", settings.prefix, sid(*number));
        slot / 5_461 == cluster.nodes[0].ask::<i64>(&["CLUSTER", "KEYSLOT", &key]) / 5_461
    });
    store.create(sid(session.unwrap()), family()).await.unwrap();
    let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let (store, over, made) = (Arc::clone(&store), Arc::clone(&over), Arc::clone(&made));
        tasks.spawn(async move {
            let mut numbers = (10_000 * (task + 1)..).filter(|number| in_bucket(&jti(*number)));
            let mut mine = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let mark = jti(numbers.next().unwrap());
                store.mark(mark.clone()).await.unwrap();
                assert!(!store.marks(None, 5).await.unwrap().is_empty());
                mine.push(mark);
                made.fetch_add(1, Ordering::SeqCst);
            }
            mine
        });
    }
    let mut at_node = cluster.nodes[..3].iter().position(|node| !moves_away(node, slot)).unwrap();
    for _ in 0..6 {
        let before = made.load(Ordering::SeqCst);
        let to = (at_node + 1) % 3;
        tokio::task::block_in_place(|| {
            eventually("some marks", || made.load(Ordering::SeqCst) > before + 5);
            move_slot(&cluster, slot, at_node, to);
        });
        at_node = to;
    }
    over.store(true, Ordering::SeqCst);
    let mine: Vec<Mark> = tasks.join_all().await.into_iter().flatten().collect();
    let marks = all_marks(&*store, 500).await;
    assert!(mine.len() > 30 && mine.iter().all(|mark| marks.contains(mark)));
}

fn moves_away(node: &Server, slot: i64) -> bool {
    let ranges: Vec<(i64, i64, Vec<redis::Value>)> = node
        .ask::<Vec<Vec<redis::Value>>>(&["CLUSTER", "SLOTS"])
        .into_iter()
        .map(|entry| {
            let number = |value: &redis::Value| redis::from_redis_value::<i64>(value.clone()).unwrap();
            let owner = redis::from_redis_value(entry[2].clone()).unwrap();
            (number(&entry[0]), number(&entry[1]), owner)
        })
        .collect();
    let (_, _, owner) = ranges.into_iter().find(|(first, last, _)| (*first..=*last).contains(&slot)).unwrap();
    redis::from_redis_value::<String>(owner[0].clone()).unwrap() != node.host.to_string()
}

/// As `redis-cli --cluster reshard` does it: key by key, so that for a while both nodes have some.
fn move_slot(cluster: &Cluster, slot: i64, from: usize, to: usize) {
    let (source, target, slot) = (&cluster.nodes[from], &cluster.nodes[to], slot.to_string());
    let id = |node: &Server| node.ask::<String>(&["CLUSTER", "MYID"]);
    target.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(source)]);
    source.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(target)]);
    loop {
        let keys: Vec<String> = source.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]);
        let Some(key) = keys.first() else { break };
        let (host, port) = (target.host.to_string(), target.port.to_string());
        source.ask::<String>(&["MIGRATE", &host, &port, key, "0", "5000"]);
    }
    for node in [target, source, &cluster.nodes[3 - from - to]] {
        node.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(target)]);
    }
}
