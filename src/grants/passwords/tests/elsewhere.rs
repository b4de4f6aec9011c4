//! What another instance revoked, and the view here does not know yet.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::revocation::{Mark, MarkKey, MarkKind, Position, Store, StoreError, StoredMark, Swap, Swept};

/// A store that others write too. Nobody tells here of their marks.
#[derive(Debug)]
pub(super) struct Shared {
    inner: MemoryStore,
    silent: AtomicBool,
    pub(super) asked: AtomicUsize,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        let (inner, silent, asked) = (MemoryStore::new(None), AtomicBool::default(), AtomicUsize::default());
        Arc::new(Self { inner, silent, asked })
    }
}

#[async_trait]
impl Store for Shared {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        self.inner.create(sid, family).await
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.inner.family(sid).await
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        self.inner.swap(sid, expected, next).await
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        self.inner.mark(mark).await
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.inner.marks(after, limit).await
    }

    async fn marks_under(&self, keys: &[MarkKey]) -> Result<Vec<StoredMark>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.silent.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("silent".to_owned()));
        }
        let all = self.inner.marks(None, 1000).await?;
        Ok(all.into_iter().filter(|mark| keys.contains(&mark.key)).collect())
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        self.inner.latest_access_exp().await
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        self.inner.sweep(now).await
    }
}

async fn world() -> (World, Arc<Shared>) {
    let shared = Shared::new();
    (World::over(Arc::clone(&shared) as _, &weak(), false, false).await, shared)
}

#[tokio::test]
async fn what_was_revoked_elsewhere_gets_no_fresh_token() {
    for kind in [MarkKind::Sub, MarkKind::Client] {
        let (world, shared) = world().await;
        let session = world.log_in().await;
        let client = world.family(&session).await.client.unwrap();
        world.clock.advance(Duration::from_millis(10));
        let value = if kind == MarkKind::Sub { "alice".to_owned() } else { client.clone() };
        let cutoff = world.clock.now();
        let expires_at = cutoff.plus(Duration::from_hours(25));
        shared
            .mark(Mark { kind, issuer: ISSUER.to_owned(), value, expires_at, issued_before: Some(cutoff) })
            .await
            .unwrap();
        let known = || world.grants.revocations.cutoff(ISSUER, "alice", Some(&client));
        assert_eq!(known(), None, "{kind:?}: the view is behind");
        assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::InvalidRefreshToken, "{kind:?}");
        assert_eq!(known(), Some(cutoff), "{kind:?}: who asked knows it");
    }
}

#[tokio::test]
async fn a_login_in_the_second_of_what_was_revoked_elsewhere_is_dated_after_it() {
    let (world, shared) = world().await;
    world.clock.advance(Duration::from_millis(10));
    let cutoff = world.clock.now();
    let (issuer, value) = (ISSUER.to_owned(), "alice".to_owned());
    let expires_at = cutoff.plus(Duration::from_hours(25));
    shared.mark(Mark { kind: MarkKind::Sub, issuer, value, expires_at, issued_before: Some(cutoff) }).await.unwrap();
    world.clock.advance(Duration::from_millis(1));
    let login =
        Login { caller: &world.caller, username: "alice", password: Secret::new(PASSWORD), scope: None, from: None };
    let minted = world.grants.log_in(login).await.unwrap();
    let token = world.grants.verifier.verify_uncached(&minted.access_token).unwrap();
    assert!(token.claims().issued_at.unwrap().seconds() > cutoff.seconds(), "it would be born dead");
    assert!(world.refresh(&minted.refresh_token.unwrap()).await.is_ok());
}

#[tokio::test]
async fn where_nobody_can_tell_nothing_is_issued_and_nothing_ends() {
    let (world, shared) = world().await;
    let session = world.log_in().await;
    assert_eq!(shared.asked.swap(0, Ordering::SeqCst), 1, "a login asks once");
    let before = world.family(&session).await;
    shared.silent.store(true, Ordering::SeqCst);
    assert!(matches!(world.refresh(&session).await.unwrap_err(), GrantError::Store(_)));
    assert!(matches!(world.try_log_in().await.unwrap_err(), GrantError::Store(_)));
    assert_eq!(world.family(&session).await, before, "as it was");
    shared.silent.store(false, Ordering::SeqCst);
    shared.asked.store(0, Ordering::SeqCst);
    assert!(world.refresh(&session).await.is_ok(), "with the same token");
    assert_eq!(shared.asked.load(Ordering::SeqCst), 1, "a refresh asks once");
}
