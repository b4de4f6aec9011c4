//! Key ids that an issuer was asked for and has not.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use tokio::time::Instant;

use super::schedule::COOLDOWN;

/// The last of them. Clients keep tokens of retired keys for days; without this each day would have its 8,640 fetches. It is for
/// those: who makes key ids up can push others out, and then the cooldown is what bounds it.
#[derive(Debug, Default)]
pub(super) struct Missing {
    entries: VecDeque<Entry>,
    /// Key ids may be long, and are made up by clients: a hash that nobody can aim at stands for each.
    hash: RandomState,
}

#[derive(Debug)]
struct Entry {
    kid: u64,
    /// In how many attempts it was missing.
    times: u32,
    /// The last of these.
    attempt: u64,
    until: Instant,
}

impl Missing {
    pub fn has(&self, kid: Option<&str>, now: Instant) -> bool {
        let kid = self.hash.hash_one(kid);
        self.entries.iter().any(|entry| entry.kid == kid && now < entry.until)
    }

    /// It was missing in this attempt, the number of which keeps a thousand requests from counting as a thousand attempts. Soon the
    /// first time, as a set may be published a moment after its first token; twice as long each time.
    pub fn add(&mut self, kid: Option<&str>, attempt: u64, now: Instant) {
        let kid = self.hash.hash_one(kid);
        let known = self.entries.iter().position(|entry| entry.kid == kid).and_then(|place| self.entries.remove(place));
        let entry = match known {
            Some(entry) if entry.attempt == attempt => entry,
            known => {
                let times = known.map_or(0, |entry| entry.times).saturating_add(1);
                let wait = COOLDOWN.saturating_mul(1 << (times - 1).min(8)).min(LONGEST);
                Entry { kid, times, attempt, until: now + wait }
            }
        };
        if self.entries.len() >= MOST {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// No longer than until the keys are fetched anyway.
const LONGEST: Duration = Duration::from_secs(300);

/// Looked through one by one, for tokens with unknown keys only.
pub(super) const MOST: usize = 256;
