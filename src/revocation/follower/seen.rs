//! What a store turned out to have.

use std::collections::HashMap;

use crate::base::Timestamp;
use crate::revocation::mark::later_cutoff;
use crate::revocation::{MarkKey, StoredMark};

/// The marks of one bucket that were found while it was paged through. About 90 bytes a mark, while that lasts: buckets are best
/// paged through one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(HashMap<MarkKey, (Timestamp, Option<Timestamp>)>);

impl Seen {
    pub(super) fn add(&mut self, mark: &StoredMark) {
        self.0.insert(mark.key, (mark.expires_at, mark.issued_before));
    }

    /// Whether `mark` kills more, or for longer, than what was found under its key.
    pub(super) fn lacks(&self, mark: &StoredMark) -> bool {
        self.0.get(&mark.key).is_none_or(|(expires_at, issued_before)| {
            mark.expires_at > *expires_at || later_cutoff(mark.issued_before, *issued_before) != *issued_before
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lacking_is_having_less() {
        let mark = |expires: i64, cutoff: Option<i64>| StoredMark {
            key: MarkKey::from_bytes([1; 16]),
            name: None,
            expires_at: Timestamp::from_seconds(expires),
            issued_before: cutoff.map(Timestamp::from_seconds),
        };
        for (story, found, ours, lacks) in [
            ("nothing found", None, mark(9, None), true),
            ("the same", Some(mark(9, Some(5))), mark(9, Some(5)), false),
            ("the same, sparing nothing", Some(mark(9, None)), mark(9, None), false),
            ("ours ends later", Some(mark(9, None)), mark(10, None), true),
            ("ours ends earlier", Some(mark(9, None)), mark(8, None), false),
            ("ours spares fewer", Some(mark(9, Some(5))), mark(9, Some(6)), true),
            ("ours spares more", Some(mark(9, Some(5))), mark(9, Some(4)), false),
            ("ours spares nothing", Some(mark(9, Some(5))), mark(9, None), true),
            ("the other spares nothing", Some(mark(9, None)), mark(9, Some(5)), false),
        ] {
            let mut seen = Seen::default();
            if let Some(found) = found {
                seen.add(&found);
            }
            assert_eq!(seen.lacks(&ours), lacks, "{story}");
        }
    }
}
