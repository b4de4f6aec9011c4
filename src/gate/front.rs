//! What each thread remembers of the tokens it saw last, before what all of them share.
//!
//! # Why
//! The caches behind this are written at each look: they count what was read, and whoever takes an entry counts himself in. Threads
//! that serve the same token would wait for one another's memory. Here each has a table of its own.
//!
//! Nothing is decided here. A token that is found is asked whether it still counts, is in time and was revoked, as one from behind is;
//! only what the marks say of it is remembered too, under a number that every mark changes.

use std::cell::RefCell;
use std::fmt;

use thread_local::ThreadLocal;

use crate::base::Timestamp;
use crate::revocation::Answered;
use crate::tokens::{Digest, Known};

/// The tables of all threads. It belongs to a gate, and so to one verifier: a reload begins with empty ones. In a box, since a gate is
/// moved about, and there is a place for each power of two of threads.
#[derive(Default)]
pub(super) struct Front(Box<ThreadLocal<RefCell<Table>>>);

/// What a thread remembers of a token.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) token: Known,
    pub(super) answered: Answered,
}

impl Front {
    /// What this thread knows of a token, if that still counts.
    pub(super) fn find(&self, digest: &Digest, now: Timestamp) -> Option<Seen> {
        let seen = self.0.get()?.try_borrow_mut().ok()?.find(digest, now)?.clone();
        // Asked without the table: what it calls may look here itself one day.
        seen.token.counts(now).then_some(seen)
    }

    /// Remembers it, as it is now.
    pub(super) fn put(&self, digest: &Digest, seen: &Seen, now: Timestamp) {
        if let Ok(mut table) = self.0.get_or_default().try_borrow_mut() {
            table.put(digest, seen, now);
        }
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Front")
    }
}

/// Open addressing: a token is in one of the few slots from the one on that its digest names. Bounded in slots and in bytes.
#[derive(Debug, Default)]
struct Table {
    /// A power of two of them, or none.
    slots: Vec<Option<Slot>>,
    used: usize,
    /// What the tokens weigh, all of them: those behind may have forgotten them.
    bytes: usize,
    /// The next that is looked at for whether it still counts.
    hand: usize,
    finds: u8,
    refused: u8,
}

#[derive(Clone, Debug)]
struct Slot {
    digest: Digest,
    seen: Seen,
}

impl Table {
    fn find(&mut self, digest: &Digest, now: Timestamp) -> Option<&Seen> {
        self.finds = self.finds.wrapping_add(1);
        if self.finds.is_multiple_of(FINDS) {
            self.sweep(now);
        }
        let at = self.place(digest)?;
        self.slots.get(at)?.as_ref().map(|slot| &slot.seen)
    }

    fn put(&mut self, digest: &Digest, seen: &Seen, now: Timestamp) {
        let weight = weight(seen);
        if weight > MAX_BYTES / 16 {
            return;
        }
        if let Some(at) = self.place(digest) {
            self.take(at);
        }
        self.sweep(now);
        let mut free = self.free(digest);
        if self.slots.len() < MAX_SLOTS && (free.is_none() || self.used >= self.slots.len() / 4 * 3) {
            self.grow();
            free = self.free(digest);
        }
        // Where there is no room a few may have that of others. If all did, more tokens than there is room for, one after the other, would
        // each be gone before it came again.
        let full = free.is_none() || self.bytes + weight > MAX_BYTES;
        self.refused = self.refused.wrapping_add(u8::from(full));
        if full && !self.refused.is_multiple_of(ADMITS) {
            return;
        }
        while self.bytes + weight > MAX_BYTES && self.used > 0 {
            self.advance(|_| true);
        }
        let Some(at) = free.or_else(|| self.window(digest).next()) else { return };
        self.take(at);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(Slot { digest: *digest, seen: seen.clone() });
            self.used += 1;
            self.bytes += weight;
        }
    }

    fn place(&self, digest: &Digest) -> Option<usize> {
        let is = |at: &usize| matches!(self.slots.get(*at), Some(Some(slot)) if slot.digest == *digest);
        self.window(digest).find(is)
    }

    fn free(&self, digest: &Digest) -> Option<usize> {
        self.window(digest).find(|at| self.slots.get(*at).is_some_and(Option::is_none))
    }

    /// Where a token may be. Nobody can aim at a place: for that he would have to sign tokens until one fits.
    fn window(&self, digest: &Digest) -> impl Iterator<Item = usize> + use<> {
        let [a, b, c, d, ..] = *digest;
        let first = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(0);
        let mask = self.slots.len().wrapping_sub(1);
        (0..self.slots.len().min(WINDOW)).map(move |step| first.wrapping_add(step) & mask)
    }

    fn take(&mut self, at: usize) {
        if let Some(slot) = self.slots.get_mut(at).and_then(Option::take) {
            self.used -= 1;
            self.bytes -= weight(&slot.seen);
        }
    }

    fn grow(&mut self) {
        let twice = (self.slots.len() * 2).max(FIRST_SLOTS);
        let before = std::mem::replace(&mut self.slots, vec![None; twice]);
        (self.used, self.bytes) = (0, 0);
        for slot in before.into_iter().flatten() {
            if let Some(place) = self.free(&slot.digest).and_then(|at| self.slots.get_mut(at)) {
                self.used += 1;
                self.bytes += weight(&slot.seen);
                *place = Some(slot);
            }
        }
    }

    /// Forgets one that does not count any more, if that is the next: after a wave of tokens their memory comes back.
    fn sweep(&mut self, now: Timestamp) {
        self.advance(|seen| !seen.token.counts(now));
    }

    fn advance(&mut self, forgets: impl Fn(&Seen) -> bool) {
        let at = self.hand & self.slots.len().wrapping_sub(1);
        self.hand = self.hand.wrapping_add(1);
        if matches!(self.slots.get(at), Some(Some(slot)) if forgets(&slot.seen)) {
            self.take(at);
        }
    }
}

/// What a token weighs here, in bytes.
fn weight(seen: &Seen) -> usize {
    seen.token.weight() + MADE
}

/// What may be made of a token and kept beside it: the headers that tell the upstream of it, as they mostly are. In bytes.
const MADE: usize = 400;

/// How many slots are looked into for a token.
const WINDOW: usize = 16;

/// With the first token that a thread sees: 4 KiB.
const FIRST_SLOTS: usize = 64;

/// 2 MiB a thread, and room for some 24,000 tokens.
const MAX_SLOTS: usize = 32 << 10;

/// What the tokens that one thread remembers may weigh, in bytes. Those that others remember too are in memory once.
const MAX_BYTES: usize = 40 << 20;

/// Of so many tokens for which there is no room one takes another's.
const ADMITS: u8 = 8;

/// Once in so many finds one slot is looked at for whether it still counts.
const FINDS: u8 = 16;

#[cfg(test)]
mod tests;
