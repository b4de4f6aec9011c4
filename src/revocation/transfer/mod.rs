//! Taking a store's sessions and marks to another store, without logging anybody out.
//!
//! # Why the source is sealed
//!
//! A refresh token that is rotated at the source after it was exported would be one that the target does not know, and its predecessor,
//! which the target takes for the current one, is used up. So a source that is exported takes no writes any more: logins, refreshes and
//! revocations answer 503, requests go on. The seal is in the source's file, or the next restart would open it behind everybody's back.
//!
//! # Order
//!
//! Marks before sessions, and what is still to be remembered of forgotten ones before both: wherever an import ends, what is there was
//! not freed of a mark. To import again, all of it or the rest, is harmless.

mod file;
mod import;
mod origin;
mod record;

use async_trait::async_trait;

pub use self::file::{Counts, FileError, Header, Reader, Writer};
pub use self::import::{ImportError, import};
pub use self::origin::{Difference, Origin};
pub use self::record::{Cursor, Record};
use super::horizon;
use super::{Store, StoreError, Until};
use crate::base::Timestamp;

/// A store that can be taken elsewhere.
#[async_trait]
pub trait Exports: Send + Sync {
    /// Since when it takes no writes; `None` if it does.
    fn sealed_at(&self) -> Option<Timestamp>;

    /// From when this returns, whatever was acknowledged is in it, and every write is [`StoreError::Sealed`], after a restart too. Returns
    /// since when: the time of the first seal, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] if it is not durable.
    async fn seal(&self, now: Timestamp) -> Result<Timestamp, StoreError>;

    /// Takes writes again.
    ///
    /// # Errors
    /// [`StoreError`] if it is not durable.
    async fn unseal(&self) -> Result<(), StoreError>;

    /// At most `limit` records (1 if it is zero) behind `after`: all marks, then all sessions. None are left behind an empty page.
    ///
    /// # Errors
    /// [`StoreError`] if not all of it can be read.
    async fn page(&self, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError>;
}

/// A part of what is in a store.
#[derive(Clone, Debug)]
pub struct Page {
    /// The seal that it was read under. Parts with different seals, or without one, do not belong together.
    pub sealed_at: Option<Timestamp>,
    /// Marks or sessions, in order.
    pub records: Vec<Record>,
}

/// Until when anything may be used that was ever issued from `store`.
///
/// # Errors
/// [`StoreError`] if it is unknown.
pub async fn issued_until(store: &dyn Store) -> Result<Until, StoreError> {
    horizon::stored(store).await
}
