//! Numbers that each thread counts for itself, added up when they are shown.
//!
//! # Why
//! A request is counted in some eight places. Were they shared, threads that serve at the same time would wait for each other's
//! memory at each of them. Here a thread adds to cells that only it writes; nothing is lost when it ends, since whoever takes its
//! place goes on with them, and every sum only grows.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use thread_local::ThreadLocal;

/// The cells of all threads.
#[derive(Debug, Default)]
pub(super) struct Cells {
    lanes: ThreadLocal<Arc<Lane>>,
    taken: AtomicUsize,
}

/// The cells of one thread.
#[derive(Debug, Default)]
pub(super) struct Lane([OnceLock<Box<[AtomicU64]>>; CHUNKS]);

/// A place in every lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    chunk: usize,
    at: usize,
}

impl Cells {
    /// A cell that nobody else has.
    pub(super) fn take(&self) -> Cell {
        Cell::of(self.taken.fetch_add(1, Ordering::Relaxed))
    }

    /// The lane of this thread.
    pub(super) fn lane(&self) -> &Arc<Lane> {
        self.lanes.get_or_default()
    }

    /// What all threads have counted there.
    pub(super) fn sum(&self, cell: Cell) -> u64 {
        self.lanes.iter().map(|lane| lane.get(cell)).fold(0, u64::wrapping_add)
    }

    /// The same of a cell that holds durations.
    pub(super) fn seconds(&self, cell: Cell) -> f64 {
        self.lanes.iter().map(|lane| f64::from_bits(lane.get(cell))).sum()
    }
}

impl Lane {
    /// Adds `count`. Only for the thread whose lane it is: no other writes here, so that there is nothing to be atomic about.
    pub(super) fn add(&self, cell: Cell, count: u64) {
        if let Some(place) = self.place(cell) {
            place.store(place.load(Ordering::Relaxed).wrapping_add(count), Ordering::Release);
        }
    }

    /// Adds seconds; as [`Lane::add`].
    pub(super) fn add_seconds(&self, cell: Cell, seconds: f64) {
        if let Some(place) = self.place(cell) {
            let sum = f64::from_bits(place.load(Ordering::Relaxed)) + seconds;
            place.store(sum.to_bits(), Ordering::Release);
        }
    }

    /// Adds one from any thread, in a cell that is only written so.
    pub(super) fn add_from_anywhere(&self, cell: Cell) {
        if let Some(place) = self.place(cell) {
            place.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn get(&self, cell: Cell) -> u64 {
        let chunk = self.0.get(cell.chunk).and_then(OnceLock::get);
        chunk.and_then(|chunk| chunk.get(cell.at)).map_or(0, |place| place.load(Ordering::Acquire))
    }

    fn place(&self, cell: Cell) -> Option<&AtomicU64> {
        let chunk = self.0.get(cell.chunk)?;
        let made = || std::iter::repeat_with(AtomicU64::default).take(FIRST << cell.chunk).collect();
        chunk.get_or_init(made).get(cell.at)
    }
}

impl Cell {
    /// Each chunk is twice as long as the one before: a lane needs no more memory than there are series, and none of it ever moves.
    const fn of(number: usize) -> Self {
        let from_first = number + FIRST;
        let chunk = (from_first.ilog2() - FIRST.ilog2()) as usize;
        Self { chunk, at: from_first - (FIRST << chunk) }
    }
}

/// Cells of the first chunk: enough for a policy of a few routes.
const FIRST: usize = 64;

/// More cells than series anybody can configure: four million.
const CHUNKS: usize = 16;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn every_number_has_a_cell_of_its_own() {
        let mut last = None;
        for number in 0..5_000 {
            let cell = Cell::of(number);
            assert!(cell.at < FIRST << cell.chunk, "{number}: {cell:?}");
            let next = last.map_or(
                (0, 0),
                |Cell { chunk, at }: Cell| {
                    if at + 1 < FIRST << chunk { (chunk, at + 1) } else { (chunk + 1, 0) }
                },
            );
            assert_eq!((cell.chunk, cell.at), next, "{number}");
            last = Some(cell);
        }
    }

    #[test]
    fn nothing_is_lost_however_many_threads_come_and_go() {
        const THREADS: u64 = 8;
        const TIMES: u64 = 1_000;
        let cells = Cells::default();
        let all: Vec<_> = (0..300).map(|_| cells.take()).collect();
        let mut before = 0;
        for round in 1..=5 {
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        for _ in 0..TIMES {
                            cells.lane().add(all[0], 1);
                            cells.lane().add(all[299], 2);
                            cells.lane().add_seconds(all[1], 0.5);
                            cells.lane().add_from_anywhere(all[2]);
                        }
                    });
                }
                // While they count, what is seen only grows.
                for _ in 0..100 {
                    let seen = cells.sum(all[0]);
                    assert!(seen >= before, "{seen} after {before}");
                    before = seen;
                }
            });
            let counted = round * THREADS * TIMES;
            assert_eq!([0, 299, 2].map(|at| cells.sum(all[at])), [counted, 2 * counted, counted]);
            #[expect(clippy::cast_precision_loss, reason = "some ten thousand")]
            let seconds = counted as f64 * 0.5;
            assert!((cells.seconds(all[1]) - seconds).abs() < 1e-9);
        }
        assert!(cells.lanes.iter().count() <= 9, "whoever comes takes the place of one who has gone");
    }
}
