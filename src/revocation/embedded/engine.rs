//! The database as it is mounted: to write, or, while the disk does not let us, to read only.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parking_lot::RwLock;
use redb::{Database, ReadTransaction, ReadableDatabase, StorageBackend};

use super::disk::Disk;
use super::open::builder;
use super::overlay::Overlay;
use super::tables::Tables;
use crate::revocation::StoreError;

/// A database that is opened anew after an error: having seen one, redb refuses everything until it is.
#[derive(Debug)]
pub(super) struct Engine {
    name: String,
    disk: Disk,
    mount: RwLock<Mount>,
}

#[derive(Debug)]
struct Mount {
    state: State,
    /// How many there were before, so that of those who saw one fail only the first replaces it.
    number: u64,
}

#[derive(Debug)]
enum State {
    Writable(Database),
    /// Over an [`Overlay`], with why it cannot be written to.
    ReadOnly(Database, StoreError),
    Closed(StoreError),
    /// For good.
    Ended,
}

impl Engine {
    /// Mounts a disk that was looked through before.
    pub(super) fn mount(disk: Disk, name: String) -> Result<Self, redb::Error> {
        let mut database = open(&disk)?;
        // Where the free space is was written by who closed it last; if that is wrong, it is put right before it is used.
        shielded(|| Ok(database.check_integrity()?))?;
        Ok(Self { name, disk, mount: RwLock::new(Mount { state: State::Writable(database), number: 0 }) })
    }

    /// Calls `work` in a transaction that sees what was committed last. `work` may be called twice.
    pub(super) fn read<T>(&self, work: impl Fn(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let (result, seen) = self.try_read(&work);
        if result.is_ok() {
            return result;
        }
        self.remount(seen);
        self.try_read(&work).0
    }

    /// Calls `work` in a transaction, and returns when what it did is durable. `work` is called once at most.
    pub(super) fn write(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        if let Some(seen) = self.unwritable() {
            self.remount(seen);
        }
        let mount = self.mount.read();
        let seen = mount.number;
        let result = match &mount.state {
            State::Writable(database) => shielded(|| commit(database, work)).map_err(|error| self.error(&error)),
            State::ReadOnly(_, why) | State::Closed(why) => return Err(why.clone()),
            State::Ended => return Err(self.ended()),
        };
        drop(mount);
        if result.is_err() {
            // At once, so that reads go on.
            self.remount(seen);
        }
        result
    }

    /// Closes the database for good and gives the file back.
    pub(super) fn end(&self) {
        self.mount.write().state = State::Ended;
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn try_read<T>(&self, work: &impl Fn(&ReadTransaction) -> Result<T, redb::Error>) -> (Result<T, StoreError>, u64) {
        let mount = self.mount.read();
        let result = match &mount.state {
            State::Writable(database) | State::ReadOnly(database, _) => {
                shielded(|| work(&database.begin_read()?)).map_err(|error| self.error(&error))
            }
            State::Closed(why) => Err(why.clone()),
            State::Ended => Err(self.ended()),
        };
        (result, mount.number)
    }

    /// The number of the mount if it cannot be written to.
    fn unwritable(&self) -> Option<u64> {
        let mount = self.mount.read();
        let writable = match &mount.state {
            // Fails if a read has seen an error.
            State::Writable(database) => shielded(|| Ok(database.begin_write()?.abort()?)).is_ok(),
            _ => false,
        };
        (!writable).then_some(mount.number)
    }

    /// Opens the database anew, unless that was done since the mount number `seen`.
    fn remount(&self, seen: u64) {
        let mut mount = self.mount.write();
        if mount.number != seen || matches!(mount.state, State::Ended) {
            return;
        }
        // Before the next is opened: both need the lock on the file.
        mount.state = State::Closed(StoreError::Unavailable(format!("{}: closed", self.name)));
        mount.state = match open(&self.disk) {
            Ok(database) => State::Writable(database),
            Err(error) => {
                let why = self.error(&error);
                match open_to_read(&self.disk) {
                    Ok(database) => State::ReadOnly(database, why),
                    Err(_) => State::Closed(why),
                }
            }
        };
        mount.number = mount.number.wrapping_add(1);
    }

    fn error(&self, error: &redb::Error) -> StoreError {
        match error {
            redb::Error::Io(error) if is_full(error) => StoreError::Full,
            error => StoreError::Unavailable(format!("{}: {error}", self.name)),
        }
    }

    fn ended(&self) -> StoreError {
        StoreError::Unavailable(format!("{}: closed", self.name))
    }
}

/// What a full disk, a quota or a limit on a file's size says.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The result of `work`; a panic in it is an error. The database has assertions where a damaged file or a failing disk
/// may lead, and they must not end the writer's thread.
pub(super) fn shielded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(redb::Error::Corrupted("the database panicked".to_owned())))
}

fn open(disk: &Disk) -> Result<Database, redb::Error> {
    shielded(|| {
        if disk.len()? == 0 {
            return Err(redb::Error::Corrupted("it is empty".to_owned()));
        }
        Ok(builder().create_with_backend(disk.clone())?)
    })
}

fn open_to_read(disk: &Disk) -> Result<Database, redb::Error> {
    shielded(|| Ok(builder().create_with_backend(Overlay::new(disk.clone())?)?))
}

fn commit(
    database: &Database,
    work: impl FnOnce(&mut Tables<'_>) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // Two syncs instead of one: what the commit consists of is on the disk before it becomes the current one.
    // With one, a commit that is damaged later cannot be told from one that a power cut interrupted, and is taken back
    // without a word, an acknowledged revocation with it; with two it is an error. And after a sync that failed Linux
    // takes the pages for written: with one, later commits would stand on pages that are not there.
    transaction.set_two_phase_commit(true);
    let mut tables = Tables::open(&transaction)?;
    work(&mut tables)?;
    let changed = tables.changed();
    drop(tables);
    // `Durability::Immediate` is the default: this returns when all of it is on the disk.
    if changed {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(())
}
