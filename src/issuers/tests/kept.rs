//! Starts with the keys that were kept, and without.

use std::fs;

use super::*;
use crate::base::Secret;
use crate::keys::ServerKeys;

fn last_good(dir: &std::path::Path, secret: &str) -> Arc<LastGood> {
    Arc::new(LastGood::new(dir, Arc::new(ServerKeys::new([&Secret::new(secret.repeat(32))]).unwrap())))
}

/// A doorward that fetched and kept `a`.
async fn ran(dir: &std::path::Path) {
    let mut world = World::new([good(&["a"])]);
    world.around.last_good = Some(last_good(dir, "k"));
    let (_issuers, _keys) = world.begun().await;
    world.pass(Duration::from_secs(1)).await;
}

async fn restarted(dir: &std::path::Path, source: KeySource, later: Duration) -> Vec<String> {
    let mut world = World::new([down()]);
    world.clock.advance(later);
    world.around.last_good = Some(last_good(dir, "k"));
    let issuers = world.issuers(source, None);
    issuers.begin().await;
    let found = kids(issuers.iter().next().unwrap());
    assert_eq!(issuers.statuses()[0].1.available, !found.is_empty());
    world.pass(Duration::from_secs(1)).await;
    assert!(issuers.statuses()[0].1.is_degraded());
    found
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_the_issuer_serves_what_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    ran(dir.path()).await;
    let elsewhere = KeySource { jwks_url: Some("https://elsewhere.example/".parse().unwrap()), ..source(ISSUER) };
    for (name, source, later, expected) in [
        ("soon", source(ISSUER), Duration::from_secs(60), true),
        ("within max_stale", source(ISSUER), Duration::from_hours(23), true),
        ("after it", source(ISSUER), Duration::from_hours(24) + Duration::from_secs(1), false),
        ("another issuer", source("https://other.example/"), Duration::ZERO, false),
        ("another source", elsewhere, Duration::ZERO, false),
    ] {
        assert_eq!(restarted(dir.path(), source, later).await.is_empty(), !expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_of_the_future_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let keys = last_good(dir.path(), "k");
    keys.save(&source(ISSUER), &set(&["a"]), NOW.plus(Duration::from_hours(1))).unwrap();
    assert!(restarted(dir.path(), source(ISSUER), Duration::ZERO).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_byte_of_the_file_can_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    ran(dir.path()).await;
    let path = last_good(dir.path(), "k").path(ISSUER);
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut text = whole.clone();
        text[place] ^= 1;
        fs::write(&path, &text).unwrap();
        let loaded = last_good(dir.path(), "k").load(&source(ISSUER));
        assert!(loaded.is_err(), "byte {place}");
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(restarted(dir.path(), source(ISSUER), Duration::ZERO).await.is_empty(), "cut off");
    fs::write(&path, &whole).unwrap();
    assert_eq!(restarted(dir.path(), source(ISSUER), Duration::ZERO).await, ["a"]);
}
