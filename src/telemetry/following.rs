//! The numbers of a store that others write too, or will: how well this instance follows it, and whether it has been left for another.

use std::time::Duration;

use prometheus::{Gauge, Histogram, IntCounter, IntGauge};

use super::buckets::PROPAGATION_BUCKETS;
use super::names;
use super::registry::Families;

/// How well a shared store is followed. Where nobody else writes the store, nothing of it ever moves.
#[derive(Debug)]
pub struct Following {
    staleness: Gauge,
    propagation: Histogram,
    clock_offset: Gauge,
    sealed: IntGauge,
    passed_stale: IntCounter,
}

impl Following {
    /// `passed_stale` is one of a family that others count in, too.
    pub(super) fn new(families: &Families, passed_stale: IntCounter) -> Self {
        Self {
            staleness: families.real_gauge(&names::REVOCATION_STALENESS),
            propagation: families.histogram(&names::REVOCATION_PROPAGATION, &PROPAGATION_BUCKETS),
            clock_offset: families.real_gauge(&names::STORE_CLOCK_OFFSET),
            sealed: families.gauge(&names::STORE_SEALED),
            passed_stale,
        }
    }

    /// A token passed although the view of the marks is too old to tell whether it was revoked.
    pub fn passed_stale(&self) {
        self.passed_stale.inc();
    }

    /// Whether the store takes no writes because it was exported.
    pub fn set_sealed(&self, sealed: bool) {
        self.sealed.set(i64::from(sealed));
    }

    /// How long ago the view of the marks last had everything; `None` if it never had.
    pub fn set_staleness(&self, age: Option<Duration>) {
        self.staleness.set(age.map_or(f64::INFINITY, |age| age.as_secs_f64()));
    }

    /// A mark was read from the store, so long after it was durable there.
    pub fn propagated(&self, took: Duration) {
        self.propagation.observe(took.as_secs_f64());
    }

    /// How far the store's clock is ahead of this machine's, in milliseconds; it may be behind.
    #[expect(clippy::cast_precision_loss, reason = "exact for some hundred thousand years")]
    pub fn set_clock_offset(&self, millis: i64) {
        self.clock_offset.set(millis as f64 / 1000.0);
    }
}

/// The result of a look-up that the cache had no part in.
pub(super) const STALE: &str = "stale";
