//! Keeping the view the same as a store that others write, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::Core;
use super::announcing::{Progress, announce};
use super::store::Shared;
use crate::base::Clock;
use crate::revocation::changes::{Heed, follow};
use crate::revocation::follower::{Action, Pace};
use crate::revocation::{Bucket, Follower, Freshness, Revocations, StoreError, StoredMark};
use crate::telemetry::Telemetry;

/// Follows `shared`: over one connection, or where each part may be at another server, over one for each.
pub(super) fn start(background: &mut JoinSet<()>, core: &Core, shared: &Shared) {
    let progress = Arc::<Progress>::default();
    background.spawn(announce(core.clone(), Arc::clone(&shared.replicas), Arc::clone(&progress)));
    let pace = Pace::default();
    let followers = core.revocations.followers(pace);
    let groups: Vec<Vec<Follower>> =
        if shared.is_apart { followers.into_iter().map(|follower| vec![follower]).collect() } else { vec![followers] };
    for group in groups {
        let (core, changes) = (core.clone(), Arc::clone(&shared.changes));
        let mut following = Following {
            freshness: Arc::clone(&shared.freshness),
            progress: Arc::clone(&progress),
            revocations: Arc::clone(&core.revocations),
            telemetry: Arc::clone(&core.telemetry),
            restoring: HashMap::new(),
            is_told: false,
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
    /// Marks that are being written back.
    restoring: HashMap<Bucket, AbortHandle>,
    /// An outage is told once, not four times a second.
    is_told: bool,
}

impl Heed for Following {
    fn heard(&mut self, follower: &Follower, actions: Vec<Action>) {
        if let Some(at) = follower.fresh_at() {
            self.freshness.set(follower.bucket(), at);
        }
        if follower.position().is_some() && self.is_told {
            self.is_told = false;
            tracing::info!("the store of revocations is followed again");
        }
        for action in actions {
            match action {
                Action::Restore(marks) => self.restore(follower.bucket(), marks),
                Action::Announce => self.progress.note(follower),
            }
        }
    }

    fn propagated(&mut self, took: Duration) {
        self.telemetry.metrics.following.propagated(took);
    }

    fn failed(&mut self, error: &StoreError) {
        self.telemetry.metrics.set_store_up(false);
        self.telemetry.metrics.store_error("follow");
        if !self.is_told {
            self.is_told = true;
            tracing::error!(%error, "the store of revocations cannot be followed: requests are judged by what was known, up to `revocation.max_staleness`");
        }
    }
}

impl Following {
    /// In place of what was still to be written of this bucket, which is among them.
    fn restore(&mut self, bucket: Bucket, marks: Vec<StoredMark>) {
        tracing::warn!(marks = marks.len(), "the store lost revocations that are known here; writing them back");
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

/// A part at a time and no faster than others have room for: all instances do the same, and one of them is enough.
async fn write_back(revocations: &Revocations, marks: Vec<StoredMark>) {
    for part in marks.chunks(PART) {
        loop {
            let now = revocations.clock().now();
            let live: Vec<_> = part.iter().filter(|mark| mark.expires_at > now).cloned().collect();
            match revocations.store().restore(&live).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, "lost revocations could not be written back yet");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Marks written back at once.
const PART: usize = 100;

const BREATH: Duration = Duration::from_millis(10);

const PAUSE: Duration = Duration::from_secs(1);
