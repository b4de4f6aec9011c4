//! What followers are told of the server, and of its streams.

use doorward::base::{Clock, SystemClock};
use doorward::revocation::changes::Changes;
use doorward::revocation::follower::Ends;
use doorward::revocation::redis::Mode;
use doorward::revocation::{Bucket, Position, Store, StoreError, StoredMark, StreamId};

use super::server::{Maker, Server, settings, store};
use crate::fixtures::jti;

/// Marks of one bucket.
fn marks(count: usize) -> Vec<doorward::revocation::Mark> {
    let bucket = Bucket::of(&jti(0).key());
    (0..).map(jti).filter(|mark| Bucket::of(&mark.key()) == bucket).take(count).collect()
}

async fn stands(store: &dyn Store, mark: doorward::revocation::Mark) -> StreamId {
    match store.mark(mark).await.unwrap() {
        Position::Stream { id, .. } => id,
        Position::Local => panic!("others follow"),
    }
}

#[tokio::test]
async fn a_stream_is_read_from_where_one_stands_and_waits_for_the_next_change() {
    for maker in [Maker::Redis, Maker::Valkey] {
        let server = Server::start(maker, &[]);
        let store = store(&settings(&[&server], Mode::Single));
        let made = marks(3);
        let bucket = Bucket::of(&made[0].key());
        let all: Vec<_> = Bucket::all().collect();
        let mut feed = store.connect(&all).await.unwrap();

        let looked = feed.look(bucket).await.unwrap();
        assert_eq!(looked.ends, Ends::default(), "there is no stream yet");
        let apart = SystemClock.now().since(looked.time).max(looked.time.since(SystemClock.now()));
        assert!(apart.as_secs() < 5, "{apart:?}");
        assert_eq!(feed.page(bucket, None, 10).await.unwrap(), []);

        let first = stands(&store, made[0].clone()).await;
        let second = stands(&store, made[1].clone()).await;
        let after: Vec<_> = all.iter().map(|bucket| (*bucket, StreamId::ZERO)).collect();
        let read = feed.read(&after, 10).await.unwrap();
        let [(of, entries)] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!(*of, bucket);
        let told: Vec<_> = entries.iter().map(|entry| (entry.id, entry.mark.clone())).collect();
        let expected = [first, second].into_iter().zip(made[..2].iter().cloned().map(StoredMark::from));
        assert_eq!(told, expected.collect::<Vec<_>>());

        // Who has read all waits, and is woken.
        let after: Vec<_> = all.iter().map(|of| (*of, if *of == bucket { second } else { StreamId::ZERO })).collect();
        assert_eq!(feed.read(&after, 10).await.unwrap(), []);
        let (read, third) = tokio::join!(feed.read(&after, 10), stands(&store, made[2].clone()));
        assert_eq!(read.unwrap()[0].1[0].id, third);

        let again = feed.look(bucket).await.unwrap();
        assert_eq!(again.history, looked.history);
        let ends = Ends { first: Some(first), last: third, deleted: StreamId::ZERO, added: 3 };
        assert_eq!(again.ends, ends);
        let mut keys: Vec<_> = made.iter().map(doorward::revocation::Mark::key).collect();
        keys.sort_unstable();
        let page = feed.page(bucket, None, 2).await.unwrap();
        assert_eq!(page.iter().map(|mark| mark.key).collect::<Vec<_>>(), keys[..2]);
        assert_eq!(feed.page(bucket, Some(keys[1]), 2).await.unwrap()[0].key, keys[2]);
        assert_eq!(feed.page(bucket, Some(keys[2]), 2).await.unwrap(), []);
    }
}

#[tokio::test]
async fn another_history_is_told_after_a_restart_and_a_replica_is_not_followed() {
    let mut server = Server::start(Maker::Redis, &["--appendonly", "yes", "--appendfsync", "always"]);
    let store = store(&settings(&[&server], Mode::Single));
    let [mark] = marks(1).try_into().unwrap();
    let bucket = Bucket::of(&mark.key());
    store.mark(mark).await.unwrap();
    let mut feed = store.connect(&[bucket]).await.unwrap();
    let before = feed.look(bucket).await.unwrap();
    server.kill();
    assert!(matches!(feed.look(bucket).await, Err(StoreError::Unavailable(_))));
    server.restart();
    let mut feed = store.connect(&[bucket]).await.unwrap();
    let after = feed.look(bucket).await.unwrap();
    assert_ne!(after.history.run_id, before.history.run_id);
    assert_eq!(after.ends.last, before.ends.last, "written is written");
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    assert!(matches!(feed.look(bucket).await, Err(StoreError::Unavailable(_))));
    assert!(store.connect(&[bucket]).await.is_err());
}

/// One that begins to follow, too: after a cut everybody does.
#[tokio::test]
async fn a_server_that_takes_no_writes_is_followed_all_the_same() {
    for (setting, value) in [("maxmemory", "1"), ("min-replicas-to-write", "1")] {
        let server = Server::start(Maker::Redis, &["--maxmemory-policy", "noeviction"]);
        let settings = settings(&[&server], Mode::Single);
        let made = marks(1).remove(0);
        let bucket = Bucket::of(&made.key());
        let at = stands(&store(&settings), made.clone()).await;
        server.ask::<()>(&["CONFIG", "SET", setting, value]);
        let newcomer = store(&settings);
        assert!(newcomer.mark(jti(1)).await.is_err(), "{setting}");
        assert_eq!(newcomer.check_layout().await, Ok(()), "{setting}");
        let mut feed = newcomer.connect(&[bucket]).await.unwrap();
        assert_eq!(feed.look(bucket).await.unwrap().ends.last, at, "{setting}");
        assert_eq!(feed.page(bucket, None, 10).await.unwrap(), [StoredMark::from(made)], "{setting}");
        assert_eq!(feed.read(&[(bucket, at)], 10).await.unwrap(), [], "{setting}");
    }
}
