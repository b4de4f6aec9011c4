//! For how long an UPDATE that failed is not tried again.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// An UPDATE fails at each login for the same reason, such as a missing right, and a new hash is made for it each time.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// From now on.
    pub(super) fn begin(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.lock().is_some_and(|begun| begun.elapsed() < LASTS)
    }
}

const LASTS: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_lasts_a_minute() {
        let pause = Pause::default();
        assert!(!pause.is_on());
        pause.begin();
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(pause.is_on());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!pause.is_on());
    }
}
