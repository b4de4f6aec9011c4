//! How the store is.

use std::sync::atomic::Ordering;

use super::Metrics;

impl Metrics {
    /// Whether the store answered when it was asked.
    pub fn set_store_up(&self, up: bool) {
        self.store_answers.store(up, Ordering::Relaxed);
        self.show_store();
    }

    /// Whether its changes can be followed: while they cannot, an answer to somebody else does not mean that it is well. True until said.
    pub fn set_store_followed(&self, followed: bool) {
        self.store_is_lost.store(!followed, Ordering::Relaxed);
        self.show_store();
    }

    fn show_store(&self) {
        let up = self.store_answers.load(Ordering::Relaxed) && !self.store_is_lost.load(Ordering::Relaxed);
        self.store_up.set(i64::from(up));
    }

    /// Whether both were true last.
    pub fn is_store_up(&self) -> bool {
        self.store_up.get() == 1
    }
}
