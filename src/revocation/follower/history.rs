//! Whether what comes next on a stream follows from what was read before.

use aws_lc_rs::digest::{Context, SHA256};

use super::StreamId;
use crate::revocation::sid::first_half;

/// Whose data it is. A server that is started anew, or follows another one, may have lost what it had: then one of the two differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct History {
    /// `run_id` of `INFO server`: of this start of this server.
    pub run_id: Box<str>,
    /// `master_replid` of `INFO replication`: of the data, until another server takes over.
    pub replication_id: Box<str>,
}

/// A history in 16 bytes, to tell it from others. An id of one says nothing of the ids of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HistoryPrint([u8; 16]);

impl History {
    /// What it is told by where it has to be short.
    #[must_use]
    pub fn print(&self) -> HistoryPrint {
        let mut context = Context::new(&SHA256);
        context.update(LABEL);
        for part in [&self.run_id, &self.replication_id] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        HistoryPrint(first_half(context))
    }
}

impl HistoryPrint {
    /// From its bytes, as others announce them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// How a stream stands, as `XINFO STREAM` has it. All zero for one that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The first entry there is; `None` in an empty stream.
    pub first: Option<StreamId>,
    /// `last-generated-id`: the last entry there ever was.
    pub last: StreamId,
    /// `max-deleted-entry-id`: the last one that was deleted by name. Those that were trimmed are before `first`.
    pub deleted: StreamId,
    /// `entries-added`: how many there ever were.
    pub added: u64,
}

impl Ends {
    /// Whether all that came after `id` is still there: nothing of it was trimmed, deleted or lost. `false` also where that cannot
    /// be told.
    pub(super) fn reaches(&self, id: StreamId) -> bool {
        if self.last <= id {
            // Behind it nothing can be missing. Before it, all is lost: its id, and those up to it, may be given to others.
            return self.last == id;
        }
        self.deleted <= id && self.first.is_some_and(|first| first <= id)
    }
}

/// Keeps this hash apart from every other hash of the same bytes.
const LABEL: &[u8] = b"doorward history\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_differ_where_histories_do() {
        let history = |run: &str, replication: &str| History { run_id: run.into(), replication_id: replication.into() };
        let one = history("ab", "c");
        assert_eq!(one.print(), history("ab", "c").print());
        for other in [history("ab", "d"), history("b", "c"), history("a", "bc"), history("abc", ""), history("c", "ab")]
        {
            assert_ne!(one.print(), other.print(), "{other:?}");
        }
        assert_eq!(HistoryPrint::from_bytes(*one.print().as_bytes()), one.print());
    }

    #[test]
    fn what_reaches_an_id_and_what_may_not() {
        let id = |millis| StreamId::new(millis, 0);
        let ends = |first: Option<u64>, last, deleted| Ends {
            first: first.map(id),
            last: id(last),
            deleted: id(deleted),
            added: 9,
        };
        for (story, ends, at, reached) in [
            ("no stream, and there was none", Ends::default(), 0, true),
            ("no stream any more", Ends::default(), 5, false),
            ("nothing new", ends(Some(3), 5, 0), 5, true),
            ("nothing new, and it was the only one", ends(Some(5), 5, 0), 5, true),
            ("nothing new, and all was trimmed", ends(None, 5, 5), 5, true),
            ("new ones", ends(Some(3), 9, 0), 5, true),
            ("new ones, and it is the first now", ends(Some(5), 9, 0), 5, true),
            ("its own was trimmed, and perhaps the next", ends(Some(6), 9, 0), 5, false),
            ("all were trimmed", ends(None, 9, 0), 5, false),
            ("a later one was deleted", ends(Some(3), 9, 7), 5, false),
            ("earlier ones were deleted", ends(Some(3), 9, 4), 5, true),
            ("it was deleted itself", ends(Some(3), 9, 5), 5, true),
            ("the last ones were lost", ends(Some(3), 4, 0), 5, false),
            ("from the beginning, which is there or not", ends(Some(1), 4, 0), 0, false),
        ] {
            assert_eq!(ends.reaches(id(at)), reached, "{story}");
        }
    }
}
