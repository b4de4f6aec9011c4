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
        Self { local, at_start: AtomicI64::new(UNKNOWN), best: Mutex::default(), far: AtomicBool::default() }
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
        let at_start = self.at_start.load(Ordering::Relaxed);
        (at_start != UNKNOWN).then(|| at_start.saturating_add(millis(self.local.uptime())))
    }

    /// By how much [`now`](Clock::now) may be wrong; zero where nothing was measured, which is where there is but one clock.
    #[must_use]
    pub fn error(&self) -> Duration {
        let error = self.best.lock().map_or(0, |best| best.error_at(self.local.uptime()));
        Duration::from_millis(u64::try_from(error).unwrap_or(0))
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
            *best = Some(new);
            self.at_start.store(at_start, Ordering::Relaxed);
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
        let error = self.error_at(new.received);
        let apart = self.at_start.saturating_sub(new.at_start).saturating_abs();
        error < new.error && apart <= error.saturating_add(new.error)
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

const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);

/// Machines that are set by NTP differ by a few hundredths of a second.
const FAR_MILLIS: u64 = 2000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ManualClock;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    const fn up(millis: u64) -> Uptime {
        Uptime::after_start(Duration::from_millis(millis))
    }

    /// A machine that is up for five seconds, and its clock.
    fn machine() -> (Arc<ManualClock>, StoreClock) {
        let local = Arc::new(ManualClock::at(at(95_000)));
        local.advance(Duration::from_secs(5));
        let clock = StoreClock::new(Arc::clone(&local) as Arc<dyn Clock>);
        (local, clock)
    }

    #[test]
    fn the_offset_is_that_of_the_middle() {
        for (what, sent, received, server, offset) in [
            ("at once, ahead", 5000, 5000, 400_000, 300_000),
            ("at once, behind", 5000, 5000, 70_000, -30_000),
            ("in the middle", 4600, 5000, 99_000, -800),
            ("as late as may be", 4000, 5000, 199_600, 100_100),
            ("too late", 3999, 5000, 900_000, 7),
            ("before it was asked", 5000, 4999, 900_000, 7),
        ] {
            let (local, clock) = machine();
            assert!(!clock.is_known() && clock.now() == at(100_000), "nothing was measured yet");
            clock.measured(up(0), up(800), at(95_407));
            clock.measured(up(sent), up(received), at(server));
            assert!(clock.is_known());
            assert_eq!((clock.offset_millis(), clock.now()), (offset, at(100_000 + offset)), "{what}");
            local.advance(Duration::from_secs(1));
            assert_eq!(clock.now(), at(101_000 + offset), "{what}: it goes on");
            assert_eq!(clock.uptime(), local.uptime(), "{what}");
        }
    }

    #[test]
    fn what_says_more_is_kept_and_what_contradicts_it_is_taken() {
        // Known: ahead by 1000 ms, after a round trip of 20 ms that ended at 4000. Then a round trip that began so long after, and what it
        // says in its middle.
        for (what, later, round_trip, says, offset, error) in [
            ("as quick", 1000, 20, 1010, 1010, 12),
            ("quicker", 1000, 4, 1005, 1005, 4),
            ("slower, and it may be", 1000, 400, 1150, 1000, 12),
            ("slower, and it may just be", 1000, 400, 1215, 1000, 12),
            ("slower, and it cannot be", 1000, 400, 1216, 1216, 202),
            ("the clock was set back", 1000, 20, -5000, -5000, 12),
            ("the clock was set, and a slow answer tells", 1000, 1000, 9000, 9000, 502),
            ("slower, but the other is old", 10_000_000, 400, 1100, 1100, 202),
        ] {
            let (local, clock) = machine();
            clock.measured(up(3980), up(4000), at(95_000 + 3990 + 1000));
            assert_eq!(clock.offset_millis(), 1000, "{what}");
            local.advance(Duration::from_millis(later));
            let sent = local.uptime();
            let middle = local.now().millis() + round_trip / 2;
            local.advance(Duration::from_millis(u64::try_from(round_trip).unwrap()));
            clock.measured(sent, local.uptime(), at(middle + says));
            assert_eq!(clock.offset_millis(), offset, "{what}");
            let age = u64::from(offset == 1000) * (1000 + later + u64::try_from(round_trip).unwrap()) / 2000;
            assert_eq!(clock.error(), Duration::from_millis(error + age), "{what}");
        }
        assert_eq!(machine().1.error(), Duration::ZERO, "one clock is never wrong");
    }

    #[test]
    fn setting_the_machines_clock_changes_nothing() {
        for set_to in [100_000 + 300_000, 100_000 - 300_000, 0, i64::MAX, i64::MIN] {
            let (local, clock) = machine();
            clock.measured(up(5000), up(5000), at(100_007));
            local.set(at(set_to));
            assert_eq!(clock.now(), at(100_007), "{set_to}");
            assert_eq!(clock.offset_millis(), 100_007_i64.saturating_sub(set_to), "{set_to}");
        }
    }

    #[test]
    fn nonsense_overflows_nothing() {
        for server in [i64::MIN, i64::MAX] {
            let (_, clock) = machine();
            clock.measured(up(5000), up(5000), at(server));
            assert!(clock.is_known());
            let _ = (clock.now(), clock.offset_millis(), clock.at(at(server)));
        }
    }
}
