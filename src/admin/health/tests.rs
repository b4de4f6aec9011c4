//! What probes are told, and when.

use std::time::Duration;

use super::*;
use crate::base::{Clock, ManualClock};
use crate::issuers::{Document, Fetch, FetchError, Fetched, KeySource, Surroundings};
use crate::keys::KeySet;
use crate::revocation::{Bucket, CacheSettings, Freshness, MemoryStore, StalenessSettings};
use crate::telemetry::{Settings, Sink, Telemetry};

#[test]
fn readiness_follows_the_life_of_the_process() {
    let health = Health::default();
    assert!(!health.is_ready());
    assert_eq!(health.ready_text(true, false), "not started\n");
    health.started();
    assert!(health.is_ready());
    assert_eq!(health.ready_text(true, false), "ok\n");
    health.set_reload_problem(Some("doorward.yaml:3:1: unknown-key: `x`".to_owned()));
    assert!(health.is_ready(), "the old configuration serves");
    assert_eq!(health.ready_text(true, false), "degraded: configuration\n");
    assert!(health.ready_text(true, true).contains("doorward.yaml:3:1"));
    health.set_reload_problem(None);
    assert!(health.is_ready());
    assert_eq!(health.ready_text(false, false), "degraded: store\n");
    health.set_store_problem(Some("Redis: no connection\nto h:1".to_owned()));
    assert_eq!(health.ready_text(false, false), "degraded: store\n");
    assert!(health.ready_text(false, true).contains("\n[-] store: Redis: no connection to h:1\n"));
    assert!(health.ready_text(true, true).contains("\n[+] store\n"), "it answers again");
    health.set_store_problem(None);
    assert!(health.ready_text(false, true).contains("\n[-] store\n"));
    health.drain();
    assert!(!health.is_ready());
    assert_eq!(
        health.ready_text(true, true),
        "draining\n[+] started\n[-] not draining\n[+] store\n[+] configuration\n"
    );
}

#[tokio::test]
async fn a_view_that_is_too_old_degrades_and_fails_where_nobody_may_pass() {
    let clock = Arc::new(ManualClock::default());
    let (store, cache) = (Arc::new(MemoryStore::new(None)), CacheSettings { capacity: 0, ttl: Duration::ZERO });
    let alone = Revocations::open(Arc::clone(&store) as _, Arc::clone(&clock) as _, cache).await.unwrap();
    let freshness = Arc::<Freshness>::default();
    let shared = Revocations::open(store, Arc::clone(&clock) as _, cache).await.unwrap();
    let shared = Arc::new(shared.shared(Arc::clone(&freshness)));
    let health = Health::default();
    health.started();
    health.set_revocations(Arc::new(alone));
    assert_eq!((health.is_ready(), health.ready_text(true, false).as_str()), (true, "ok\n"));
    assert!(!health.ready_text(true, true).contains("revocations"), "a store of its own is never old");
    health.set_revocations(Arc::clone(&shared));
    assert_eq!((health.is_ready(), health.ready_text(true, false).as_str()), (false, "too old: revocations\n"));
    assert!(health.ready_text(true, true).contains("[-] revocations: not known yet\n"));
    health.set_open(true);
    assert!(!health.is_ready(), "it would refuse all who have a token, each time that it starts");
    health.set_open(false);
    for bucket in Bucket::all() {
        freshness.set(bucket, clock.uptime());
    }
    clock.advance(Duration::from_millis(9_950));
    assert_eq!((health.is_ready(), health.ready_text(true, false).as_str()), (true, "ok\n"));
    assert!(health.ready_text(true, true).contains("[+] revocations: as of 9.9 s ago\n"));
    clock.advance(Duration::from_millis(51));
    assert_eq!((health.is_ready(), health.ready_text(false, false).as_str()), (false, "too old: store, revocations\n"));
    health.set_open(true);
    assert_eq!((health.is_ready(), health.ready_text(false, false).as_str()), (true, "degraded: store, revocations\n"));
    health.set_open(false);
    shared.set_staleness(StalenessSettings { then: OnStoreFailure::Allow, ..StalenessSettings::default() });
    assert_eq!((health.is_ready(), health.ready_text(false, false).as_str()), (true, "degraded: store, revocations\n"));
    assert!(health.ready_text(true, true).contains("[-] revocations: as of 10.0 s ago\n"));
}

#[derive(Debug)]
struct Down;

#[async_trait::async_trait]
impl Fetch for Down {
    async fn fetch(&self, _: &KeySource) -> Result<Fetched, FetchError> {
        Err(FetchError::Status(Document::Keys, 500))
    }
}

fn key_source(issuer: &str) -> KeySource {
    KeySource {
        issuer: issuer.to_owned(),
        jwks_url: None,
        algorithms: Vec::new(),
        max_stale: Duration::from_hours(1),
        roots: Vec::new(),
        allow_http: false,
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_degrades_and_fails_only_where_there_is_nobody_else() {
    let telemetry = Telemetry::new(Sink::memory(), &Settings::default());
    let (clock, fetch) = (Arc::new(ManualClock::default()), Arc::new(Down));
    let around = Surroundings { clock, telemetry: Arc::new(telemetry), fetch, last_good: None };
    let sources = ["https://a.example/", "https://b.example/"].map(key_source);
    let issuers = Arc::new(Issuers::new(sources.to_vec(), None, around));
    let health = Health::default();
    health.started();
    health.set_issuers(Arc::clone(&issuers), false);
    issuers.begin().await;
    assert!(health.is_ready(), "own tokens are served");
    assert_eq!(health.ready_text(true, false), "degraded: issuer https://a.example/, issuer https://b.example/\n");
    assert!(
        health
            .ready_text(true, true)
            .contains("[-] issuer https://a.example/: no keys yet; the key set answered with status 500\n")
    );
    health.set_issuers(Arc::clone(&issuers), true);
    assert!(!health.is_ready());
    assert_eq!(
        health.ready_text(false, false),
        "no keys: store, issuer https://a.example/, issuer https://b.example/\n"
    );
    issuers.get("https://a.example/").unwrap().live().replace(KeySet::new([]));
    assert!(health.is_ready(), "one issuer's tokens are served");
    health.set_issuers(Arc::default(), false);
    assert_eq!(health.ready_text(true, false), "ok\n");
}
