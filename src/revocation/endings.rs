//! Sessions that were ended of late, so that they can be ended again.
//!
//! A failover loses what no replica had yet. The mark of an ended session comes back from the views, but it lives only as long as the
//! session's access tokens; a thief who waits for that would refresh a session whose end was confirmed. So whoever ended it looks again.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;

use super::writing::Ending;
use super::{Store, StoreError, View};
use crate::base::Uptime;

/// What this instance ended within the last ten minutes; the oldest make room where that is too many.
#[derive(Debug, Default)]
pub(super) struct Endings(Mutex<VecDeque<Ended>>);

#[derive(Clone, Debug)]
struct Ended {
    ending: Ending,
    at: Uptime,
    /// The store's [epoch](Store::epoch) before it was written.
    epoch: u64,
}

impl Endings {
    /// Ends a session, and remembers that once it is sure.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub(super) async fn end(
        &self,
        ending: Ending,
        (store, view): (&dyn Store, &View),
        at: Uptime,
    ) -> Result<bool, StoreError> {
        let epoch = store.epoch();
        let is_known = ending.clone().run(store, view).await?;
        if is_known {
            self.note(ending, at, epoch);
        }
        Ok(is_known)
    }

    fn note(&self, ending: Ending, at: Uptime, epoch: u64) {
        let mut ended = self.0.lock();
        ended.push_back(Ended { ending, at, epoch });
        shorten(&mut ended);
    }

    /// Looks at each that the store may have lost, and ends it again if it has.
    ///
    /// # Errors
    /// [`StoreError`]; what was not looked at is the next time.
    pub(super) async fn repeat(&self, store: &dyn Store, view: &View, now: Uptime) -> Result<(), StoreError> {
        // Before anything is read: if another server takes over meanwhile, it is looked at once more.
        let epoch = store.epoch();
        let mut all = std::mem::take(&mut *self.0.lock());
        all.retain(|ended| now.since(ended.at) < KEPT);
        let mut looked = Ok(());
        for ended in all.iter_mut().filter(|ended| ended.epoch != epoch) {
            looked = ended.ending.clone().run_again(store, view).await;
            if looked.is_err() {
                break;
            }
            ended.epoch = epoch;
        }
        let mut ended = self.0.lock();
        // Those that were ended meanwhile come last.
        all.append(&mut ended);
        shorten(&mut all);
        *ended = all;
        looked
    }
}

fn shorten(ended: &mut VecDeque<Ended>) {
    while ended.len() > MOST {
        ended.pop_front();
    }
}

/// Whatever is lost, is lost at a failover soon after: a replica that is further behind than this does not take over.
const KEPT: Duration = Duration::from_mins(10);

/// A hundred in a second, for all of the time. Some 10 MB.
const MOST: usize = 60_000;

#[cfg(test)]
mod tests;
