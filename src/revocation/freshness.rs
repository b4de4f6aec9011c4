//! How old the view of a shared store is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Bucket;
use crate::base::Uptime;

/// When each bucket of the view was last known to have everything. One who is cut off from the store has a view that ages.
#[derive(Debug, Default)]
pub struct Freshness {
    /// Milliseconds of the machine's life, and one more; 0 = never.
    buckets: [AtomicU64; Bucket::COUNT],
}

impl Freshness {
    /// The bucket has all that was durable at `at`, as [`Follower::fresh_at`](super::Follower::fresh_at) says.
    pub fn set(&self, bucket: Bucket, at: Uptime) {
        if let Some(known) = self.buckets.get(usize::from(bucket.number())) {
            let millis = u64::try_from(at.since_start().as_millis()).unwrap_or(u64::MAX);
            known.fetch_max(millis.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// How long ago the view last had everything; `None` if it never had.
    #[must_use]
    pub fn age(&self, now: Uptime) -> Option<Duration> {
        let oldest = self.buckets.iter().map(|known| known.load(Ordering::Relaxed)).min()?;
        Some(now.since(Uptime::after_start(Duration::from_millis(oldest.checked_sub(1)?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_as_old_as_its_oldest_part() {
        let freshness = Freshness::default();
        let at = |seconds| Uptime::after_start(Duration::from_secs(seconds));
        let mut buckets = Bucket::all();
        let first = buckets.next().unwrap();
        for bucket in buckets {
            freshness.set(bucket, at(0));
        }
        assert_eq!(freshness.age(at(9)), None, "one part was never read");
        freshness.set(first, at(3));
        assert_eq!(freshness.age(at(9)), Some(Duration::from_secs(9)));
        for bucket in Bucket::all() {
            freshness.set(bucket, at(8));
        }
        freshness.set(first, at(5));
        assert_eq!(freshness.age(at(9)), Some(Duration::from_secs(1)), "it does not become older than it was");
    }
}
