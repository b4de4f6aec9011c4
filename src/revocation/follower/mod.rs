//! Keeps a [view](super::View) the same as a shared store: follows what changes there, notices what it may have missed, and then
//! reads everything anew.
//!
//! Pure: no I/O, no clock, no log. A [`Follower`] says what is to be asked ([`Follower::ask`]) and is told what came back
//! ([`Follower::hear`]). Whoever asks for it may fail at any moment and in any way, and says so ([`Heard::Failed`]).
//!
//! # Why no mark is missed
//!
//! - The view only ever adds. So it may be told things twice, late, and in any order.
//! - All marks are paged through from an id that was the stream's last *before* the first page: what changes meanwhile comes after it.
//! - An id means something within one [`History`] only. After every reconnect, every so often, and after every answer that was cut off
//!   by its limit, it is asked whose data it is and whether all that came after the last id is still there. If not, or if that cannot
//!   be told, the marks are paged through again.
//! - What the view has and the store turned out not to have is handed out to be written back: a server that took over may never have
//!   heard of it.

mod bucket;
mod conversation;
mod history;
mod id;
mod seen;

use std::sync::Arc;

pub use self::bucket::Bucket;
pub use self::conversation::{Action, Ask, Entry, Heard, Pace};
pub use self::history::{Ends, History, HistoryPrint};
pub use self::id::{NotAnId, StreamId};

use self::seen::Seen;
use super::{MarkKey, StoredMark, View};
use crate::base::Uptime;

/// Follows one bucket of a store.
#[derive(Debug)]
pub struct Follower {
    bucket: Bucket,
    view: Arc<View>,
    pace: Pace,
    step: Step,
    history: Option<History>,
    /// Where the stream is read on; `None` = all marks have to be paged through first.
    trail: Option<Trail>,
    /// The marks are being paged through.
    paging: Option<Paging>,
    /// What [`Ends::added`] was at the end of the trail.
    added: u64,
    /// When [`Ends`] was asked last.
    looked_at: Uptime,
    fresh_at: Option<Uptime>,
    /// Entries were read, and there was no position then: it comes with the next look.
    is_unannounced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    Look,
    Work,
}

/// What was read.
#[derive(Clone, Copy, Debug)]
struct Trail {
    /// Up to here the view has everything, if what it is read on from is the stream that it was.
    from: StreamId,
    /// The last entry that was read. Later than `from` where it is in doubt whether there were others between the two.
    to: StreamId,
}

#[derive(Clone, Debug, Default)]
struct Paging {
    /// From before the first page.
    began: Uptime,
    after: Option<MarkKey>,
    seen: Seen,
}

impl Follower {
    /// One that begins with reading everything.
    #[must_use]
    pub fn new(bucket: Bucket, view: Arc<View>, pace: Pace) -> Self {
        Self {
            bucket,
            view,
            pace,
            step: Step::Connect,
            history: None,
            trail: None,
            paging: None,
            added: 0,
            looked_at: Uptime::default(),
            fresh_at: None,
            is_unannounced: false,
        }
    }

    /// Which bucket it follows.
    #[must_use]
    pub const fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// What is to be asked next. The same until something is heard.
    #[must_use]
    pub fn ask(&self) -> Ask {
        match (self.step, &self.paging, self.trail) {
            (Step::Connect, ..) => Ask::Connect,
            (Step::Work, Some(paging), _) => Ask::Page { after: paging.after, limit: self.pace.page.max(1) },
            (Step::Work, None, Some(trail)) => Ask::Read { after: trail.to, limit: self.pace.entries.max(1) },
            (Step::Look, ..) | (Step::Work, None, None) => Ask::Ends,
        }
    }

    /// Takes up what came back; marks are in the view when this returns.
    pub fn hear(&mut self, heard: Heard) -> Vec<Action> {
        match heard {
            Heard::Connected => self.step = Step::Look,
            Heard::Ends { sent, history, ends } if self.step == Step::Look => return self.look(sent, history, ends),
            Heard::Page(marks) if self.step == Step::Work => return self.turn_page(&marks),
            Heard::Entries { sent, entries } if self.step == Step::Work => return self.read_on(sent, &entries),
            // An answer to what was not asked: whoever asks has lost count.
            Heard::Ends { .. } | Heard::Page(_) | Heard::Entries { .. } | Heard::Failed => self.step = Step::Connect,
        }
        Vec::new()
    }

    /// Up to which entry, of which history, the view has everything; `None` while that is not known. The id alone says nothing: after
    /// a loss it may be another mark's.
    #[must_use]
    pub fn position(&self) -> Option<(&History, StreamId)> {
        let reading = self.step == Step::Work && self.paging.is_none();
        Some((self.history.as_ref()?, self.trail.filter(|_| reading)?.to))
    }

    /// When the view last was known to have everything; `None` before the first time. All that was durable then is in it.
    #[must_use]
    pub const fn fresh_at(&self) -> Option<Uptime> {
        self.fresh_at
    }

    fn look(&mut self, sent: Uptime, history: History, ends: Ends) -> Vec<Action> {
        let same = self.history.as_ref() == Some(&history);
        let follows = same && self.trail.is_some_and(|trail| trail.follows(&ends, self.added));
        let mut actions = Vec::new();
        self.trail = match self.trail {
            Some(Trail { to, .. }) if follows => {
                // There is nothing to read on to. Where nobody writes, the next answer is a second away.
                if ends.last == to && self.paging.is_none() {
                    self.fresh_at = Some(sent);
                }
                if std::mem::take(&mut self.is_unannounced) {
                    actions.push(Action::Announce);
                }
                Some(Trail { from: to, to })
            }
            _ => {
                self.is_unannounced = false;
                self.paging = Some(Paging { began: sent, ..Paging::default() });
                Some(Trail { from: ends.last, to: ends.last })
            }
        };
        (self.history, self.added, self.looked_at) = (Some(history), ends.added, sent);
        self.step = Step::Work;
        actions
    }

    fn turn_page(&mut self, marks: &[StoredMark]) -> Vec<Action> {
        for mark in marks {
            self.view.insert(mark);
        }
        let Some(mut paging) = self.paging.take() else {
            self.step = Step::Connect;
            return Vec::new();
        };
        let Some(last) = marks.last() else {
            // All that was durable before the first page is on one of them; not so what came since, if it was cut off meanwhile.
            self.fresh_at = self.fresh_at.max(Some(paging.began));
            let lacking = self.view.compare(self.bucket, |mark| paging.seen.lacks(mark));
            let restore = (!lacking.is_empty()).then_some(Action::Restore(lacking));
            return restore.into_iter().chain([Action::Announce]).collect();
        };
        for mark in marks {
            paging.seen.add(mark);
        }
        paging.after = Some(last.key);
        self.paging = Some(paging);
        Vec::new()
    }

    fn read_on(&mut self, sent: Uptime, entries: &[Entry]) -> Vec<Action> {
        for entry in entries {
            self.view.insert(&entry.mark);
        }
        let Some(trail) = self.trail.filter(|_| self.paging.is_none()) else {
            self.step = Step::Connect;
            return Vec::new();
        };
        let to = entries.last().map_or(trail.to, |last| last.id);
        self.added += u64::try_from(entries.len()).unwrap_or(0);
        if entries.len() < self.pace.entries.max(1) {
            // The stream ended here, so it had not been trimmed beyond `trail.to`: it would be longer.
            self.trail = Some(Trail { from: to, to });
            self.fresh_at = Some(sent);
            if sent.since(self.looked_at) >= self.pace.look_every {
                self.step = Step::Look;
            }
        } else {
            self.trail = Some(Trail { from: trail.from, to });
            self.step = Step::Look;
        }
        self.is_unannounced |= self.step == Step::Look && !entries.is_empty();
        if entries.is_empty() { Vec::new() } else { vec![Action::Announce] }
    }
}

impl Trail {
    /// Whether this is the stream that it was read from, with nothing missing, after `added` entries up to its end.
    fn follows(self, ends: &Ends, added: u64) -> bool {
        // One that was emptied and filled again has been given other entries, however its ids may look.
        let counted = if ends.last == self.to { ends.added == added } else { ends.added > added };
        ends.reaches(self.from) && ends.last >= self.to && counted
    }
}

#[cfg(test)]
mod tests;
