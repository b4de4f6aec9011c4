//! What is counted while it lasts.

use prometheus::IntGauge;

/// One of those that are counted while they last.
#[derive(Debug)]
#[must_use = "it counts only while it is kept"]
pub struct Held(IntGauge);

impl Held {
    pub(super) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
