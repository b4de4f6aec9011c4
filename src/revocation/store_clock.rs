//! The store's time, as well as it can be told from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::base::{Clock, Timestamp, Uptime};

/// This machine's clock, set right by what the store's was found to be. What several instances have to agree on is dated and judged by
/// it: own tokens, sessions and marks. A machine whose clock is wrong then neither spares a token nor kills a new one.
///
/// The same as the machine's where nothing was measured: a store that only this instance has goes by this clock anyway.
#[derive(Debug)]
pub struct StoreClock {
    local: Arc<dyn Clock>,
    /// How far the store's clock is ahead, in milliseconds; it may be behind.
    offset: AtomicI64,
    far: AtomicBool,
}

impl StoreClock {
    /// The time of `local`, until something is measured.
    #[must_use]
    pub fn new(local: Arc<dyn Clock>) -> Self {
        Self { local, offset: AtomicI64::default(), far: AtomicBool::default() }
    }

    /// The store's time when this machine's clock shows `local`.
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
        self.offset.load(Ordering::Relaxed)
    }

    /// Takes up that the store's clock showed `server` at some moment between `sent` and `received` of this machine's: in the middle,
    /// it is assumed. An answer that took longer than a second says too little, and one from before its question nothing.
    pub fn measured(&self, sent: Timestamp, received: Timestamp, server: Timestamp) {
        if received < sent || received.since(sent) > LONGEST_ROUND_TRIP {
            return;
        }
        let middle = sent.plus(received.since(sent) / 2);
        let offset = server.millis().saturating_sub(middle.millis());
        self.offset.store(offset, Ordering::Relaxed);
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

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        self.at(self.local.now())
    }

    fn uptime(&self) -> Uptime {
        self.local.uptime()
    }
}

const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);

/// Machines that are set by NTP differ by a few hundredths of a second.
const FAR_MILLIS: u64 = 2000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ManualClock;

    #[test]
    fn the_offset_is_that_of_the_middle() {
        let at = Timestamp::from_millis;
        for (what, sent, received, server, offset) in [
            ("at once, ahead", 1000, 1000, 301_000, 300_000),
            ("at once, behind", 400_000, 400_000, 100_000, -300_000),
            ("in the middle", 1000, 1400, 1200, 0),
            ("as late as may be", 1000, 2000, 1600, 100),
            ("too late", 1000, 2001, 9000, 7),
            ("before it was asked", 1000, 999, 9000, 7),
            ("nonsense", 0, 0, i64::MAX, i64::MAX),
        ] {
            let local = Arc::new(ManualClock::at(at(5000)));
            let clock = StoreClock::new(Arc::clone(&local) as Arc<dyn Clock>);
            assert_eq!(clock.now(), at(5000), "nothing was measured yet");
            clock.measured(at(0), at(0), at(7));
            clock.measured(at(sent), at(received), at(server));
            assert_eq!(clock.offset_millis(), offset, "{what}");
            assert_eq!(clock.now(), at(5000_i64.saturating_add(offset)), "{what}");
            local.advance(Duration::from_secs(1));
            assert_eq!(clock.now(), at(6000_i64.saturating_add(offset)), "{what}: it goes on");
            assert_eq!(clock.uptime(), local.uptime(), "{what}");
        }
    }
}
