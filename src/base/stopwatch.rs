//! Durations for metrics and logs. Never for a decision: those take a [`Timestamp`](super::Timestamp).

use std::time::{Duration, Instant};

/// Measures from when it was started. Monotonic, so a clock that is set does not make a request last for years.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
