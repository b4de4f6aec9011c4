//! Time that passes even while the machine is suspended.

use std::time::Duration;

/// A moment of the machine's life, counted from its start. For how old something is: unlike a [`Timestamp`](super::Timestamp) it
/// cannot be set, unlike a [`Stopwatch`](super::Stopwatch) it goes on while the machine sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(Duration);

impl Uptime {
    /// So long after the start.
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The time since the start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// By the machine's clock.
    pub(super) fn of_the_machine() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Self(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock, SystemClock};

    #[test]
    fn it_is_the_kernels_own_count_which_has_suspended_time_in_it() {
        // Whole hundredths of a second, cut off.
        let kernel = || {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            let seconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
            Duration::from_secs_f64(seconds)
        };
        let (before, found, after) = (kernel(), SystemClock.uptime().since_start(), kernel());
        let hundredth = Duration::from_millis(11);
        assert!(found + hundredth >= before && found <= after + hundredth, "{before:?} {found:?} {after:?}");
    }

    #[test]
    fn what_is_later_is_no_time_ago() {
        let at = |seconds| Uptime::after_start(Duration::from_secs(seconds));
        assert_eq!((at(5).since(at(3)), at(3).since(at(5))), (Duration::from_secs(2), Duration::ZERO));
    }
}
