//! What is in the server, and until when.

use std::sync::Arc;

use doorward::base::{Clock, SystemClock, Timestamp};
use doorward::revocation::Bucket;
use doorward::revocation::redis::{LayoutError, Mode};
use doorward::revocation::{Mark, MarkKind, Position, Store, StoreError, StoredMark, Swap};
use redis::Value;
use tokio::task::JoinSet;

use super::server::{Maker, Server, settings, store};
use crate::fixtures::{all_marks, at, family, jti, mark, rotated, sid};

fn server() -> Server {
    Server::start(Maker::Redis, &[])
}

fn bucket_keys(prefix: &str, bucket: Bucket) -> [String; 4] {
    ["marks", "expiry", "index", "stream"].map(|name| format!("{prefix}{{m:{:02}}}:{name}", bucket.number()))
}

#[tokio::test]
async fn the_server_forgets_by_itself_and_not_early() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    store.create(sid(1), family()).await.unwrap();
    let key = format!("{}{{f:{}}}", settings.prefix, sid(1));
    assert_eq!(server.ask::<i64>(&["PEXPIRETIME", &key]), family().kept_until().millis());
    let next = rotated(&family(), at(300));
    assert!(next.kept_until() > family().kept_until());
    assert_eq!(store.swap(sid(1), &family(), next.clone()).await, Ok(Swap::Done));
    assert_eq!(server.ask::<i64>(&["PEXPIRETIME", &key]), next.kept_until().millis());

    let latest = mark(MarkKind::Jti, "x", at(70));
    let bucket = Bucket::of(&latest.key());
    for ends in [at(50), at(70), at(60)] {
        store.mark(Mark { expires_at: ends, ..latest.clone() }).await.unwrap();
    }
    let [marks, expiry, index, stream] = bucket_keys(&settings.prefix, bucket);
    let day = 24 * 60 * 60;
    for (key, ends) in [(marks, at(70)), (expiry, at(70)), (index, at(70)), (stream, at(70 + day))] {
        assert_eq!(server.ask::<i64>(&["PEXPIRETIME", &key]), ends.millis(), "{key}");
    }
    let now = SystemClock.now();
    let over = family().kept_until();
    assert!(over > now, "the fixtures' day has come");
}

#[tokio::test]
async fn a_bucket_that_emptied_itself_goes_on_with_its_ids_and_not_for_ever() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    let bucket = Bucket::of(&jti(0).key());
    let [marks, expiry, index, stream] = bucket_keys(&settings.prefix, bucket);
    // The server's clock was an hour ahead when its last entry was put there, and was set back.
    let ahead = SystemClock.now().plus(std::time::Duration::from_hours(1)).millis();
    let soon = SystemClock.now().plus(std::time::Duration::from_secs(60));
    server.ask::<String>(&["XADD", &stream, &format!("{ahead}-0"), "m", "x"]);
    store.mark(Mark { expires_at: soon, ..jti(0) }).await.unwrap();
    // Its time comes, as the server has it.
    let first = server.ask::<i64>(&["PEXPIRETIME", &marks]);
    for key in [&marks, &expiry, &index, &stream] {
        if server.ask::<i64>(&["PEXPIRETIME", key]) == first {
            server.ask::<i64>(&["DEL", key]);
        }
    }
    let Position::Stream { id, .. } = store.mark(jti(0)).await.unwrap() else { panic!("on a stream") };
    assert!(i64::try_from(id.millis).unwrap() >= ahead, "{id}: who follows would not see it");
    // Of a mark that is over when it is made nothing stays, at last.
    server.ask::<()>(&["FLUSHALL"]);
    let past = SystemClock.now().minus(std::time::Duration::from_secs(1));
    store.mark(Mark { expires_at: past, ..jti(0) }).await.unwrap();
    assert_eq!(server.ask::<i64>(&["EXISTS", &marks]), 0);
    assert!(server.ask::<i64>(&["PEXPIRETIME", &stream]) > 0, "the stream goes");
}

#[tokio::test]
async fn what_is_over_by_the_servers_clock_goes_with_the_next_mark_a_hundred_at_a_time() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    let past = SystemClock.now().minus(std::time::Duration::from_secs(1));
    // All in one bucket, which one that lives keeps there.
    let bucket = Bucket::of(&jti(0).key());
    let in_bucket = |mark: &Mark| Bucket::of(&mark.key()) == bucket;
    store.mark(jti(0)).await.unwrap();
    let over: Vec<_> =
        (1..).map(|number| Mark { expires_at: past, ..jti(number) }).filter(in_bucket).take(250).collect();
    let count = || server.ask::<usize>(&["HLEN", &bucket_keys(&settings.prefix, bucket)[0]]);
    // One script puts a hundred and drops a hundred.
    let stored: Vec<_> = over.iter().cloned().map(StoredMark::from).collect();
    store.restore(&stored).await.unwrap();
    assert_eq!(count(), 1, "a mark that is over when it is made is dropped by the script that made it");
    let expiry = &bucket_keys(&settings.prefix, bucket)[1];
    // As they are when their time comes while nobody writes.
    let later: Vec<_> = stored.iter().map(|mark| StoredMark { expires_at: at(5), ..mark.clone() }).collect();
    store.restore(&later).await.unwrap();
    for mark in &later {
        raw(&server, &[b"ZADD", expiry.as_bytes(), b"1", mark.key.as_bytes()]);
    }
    assert_eq!(count(), 251);
    for left in [151, 51, 1, 1] {
        store.mark(jti(0)).await.unwrap();
        assert_eq!(count(), left);
    }
    assert_eq!(all_marks(&store, 10).await, [jti(0)]);
}

#[tokio::test]
async fn a_sweep_is_complete_and_takes_what_is_over_by_both_clocks() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    let moment = Timestamp::from_millis;
    let all: Vec<_> = (0..5_000).map(|number| StoredMark::from(jti(number))).collect();
    store.restore(&all).await.unwrap();
    // As they are when their time comes while nobody writes. In each bucket more than one script takes are over at the last of these times.
    let mut scores = redis::pipe();
    for (number, mark) in all.iter().enumerate() {
        let [_, expiry, ..] = bucket_keys(&settings.prefix, Bucket::of(&mark.key));
        let score = [5, 6, 7, 7, at(1000).millis()][number % 5];
        scores.cmd("ZADD").arg(expiry).arg(score).arg(mark.key.as_bytes().as_slice()).ignore();
    }
    let client = redis::Client::open(format!("redis://{}:{}", server.host, server.port)).unwrap();
    scores.exec(&mut client.get_connection().unwrap()).unwrap();
    for (now, dropped) in [(4, 0), (5, 1_000), (6, 1_000), (6, 0), (i64::MAX, 2_000), (i64::MAX, 0)] {
        assert_eq!(store.sweep(moment(now)).await.map(|swept| swept.marks), Ok(dropped), "{now}");
    }
    assert_eq!(store.marks(None, 2_000).await.unwrap().len(), 1_000, "those that are not over by the server's clock");
}

pub(super) fn raw(server: &Server, words: &[&[u8]]) {
    let client = redis::Client::open(format!("redis://{}:{}", server.host, server.port)).unwrap();
    let mut command = redis::cmd(std::str::from_utf8(words[0]).unwrap());
    for word in &words[1..] {
        command.arg(*word);
    }
    let _: Value = command.query(&mut client.get_connection().unwrap()).unwrap();
}

#[tokio::test]
async fn a_change_is_on_the_stream_once_and_its_place_is_told() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    let mark = mark(MarkKind::Sub, "alice", at(100));
    let mark = Mark { issued_before: Some(at(1)), ..mark };
    let bucket = Bucket::of(&mark.key());
    let stream = &bucket_keys(&settings.prefix, bucket)[3];
    let mut places = Vec::new();
    for mark in [
        mark.clone(),
        mark.clone(),
        Mark { expires_at: at(90), issued_before: Some(at(0)), ..mark.clone() },
        Mark { expires_at: at(101), ..mark.clone() },
        Mark { issued_before: None, ..mark.clone() },
        mark.clone(),
    ] {
        let Position::Stream { bucket: told, id, .. } = store.mark(mark).await.unwrap() else { panic!("on a stream") };
        assert_eq!(told, bucket);
        places.push(id);
    }
    assert!(places[0] == places[1] && places[1] == places[2], "nothing changed: {places:?}");
    assert!(places[2] < places[3] && places[3] < places[4] && places[4] == places[5], "{places:?}");
    let entries: Vec<(String, Vec<Vec<u8>>)> = server.ask(&["XRANGE", stream, "-", "+"]);
    let ids: Vec<_> = entries.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids, [places[0], places[3], places[4]].map(|id| id.to_string()));
    for (_, fields) in &entries {
        assert_eq!(fields[0], b"m");
        assert_eq!((fields[1][0], &fields[1][1..17]), (1, mark.key().as_bytes().as_slice()));
    }
    server.ask::<i64>(&["DEL", stream]);
    store.mark(mark.clone()).await.unwrap();
    assert_eq!(server.ask::<i64>(&["XLEN", stream]), 1, "a stream that is gone begins anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_replicas_that_rotate_at_once_one_wins() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let replicas: Vec<_> = (0..3).map(|_| Arc::new(store(&settings))).collect();
    let mut current = family();
    replicas[0].create(sid(1), current.clone()).await.unwrap();
    for round in 1..=50 {
        let mut tasks = JoinSet::new();
        for rival in 0..60_u8 {
            let (store, expected) = (Arc::clone(&replicas[usize::from(rival % 3)]), current.clone());
            tasks.spawn(async move {
                let mut next = rotated(&expected, at(round));
                next.presenter = Some([192, 0, 2, rival].into());
                (store.swap(sid(1), &expected, next.clone()).await.unwrap(), next)
            });
        }
        let results = tasks.join_all().await;
        let winners: Vec<_> = results.iter().filter(|(swap, _)| *swap == Swap::Done).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        current = winners[0].1.clone();
        for (swap, _) in &results {
            assert!(*swap == Swap::Done || *swap == Swap::Lost(Some(current.clone())));
        }
    }
}

#[tokio::test]
async fn another_layout_is_not_touched() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let key = format!("{}{{meta}}:layout", settings.prefix);
    assert_eq!(store(&settings).check_layout().await, Ok(()));
    assert_eq!(server.ask::<String>(&["GET", &key]), "1");
    assert_eq!(store(&settings).check_layout().await, Ok(()));
    server.ask::<()>(&["SET", &key, "2"]);
    let store = store(&settings);
    let error = store.check_layout().await.unwrap_err();
    assert_eq!(error, LayoutError::Other { prefix: settings.prefix.clone(), found: "2".to_owned() });
    let error = store.mark(jti(1)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("layout 2")), "{error}");
    assert!(store.create(sid(1), family()).await.is_err());
    assert!(store.marks(None, 10).await.is_err());
    assert!(store.marks_under(&[jti(1).key()]).await.is_err());
    assert_eq!(server.ask::<usize>(&["DBSIZE"]), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_stays() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    store.mark(jti(1)).await.unwrap();
    store.create(sid(1), family()).await.unwrap();
    let [marks, ..] = bucket_keys(&settings.prefix, Bucket::of(&jti(1).key()));
    let newer = [[2].as_slice(), jti(1).key().as_bytes(), b"something else"].concat();
    raw(&server, &[b"HSET", marks.as_bytes(), jti(1).key().as_bytes(), &newer]);
    server.ask::<()>(&["SET", &format!("{}{{f:{}}}", settings.prefix, sid(1)), "\u{9}else"]);
    server.ask::<()>(&["SET", &format!("{}{{meta}}:latest-access-exp", settings.prefix), "soon"]);
    for error in [
        store.marks(None, 10).await.unwrap_err(),
        store.marks_under(&[jti(1).key()]).await.unwrap_err(),
        store.mark(jti(1)).await.unwrap_err(),
        store.family(sid(1)).await.unwrap_err(),
        store.swap(sid(1), &family(), family().revoke()).await.unwrap_err(),
        store.latest_access_exp().await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
    assert_eq!(server.ask::<Vec<Vec<u8>>>(&["HVALS", &marks]), [newer]);
}

#[tokio::test]
async fn a_time_without_end_is_kept() {
    let server = server();
    let store = store(&settings(&[&server], Mode::Single));
    store.mark(Mark { expires_at: Timestamp::MAX, issued_before: Some(Timestamp::MAX), ..jti(1) }).await.unwrap();
    store.create(sid(1), family().issued(Timestamp::MAX)).await.unwrap();
    assert_eq!(store.family(sid(1)).await, Ok(Some(family().issued(Timestamp::MAX))));
    let marks = all_marks(&store, 10).await;
    assert!(marks[0].expires_at > at(1_000_000_000) && marks[0].issued_before.unwrap() > at(1_000_000_000));
    assert!(store.latest_access_exp().await.unwrap() > at(1_000_000_000));
}

/// A server that is short of memory, and may throw away what will end some time.
#[tokio::test]
async fn what_is_left_of_an_evicted_bucket_is_not_taken_for_all_there_is() {
    let server = server();
    let settings = settings(&[&server], Mode::Single);
    let store = store(&settings);
    let bucket = Bucket::of(&jti(0).key());
    let of_bucket: Vec<_> = (0..).map(jti).filter(|mark| Bucket::of(&mark.key()) == bucket).take(3).collect();
    let keys = bucket_keys(&settings.prefix, bucket);
    let exists = |at: usize| server.ask::<i64>(&["EXISTS", &keys[at]]) == 1;
    for evicted in 0..3 {
        server.ask::<()>(&["FLUSHALL"]);
        for mark in &of_bucket {
            store.mark(mark.clone()).await.unwrap();
        }
        server.ask::<i64>(&["DEL", &keys[evicted]]);
        if evicted == 0 {
            // What came later is there.
            store.mark(of_bucket[0].clone()).await.unwrap();
            let error = store.marks(None, 10).await.unwrap_err();
            assert!(error.to_string().contains("noeviction"), "{error}");
            assert!(!exists(3), "all who follow begin anew, and write back what they know");
            assert_eq!(all_marks(&store, 10).await, of_bucket[..1]);
        } else {
            assert_eq!(all_marks(&store, 10).await.len(), 3, "{}", keys[evicted]);
        }
        for key in &keys[..3] {
            assert!(server.ask::<i64>(&["PTTL", key]) > 0, "{key}");
        }
    }
}
