//! Telling the others that share a store how far this instance has followed it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Core;
use crate::revocation::replicas::Place;
use crate::revocation::{Applied, Follower, Replicas};

/// How far it is: written by what follows, read by what announces, so that neither waits for the other.
#[derive(Debug, Default)]
pub(super) struct Progress {
    applied: Mutex<Applied>,
    moved: Notify,
}

impl Progress {
    /// `follower` may be further than before.
    pub(super) fn note(&self, follower: &Follower) {
        let Some((history, id)) = follower.position() else { return };
        self.applied.lock().set(follower.bucket(), Place { history: history.print(), id });
        self.moved.notify_one();
    }
}

/// Announces `progress` every second, and at once when there is some, for ever. Over the connections that all use, and beside what
/// follows: it delays nothing, and nothing depends on it.
pub(super) async fn announce(core: Core, replicas: Arc<dyn Replicas>, progress: Arc<Progress>) {
    let mut is_told = false;
    let mut listed = 1;
    loop {
        let began = Instant::now();
        let applied = progress.applied.lock().clone();
        match replicas.announce(&core.revocations.announcement(applied)).await {
            Ok(others) => {
                listed = others;
                if is_told {
                    tracing::info!("other instances hear of this one again");
                }
                is_told = false;
            }
            Err(error) => {
                core.telemetry.metrics.store_error("announce");
                // Once for an outage, not each second of it.
                if !is_told {
                    tracing::warn!(%error, "other instances cannot be told how far this one is: `--wait` names it as missing");
                }
                is_told = true;
            }
        }
        sleep_until(began + pause(listed)).await;
        // Nothing has moved when it returns too late, and then it is time all the same.
        let _ = timeout_at(began + EVERY, progress.moved.notified()).await;
    }
}

/// How long one keeps quiet, of so many: all of them together announce themselves a thousand times a second while marks are made.
fn pause(listed: usize) -> Duration {
    SHORTEST_PAUSE.max(EACH.saturating_mul(u32::try_from(listed).unwrap_or(u32::MAX))).min(EVERY)
}

const EVERY: Duration = Duration::from_secs(1);

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

const EACH: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_announce_themselves_less_often() {
        for (listed, millis) in
            [(0, 100), (1, 100), (100, 100), (101, 101), (999, 999), (1000, 1000), (10_000, 1000), (usize::MAX, 1000)]
        {
            assert_eq!(pause(listed), Duration::from_millis(millis), "{listed}");
        }
    }
}
