//! The contract of `Store`, case by case, over every store. A new one is added at the end of this file.

use std::sync::Arc;
use std::time::Duration;

use doorward::base::Timestamp;
use doorward::keys::{KeyNumber, PasswordPrint};
use doorward::revocation::{
    EmbeddedStore, Family, Mark, MarkKind, MemoryStore, Step, Store, StoreError, StoredMark, Strangers, Swap, Swept,
};
use doorward::tokens::ScopeSet;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fixtures::{KEY, all_marks, at, family, jti, mark, named, presented, rotated, sid, terms, values};
use crate::power_cut::PowerCut;
use crate::redis::deployments::{shared, shared_cluster, shared_sentinels};
use crate::redis::server::Maker;

fn print() -> PasswordPrint {
    PasswordPrint { key: KEY, hash: [7; 16], carried: None }
}

async fn a_session_is_kept_as_it_was_given(store: Arc<dyn Store>) {
    let full = Family {
        presenter: Some("2001:db8::7".parse().unwrap()),
        client: None,
        subject: "a\"\u{0}\u{1F600}".to_owned(),
        password: Some(PasswordPrint { carried: Some([9; 16]), ..print() }),
        ..rotated(&family(), at(5))
    };
    store.create(sid(1), family()).await.unwrap();
    store.create(sid(2), full.clone()).await.unwrap();
    assert_eq!(store.family(sid(1)).await, Ok(Some(family())));
    assert_eq!(store.family(sid(2)).await, Ok(Some(full)));
}

async fn an_unknown_session_is_none_and_cannot_be_swapped_in(store: Arc<dyn Store>) {
    assert_eq!(store.family(sid(1)).await, Ok(None));
    assert_eq!(store.swap(sid(1), &family(), family().revoke()).await, Ok(Swap::Lost(None)));
    assert_eq!(store.family(sid(1)).await, Ok(None));
    assert_eq!(all_marks(&*store, 10).await, []);
}

async fn an_empty_store_has_no_latest_access_exp(store: Arc<dyn Store>) {
    assert_eq!(store.latest_access_exp().await, Ok(Timestamp::default()));
}

async fn a_swap_without_a_session_has_no_latest_access_exp(store: Arc<dyn Store>) {
    assert_eq!(store.swap(sid(1), &family(), family().revoke()).await, Ok(Swap::Lost(None)));
    assert_eq!(store.latest_access_exp().await, Ok(Timestamp::default()));
}

async fn a_name_is_not_used_twice(store: Arc<dyn Store>) {
    let ended = family().revoke();
    store.create(sid(1), ended.clone()).await.unwrap();
    let again = store.create(sid(1), family()).await;
    assert!(matches!(again, Err(StoreError::Unavailable(_))), "{again:?}");
    assert_eq!(store.family(sid(1)).await, Ok(Some(ended)), "an ended session does not come back");
}

async fn a_swap_compares_the_whole_record(store: Arc<dyn Store>) {
    let stored = rotated(&family(), at(5));
    store.create(sid(1), stored.clone()).await.unwrap();
    let almost = [
        Family { generation: stored.generation + 1, ..stored.clone() },
        Family { key_number: KeyNumber([0; 4]), ..stored.clone() },
        Family { rotated_at: Timestamp::from_millis(stored.rotated_at.millis() + 1), ..stored.clone() },
        Family { presenter: Some("192.0.2.1".parse().unwrap()), ..stored.clone() },
        Family { strangers: Strangers { here: true, before: false }, ..stored.clone() },
        Family { subject: "bob".to_owned(), ..stored.clone() },
        Family { client: None, ..stored.clone() },
        stored.clone().with_password(print()),
        Family { scope: ScopeSet::default(), ..stored.clone() },
        Family { issued_at: at(1), ..stored.clone() },
        Family { expires_at: at(1), ..stored.clone() },
        Family { idle_expires_at: at(1), ..stored.clone() },
        stored.clone().issued(at(900)),
        stored.clone().revoke(),
    ];
    for expected in almost {
        let swap = store.swap(sid(1), &expected, family()).await;
        assert_eq!(swap, Ok(Swap::Lost(Some(stored.clone()))), "{expected:?}");
    }
    let next = rotated(&stored, at(6));
    assert_eq!(store.swap(sid(1), &stored, next.clone()).await, Ok(Swap::Done));
    assert_eq!(store.swap(sid(1), &stored, next.clone()).await, Ok(Swap::Lost(Some(next.clone()))));
    assert_eq!(store.family(sid(1)).await, Ok(Some(next)));
}

async fn of_64_rotations_at_once_one_wins(store: Arc<dyn Store>) {
    let mut current = family();
    store.create(sid(1), current.clone()).await.unwrap();
    for round in 1..=100 {
        let barrier = Arc::new(Barrier::new(64));
        let mut tasks = JoinSet::new();
        for rival in 0..64_u8 {
            let (store, barrier, expected) = (Arc::clone(&store), Arc::clone(&barrier), current.clone());
            tasks.spawn(async move {
                let mut next = rotated(&expected, at(round));
                next.presenter = Some([192, 0, 2, rival].into());
                barrier.wait().await;
                let swap = store.swap(sid(1), &expected, next.clone()).await.unwrap();
                (next, swap)
            });
        }
        let results = tasks.join_all().await;
        let winners: Vec<_> = results.iter().filter(|(_, swap)| *swap == Swap::Done).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        current = winners[0].0.clone();
        for (_, swap) in &results {
            assert!(
                matches!(swap, Swap::Done) || *swap == Swap::Lost(Some(current.clone())),
                "round {round}: {swap:?}"
            );
        }
        assert_eq!(store.family(sid(1)).await, Ok(Some(current.clone())));
    }
    assert_eq!(current.generation, 100);
}

async fn of_64_refreshes_at_once_all_get_one_successor(store: Arc<dyn Store>) {
    store.create(sid(1), family()).await.unwrap();
    for generation in 0..20 {
        let mut tasks = JoinSet::new();
        for _ in 0..64 {
            let store = Arc::clone(&store);
            tasks.spawn(async move { refresh(&*store, generation, at(i64::from(generation) * 20)).await });
        }
        let successors = tasks.join_all().await;
        assert_eq!(successors, [generation + 1; 64]);
    }
    assert!(!store.family(sid(1)).await.unwrap().unwrap().revoked);
}

/// Presents a refresh token as the grant does; the generation it is answered with.
async fn refresh(store: &dyn Store, generation: u32, now: Timestamp) -> u32 {
    let mut stored = store.family(sid(1)).await.unwrap().unwrap();
    loop {
        let next = match stored.present(&presented(generation, now), &terms()) {
            Step::Rotate(next) => next,
            Step::Repeat { next, .. } => return next.generation,
            other => panic!("{other:?}"),
        };
        let successor = next.generation;
        match store.swap(sid(1), &stored, next).await.unwrap() {
            Swap::Done => return successor,
            Swap::Lost(current) => stored = current.unwrap(),
        }
    }
}

async fn a_generation_ahead_becomes_the_current_one(store: Arc<dyn Store>) {
    store.create(sid(1), family()).await.unwrap();
    let stored = store.family(sid(1)).await.unwrap().unwrap();
    let Step::Ahead(next) = stored.present(&presented(7, at(10)), &terms()) else { panic!("is ahead") };
    assert_eq!(store.swap(sid(1), &stored, next).await, Ok(Swap::Done));
    assert_eq!(refresh(&*store, 7, at(11)).await, 8, "its own repeat");
    assert_eq!(refresh(&*store, 8, at(12)).await, 9);
    assert_eq!(store.family(sid(1)).await.unwrap().unwrap().key_number, KEY);
}

async fn nothing_is_forgotten_a_moment_early_or_late(store: Arc<dyn Store>) {
    let moment = |time: Timestamp, millis| Timestamp::from_millis(time.millis() + millis);
    for (number, ends) in [(1, at(10)), (2, moment(at(10), 1)), (3, moment(at(10), -1)), (4, at(2_000))] {
        store.mark(mark(MarkKind::Jti, &number.to_string(), ends)).await.unwrap();
    }
    store.create(sid(1), family()).await.unwrap();
    assert_eq!(store.sweep(at(0)).await, Ok(Swept::default()));
    assert_eq!(store.sweep(at(10)).await, Ok(Swept { marks: 2, families: 0 }));
    assert_eq!(values(&all_marks(&*store, 10).await), ["2", "4"]);
    // Idle since second 500; the access token's end at 100 and the most leeway there is are past as well.
    let end = family().kept_until();
    assert_eq!(end, at(500));
    assert_eq!(store.sweep(moment(end, -1)).await, Ok(Swept { marks: 1, families: 0 }));
    assert_eq!(store.family(sid(1)).await, Ok(Some(family())));
    assert_eq!(store.sweep(end).await, Ok(Swept { marks: 0, families: 1 }));
    assert_eq!(store.family(sid(1)).await, Ok(None));
    assert_eq!(store.sweep(Timestamp::MAX).await, Ok(Swept { marks: 1, families: 0 }));
    assert_eq!(store.sweep(Timestamp::MAX).await, Ok(Swept::default()));
}

async fn a_sweep_of_thousands_is_complete(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for number in 0..2_500 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let ends = if number % 2 == 0 { at(10) } else { at(20) };
            store.mark(mark(MarkKind::Jti, &number.to_string(), ends)).await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(store.sweep(at(10)).await, Ok(Swept { marks: 1_250, families: 0 }));
    assert_eq!(all_marks(&*store, 1_000).await.len(), 1_250);
}

async fn a_mark_needs_no_session_and_comes_before_its_token(store: Arc<dyn Store>) {
    let name = sid(1).to_string();
    store.mark(mark(MarkKind::Sid, &name, at(50))).await.unwrap();
    store.create(sid(1), family()).await.unwrap();
    assert_eq!(all_marks(&*store, 10).await, [mark(MarkKind::Sid, &name, at(50))]);
    assert_eq!(store.family(sid(1)).await, Ok(Some(family())));
}

async fn marks_of_one_key_become_one_that_kills_more(store: Arc<dyn Store>) {
    let subject = |expires, cutoff| {
        let mut mark = mark(MarkKind::Sub, "alice", at(expires));
        mark.issued_before = Some(at(cutoff));
        mark
    };
    for mark in [subject(100, 1), subject(50, 2), subject(100, 1)] {
        store.mark(mark).await.unwrap();
    }
    assert_eq!(all_marks(&*store, 10).await, [subject(100, 2)]);
    // The same word as another kind, and of another issuer.
    store.mark(mark(MarkKind::Jti, "alice", at(5))).await.unwrap();
    let foreign = Mark { issuer: "https://other.example".to_owned(), ..subject(5, 9) };
    store.mark(foreign).await.unwrap();
    assert_eq!(all_marks(&*store, 10).await.len(), 3);
}

async fn a_mark_outlives_a_lowered_setting(store: Arc<dyn Store>) {
    let hour = Duration::from_hours(1);
    // Issued with an access token of an hour, refreshed after the setting was lowered to five minutes.
    store.create(sid(1), family().issued(at(0).plus(hour))).await.unwrap();
    let stored = store.family(sid(1)).await.unwrap().unwrap();
    let next = rotated(&stored, at(10)).issued(at(310));
    assert_eq!(next.latest_access_exp, at(3600));
    assert_eq!(store.swap(sid(1), &stored, next).await, Ok(Swap::Done));
    assert_eq!(store.latest_access_exp().await, Ok(at(3600)));
    assert_eq!(store.sweep(at(3600)).await, Ok(Swept::default()), "kept for as long as its access token lives");
}

async fn the_latest_access_exp_only_grows(store: Arc<dyn Store>) {
    store.create(sid(1), family().issued(at(400))).await.unwrap();
    store.create(sid(2), family().issued(at(300))).await.unwrap();
    assert_eq!(store.latest_access_exp().await, Ok(at(400)));
    let stored = store.family(sid(2)).await.unwrap().unwrap();
    let lost = store.swap(sid(2), &family(), family().issued(at(999))).await.unwrap();
    assert!(matches!(lost, Swap::Lost(_)));
    assert_eq!(store.latest_access_exp().await, Ok(at(400)), "what was not stored does not count");
    store.swap(sid(2), &stored, stored.clone().issued(at(500))).await.unwrap();
    assert_eq!(store.latest_access_exp().await, Ok(at(500)));
    store.sweep(Timestamp::MAX).await.unwrap();
    assert_eq!(store.latest_access_exp().await, Ok(at(500)), "also after the session is forgotten");
}

async fn the_latest_access_exp_is_never_too_early(store: Arc<dyn Store>) {
    let minute = Duration::from_mins(1);
    let is = async |at_least: Timestamp| {
        let latest = store.latest_access_exp().await.unwrap();
        assert!(latest >= at_least && latest < at_least.plus(minute), "{latest:?}, {at_least:?}");
        latest
    };
    store.create(sid(1), family().issued(at(400))).await.unwrap();
    let first = is(at(400)).await;
    store.create(sid(2), family().issued(at(300))).await.unwrap();
    assert_eq!(is(at(400)).await, first, "it only grows");
    let stored = store.family(sid(2)).await.unwrap().unwrap();
    store.swap(sid(2), &stored, stored.clone().issued(at(500))).await.unwrap();
    is(at(500)).await;
    store.sweep(Timestamp::MAX).await.unwrap();
    is(at(500)).await;
}

async fn what_is_restored_is_merged_with_what_is_there(store: Arc<dyn Store>) {
    let known: Vec<_> = (0..300).map(jti).collect();
    let nameless = |mark: &Mark| StoredMark { name: None, ..StoredMark::from(mark.clone()) };
    store.mark(Mark { expires_at: at(1), ..known[0].clone() }).await.unwrap();
    store.mark(Mark { expires_at: at(9_999), ..known[1].clone() }).await.unwrap();
    let view: Vec<_> = known.iter().map(nameless).collect();
    for _ in 0..2 {
        store.restore(&view).await.unwrap();
    }
    let mut stored = Vec::new();
    while let page = store.marks(stored.last().map(|mark: &StoredMark| mark.key), 70).await.unwrap()
        && !page.is_empty()
    {
        stored.extend(page);
    }
    assert_eq!(stored.len(), 300);
    let find = |mark: &Mark| stored.iter().find(|stored| stored.key == mark.key()).unwrap().clone();
    assert_eq!(find(&known[0]), StoredMark::from(known[0].clone()), "the later end, and the name that was there");
    assert_eq!(find(&known[1]).expires_at, at(9_999));
    assert_eq!(find(&known[2]), nameless(&known[2]));
}

async fn of_all_who_mark_at_once_the_one_that_kills_most_stays(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mark = mark(MarkKind::Sub, "alice", at(1_000 + number));
            store.mark(Mark { issued_before: Some(at(64 - number)), ..mark }).await.unwrap();
        });
    }
    tasks.join_all().await;
    let expected = Mark { issued_before: Some(at(64)), ..mark(MarkKind::Sub, "alice", at(1_063)) };
    assert_eq!(all_marks(&*store, 10).await, [expected]);
}

async fn marks_are_found_by_their_keys_as_they_are_now(store: Arc<dyn Store>) {
    let marks: Vec<_> = (0..40).map(jti).collect();
    for mark in &marks[..20] {
        store.mark(mark.clone()).await.unwrap();
    }
    let under = async |marks: &[Mark]| {
        let keys: Vec<_> = marks.iter().map(Mark::key).collect();
        let mut found = store.marks_under(&keys).await.unwrap();
        found.sort_by_key(|mark| mark.key);
        found
    };
    let mut expected: Vec<_> = marks[10..20].iter().cloned().map(StoredMark::from).collect();
    expected.sort_by_key(|mark| mark.key);
    assert_eq!(under(&marks[10..30]).await, expected, "those that there are");
    assert_eq!(under(&[]).await, []);
    let later = Mark { expires_at: at(5_000), ..marks[0].clone() };
    store.mark(later.clone()).await.unwrap();
    assert_eq!(under(&marks[..1]).await, [StoredMark::from(later)]);
}

async fn what_is_not_over_by_the_servers_clock_is_kept_whoever_says_what(store: Arc<dyn Store>) {
    let marks: Vec<_> = (0..40).map(jti).collect();
    for mark in &marks {
        store.mark(mark.clone()).await.unwrap();
    }
    store.create(sid(1), family()).await.unwrap();
    for wrong in [at(999), at(1000), at(1_000_000), Timestamp::MAX] {
        assert_eq!(store.sweep(wrong).await, Ok(Swept::default()), "{wrong:?}");
    }
    assert_eq!(all_marks(&*store, 100).await.len(), 40);
    assert_eq!(store.family(sid(1)).await, Ok(Some(family())));
}

async fn pages_miss_nothing_that_stays_and_repeat_nothing(store: Arc<dyn Store>) {
    let stay: Vec<_> = (0..200).map(jti).collect();
    let go: Vec<_> = (200..400).map(|number| mark(MarkKind::Jti, &format!("token {number}"), at(1))).collect();
    for mark in stay.iter().chain(&go) {
        store.mark(mark.clone()).await.unwrap();
    }
    let mut seen: Vec<Mark> = Vec::new();
    for number in 0.. {
        let page = store.marks(seen.last().map(Mark::key), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(named));
        // Between two pages some come, half of the others go, and one is made again.
        store.mark(jti(1000 + number)).await.unwrap();
        store.mark(stay[usize::try_from(number).unwrap() % 200].clone()).await.unwrap();
        if number == 10 {
            store.sweep(at(1)).await.unwrap();
        }
    }
    let keys: Vec<_> = seen.iter().map(Mark::key).collect();
    assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]), "in order, none twice");
    for mark in &stay {
        assert_eq!(seen.iter().filter(|seen| *seen == mark).count(), 1, "{mark:?}");
    }
    assert_eq!(store.marks(None, 0).await.unwrap().len(), 1, "a page of none would be the end");
}

/// So many that where they are spread over several places no place has quite its share.
async fn only_the_last_page_is_short(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for number in 0..2_000 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.mark(jti(number)).await.unwrap() });
    }
    tasks.join_all().await;
    for limit in [10, 100, 999, 1_000, 2_000, 2_001] {
        let (mut count, mut after) = (0, None);
        loop {
            let page = store.marks(after, limit).await.unwrap();
            count += page.len();
            after = page.last().map(|mark| mark.key);
            if page.len() < limit {
                break;
            }
        }
        assert_eq!(count, 2_000, "{limit}");
    }
}

macro_rules! every_case {
    ($open:expr, $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let (store, _keep) = $open;
                super::$case(Arc::new(store)).await;
            }
        )*
    };
}

macro_rules! suite {
    ($name:ident, $open:expr, $($more:ident)*) => {
        mod $name {
            use super::*;

            every_case! { $open,
                a_session_is_kept_as_it_was_given
                an_unknown_session_is_none_and_cannot_be_swapped_in
                an_empty_store_has_no_latest_access_exp
                a_name_is_not_used_twice
                a_swap_compares_the_whole_record
                of_64_rotations_at_once_one_wins
                of_64_refreshes_at_once_all_get_one_successor
                a_generation_ahead_becomes_the_current_one
                a_mark_needs_no_session_and_comes_before_its_token
                marks_of_one_key_become_one_that_kills_more
                of_all_who_mark_at_once_the_one_that_kills_most_stays
                a_mark_outlives_a_lowered_setting
                the_latest_access_exp_is_never_too_early
                pages_miss_nothing_that_stays_and_repeat_nothing
                only_the_last_page_is_short
                $($more)*
            }
        }
    };
}

/// A store of one instance, which forgets when it is told to.
macro_rules! own {
    ($name:ident, $open:expr) => {
        suite! { $name, $open,
            nothing_is_forgotten_a_moment_early_or_late
            a_sweep_of_thousands_is_complete
            a_swap_without_a_session_has_no_latest_access_exp
            the_latest_access_exp_only_grows
        }
    };
}

/// A store of many instances, on a server with a clock.
macro_rules! served {
    ($name:ident, $settings:expr) => {
        suite! { $name, (crate::redis::server::store(&$settings), ()),
            what_is_restored_is_merged_with_what_is_there
            what_is_not_over_by_the_servers_clock_is_kept_whoever_says_what
            marks_are_found_by_their_keys_as_they_are_now
        }
    };
}

own!(memory, (MemoryStore::new(None), ()));
own!(embedded, {
    let directory = tempfile::tempdir().unwrap();
    (EmbeddedStore::open(&directory.path().join("store")).unwrap(), directory)
});
own!(embedded_elsewhere, (EmbeddedStore::with_backend(PowerCut::new()).unwrap(), ()));
served!(redis, shared(Maker::Redis));
served!(valkey, shared(Maker::Valkey));
served!(redis_under_sentinels, shared_sentinels());
served!(redis_cluster, shared_cluster());
