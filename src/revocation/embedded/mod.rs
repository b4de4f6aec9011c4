//! The embedded store: one file, for one instance. What it acknowledged survives `kill -9` and a power cut.
//!
//! # Why it is opened twice
//!
//! Opening a database writes to it, repairing it more so. A file that turns out to be damaged, or not ours, must be left as
//! it is for whoever will look into it. So the file is first opened through a layer that keeps the writes in memory, and
//! every page and record is read; only then in earnest. The same layer lets a file on a full disk be read.

mod disk;
mod engine;
mod open;
mod overlay;
mod tables;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use redb::{ReadTransaction, StorageBackend};

pub use self::open::OpenError;

use self::disk::Disk;
use self::engine::Engine;
use self::tables::Past;
use self::writer::Writer;
use super::memory::TAKEN;
use super::{Family, Mark, MarkKey, Position, Sid, Store, StoreError, StoredMark, Swap, Swept};
use crate::base::Timestamp;

/// Sessions and marks in a file that survives. Its methods need a tokio runtime. Dropping it waits until what was asked
/// for is written, and gives the file back.
pub struct EmbeddedStore {
    // First, so that it is dropped first: it ends the engine.
    writer: Writer,
    engine: Arc<Engine>,
}

impl EmbeddedStore {
    /// Opens the store at `path`, or makes one there, readable by its owner only. The directory must exist.
    ///
    /// # Errors
    /// [`OpenError`], with the file as it was.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let disk = open::file(path)?;
        Self::start(disk, path.display().to_string())
    }

    /// Opens the store on `backend`, or makes one there if it is empty. The backend may be used by several databases one
    /// after the other: it must bear more than one [`close`](StorageBackend::close).
    ///
    /// # Errors
    /// [`OpenError`]; what the backend held is as it was.
    pub fn with_backend(backend: impl StorageBackend) -> Result<Self, OpenError> {
        let name = "backend";
        let disk = Disk::new(backend);
        let len = disk.len().map_err(|source| OpenError::Io { path: name.to_owned(), source })?;
        if len == 0 {
            open::initialise(&disk, name)?;
        }
        open::inspect(&disk, name)?;
        Self::start(disk, name.to_owned())
    }

    fn start(disk: Disk, name: String) -> Result<Self, OpenError> {
        let engine = Engine::mount(disk, name.clone()).map_err(|error| open::explain(&name, error))?;
        let engine = Arc::new(engine);
        let writer = Writer::start(Arc::clone(&engine)).map_err(|source| OpenError::Io { path: name, source })?;
        Ok(Self { writer, engine })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let engine = Arc::clone(&self.engine);
        let reading = tokio::task::spawn_blocking(move || engine.read(work));
        reading.await.map_err(|_| StoreError::Unavailable("a read was cancelled".to_owned()))?
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        let created = self.writer.write(move |tables| tables.create(sid, &family)).await?;
        if created { Ok(()) } else { Err(StoreError::Unavailable(TAKEN.to_owned())) }
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.read(move |transaction| tables::family(transaction, sid)).await
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        let expected = expected.clone();
        self.writer.write(move |tables| tables.swap(sid, &expected, &next)).await
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        let mark = StoredMark::from(mark);
        self.writer.write(move |tables| tables.mark(mark.clone())).await?;
        Ok(Position::Local)
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.read(move |transaction| tables::marks(transaction, after, limit)).await
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        self.read(tables::latest_access_exp).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        let past = self.read(move |transaction| Past::find(transaction, now)).await?;
        let mut swept = Swept::default();
        // In parts, so that no revocation waits for a long sweep.
        for part in past.parts(SWEEP_PART) {
            let done = self.writer.write(move |tables| tables.forget(&part, now)).await?;
            swept.marks += done.marks;
            swept.families += done.families;
        }
        Ok(swept)
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("EmbeddedStore").field(&self.engine.name()).finish()
    }
}

/// Records forgotten in one transaction.
const SWEEP_PART: usize = 1000;
