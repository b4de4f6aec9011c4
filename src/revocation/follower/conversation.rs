//! What a follower asks for and is told.

use std::time::Duration;

use super::{Ends, History, StreamId};
use crate::base::Uptime;
use crate::revocation::{MarkKey, StoredMark};

/// How much is asked for at once.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Entries of a stream.
    pub entries: usize,
    /// Marks of a page.
    pub page: usize,
    /// How long a stream is trusted to be the one it was, without a cut.
    pub look_every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { entries: 1000, page: 1000, look_every: Duration::from_secs(10) }
    }
}

/// What is to be asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To be connected anew: [`Heard::Connected`].
    Connect,
    /// Whose data it is, and how the stream stands: [`Heard::Ends`].
    Ends,
    /// At most `limit` marks in the order of their keys, from the first one behind `after`: [`Heard::Page`].
    Page {
        /// `None` = from the first.
        after: Option<MarkKey>,
        /// At least 1.
        limit: usize,
    },
    /// At most `limit` entries behind `after`, and the wait for the first of them: [`Heard::Entries`].
    Read {
        /// The last one read.
        after: StreamId,
        /// At least 1.
        limit: usize,
    },
}

/// What came back.
#[derive(Clone, Debug)]
pub enum Heard {
    /// There is a connection, of which nothing is known yet.
    Connected,
    /// The answer to [`Ask::Ends`].
    Ends {
        /// When it was asked.
        sent: Uptime,
        /// Whose data it is.
        history: History,
        /// How the stream stands.
        ends: Ends,
    },
    /// The answer to [`Ask::Page`]; an empty one is the end.
    Page(Vec<StoredMark>),
    /// The answer to [`Ask::Read`], whole; an empty one says that nothing came in the time that was waited.
    Entries {
        /// When it was asked.
        sent: Uptime,
        /// In the order of their ids.
        entries: Vec<Entry>,
    },
    /// There was no answer, or none that could be read.
    Failed,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub id: StreamId,
    /// The mark, as the change left it.
    pub mark: StoredMark,
}

/// What is to be done, beside asking on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// [`Follower::position`](super::Follower::position) is another: others may be waiting for it.
    Announce,
    /// The store lacks these marks of the view: they are written there in good time, those left out that are over by then. What was
    /// to be written before and is not yet, is among them.
    Restore(Vec<StoredMark>),
}
