//! Key ids that nobody has, and those that are new.

use super::*;

/// K06. Ten thousand key ids at once, for a minute: whatever the issuer answers, one attempt each ten seconds.
#[tokio::test(start_paused = true)]
async fn a_flood_of_key_ids_costs_a_fetch_each_ten_seconds() {
    let empty = || Ok(Fetched { text: br#"{"keys":[]}"#.to_vec(), fresh_for: None });
    for (name, answer) in [("unchanged", good(&["a"])), ("empty", empty()), ("500", down())] {
        for same_kid in [false, true] {
            let world = World::new([good(&["a"]), answer.clone()]);
            let (_issuers, keys) = world.begun().await;
            assert_eq!(kids(&keys), ["a"]);
            for second in 0..60 {
                let asked = (0..500).map(|number| {
                    let kid = if same_kid { "x".to_owned() } else { format!("{second}-{number}") };
                    let keys = Arc::clone(&keys);
                    tokio::spawn(async move { keys.want(Some(&kid)).await })
                });
                for one in asked.collect::<Vec<_>>() {
                    one.await.unwrap();
                }
                assert!(keys.want(Some("a")).await, "keys that are known are never asked for");
                world.pass(Duration::from_secs(1)).await;
            }
            let count = world.fetch.count();
            assert!((if same_kid { 3 } else { 6 }..=7).contains(&count), "{name}: {count}");
            assert!(world.fetch.closest() >= Duration::from_secs(10), "{name}: {:?}", world.fetch.closest());
            assert_eq!(kids(&keys), ["a"], "{name}");
        }
    }
}

/// K06, of an issuer whose keys were never learnt: the cooldown depends neither on that nor on how long they are kept.
#[tokio::test(start_paused = true)]
async fn the_cooldown_holds_without_keys_and_for_short_lives_too() {
    for (answer, max_stale) in [(down(), Duration::from_hours(24)), (good(&["a"]), Duration::from_secs(20))] {
        let world = World::new([answer.clone()]);
        let issuers = world.issuers(KeySource { max_stale, ..source(ISSUER) }, None);
        issuers.begin().await;
        for number in 0..120 {
            issuers.get(ISSUER).unwrap().want(Some(&number.to_string())).await;
            world.pass(Duration::from_millis(500)).await;
        }
        assert!(world.fetch.closest() >= Duration::from_secs(10), "{answer:?}: {:?}", world.fetch.closest());
        assert!(world.fetch.count() >= 5, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_new_is_learnt_with_one_fetch_for_all_who_wait() {
    let world = World::new([good(&["a"])]);
    let (_issuers, keys) = world.begun().await;
    world.pass(Duration::from_secs(11)).await;
    world.fetch.then(good(&["a", "b"]));
    *world.fetch.delay.lock() = Duration::from_millis(300);
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.want(Some("b")).await })
        })
        .collect();
    for one in waiting {
        assert!(one.await.unwrap());
    }
    assert_eq!(world.fetch.count(), 2);
    assert_eq!(kids(&keys), ["a", "b"]);
}

/// K08. Nobody waits longer than a second for an issuer that hangs, and after that second nobody waits at all.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_makes_no_crowd() {
    let world = World::new([good(&["a"])]);
    let (_issuers, keys) = world.begun().await;
    world.pass(Duration::from_secs(11)).await;
    *world.fetch.delay.lock() = Duration::from_hours(1);
    let start = Instant::now();
    let waiting: Vec<_> = (0..1000)
        .map(|number| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.want(Some(&number.to_string())).await })
        })
        .collect();
    for one in waiting {
        assert!(one.await.unwrap(), "to be decided again: it may be a key that could not be learnt");
    }
    assert!(start.elapsed() <= Duration::from_millis(1001), "{:?}", start.elapsed());
    assert!(keys.last_fetch_failed());
    let start = Instant::now();
    assert!(!keys.want(Some("late")).await);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(keys.want(Some("a")).await, "a known key is served meanwhile");
    // The attempt ends with its deadline, and counts as failed.
    world.pass(Duration::from_secs(5)).await;
    assert!(keys.last_fetch_failed());
    assert_eq!(keys.status(NOW).problem.as_deref(), Some("it took longer than 5 s"));
    assert_eq!(world.fetch.count(), 2);
}
