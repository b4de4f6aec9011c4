//! Keeping the view the same as a store that others write, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::Core;
use super::announcing::{Progress, announce};
use super::store::Shared;
use crate::admin::Health;
use crate::base::Clock;
use crate::base::entropy::random;
use crate::revocation::changes::{Heed, follow, measure};
use crate::revocation::follower::{Action, Pace};
use crate::revocation::{Bucket, Follower, Freshness, Revocations, StoreError, StoredMark};
use crate::telemetry::Telemetry;

/// Asks for the time of a store that answers, so that there are logins from the first request on.
pub(super) async fn begin(revocations: &Revocations, shared: &Shared) {
    if !shared.answered {
        return;
    }
    if let Err(error) = measure(&*shared.changes, revocations.clock()).await {
        tracing::warn!(%error, "what time it is by the store's clock is not known yet");
    }
}

/// Follows `shared`: over one connection, or where each part may be at another server, over one for each.
pub(super) fn start(background: &mut JoinSet<()>, core: &Core, shared: &Shared) {
    let progress = Arc::<Progress>::default();
    background.spawn(announce(core.clone(), Arc::clone(&shared.replicas), Arc::clone(&progress)));
    let pace = Pace::default();
    let followers = core.revocations.followers(pace);
    let groups: Vec<Vec<Follower>> =
        if shared.is_apart { followers.into_iter().map(|follower| vec![follower]).collect() } else { vec![followers] };
    let (lost, restored) = (Arc::<AtomicUsize>::default(), Arc::<Restored>::default());
    for group in groups {
        let (core, changes) = (core.clone(), Arc::clone(&shared.changes));
        let mut following = Following {
            freshness: Arc::clone(&shared.freshness),
            progress: Arc::clone(&progress),
            revocations: Arc::clone(&core.revocations),
            telemetry: Arc::clone(&core.telemetry),
            health: Arc::clone(&core.health),
            restoring: HashMap::new(),
            restored: Arc::clone(&restored),
            lost: Arc::clone(&lost),
            is_lost: false,
        };
        background.spawn(async move {
            follow(&*changes, group, pace, core.revocations.clock(), &mut following).await;
        });
    }
}

struct Following {
    freshness: Arc<Freshness>,
    progress: Arc<Progress>,
    revocations: Arc<Revocations>,
    telemetry: Arc<Telemetry>,
    health: Arc<Health>,
    /// Marks that are being written back.
    restoring: HashMap<Bucket, AbortHandle>,
    restored: Arc<Restored>,
    /// How many cannot be followed, of all that are. An outage is told once, not by each and at every try.
    lost: Arc<AtomicUsize>,
    is_lost: bool,
}

/// Marks that the store lost, of all buckets, until that is told: mostly one event has lost them.
#[derive(Debug, Default)]
struct Restored {
    marks: AtomicUsize,
    buckets: AtomicUsize,
}

impl Restored {
    /// Tells it in one line for all that are found lost within a moment.
    fn note(self: &Arc<Self>, marks: usize) {
        self.marks.fetch_add(marks, Ordering::SeqCst);
        if self.buckets.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(GATHERED_FOR).await;
            let (buckets, marks) = (this.buckets.swap(0, Ordering::SeqCst), this.marks.swap(0, Ordering::SeqCst));
            tracing::warn!(
                marks,
                buckets,
                "the store lost revocations that are known here; writing them back. What sessions it lost with them is not known: their users log in again"
            );
        });
    }
}

impl Heed for Following {
    fn heard(&mut self, follower: &Follower, actions: Vec<Action>) {
        if let Some(at) = follower.fresh_at() {
            self.freshness.set(follower.bucket(), at);
        }
        for action in actions {
            match action {
                Action::Restore(marks) => self.restore(follower.bucket(), marks),
                Action::Announce => self.progress.note(follower),
            }
        }
    }

    fn read(&mut self) {
        if self.is_lost {
            self.is_lost = false;
            if self.lost.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.telemetry.metrics.set_store_followed(true);
                self.health.set_store_problem(None);
                // Whoever failed while nothing could be had need not try again for this to be seen.
                self.telemetry.metrics.set_store_up(true);
                tracing::info!("the store of revocations is followed again");
            }
        }
    }

    fn propagated(&mut self, took: Duration) {
        self.telemetry.metrics.following.propagated(took);
    }

    fn failed(&mut self, error: &StoreError) {
        self.telemetry.metrics.store_error("follow");
        if self.is_lost {
            return;
        }
        self.is_lost = true;
        if self.lost.fetch_add(1, Ordering::SeqCst) == 0 {
            self.telemetry.metrics.set_store_followed(false);
            self.health.set_store_problem(Some(error.to_string()));
            tracing::error!(%error, "the store of revocations cannot be followed: requests are judged by what was known, up to `revocation.max_staleness`");
        }
    }
}

impl Following {
    /// In place of what was still to be written of this bucket, which is among them. What is over is in the view for a while yet, and a
    /// store that forgot it has lost nothing.
    fn restore(&mut self, bucket: Bucket, mut marks: Vec<StoredMark>) {
        let now = self.revocations.clock().now();
        marks.retain(|mark| mark.expires_at > now);
        if marks.is_empty() {
            return;
        }
        self.restored.note(marks.len());
        let revocations = Arc::clone(&self.revocations);
        let task = tokio::spawn(async move { write_back(&revocations, marks).await });
        if let Some(before) = self.restoring.insert(bucket, task.abort_handle()) {
            before.abort();
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.restoring.values().for_each(AbortHandle::abort);
    }
}

/// A part at a time and no faster than others have room for, beginning at some moment of its own: all instances do the same, and one of them is
/// enough.
async fn write_back(revocations: &Revocations, marks: Vec<StoredMark>) {
    tokio::time::sleep(BEGUN_WITHIN.mul_f64(f64::from(random::<1>()[0]) / 255.0)).await;
    let mut is_told = false;
    for part in marks.chunks(PART) {
        loop {
            let now = revocations.clock().now();
            let live: Vec<_> = part.iter().filter(|mark| mark.expires_at > now).cloned().collect();
            match revocations.store().restore(&live).await {
                Ok(()) => break,
                Err(error) => {
                    if !is_told {
                        tracing::warn!(%error, "lost revocations could not be written back yet; it is tried until they are");
                    }
                    is_told = true;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// After which a loss is told.
const GATHERED_FOR: Duration = Duration::from_secs(2);

const BEGUN_WITHIN: Duration = Duration::from_secs(2);

/// Marks written back at once.
const PART: usize = 100;

const BREATH: Duration = Duration::from_millis(10);

const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ManualClock, Timestamp};
    use crate::revocation::{CacheSettings, MarkKey, MemoryStore};
    use crate::telemetry::{self, Sink};

    #[tokio::test]
    async fn what_is_over_was_not_lost() {
        let now = Timestamp::from_seconds(1000);
        let cache = CacheSettings { capacity: 0, ttl: Duration::ZERO };
        let store = Arc::new(MemoryStore::new(None));
        let revocations = Arc::new(Revocations::new(store, Arc::new(ManualClock::at(now)), cache));
        let follower = revocations.followers(Pace::default()).remove(0);
        let mark = |ends: i64| StoredMark {
            key: MarkKey::from_bytes([0; 16]),
            name: None,
            expires_at: Timestamp::from_seconds(ends),
            issued_before: None,
        };
        for (ends, restored) in [
            (vec![], false),
            (vec![1], false),
            (vec![1, 999, 1000], false),
            (vec![1001], true),
            (vec![1, 1001, 1000], true),
        ] {
            let mut following = Following {
                freshness: Arc::default(),
                progress: Arc::default(),
                revocations: Arc::clone(&revocations),
                telemetry: Arc::new(Telemetry::new(Sink::memory(), &telemetry::Settings::default())),
                health: Arc::default(),
                restoring: HashMap::new(),
                restored: Arc::default(),
                lost: Arc::default(),
                is_lost: false,
            };
            let marks = ends.iter().map(|ends| mark(*ends)).collect();
            following.heard(&follower, vec![Action::Restore(marks)]);
            assert_eq!(following.restoring.contains_key(&follower.bucket()), restored, "{ends:?}");
        }
    }
}
