//! The instances that follow one shared store, as they tell of themselves there.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{Bucket, HistoryPrint, StoreError, StreamId};

/// Where instances announce themselves, and are read of. What stands there says who has what; nothing is refused or let through by it.
#[async_trait]
pub trait Replicas: Send + Sync + fmt::Debug {
    /// Tells that this instance lives, and how far it is, in the place of what it told before. Returns how many are listed.
    ///
    /// # Errors
    /// [`StoreError`]; it may be told then, or not.
    async fn announce(&self, announcement: &Announcement) -> Result<usize, StoreError>;

    /// Takes this instance off the list, which must serve nobody any more.
    ///
    /// # Errors
    /// [`StoreError`]; others then take it for silent.
    async fn leave(&self, id: ReplicaId) -> Result<(), StoreError>;

    /// Who is listed, and how far each is in `bucket`.
    ///
    /// # Errors
    /// [`StoreError`] if not all of it can be read.
    async fn roll(&self, bucket: Bucket) -> Result<Roll, StoreError>;
}

/// Tells a run of an instance from all others, those of its name too. Random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub [u8; 16]);

/// What an instance tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who it is.
    pub id: ReplicaId,
    /// What people call it. More than [`LONGEST_NAME`] bytes are cut off.
    pub name: String,
    /// How far it is.
    pub applied: Applied,
}

/// Up to which entry of each bucket a view has everything. It stays true: views only ever add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied([Option<Place>; Bucket::COUNT]);

/// An entry, and in which history it has its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose id it is.
    pub history: HistoryPrint,
    /// The entry.
    pub id: StreamId,
}

/// A list of instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// How long it has been kept: one that was begun anew lacks those who have not announced themselves since.
    pub kept_for: Duration,
    /// Each once.
    pub replicas: Vec<Listed>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Who it is.
    pub id: ReplicaId,
    /// What it is called; `None` if what it told cannot be read.
    pub name: Option<String>,
    /// How long nothing was heard of it, by the store's clock.
    pub silent_for: Duration,
    /// How far it is; `None` if that is not known.
    pub place: Option<Place>,
}

impl Applied {
    /// The bucket has everything up to `place`.
    pub fn set(&mut self, bucket: Bucket, place: Place) {
        if let Some(known) = self.0.get_mut(usize::from(bucket.number())) {
            *known = Some(place);
        }
    }

    /// Of each bucket, in their order.
    pub fn places(&self) -> impl Iterator<Item = Option<Place>> {
        self.0.iter().copied()
    }
}

impl Place {
    /// Whether who has everything up to here has what stands at `other`. Of another history nobody can tell: ids are given again there.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.history == other.history && self.id >= other.id
    }
}

impl fmt::Display for ReplicaId {
    /// As much as people need to tell a few from each other.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// In bytes. A pod's name has 63 at the most, a socket's path 108.
pub const LONGEST_NAME: usize = 200;

/// Who was not heard of for so long is not waited for.
pub const SILENT_AFTER: Duration = Duration::from_secs(5);

/// Who was not heard of for so long is off the list: it is gone, or cut off for much longer than a view may be old.
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);
