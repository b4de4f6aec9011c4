//! The tables of the database, and what is done to them in one transaction.

use redb::{Database, ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::base::Timestamp;
use crate::revocation::record::{self, Unreadable};
use crate::revocation::{Family, MarkKey, Sid, StoredMark, Swap, Swept};

/// The tables, open for writing.
pub(super) struct Tables<'a> {
    families: Table<'a, Key, Record>,
    marks: Table<'a, Key, Record>,
    numbers: Table<'a, &'static str, i64>,
    sealed: bool,
    changed: bool,
}

impl<'a> Tables<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        let numbers = transaction.open_table(NUMBERS)?;
        let sealed = numbers.get(SEALED_AT)?.is_some();
        Ok(Self {
            families: transaction.open_table(FAMILIES)?,
            marks: transaction.open_table(MARKS)?,
            numbers,
            sealed,
            changed: false,
        })
    }

    /// Whether nothing may be changed but that.
    pub(super) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Returns since when. In the file, so that a restart does not undo it.
    pub(super) fn seal(&mut self, now: Timestamp) -> Result<Timestamp, redb::Error> {
        if let Some(since) = self.numbers.get(SEALED_AT)?.map(|stored| stored.value()) {
            return Ok(Timestamp::from_millis(since));
        }
        self.numbers.insert(SEALED_AT, now.millis())?;
        (self.sealed, self.changed) = (true, true);
        Ok(now)
    }

    pub(super) fn unseal(&mut self) -> Result<(), redb::Error> {
        self.changed |= self.numbers.remove(SEALED_AT)?.is_some();
        self.sealed = false;
        Ok(())
    }

    /// Whether there is anything to commit.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// `false` if the name is taken.
    pub(super) fn create(&mut self, sid: Sid, family: &Family) -> Result<bool, redb::Error> {
        if self.family(sid)?.is_some() {
            return Ok(false);
        }
        self.put(sid, family)?;
        Ok(true)
    }

    pub(super) fn swap(&mut self, sid: Sid, expected: &Family, next: &Family) -> Result<Swap, redb::Error> {
        let stored = self.family(sid)?;
        if stored.as_ref() != Some(expected) {
            return Ok(Swap::Lost(stored));
        }
        self.put(sid, next)?;
        Ok(Swap::Done)
    }

    pub(super) fn mark(&mut self, mark: StoredMark) -> Result<(), redb::Error> {
        let key = mark.key;
        let stored = self.marks.get(key.as_bytes())?.map(|stored| record::to_mark(key, stored.value())).transpose()?;
        let merged = match stored.clone() {
            Some(stored) => mark.merged(stored),
            None => mark,
        };
        if stored.as_ref() != Some(&merged) {
            self.marks.insert(key.as_bytes(), record::of_mark(&merged)?.as_slice())?;
            self.changed = true;
        }
        Ok(())
    }

    /// Removes those of `past` that are past still: since they were looked up, one may have been given more time.
    pub(super) fn forget(&mut self, past: &Past, now: Timestamp) -> Result<Swept, redb::Error> {
        let mut swept = Swept::default();
        for (table, keys, count) in [
            (&mut self.marks, &past.marks, &mut swept.marks),
            (&mut self.families, &past.families, &mut swept.families),
        ] {
            for key in keys {
                let kept_until = table.get(key)?.map(|stored| record::kept_until(stored.value())).transpose()?;
                if kept_until.is_some_and(|until| until <= now) {
                    table.remove(key)?;
                    *count += 1;
                    self.changed = true;
                }
            }
        }
        Ok(swept)
    }

    fn family(&self, sid: Sid) -> Result<Option<Family>, redb::Error> {
        let stored = self.families.get(sid.as_bytes())?;
        Ok(stored.map(|stored| record::to_family(stored.value())).transpose()?)
    }

    fn put(&mut self, sid: Sid, family: &Family) -> Result<(), redb::Error> {
        self.families.insert(sid.as_bytes(), record::of_family(family)?.as_slice())?;
        let stored = self.numbers.get(LATEST_ACCESS_EXP)?.map_or(0, |stored| stored.value());
        if family.latest_access_exp.millis() > stored {
            self.numbers.insert(LATEST_ACCESS_EXP, family.latest_access_exp.millis())?;
        }
        self.changed = true;
        Ok(())
    }
}

/// Makes the tables in a database that has none.
pub(super) fn initialise(database: &Database) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Tables::open(&transaction)?.numbers.insert(FORMAT, FORMAT_VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// The format of the tables; `None` if they are not ours.
pub(super) fn format(transaction: &ReadTransaction) -> Result<Option<i64>, redb::Error> {
    match transaction.open_table(NUMBERS) {
        Ok(numbers) => Ok(numbers.get(FORMAT)?.map(|stored| stored.value())),
        Err(redb::TableError::Storage(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Reads every record.
pub(super) fn read_all(transaction: &ReadTransaction) -> Result<(), redb::Error> {
    for stored in transaction.open_table(FAMILIES)?.iter()? {
        record::to_family(stored?.1.value())?;
    }
    for stored in transaction.open_table(MARKS)?.iter()? {
        let (key, stored) = stored?;
        record::to_mark(MarkKey::from_bytes(*key.value()), stored.value())?;
    }
    Ok(())
}

impl From<Unreadable> for redb::Error {
    fn from(error: Unreadable) -> Self {
        Self::Corrupted(error.to_string())
    }
}

pub(super) fn family(transaction: &ReadTransaction, sid: Sid) -> Result<Option<Family>, redb::Error> {
    let stored = transaction.open_table(FAMILIES)?.get(sid.as_bytes())?;
    Ok(stored.map(|stored| record::to_family(stored.value())).transpose()?)
}

pub(super) fn marks(
    transaction: &ReadTransaction,
    after: Option<MarkKey>,
    limit: usize,
) -> Result<Vec<StoredMark>, redb::Error> {
    let table = transaction.open_table(MARKS)?;
    let behind = |key: &MarkKey| {
        table.range::<&[u8; 16]>((std::ops::Bound::Excluded(key.as_bytes()), std::ops::Bound::Unbounded))
    };
    let range = match &after {
        Some(key) => behind(key)?,
        None => table.iter()?,
    };
    let read = |stored: Result<(redb::AccessGuard<'_, Key>, redb::AccessGuard<'_, Record>), redb::StorageError>| {
        let (key, stored) = stored?;
        Ok(record::to_mark(MarkKey::from_bytes(*key.value()), stored.value())?)
    };
    range.take(limit.max(1)).map(read).collect()
}

/// As [`marks`], of sessions.
pub(super) fn families(
    transaction: &ReadTransaction,
    after: Option<Sid>,
    limit: usize,
) -> Result<Vec<(Sid, Family)>, redb::Error> {
    let table = transaction.open_table(FAMILIES)?;
    let range = match &after {
        Some(sid) => {
            table.range::<&[u8; 16]>((std::ops::Bound::Excluded(sid.as_bytes()), std::ops::Bound::Unbounded))?
        }
        None => table.iter()?,
    };
    let read = |stored: Result<(redb::AccessGuard<'_, Key>, redb::AccessGuard<'_, Record>), redb::StorageError>| {
        let (key, stored) = stored?;
        Ok((Sid::from_bytes(*key.value()), record::to_family(stored.value())?))
    };
    range.take(limit.max(1)).map(read).collect()
}

/// Since when nothing may be changed; `None` if it may.
pub(super) fn sealed_at(transaction: &ReadTransaction) -> Result<Option<Timestamp>, redb::Error> {
    let stored = transaction.open_table(NUMBERS)?.get(SEALED_AT)?;
    Ok(stored.map(|stored| Timestamp::from_millis(stored.value())))
}

pub(super) fn latest_access_exp(transaction: &ReadTransaction) -> Result<Timestamp, redb::Error> {
    let stored = transaction.open_table(NUMBERS)?.get(LATEST_ACCESS_EXP)?;
    Ok(stored.map_or(Timestamp::default(), |stored| Timestamp::from_millis(stored.value())))
}

/// What is past.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    marks: Vec<[u8; 16]>,
    families: Vec<[u8; 16]>,
}

impl Past {
    pub(super) fn find(transaction: &ReadTransaction, now: Timestamp) -> Result<Self, redb::Error> {
        let mut past = Self::default();
        for (table, keys) in [(MARKS, &mut past.marks), (FAMILIES, &mut past.families)] {
            for stored in transaction.open_table(table)?.iter()? {
                let (key, stored) = stored?;
                if record::kept_until(stored.value())? <= now {
                    keys.push(*key.value());
                }
            }
        }
        Ok(past)
    }

    /// In parts of at most `size` records each.
    pub(super) fn parts(&self, size: usize) -> Vec<Self> {
        let marks = self.marks.chunks(size).map(|marks| Self { marks: marks.to_vec(), families: Vec::new() });
        let families =
            self.families.chunks(size).map(|families| Self { marks: Vec::new(), families: families.to_vec() });
        marks.chain(families).collect()
    }
}

type Key = &'static [u8; 16];
type Record = &'static [u8];

const FAMILIES: TableDefinition<'static, Key, Record> = TableDefinition::new("families");
const MARKS: TableDefinition<'static, Key, Record> = TableDefinition::new("marks");
/// Times in milliseconds, and the format.
const NUMBERS: TableDefinition<'static, &str, i64> = TableDefinition::new("doorward");
const FORMAT: &str = "format";
const LATEST_ACCESS_EXP: &str = "latest access exp";
const SEALED_AT: &str = "sealed at";

/// Of the tables. Another one is for a version of the program that knows both.
pub(super) const FORMAT_VERSION: i64 = 1;
