//! Failures within a window of time.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::base::Timestamp;

/// How many failures are borne within how much time, as `10/5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// After so many the next one is not tried.
    pub failures: NonZeroU32,
    /// Within this; at least [`Allowance::SHORTEST`].
    pub within: Duration,
}

impl Allowance {
    /// The shortest window.
    pub const SHORTEST: Duration = Duration::from_secs(1);

    /// For how long failures are counted together, in milliseconds: an eighth of the window.
    #[must_use]
    pub fn slot_length(self) -> u64 {
        u64::try_from(self.slot_millis()).unwrap_or(1)
    }

    /// How long until one of these failures is forgotten and another may be made; `None` if there is room now.
    pub(super) fn full_for(self, failures: &Window, now: Timestamp) -> Option<Duration> {
        let slot = self.slot(now);
        let mut failures = *failures;
        if failures.total_at(slot) < self.failures.get() {
            return None;
        }
        // A window that has passed whole holds nothing, so the search ends.
        let free = (slot..).skip(1).take(SLOTS + 1).find(|later| failures.total_at(*later) < self.failures.get())?;
        let at = Timestamp::from_millis(free.saturating_mul(self.slot_millis()));
        Some(at.since(now))
    }

    /// Adds a failure.
    pub(super) fn count(self, failures: &mut Window, now: Timestamp) {
        failures.move_to(self.slot(now));
        if let Some(newest) = failures.counts.first_mut() {
            *newest = newest.saturating_add(1);
        }
    }

    /// How many there are within the window.
    pub(super) fn total(self, failures: &Window, now: Timestamp) -> u32 {
        let mut failures = *failures;
        failures.total_at(self.slot(now))
    }

    fn slot(self, now: Timestamp) -> i64 {
        now.millis().div_euclid(self.slot_millis())
    }

    /// Rounded up: shorter slots would forget too early.
    fn slot_millis(self) -> i64 {
        let millis = self.within.as_millis().div_ceil(SLOTS as u128);
        i64::try_from(millis).unwrap_or(i64::MAX).max(1)
    }
}

/// The failures of one name or address: a count for each eighth of the window, and for the one that is just filling.
///
/// So a window slides, in a few bytes however many failures are borne: never are there more of them within any such time. A bucket
/// that fills up again would bear up to twice as many, and a list of moments would cost memory by the failure. The price is that
/// a failure is forgotten up to an eighth of the window late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// The slot of the first count.
    newest: i64,
    /// The newest first.
    counts: [u16; SLOTS + 1],
}

impl Window {
    fn total_at(&mut self, slot: i64) -> u32 {
        self.move_to(slot);
        self.counts.iter().map(|count| u32::from(*count)).sum()
    }

    fn move_to(&mut self, slot: i64) {
        let passed = usize::try_from(slot.saturating_sub(self.newest)).unwrap_or(0).min(self.counts.len());
        self.counts.rotate_right(passed);
        self.counts.iter_mut().take(passed).for_each(|count| *count = 0);
        // Also back, as the system's clock may be: what was counted in a future that is over would never be forgotten.
        self.newest = slot;
    }
}

/// Slots of a window that are over.
const SLOTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Allowance = Allowance { failures: NonZeroU32::new(3).unwrap(), within: Duration::from_secs(80) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    /// Failures at these seconds, and then: how many seconds the next must wait; 0 = none.
    #[test]
    fn a_window_slides() {
        for (failures, now, waits) in [
            (&[][..], 0, 0),
            (&[0, 0], 0, 0),
            (&[0, 0, 0], 0, 90),
            // Never more than three within any 80 seconds, however they are spread.
            (&[0, 0, 0], 80, 10),
            (&[9, 9, 9], 89, 1),
            (&[0, 0, 0], 90, 0),
            (&[0, 40, 79], 79, 11),
            (&[0, 40, 79], 90, 0),
            (&[0, 40, 79, 95], 95, 35),
            (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 10, 80),
            (&[0, 0, 0], 1_000_000, 0),
            // The clock was set back, or forward and back again.
            (&[0, 0, 0], -30, 90),
            (&[5_000_000, 5_000_000, 5_000_000, 0], 1, 89),
        ] {
            let mut window = Window::default();
            for failure in failures {
                RATE.count(&mut window, at(*failure));
            }
            let found = RATE.full_for(&window, at(now)).map_or(0, |wait| wait.as_secs());
            assert_eq!(found, waits, "{failures:?} at {now}");
        }
    }

    #[test]
    fn what_waits_as_told_is_let_in_then_and_not_before() {
        for failures in 0..90 {
            let mut window = Window::default();
            (0..3).for_each(|_| RATE.count(&mut window, at(failures)));
            let wait = RATE.full_for(&window, at(failures)).unwrap();
            assert!(wait > RATE.within && wait <= RATE.within + Duration::from_secs(10), "{wait:?}");
            let free = at(failures).plus(wait);
            assert_eq!(RATE.full_for(&window, free), None);
            assert!(RATE.full_for(&window, free.minus(Duration::from_millis(1))).is_some());
            assert_eq!(RATE.total(&window, free), 0);
        }
    }

    #[test]
    fn counts_do_not_overflow() {
        let mut window = Window::default();
        (0..70_000).for_each(|_| RATE.count(&mut window, at(0)));
        assert!(RATE.full_for(&window, at(0)).is_some());
    }
}
