//! Connections that share a cap, and which of them has been idle longest.

use std::sync::Arc;

use super::place::{Entry, Ticks};

/// The members of a cap.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Slots, in no order.
    members: Vec<usize>,
    /// Who had been idle longest when it was looked last, the longest at the end.
    idle: Vec<Idle>,
    /// How many members were looked at for less than they are worth: each that asks for room pays for some, and until all are
    /// paid for nobody looks again.
    owed: usize,
}

#[derive(Debug)]
struct Idle {
    since: Ticks,
    slot: usize,
    entry: Arc<Entry>,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Where the new member stands.
    pub(super) fn add(&mut self, slot: usize) -> usize {
        self.members.push(slot);
        self.members.len() - 1
    }

    /// Takes out the member at a position. The slot that stands there now, if one was moved there.
    pub(super) fn remove(&mut self, position: usize) -> Option<usize> {
        if position < self.members.len() {
            self.members.swap_remove(position);
        }
        self.members.get(position).copied()
    }

    /// Marks who has been idle longest as gone, and says its slot. `None` if nobody is idle, or if it has been looked often
    /// enough for those who asked: a flood at a time when everybody is busy must not have all of them looked at for each
    /// new connection.
    pub(super) fn give_way<'a>(&mut self, entry: impl Fn(usize) -> Option<&'a Arc<Entry>>) -> Option<usize> {
        self.owed = self.owed.saturating_sub(PAID);
        loop {
            while let Some(idle) = self.idle.pop() {
                // Not if it had a request since then: others have been idle for longer now.
                if idle.entry.displace(idle.since) {
                    return Some(idle.slot);
                }
            }
            if self.owed > 0 {
                return None;
            }
            self.look(&entry);
            // Whoever was found makes room for one that need not look.
            self.owed = self.members.len().saturating_sub(self.idle.len() * PAID);
            if self.idle.is_empty() {
                return None;
            }
        }
    }

    fn look<'a>(&mut self, entry: impl Fn(usize) -> Option<&'a Arc<Entry>>) {
        let mut found: Vec<(Ticks, usize)> =
            self.members.iter().filter_map(|slot| Some((entry(*slot)?.is_idle_since()?, *slot))).collect();
        if found.len() > KEPT {
            found.select_nth_unstable(KEPT);
            found.truncate(KEPT);
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        self.idle = found
            .into_iter()
            .filter_map(|(since, slot)| Some(Idle { since, slot, entry: Arc::clone(entry(slot)?) }))
            .collect();
    }
}

/// How many of the idle ones are remembered from one look to the next.
const KEPT: usize = 64;

/// How many members each that asks for room pays for: with ten thousand of them, all busy, they are looked at for every fortieth.
const PAID: usize = 256;
