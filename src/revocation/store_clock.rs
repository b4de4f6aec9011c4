//! The store's time, as well as it can be told from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::base::{Clock, Timestamp, Uptime};

/// This machine's clock, set right by what the store's was found to be. What several instances have to agree on is dated and judged by
/// it: own tokens, sessions and marks. A machine whose clock is wrong then neither spares a token nor kills a new one, nor does one whose
/// clock is set while it runs: from one measurement to the next the machine's uptime goes on, which nobody can set.
///
/// The same as the machine's where nothing was measured: a store that only this instance has goes by this clock anyway.
#[derive(Debug)]
pub struct StoreClock {
    local: Arc<dyn Clock>,
    /// What the store's clock showed when this machine started, in milliseconds; [`UNKNOWN`] before the first measurement.
    at_start: AtomicI64,
    /// What that follows from.
    best: Mutex<Option<Measured>>,
    /// How late anything may have been dated with what it showed before it was set back, in milliseconds; [`UNKNOWN`] if it never was.
    dated_until: AtomicI64,
    far: AtomicBool,
}

/// A measurement.
#[derive(Clone, Copy, Debug)]
struct Measured {
    at_start: i64,
    received: Uptime,
    /// By how much it may be wrong, in milliseconds.
    error: i64,
}

impl StoreClock {
    /// The time of `local`, until something is measured.
    #[must_use]
    pub fn new(local: Arc<dyn Clock>) -> Self {
        let [at_start, dated_until] = [UNKNOWN; 2].map(AtomicI64::new);
        Self { local, at_start, best: Mutex::default(), dated_until, far: AtomicBool::default() }
    }

    /// The store's time when this machine's clock shows `local`, which is about now.
    #[must_use]
    pub fn at(&self, local: Timestamp) -> Timestamp {
        Timestamp::from_millis(local.millis().saturating_add(self.offset_millis()))
    }

    /// The time by this machine's clock.
    #[must_use]
    pub fn local(&self) -> Timestamp {
        self.local.now()
    }

    /// How far the store's clock is ahead of this machine's, in milliseconds; it may be behind.
    #[must_use]
    pub fn offset_millis(&self) -> i64 {
        self.known().map_or(0, |now| now.saturating_sub(self.local.now().millis()))
    }

    /// Whether the store's time was ever found out.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.at_start.load(Ordering::Relaxed) != UNKNOWN
    }

    fn known(&self) -> Option<i64> {
        let at_start = self.at_start.load(Ordering::Acquire);
        (at_start != UNKNOWN).then(|| at_start.saturating_add(millis(self.local.uptime())))
    }

    /// By how much [`now`](Clock::now) may be wrong; zero where nothing was measured, which is where there is but one clock.
    #[must_use]
    pub fn error(&self) -> Duration {
        let error = self.best.lock().map_or(0, |best| best.error_at(self.local.uptime()));
        Duration::from_millis(u64::try_from(error).unwrap_or(0))
    }

    /// The latest time that anything may have been dated with by the store's clock, when that shows `now`. Later than `now` for as long as it needs to
    /// come to where it was before it was set back, as it is when a server takes over whose clock is behind.
    #[must_use]
    pub fn dated_until(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp::from_millis(self.dated_until.load(Ordering::Acquire)))
    }

    /// The cut-off of what is revoked at `at`, which is now or was: no instance has dated anything with a later time until then, however wrong
    /// both of their clocks are.
    #[must_use]
    pub fn cutting_off(&self, at: Timestamp) -> Timestamp {
        self.dated_until(at.plus(self.error()))
    }

    /// Takes up that the store's clock showed `server` at some moment between `sent` and `received`: in the middle, it is assumed. An
    /// answer that took longer than a second says too little, and one from before its question nothing; one that says less than what is
    /// known, and nothing against it, is not needed.
    pub fn measured(&self, sent: Uptime, received: Uptime, server: Timestamp) {
        if received < sent || received.since(sent) > LONGEST_ROUND_TRIP {
            return;
        }
        let middle = millis(sent).saturating_add(millis(received)) / 2;
        let at_start = server.millis().saturating_sub(middle).max(UNKNOWN + 1);
        let round_trip = i64::try_from(received.since(sent).as_millis()).unwrap_or(i64::MAX);
        // One more, as all of these times were cut off to whole milliseconds.
        let new = Measured { at_start, received, error: round_trip / 2 + 2 };
        {
            let mut best = self.best.lock();
            if best.is_some_and(|best| best.says_more_than(&new)) {
                return;
            }
            if best.is_some_and(|best| best.is_before(&new)) {
                let (old, now) = (self.known().unwrap_or(UNKNOWN), at_start.saturating_add(millis(received)));
                let dated = old.saturating_add(ALL_KNOW_WITHIN).min(now.saturating_add(FURTHEST_BACK));
                // INVARIANT: before it is set back, or a revocation between the two would spare what was dated before.
                self.dated_until.fetch_max(dated, Ordering::AcqRel);
            }
            *best = Some(new);
            self.at_start.store(at_start, Ordering::Release);
        }
        let offset = self.offset_millis();
        let far = offset.unsigned_abs() > FAR_MILLIS;
        // Once for each time that it becomes so.
        if self.far.swap(far, Ordering::Relaxed) != far {
            if far {
                tracing::warn!(
                    offset_ms = offset,
                    "this machine's clock and the store's differ: set both by NTP; own tokens, sessions and revocations go by the store's"
                );
            } else {
                tracing::info!(offset_ms = offset, "this machine's clock and the store's agree again");
            }
        }
    }
}

impl Measured {
    /// The longer ago it was, the further the two clocks may have drifted apart.
    fn error_at(&self, now: Uptime) -> i64 {
        let age = i64::try_from(now.since(self.received).as_millis()).unwrap_or(i64::MAX);
        self.error.saturating_add(age / DRIFT)
    }

    /// Whether both may be right, and this one is the more exact. If not both may be, the store's clock was set, or is another one: the
    /// new one counts.
    fn says_more_than(&self, new: &Self) -> bool {
        self.error_at(new.received) < new.error && !self.contradicts(new)
    }

    /// Whether the store's clock was set back in between.
    fn is_before(&self, new: &Self) -> bool {
        new.at_start < self.at_start && self.contradicts(new)
    }

    /// Whether not both can be right.
    fn contradicts(&self, new: &Self) -> bool {
        let apart = self.at_start.saturating_sub(new.at_start).saturating_abs();
        apart > self.error_at(new.received).saturating_add(new.error)
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        self.known().map_or_else(|| self.local.now(), Timestamp::from_millis)
    }

    fn uptime(&self) -> Uptime {
        self.local.uptime()
    }
}

fn millis(uptime: Uptime) -> i64 {
    i64::try_from(uptime.since_start().as_millis()).unwrap_or(i64::MAX)
}

const UNKNOWN: i64 = i64::MIN;

/// NTP makes a clock go slower or faster by one part in so many at the most; one that nobody sets is better than that.
const DRIFT: i64 = 2000;

/// How long other instances may go on by a clock that is not the store's any more, in milliseconds: they look every ten seconds, and whenever
/// they have to connect anew.
const ALL_KNOW_WITHIN: i64 = 11_000;

/// Further back than this, in milliseconds, is not made up for: the time before was nonsense, and nobody should be locked out until it comes.
const FURTHEST_BACK: i64 = 3_600_000;

const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);

/// Machines that are set by NTP differ by a few hundredths of a second.
const FAR_MILLIS: u64 = 2000;

#[cfg(test)]
mod tests;
