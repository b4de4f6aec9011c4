//! Where sessions and marks are kept.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::transfer::Exports;
use super::{Bucket, Family, HistoryPrint, Mark, MarkKey, Sid, StoredMark, StreamId};
use crate::base::Timestamp;

/// A store of sessions (families of refresh tokens) and revocation marks. It stores and compares; what a record means is
/// decided in [`Family::present`] and in the [view](super::View).
///
/// # What a caller may assume
///
/// - **Durability.** A write that returned `Ok` is not lost by whatever the store promises to survive: `kill -9` and a power
///   cut for the embedded one, nothing for the one in memory. No write returns `Ok` earlier.
/// - **Order.** A call that begins after a write has returned sees it. Writes to one key happen one after the other.
/// - **An error says nothing about a write.** It may have been lost before it was stored or on the way back: a caller who
///   answers for it must be right in both cases. For a rotation that is so because the predecessor is repeated within
///   the grace, for a mark because marking again changes nothing.
/// - **Cancellation.** A call that is dropped before it returns may still take place, whole, never in part.
/// - **No clock**, but for a server that has its own. Otherwise nothing disappears before [`Store::sweep`] is called with a time at which
///   it is past; a server may forget it as soon as that is so by its own clock.
///
/// # What a wrong answer costs
///
/// A family that is missing or older than it was ends in a refusal, or in the way back for a session that was ended: so a
/// store that cannot read answers an error, never "none". A mark that is missing is a revoked token that lives: so a file that
/// cannot be read stops the start. A mark too many refuses a good token until its holder refreshes.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Adds a session under a name not used before. It is there, with its [latest access
    /// `exp`](Store::latest_access_exp), when this returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] also where the name is taken: what stands there stays, since to replace it could bring
    /// an ended session back. Names are hashes of 128 random bits, so this never happens by chance.
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError>;

    /// The session of that name, as the latest finished write left it; `None` if there is none, or none any more.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told whether there is one.
    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError>;

    /// Puts `next` in the place of `expected`, if exactly that stands there: one atomic compare-and-set on the whole record.
    /// Of any number of calls with the same `expected` and a `next` unlike it, one at most is [`Swap::Done`], whoever makes
    /// them and from wherever. A record that never comes back to an earlier state (a generation only grows, `revoked`
    /// is never undone) makes that enough: who lost reads what won and judges anew.
    ///
    /// A false "done" forks a session and hides a thief; a false "lost" costs one more look.
    ///
    /// # Errors
    /// [`StoreError`] if it is unknown whether it happened.
    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError>;

    /// Makes a mark. If one of its key is there, both become one that kills what either does, for as long as either does
    /// ([`StoredMark::merged`]): to mark again, and in any order, is harmless.
    ///
    /// Returns where the change stands on the stream that other instances follow.
    ///
    /// # Errors
    /// [`StoreError`] if the mark may not be durable. The revocation must not be confirmed then.
    async fn mark(&self, mark: Mark) -> Result<Position, StoreError>;

    /// Writes back marks that this instance knows of, as [`mark`](Self::mark) would: after a failover the store may have lost some. One in memory does
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError`]; some may be there then, and to do it again is harmless.
    async fn restore(&self, marks: &[StoredMark]) -> Result<(), StoreError> {
        let _ = marks;
        Ok(())
    }

    /// The first `limit` marks (1 if it is zero) in the order of their keys behind `after`; fewer of them, or none, is the end. Paging is stable: a mark that is there from the first page to the last is on exactly one of them, whatever
    /// else comes and goes meanwhile. Marks past their time may be among them.
    ///
    /// # Errors
    /// [`StoreError`] if not all of the page can be read: a part is never passed off as the whole.
    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError>;

    /// The marks under `keys`, those that there are, as the latest finished writes left them: for whoever must not decide by a view that is a
    /// moment behind. Asked at once, however many they are. A store that only this instance writes has none that the view has not, and says
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told of each whether there is one.
    async fn marks_under(&self, keys: &[MarkKey]) -> Result<Vec<StoredMark>, StoreError> {
        let _ = keys;
        Ok(Vec::new())
    }

    /// The latest [`Family::latest_access_exp`] of all that was ever stored here, also of sessions since forgotten: how
    /// long a mark on a subject must live, whatever today's setting is. The epoch if there was none. A server may say up to a minute more,
    /// and count what was not stored in the end.
    ///
    /// # Errors
    /// [`StoreError`] if it is unknown; a guess could let a mark end before its tokens.
    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError>;

    /// For what was written `ago`, and could be asked for again for `grace`: how much of the time since then the store was away, or could not be
    /// written to, as far as this instance knows and if that began in time. Nobody may have been told of the write.
    fn away_since(&self, ago: Duration, grace: Duration) -> Duration {
        let _ = (ago, grace);
        Duration::ZERO
    }

    /// Another number whenever the store may have lost what it had confirmed, since another server may have taken over. What is remembered to be
    /// there, is only as long as it stays the same. Always the same for a store that loses nothing.
    fn epoch(&self) -> u64 {
        0
    }

    /// Forgets the marks with `expires_at` ≤ `now` and the families with [`kept_until`](Family::kept_until) ≤ `now`, as they
    /// are when it comes to them; no others. Work goes on meanwhile. A server that forgets families itself leaves them to that, and one that
    /// has a clock keeps what is not over by it either.
    ///
    /// # Errors
    /// [`StoreError`]; some may be gone then, the others wait for the next time.
    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError>;

    /// How all of it is taken elsewhere; `None` for a store that others can reach where it is.
    fn exports(&self) -> Option<&dyn Exports> {
        None
    }
}

/// Where a mark stands among the changes of its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Nowhere: this instance alone has the store, and applies the change itself.
    Local,
    /// On the stream of a bucket: whoever has read so far in this history knows of it. For a mark that changed nothing it is where the
    /// stream ended then: it has been there since some entry before.
    Stream {
        /// Whose stream.
        bucket: Bucket,
        /// The entry.
        id: StreamId,
        /// In which history it has this id. After a failover another entry may.
        history: HistoryPrint,
    },
}

/// How a [`Store::swap`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// `next` stands there now.
    Done,
    /// Something else stood there, and still does; `None` if nothing.
    Lost(Option<Family>),
}

/// How much a [`Store::sweep`] forgot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Marks.
    pub marks: usize,
    /// Sessions.
    pub families: usize,
}

/// Why a store did not do what it was asked. The text is for the log: it names the store and what the system said, never a
/// token, a subject or a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It does not answer, or not with sense. Worth another try later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It has no room for another record. What is there can be read, and works again once there is room.
    #[error("the store is full")]
    Full,
    /// It was exported, and takes no writes any more. What is there can be read.
    #[error(
        "the store was exported and is sealed: import it elsewhere and serve from there, or run `doorward store unseal`"
    )]
    Sealed,
}
