//! A store that fails on command.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use doorward::base::Timestamp;
use doorward::revocation::{Family, Mark, MarkKey, Position, Sid, Store, StoreError, StoredMark, Swap, Swept};
use serde::Deserialize;

/// What the store does from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Health {
    /// It works.
    Up,
    /// Nothing is read or written.
    Down,
    /// Reads work, writes do not.
    ReadOnly,
    /// Writes happen, and their answer is lost.
    Mute,
}

/// The switch and what stands behind it.
#[derive(Debug)]
pub(crate) struct SwitchedStore {
    inner: Arc<dyn Store>,
    health: AtomicU8,
}

impl SwitchedStore {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, health: AtomicU8::new(0) }
    }

    pub(crate) fn set(&self, health: Health) {
        self.health.store(health as u8, Ordering::SeqCst);
    }

    fn is(&self, health: Health) -> bool {
        self.health.load(Ordering::SeqCst) == health as u8
    }

    fn read(&self) -> Result<(), StoreError> {
        if self.is(Health::Down) { Err(failed()) } else { Ok(()) }
    }

    fn before_write(&self) -> Result<(), StoreError> {
        if self.is(Health::Down) || self.is(Health::ReadOnly) { Err(failed()) } else { Ok(()) }
    }

    fn after_write(&self) -> Result<(), StoreError> {
        if self.is(Health::Mute) { Err(failed()) } else { Ok(()) }
    }
}

fn failed() -> StoreError {
    StoreError::Unavailable("switched off by the test".to_owned())
}

#[async_trait]
impl Store for SwitchedStore {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        self.before_write()?;
        self.inner.create(sid, family).await?;
        self.after_write()
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.read()?;
        self.inner.family(sid).await
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        self.before_write()?;
        let swap = self.inner.swap(sid, expected, next).await?;
        self.after_write().map(|()| swap)
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        self.before_write()?;
        let position = self.inner.mark(mark).await?;
        self.after_write()?;
        Ok(position)
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.read()?;
        self.inner.marks(after, limit).await
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        self.read()?;
        self.inner.latest_access_exp().await
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        self.before_write()?;
        self.inner.sweep(now).await
    }
}
