//! When an issuer's keys are fetched, without a clock, a task or a socket.
//!
//! Two things ask for it: time, because keys are withdrawn; and tokens with a key id nobody has, because keys are added. The second
//! is in the hands of whoever can send tokens, so it costs an attempt each [`COOLDOWN`] at the most, however many ask and whatever
//! came of the last one, and it moves the next attempt of the first kind, so that neither adds to the other.

use std::time::Duration;

use tokio::time::Instant;

use super::missing::Missing;

/// When to fetch next. All times are of the monotonic clock: one that is set back must neither stop the fetching nor unleash it.
#[derive(Debug)]
pub(super) struct Schedule {
    /// When the last attempt began.
    attempted: Option<Instant>,
    running: bool,
    /// Whether a token asks for one before its time.
    wanted: bool,
    /// In a row.
    failures: u32,
    /// When the next is due by itself.
    next: Instant,
    /// How many attempts there were.
    attempts: u64,
    /// The longest between two.
    longest: Duration,
    missing: Missing,
}

/// A number that spreads what would otherwise happen at once: 0 to 255.
pub(super) type Jitter = u8;

impl Schedule {
    /// The first attempt is due at once; between two are `longest` at the most, and the cooldown at the least, also with the jitter.
    pub fn new(now: Instant, longest: Duration) -> Self {
        let (longest, missing) = (longest.clamp(COOLDOWN * 6 / 5, LONGEST_INTERVAL), Missing::default());
        Self { attempted: None, running: false, wanted: false, failures: 0, next: now, attempts: 0, longest, missing }
    }

    /// A token names a key id that the keys have not. Until when it is worth waiting; `None` = not at all. Who waits longer than
    /// [`PATIENCE`] for an issuer that hangs would only make a crowd.
    pub fn want(&mut self, kid: Option<&str>, now: Instant) -> Option<Instant> {
        if self.running {
            let until = self.attempted.map(|began| began + PATIENCE)?;
            return (now < until).then_some(until);
        }
        if !self.is_due(now) && (!self.is_cool(now) || self.missing.has(kid, now)) {
            return None;
        }
        self.wanted = true;
        Some(now + PATIENCE)
    }

    /// An attempt that ended well has not brought this key id.
    pub fn not_found(&mut self, kid: Option<&str>, now: Instant) {
        self.missing.add(kid, self.attempts, now);
    }

    /// When to look again whether an attempt is due.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Begins an attempt, if one is due.
    pub fn begin(&mut self, now: Instant) -> bool {
        if self.running || !(self.is_due(now) || (self.wanted && self.is_cool(now))) {
            return false;
        }
        self.attempted = Some(now);
        self.attempts += 1;
        self.running = true;
        self.wanted = false;
        true
    }

    /// The attempt brought keys that are current for `fresh_for`.
    pub fn succeeded(&mut self, fresh_for: Option<Duration>, changed: bool, now: Instant, jitter: Jitter) {
        self.running = false;
        self.failures = 0;
        let interval = fresh_for.unwrap_or(INTERVAL).max(SHORTEST_INTERVAL).min(self.longest);
        // ±10 %, so that a thousand replicas which were started together do not stay together.
        self.next = now + interval * 9 / 10 + interval / 5 * u32::from(jitter) / 255;
        if changed {
            self.missing.clear();
        }
    }

    /// The attempt brought nothing. The next comes later each time; not so without keys, for every token of the issuer is refused
    /// until one brings some.
    pub fn failed(&mut self, has_keys: bool, now: Instant, jitter: Jitter) {
        self.running = false;
        let doubled = if has_keys { self.failures.min(6) } else { 0 };
        let wait = COOLDOWN.saturating_mul(1 << doubled).min(LONGEST_RETRY);
        self.failures = self.failures.saturating_add(1);
        // Never sooner than that: the cooldown holds for these, too.
        self.next = now + wait + wait / 5 * u32::from(jitter) / 255;
    }

    /// Whether a key id nobody has may be one that could not be learnt.
    pub fn is_failing(&self, now: Instant) -> bool {
        self.failures > 0 || self.running && self.attempted.is_some_and(|began| now >= began + PATIENCE)
    }

    fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    fn is_cool(&self, now: Instant) -> bool {
        self.attempted.is_none_or(|began| now >= began + COOLDOWN)
    }
}

/// Between an attempt and one that a token may cause. An issuer notices nothing of it, and a client whose key is new waits no longer.
pub(super) const COOLDOWN: Duration = Duration::from_secs(10);

/// How long a request waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Where the issuer says nothing. A key that was withdrawn because it leaked lives on for this long; and it is what doorward says of
/// its own keys, as many issuers do.
const INTERVAL: Duration = Duration::from_secs(300);
/// Where it says less.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(60);
/// Where it says more: some say a day, and a withdrawn key should not have that long.
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

const LONGEST_RETRY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
