//! The list of instances, and where marks stand in which history.

use std::time::Duration;

use doorward::revocation::changes::Changes;
use doorward::revocation::redis::Mode;
use doorward::revocation::replicas::{FORGOTTEN_AFTER, Place, ReplicaId};
use doorward::revocation::{
    Announcement, Applied, Bucket, HistoryPrint, Position, RedisSettings, Replicas, Store, StreamId,
};

use super::deployments::{self, Sentinels, replicas};
use super::failover::{master, until_it_works};
use super::layout::raw;
use super::server::{Maker, Server, eventually, settings, store};
use crate::fixtures::{jti, mark};

fn place(millis: u64) -> Place {
    Place { history: HistoryPrint::from_bytes([5; 16]), id: StreamId::new(millis, 3) }
}

fn announcement(number: u8, name: &str, places: &[(Bucket, Place)]) -> Announcement {
    let mut applied = Applied::default();
    for (bucket, place) in places {
        applied.set(*bucket, *place);
    }
    Announcement { id: ReplicaId([number; 16]), name: name.to_owned(), applied }
}

async fn mark_place(store: &dyn Store, number: u64) -> (Bucket, Place) {
    match store.mark(jti(number)).await.unwrap() {
        Position::Stream { bucket, id, history } => (bucket, Place { history, id }),
        Position::Local => panic!("others follow"),
    }
}

/// Under every kind of deployment, with a prefix that nobody else has.
fn deployments() -> [(&'static str, RedisSettings); 4] {
    [
        ("Redis", deployments::shared(Maker::Redis)),
        ("Valkey", deployments::shared(Maker::Valkey)),
        ("Sentinels", deployments::shared_sentinels()),
        ("Cluster", deployments::shared_cluster()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_listed_with_how_far_they_are_until_they_leave() {
    for (what, settings) in deployments() {
        let store = store(&settings);
        let [first, second] = [Bucket::all().next().unwrap(), Bucket::all().nth(15).unwrap()];
        assert_eq!(store.roll(first).await.unwrap().replicas, [], "{what}");
        let one = announcement(1, "pod", &[(first, place(10)), (second, place(20))]);
        let two = announcement(2, "pod", &[(second, place(30))]);
        assert_eq!(store.announce(&one).await, Ok(1), "{what}");
        assert_eq!(store.announce(&two).await, Ok(2), "{what}: of one name, and not one");
        assert_eq!(store.announce(&one).await, Ok(2), "{what}: in the place of what it told before");
        for (bucket, expected) in [(first, [Some(place(10)), None]), (second, [Some(place(20)), Some(place(30))])] {
            let roll = store.roll(bucket).await.unwrap();
            let mut told: Vec<_> =
                roll.replicas.iter().map(|one| (one.id.0[0], one.name.as_deref(), one.place)).collect();
            told.sort_by_key(|(number, ..)| *number);
            assert_eq!(told, [(1, Some("pod"), expected[0]), (2, Some("pod"), expected[1])], "{what}");
            assert!(roll.replicas.iter().all(|one| one.silent_for < Duration::from_secs(5)), "{what}: {roll:?}");
        }
        store.leave(one.id).await.unwrap();
        store.leave(one.id).await.unwrap();
        let roll = store.roll(second).await.unwrap();
        assert_eq!(roll.replicas.iter().map(|one| one.id).collect::<Vec<_>>(), [two.id], "{what}");
    }
}

#[tokio::test]
async fn the_silent_are_forgotten_and_everything_is_in_the_end() {
    let server = Server::start(Maker::Redis, &[]);
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    let bucket = Bucket::all().next().unwrap();
    let [list, told] = ["replicas", "positions"].map(|name| format!("{}{{meta}}:{name}", settings.prefix));
    for number in 1..=3 {
        store.announce(&announcement(number, "pod", &[])).await.unwrap();
    }
    let time: Vec<i64> = server.ask(&["TIME"]);
    let now = time[0] * 1000;
    let hour = i64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap();
    // The first was heard of an hour ago, the second a little less.
    for (number, ago) in [(1_u8, hour + 5000), (2, hour - 60_000)] {
        let id = [number; 16];
        raw(&server, &[b"ZADD", list.as_bytes(), (now - ago).to_string().as_bytes(), &id]);
    }
    server.ask::<()>(&["HSET", &told, "since", &(now - 4000).to_string()]);
    assert_eq!(store.announce(&announcement(3, "pod", &[])).await, Ok(2));
    let roll = store.roll(bucket).await.unwrap();
    let mut silent: Vec<_> = roll.replicas.iter().map(|one| (one.id.0[0], one.silent_for.as_secs() / 60)).collect();
    silent.sort_unstable();
    assert_eq!(silent, [(2, 59), (3, 0)]);
    assert!(roll.kept_for >= Duration::from_secs(4) && roll.kept_for < Duration::from_secs(60), "{roll:?}");
    assert_eq!(server.ask::<i64>(&["HLEN", &told]), 3, "two instances, and since when there is a list");
    for key in [&list, &told] {
        let left: i64 = server.ask(&["PTTL", key]);
        assert!(left > hour - 60_000 && left <= hour, "{key}: {left}");
    }
    // A list that was lost says that it is new.
    server.ask::<()>(&["DEL", &list, &told]);
    assert_eq!(store.roll(bucket).await.unwrap(), doorward::revocation::replicas::Roll::default());
    store.announce(&announcement(3, "pod", &[])).await.unwrap();
    assert!(store.roll(bucket).await.unwrap().kept_for < Duration::from_secs(4));
    // What another version tells is not read, and who told it is there all the same.
    raw(&server, &[b"HSET", told.as_bytes(), &[3; 16], b"\x02whatever"]);
    let [listed] = store.roll(bucket).await.unwrap().replicas.try_into().unwrap();
    assert_eq!((listed.id, listed.name, listed.place), (ReplicaId([3; 16]), None, None));
}

#[tokio::test]
async fn a_list_has_a_bound() {
    let server = Server::start(Maker::Redis, &[]);
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    store.announce(&announcement(1, "pod", &[])).await.unwrap();
    let list = format!("{}{{meta}}:replicas", settings.prefix);
    let crowd = "local now = redis.call('TIME')[1] * 1000 for n = 1, 10000 do redis.call('ZADD', KEYS[1], now - 60000 - n, string.format('%016d', n)) end";
    server.ask::<()>(&["EVAL", crowd, "1", &list]);
    assert_eq!(store.announce(&announcement(1, "pod", &[])).await, Ok(10_000));
    let bucket = Bucket::all().next().unwrap();
    let roll = store.roll(bucket).await.unwrap();
    assert_eq!(roll.replicas.len(), 10_000);
    let longest = roll.replicas.iter().map(|one| one.silent_for).max().unwrap();
    assert!(longest < Duration::from_millis(60_000 + 10_000 + 30_000), "{longest:?}");
    assert!(!roll.replicas.iter().any(|one| one.id.0 == *b"0000000000010000"), "who was silent for the longest time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_stands_in_the_history_that_those_who_follow_read() {
    for (what, settings) in deployments() {
        let store = store(&settings);
        for number in 0..20 {
            let (bucket, first) = mark_place(&store, number).await;
            let mut feed = store.connect(&[bucket]).await.unwrap();
            let looked = feed.look(bucket).await.unwrap();
            let reached = Place { history: looked.history.print(), id: looked.ends.last };
            assert!(reached.covers(first), "{what}: {reached:?} {first:?}");
            // Whoever has read so far has it, though the mark changes nothing any more.
            let (_, again) = mark_place(&store, number).await;
            assert!(reached.covers(again) && again.covers(first), "{what}: {again:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_ids_of_before_say_nothing() {
    let mut all = Sentinels::start();
    let store = store(&all.settings());
    let (_, before) = mark_place(&store, 1).await;
    let old = master(&all.servers, &all);
    eventually("replicas that are up to date", || replicas(&all.servers[old]) == 2);
    all.servers[old].kill();
    until_it_works("a failover", async || {
        store.mark(mark(doorward::revocation::MarkKind::Jti, "other", crate::fixtures::at(1))).await
    })
    .await;
    let (bucket, after) = mark_place(&store, 1).await;
    assert_eq!(after.id, before.id, "the stream is the same");
    assert!(!after.covers(before) && !before.covers(after), "and yet nobody can tell what else is on it");
    let mut feed = store.connect(&[bucket]).await.unwrap();
    let looked = feed.look(bucket).await.unwrap();
    assert_eq!(looked.history.print(), after.history);
}
