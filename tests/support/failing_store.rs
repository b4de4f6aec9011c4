//! A store that fails on command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use doorward::base::Timestamp;
use doorward::revocation::{Family, Mark, MarkKey, Position, Sid, Store, StoreError, StoredMark, Swap, Swept};

/// Passes everything on to another store, or fails it before that one hears of it.
#[derive(Debug)]
pub struct FailingStore {
    inner: Arc<dyn Store>,
    down: AtomicBool,
    swaps_fail: AtomicBool,
}

impl FailingStore {
    /// Passes everything on until told otherwise.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, down: AtomicBool::new(false), swaps_fail: AtomicBool::new(false) }
    }

    /// From now on everything fails with [`StoreError::Unavailable`], or nothing.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// As [`FailingStore::set_down`], but [`Store::swap`] alone.
    pub fn set_swaps_fail(&self, fail: bool) {
        self.swaps_fail.store(fail, Ordering::SeqCst);
    }

    fn up(&self) -> Result<&dyn Store, StoreError> {
        if self.down.load(Ordering::SeqCst) { Err(failed()) } else { Ok(&*self.inner) }
    }
}

fn failed() -> StoreError {
    StoreError::Unavailable("down, as told".to_owned())
}

#[async_trait]
impl Store for FailingStore {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        self.up()?.create(sid, family).await
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.up()?.family(sid).await
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        let store = self.up()?;
        if self.swaps_fail.load(Ordering::SeqCst) { Err(failed()) } else { store.swap(sid, expected, next).await }
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        self.up()?.mark(mark).await
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.up()?.marks(after, limit).await
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        self.up()?.latest_access_exp().await
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        self.up()?.sweep(now).await
    }
}
