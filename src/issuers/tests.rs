//! The keys of issuers while those answer, fail, hang and lie. Time is paused: nothing here waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::*;
use crate::base::{ManualClock, Timestamp};
use crate::keys::{Algorithm, KeySet};
use crate::telemetry::{Settings, Sink};

/// Found by discovery, on this name.
pub(super) fn source(issuer: &str) -> KeySource {
    KeySource {
        issuer: issuer.to_owned(),
        jwks_url: None,
        algorithms: vec![Algorithm::Es256, Algorithm::EdDsa],
        max_stale: Duration::from_hours(24),
        roots: Vec::new(),
        allow_http: false,
    }
}

/// A set with an Ed25519 key for each of these ids.
pub(super) fn set(kids: &[&str]) -> Vec<u8> {
    let key = |kid: &&str| {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#)
    };
    format!(r#"{{"keys":[{}]}}"#, kids.iter().map(key).collect::<Vec<_>>().join(",")).into_bytes()
}

/// Answers as it is told, the last answer for ever, each after `delay`.
#[derive(Debug)]
struct Scripted {
    answers: Mutex<VecDeque<Result<Fetched, FetchError>>>,
    delay: Mutex<Duration>,
    asked: Mutex<Vec<Instant>>,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<Fetched, FetchError>>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect());
        Arc::new(Self { answers, delay: Mutex::default(), asked: Mutex::default() })
    }

    fn then(&self, answer: Result<Fetched, FetchError>) {
        *self.answers.lock() = [answer].into();
    }

    fn count(&self) -> usize {
        self.asked.lock().len()
    }

    /// The shortest time between two attempts.
    fn closest(&self) -> Duration {
        self.asked.lock().windows(2).map(|two| two[1] - two[0]).min().unwrap_or(Duration::MAX)
    }
}

#[async_trait]
impl Fetch for Scripted {
    async fn fetch(&self, _: &KeySource) -> Result<Fetched, FetchError> {
        self.asked.lock().push(Instant::now());
        let delay = *self.delay.lock();
        sleep(delay).await;
        let mut answers = self.answers.lock();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
    }
}

fn good(kids: &[&str]) -> Result<Fetched, FetchError> {
    Ok(Fetched { text: set(kids), fresh_for: None })
}

fn down() -> Result<Fetched, FetchError> {
    Err(FetchError::Status(Document::Keys, 500))
}

struct World {
    fetch: Arc<Scripted>,
    clock: Arc<ManualClock>,
    around: Surroundings,
}

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const ISSUER: &str = "https://issuer.example/";

impl World {
    fn new(answers: impl IntoIterator<Item = Result<Fetched, FetchError>>) -> Self {
        let (fetch, clock) = (Scripted::new(answers), Arc::new(ManualClock::at(NOW)));
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &Settings::default()));
        let around =
            Surroundings { clock: Arc::clone(&clock) as _, telemetry, fetch: Arc::clone(&fetch) as _, last_good: None };
        Self { fetch, clock, around }
    }

    fn issuers(&self, source: KeySource, before: Option<&Issuers>) -> Issuers {
        Issuers::new(vec![source], before, self.around.clone())
    }

    async fn begun(&self) -> (Issuers, Arc<IssuerKeys>) {
        let issuers = self.issuers(source(ISSUER), None);
        issuers.begin().await;
        let keys = Arc::clone(issuers.get(ISSUER).unwrap());
        (issuers, keys)
    }

    /// Both clocks, and whoever waits for them.
    async fn pass(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(Duration::from_millis(500));
            self.clock.advance(step);
            sleep(step).await;
            left -= step;
        }
    }
}

fn kids(keys: &IssuerKeys) -> Vec<String> {
    keys.live().now().keys().iter().map(|key| key.kid().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_keys_are_there_when_it_begins() {
    let world = World::new([good(&["a"])]);
    let (issuers, keys) = world.begun().await;
    assert_eq!(kids(&keys), ["a"]);
    assert!(!keys.last_fetch_failed());
    let statuses = issuers.statuses();
    assert_eq!(statuses[0].0, ISSUER);
    assert!(!statuses[0].1.is_degraded());
    assert_eq!(statuses[0].1.last_success, Some(NOW));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_or_is_down_at_the_start_delays_it_by_a_second_and_heals() {
    for (answer, delay) in [(down(), Duration::ZERO), (good(&["a"]), Duration::from_hours(1))] {
        let world = World::new([answer]);
        *world.fetch.delay.lock() = delay;
        let start = Instant::now();
        let (_issuers, keys) = world.begun().await;
        assert!(start.elapsed() <= Duration::from_millis(1001), "{:?}", start.elapsed());
        assert!(!keys.live().now().is_available());
        world.pass(Duration::from_secs(1)).await;
        assert!(keys.last_fetch_failed());
        world.fetch.then(good(&["a"]));
        *world.fetch.delay.lock() = Duration::ZERO;
        world.pass(Duration::from_secs(17)).await;
        assert_eq!(kids(&keys), ["a"]);
        assert!(!keys.last_fetch_failed());
    }
}

/// K07. What is fetched replaces what was there; what cannot be used does not.
#[tokio::test(start_paused = true)]
async fn a_set_is_replaced_whole_or_not_at_all() {
    let text = |text: &str| Ok(Fetched { text: text.as_bytes().to_vec(), fresh_for: None });
    let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 101].join(","));
    for (answer, expected) in [
        (good(&["b"]), &["b"][..]),
        (good(&["b", "a"]), &["a", "b"]),
        (good(&["a", "b"]), &["a", "b"]),
        (text(r#"{"keys":[]}"#), &["a"]),
        (text(r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#), &["a"]),
        (text(r#"{"keys":[],"keys":[{"kty":"OKP"}]}"#), &["a"]),
        (text("<html>please log in</html>"), &["a"]),
        (text(""), &["a"]),
        (text(&many), &["a"]),
        (text(&format!(r#"{{"keys":{}"#, "[".repeat(100_000))), &["a"]),
        (down(), &["a"]),
        (Err(FetchError::WrongIssuer), &["a"]),
    ] {
        let world = World::new([good(&["a"]), answer.clone()]);
        let (_issuers, keys) = world.begun().await;
        let before = Arc::clone(&keys.live().now());
        world.pass(Duration::from_secs(400)).await;
        assert_eq!(kids(&keys), expected, "{answer:?}");
        let kept = expected == ["a"];
        assert_eq!(
            Arc::ptr_eq(&before, &keys.live().now()),
            kept,
            "what was verified with it is remembered by it: {answer:?}"
        );
        assert_eq!(keys.last_fetch_failed(), kept, "{answer:?}");
        assert_eq!(keys.status(NOW).is_degraded(), kept, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_in_another_order_are_the_same_keys() {
    let world = World::new([good(&["a", "b"]), good(&["b", "a"])]);
    let (_issuers, keys) = world.begun().await;
    let before = Arc::clone(&keys.live().now());
    world.pass(Duration::from_secs(400)).await;
    assert_eq!(world.fetch.count(), 2);
    assert!(Arc::ptr_eq(&before, &keys.live().now()), "what was verified with it is remembered by it");
}

/// An id that is used again is another key.
#[tokio::test(start_paused = true)]
async fn a_key_under_an_old_id_is_a_new_key() {
    let other = String::from_utf8(set(&["a"]))
        .unwrap()
        .replace("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw");
    let world = World::new([good(&["a"]), Ok(Fetched { text: other.into_bytes(), fresh_for: None })]);
    let (_issuers, keys) = world.begun().await;
    let before = keys.live().now().keys()[0].clone();
    world.pass(Duration::from_secs(400)).await;
    assert_eq!(kids(&keys), ["a"]);
    assert!(!keys.live().now().has(&before));
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_too_old_are_none_until_the_issuer_is_back() {
    let world = World::new([good(&["a"]), down()]);
    let issuers = world.issuers(KeySource { max_stale: Duration::from_mins(30), ..source(ISSUER) }, None);
    issuers.begin().await;
    let keys = issuers.get(ISSUER).unwrap();
    world.pass(Duration::from_mins(29)).await;
    assert!(keys.live().now().is_available());
    world.pass(Duration::from_mins(2)).await;
    assert_eq!(**keys.live().now(), KeySet::unavailable());
    assert!(keys.last_fetch_failed());
    world.fetch.then(good(&["a"]));
    world.pass(Duration::from_secs(75)).await;
    assert_eq!(kids(keys), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_a_failed_one() {
    #[derive(Debug)]
    struct Panics;
    #[async_trait]
    impl Fetch for Panics {
        async fn fetch(&self, _: &KeySource) -> Result<Fetched, FetchError> {
            panic!("as if there were a defect");
        }
    }
    let mut world = World::new([down()]);
    world.around.fetch = Arc::new(Panics);
    let (_issuers, keys) = world.begun().await;
    assert_eq!(keys.status(NOW).problem.as_deref(), Some("the fetch ended in a panic"));
    world.pass(Duration::from_secs(25)).await;
    assert!(world.around.telemetry.metrics.render().contains(r#"result="panic"} 3"#), "it goes on");
}

#[tokio::test(start_paused = true)]
async fn a_reload_takes_over_what_did_not_change_and_ends_what_is_gone() {
    let world = World::new([good(&["a"])]);
    let (before, keys) = world.begun().await;
    let same = world.issuers(source(ISSUER), Some(&before));
    same.begin().await;
    assert!(Arc::ptr_eq(same.get(ISSUER).unwrap(), &keys));
    assert_eq!(world.fetch.count(), 1, "and are not fetched again");

    world.fetch.then(down());
    let stricter = KeySource { max_stale: Duration::from_mins(5), ..source(ISSUER) };
    let like = world.issuers(stricter, Some(&same));
    assert_eq!(kids(like.get(ISSUER).unwrap()), ["a"], "other terms, the same keys");
    let elsewhere = KeySource { jwks_url: Some("https://elsewhere.example/".parse().unwrap()), ..source(ISSUER) };
    let moved = world.issuers(elsewhere, Some(&same));
    assert!(!moved.get(ISSUER).unwrap().live().now().is_available(), "another place, none of its keys");
    let narrower = KeySource { algorithms: vec![Algorithm::Es256], ..source(ISSUER) };
    assert!(!world.issuers(narrower, Some(&same)).get(ISSUER).unwrap().live().now().is_available());

    drop((before, same, keys, like, moved));
    let count = world.fetch.count();
    world.pass(Duration::from_hours(2)).await;
    assert_eq!(world.fetch.count(), count, "nobody uses them any more");
}

#[tokio::test(start_paused = true)]
async fn what_an_issuer_says_of_its_freshness_is_kept_to_within_reason() {
    for (fresh_for, from, to) in
        [(Some(0), 54, 66), (Some(120), 108, 132), (None, 270, 330), (Some(86_400), 3240, 3960)]
    {
        let fresh_for = fresh_for.map(Duration::from_secs);
        let world = World::new([Ok(Fetched { text: set(&["a"]), fresh_for })]);
        let (_issuers, _keys) = world.begun().await;
        world.pass(Duration::from_secs(from - 1)).await;
        assert_eq!(world.fetch.count(), 1, "{fresh_for:?}");
        world.pass(Duration::from_secs(to - from + 2)).await;
        assert_eq!(world.fetch.count(), 2, "{fresh_for:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_gauges_say_how_old_keys_are() {
    let world = World::new([good(&["a"]), down()]);
    let (issuers, _keys) = world.begun().await;
    world.pass(Duration::from_secs(100)).await;
    issuers.collect();
    let rendered = world.around.telemetry.metrics.render();
    for line in [
        r#"doorward_issuer_keys_age_seconds{issuer="https://issuer.example/"} 100"#,
        r#"doorward_jwks_last_success_timestamp_seconds{issuer="https://issuer.example/"} 1700000000"#,
        r#"doorward_jwks_refresh_total{issuer="https://issuer.example/",result="ok"} 1"#,
        r#"doorward_jwks_refresh_total{issuer="https://issuer.example/",result="redirect"} 0"#,
    ] {
        assert!(rendered.contains(line), "{line}");
    }
}

mod kept;
mod wanted;
