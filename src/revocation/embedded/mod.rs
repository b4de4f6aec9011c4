//! The embedded store: one file, for one instance. What it acknowledged survives `kill -9` and a power cut.
//!
//! # Why it is opened twice
//!
//! Opening a database writes to it, repairing it more so. A file that turns out to be damaged, or not ours, must be left as
//! it is for whoever will look into it. So the file is first opened through a layer that keeps the writes in memory, and
//! every page and record is read; only then in earnest. The same layer lets a file on a full disk be read.
//!
//! # How large the file gets
//!
//! Room of what was swept is used again, so the file stays as large as the most that was ever in it at once, and what is opened is cut to
//! what it holds. It is not compacted while it serves: that would hold up every write until it is done.

mod disk;
mod engine;
mod exports;
mod open;
mod overlay;
mod tables;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use async_trait::async_trait;
use redb::{ReadTransaction, StorageBackend};

pub use self::open::OpenError;

use self::disk::Disk;
use self::engine::Engine;
use self::tables::Past;
use self::writer::Writer;
use super::memory::TAKEN;
use super::transfer::Exports;
use super::{Family, Mark, MarkKey, Position, Sid, Store, StoreError, StoredMark, Swap, Swept};
use crate::base::Timestamp;

/// Sessions and marks in a file that survives. Its methods need a tokio runtime. Dropping it waits until what was asked
/// for is written, and gives the file back.
pub struct EmbeddedStore {
    // First, so that it is dropped first: it ends the engine.
    writer: Writer,
    engine: Arc<Engine>,
    /// Since when it takes no writes, in milliseconds; 0 = it does. As the file has it, for whoever cannot wait.
    sealed_at: AtomicI64,
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
        let sealed = engine.read(tables::sealed_at);
        let sealed = sealed.map_err(|error| OpenError::Unreadable { path: name.clone(), why: error.to_string() })?;
        let writer = Writer::start(Arc::clone(&engine)).map_err(|source| OpenError::Io { path: name, source })?;
        Ok(Self { writer, engine, sealed_at: AtomicI64::new(sealed.map_or(0, Timestamp::millis)) })
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

    async fn restore(&self, marks: &[StoredMark]) -> Result<(), StoreError> {
        let marks = marks.to_vec();
        self.writer.write(move |tables| marks.iter().try_for_each(|mark| tables.mark(mark.clone()))).await
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.read(move |transaction| tables::marks(transaction, after, limit)).await
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        self.read(tables::latest_access_exp).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        if self.sealed_at().is_some() {
            // What is being exported stays as it is.
            return Ok(Swept::default());
        }
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

    fn exports(&self) -> Option<&dyn Exports> {
        Some(self)
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("EmbeddedStore").field(&self.engine.name()).finish()
    }
}

/// Records forgotten in one transaction.
const SWEEP_PART: usize = 1000;
