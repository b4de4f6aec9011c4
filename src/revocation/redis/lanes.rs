//! Connections beside each other, for what must not wait for each other.

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Which of the connections to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// For what is answered at once, by all together.
    Prompt,
    /// For a write that is followed by a `WAIT`, which holds up what comes behind it: for one at a time.
    Confirmed(u8),
}

/// Who has which of those that are for one at a time.
#[derive(Debug)]
pub(super) struct Lanes {
    turns: Semaphore,
    free: Mutex<Vec<u8>>,
}

/// The right to one of them, until it is dropped.
pub(super) struct Turn<'a> {
    lanes: &'a Lanes,
    number: u8,
    _permit: SemaphorePermit<'a>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { turns: Semaphore::new(usize::from(COUNT)), free: Mutex::new((0..COUNT).rev().collect()) }
    }
}

impl Lanes {
    /// The next that is free; `None` if there is none until `deadline`.
    pub(super) async fn turn(&self, deadline: Instant) -> Option<Turn<'_>> {
        let permit = timeout_at(deadline, self.turns.acquire()).await.ok()?.ok()?;
        let number = self.free.lock().pop()?;
        Some(Turn { lanes: self, number, _permit: permit })
    }
}

impl Turn<'_> {
    pub(super) fn lane(&self) -> Lane {
        Lane::Confirmed(self.number)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // INVARIANT: before the permit is given back, so that whoever gets it finds one.
        self.lanes.free.lock().push(self.number);
    }
}

/// A write takes about as long as the way to the replicas and back: so many in that time.
const COUNT: u8 = 16;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_has_one_of_its_own_and_gives_it_back() {
        let lanes = Lanes::default();
        let soon = Instant::now() + std::time::Duration::from_secs(1);
        let mut turns = Vec::new();
        for _ in 0..COUNT {
            turns.push(lanes.turn(soon).await.unwrap());
        }
        let different: HashSet<_> = turns.iter().map(Turn::lane).collect();
        assert_eq!(different.len(), usize::from(COUNT));
        assert!(lanes.turn(soon).await.is_none(), "all are taken");
        let given_back = turns.pop().unwrap().lane();
        let later = Instant::now() + std::time::Duration::from_secs(1);
        assert_eq!(lanes.turn(later).await.unwrap().lane(), given_back);
    }
}
