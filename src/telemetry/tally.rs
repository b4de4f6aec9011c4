//! What is counted on every request: by each thread for itself, and shown with everything else.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge};

use super::cells::{Cell, Cells, Lane};

/// The cells, and what is shown of them. Cheap to clone; not on every request, which would be the shared write that it spares.
#[derive(Clone, Default)]
pub(super) struct Tally(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cells: Cells,
    counters: Mutex<Vec<Shown>>,
    levels: Mutex<Vec<(IntGauge, Bounds)>>,
}

/// A counter as `/metrics` has it, and how much of its cell is in it.
struct Shown {
    counter: IntCounter,
    cell: Cell,
    taken_over: u64,
}

/// How many have begun and how many have ended.
#[derive(Clone, Copy)]
struct Bounds {
    begun: Cell,
    ended: Cell,
}

impl Tally {
    /// Counts for `shown`.
    pub(super) fn counter(&self, shown: IntCounter) -> Counter {
        let cell = self.0.cells.take();
        self.0.counters.lock().push(Shown { counter: shown, cell, taken_over: 0 });
        Counter { tally: self.clone(), cell }
    }

    /// Counts how many there are, for `shown`.
    pub(super) fn level(&self, shown: IntGauge) -> Level {
        let bounds = Bounds { begun: self.0.cells.take(), ended: self.0.cells.take() };
        self.0.levels.lock().push((shown, bounds));
        Level { tally: self.clone(), bounds }
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.0.cells
    }

    /// This thread's own.
    pub(super) fn lane(&self) -> &Lane {
        self.0.cells.lane()
    }

    /// Has everything that was counted until now stand in what is shown.
    pub(super) fn show(&self) {
        for shown in self.0.counters.lock().iter_mut() {
            let sum = self.0.cells.sum(shown.cell);
            shown.counter.inc_by(sum.saturating_sub(shown.taken_over));
            shown.taken_over = sum;
        }
        for (gauge, bounds) in self.0.levels.lock().iter() {
            gauge.set(i64::try_from(self.between(*bounds)).unwrap_or(i64::MAX));
        }
    }

    fn between(&self, bounds: Bounds) -> u64 {
        // INVARIANT: in this order. Whoever has ended by now had begun before, so that at no moment fewer are seen than there are: the
        // end of the process waits for the last.
        let ended = self.0.cells.sum(bounds.ended);
        self.0.cells.sum(bounds.begun).saturating_sub(ended)
    }
}

/// Only ever grows.
#[derive(Clone)]
pub(super) struct Counter {
    tally: Tally,
    cell: Cell,
}

impl Counter {
    /// One more.
    pub(super) fn inc(&self) {
        self.inc_in(self.tally.lane());
    }

    /// One more, for who has this thread's lane at hand.
    pub(super) fn inc_in(&self, lane: &Lane) {
        lane.add(self.cell, 1);
    }
}

/// How many there are of what lasts.
pub(super) struct Level {
    tally: Tally,
    bounds: Bounds,
}

impl Level {
    /// One more, until the guard is dropped.
    pub(super) fn hold(&self) -> Held {
        let lane = self.tally.0.cells.lane();
        lane.add(self.bounds.begun, 1);
        Held { lane: Arc::clone(lane), ended: self.bounds.ended }
    }

    /// How many there are; never fewer than there are.
    pub(super) fn now(&self) -> u64 {
        self.tally.between(self.bounds)
    }
}

/// One of those that are counted while they last.
#[must_use = "it counts only while it is kept"]
pub struct Held {
    /// Of the thread where it began; it may end on another.
    lane: Arc<Lane>,
    ended: Cell,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.lane.add_from_anywhere(self.ended);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Held")
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tally")
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Counter")
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Level({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn counter() -> IntCounter {
        IntCounter::new("c", "c").unwrap()
    }

    #[test]
    fn what_is_shown_is_what_was_counted_each_time() {
        let (tally, shown) = (Tally::default(), counter());
        let (one, other) = (tally.counter(shown.clone()), tally.counter(shown.clone()));
        for round in 1..=3 {
            one.inc();
            thread::scope(|scope| drop(scope.spawn(|| other.inc())));
            tally.show();
            tally.show();
            assert_eq!(shown.get(), 2 * round, "two that count the same, on two threads");
        }
    }

    #[test]
    fn what_begins_on_one_thread_may_end_on_another() {
        let (tally, shown) = (Tally::default(), IntGauge::new("g", "g").unwrap());
        let level = tally.level(shown.clone());
        let (first, second) = (level.hold(), level.hold());
        assert_eq!(level.now(), 2);
        thread::scope(|scope| drop(scope.spawn(move || drop(first))));
        tally.show();
        assert_eq!((level.now(), shown.get()), (1, 1));
        drop(second);
        let panicked = thread::scope(|scope| {
            let held = level.hold();
            scope
                .spawn(move || {
                    let _held = held;
                    std::panic::resume_unwind(Box::new(()))
                })
                .join()
        });
        assert!(panicked.is_err());
        tally.show();
        assert_eq!((level.now(), shown.get()), (0, 0));
    }
}
