//! Failures by name or by address, in memory that does not grow.

use std::collections::HashMap;
use std::time::Duration;

use super::window::{Allowance, Window};
use crate::base::Timestamp;

/// Counts failures under keys that follow from names or addresses by a keyed hash.
///
/// A key has a cell in each of four rows, and has failed as often as the least of them says. Keys that fall upon one cell are
/// counted together, so a key can be held to have failed too often, never too seldom: nothing is ever thrown out, so nobody can
/// push his failures out by others. Who knows no key of the hash cannot choose whom he falls together with.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) allowance: Allowance,
    /// Row by row; empty until the first failure.
    cells: Vec<Window>,
    /// Passwords that are being checked, by key; as many as there are such requests.
    checking: HashMap<u64, u32>,
}

impl Table {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, cells: Vec::new(), checking: HashMap::new() }
    }

    /// How long to wait until another password may be checked; zero as long as others are being checked,
    /// since as many as one likes could be tried at once otherwise. `None` if one may be now.
    pub(super) fn refuses(&self, key: u64, now: Timestamp) -> Option<Duration> {
        let waits = cells(key).map(|cell| self.cells.get(cell).and_then(|cell| self.allowance.full_for(cell, now)));
        // The least of the cells counts, and that is the first one to have room.
        if let Some(wait) = waits.into_iter().min().flatten() {
            return Some(wait);
        }
        let checking = self.checking.get(&key).copied().unwrap_or(0);
        let is_busy = checking > 0 && self.failures(key, now).saturating_add(checking) >= self.allowance.failures.get();
        is_busy.then_some(Duration::ZERO)
    }

    pub(super) fn begin(&mut self, key: u64) {
        *self.checking.entry(key).or_default() += 1;
    }

    pub(super) fn end(&mut self, key: u64) {
        if let Some(checking) = self.checking.get_mut(&key) {
            *checking = checking.saturating_sub(1);
            if *checking == 0 {
                self.checking.remove(&key);
            }
        }
    }

    pub(super) fn count(&mut self, key: u64, now: Timestamp) {
        if self.cells.is_empty() {
            self.cells = vec![Window::default(); ROWS * CELLS];
        }
        for cell in cells(key) {
            if let Some(cell) = self.cells.get_mut(cell) {
                self.allowance.count(cell, now);
            }
        }
    }

    fn failures(&self, key: u64, now: Timestamp) -> u32 {
        let failures = cells(key).map(|cell| self.cells.get(cell).map_or(0, |cell| self.allowance.total(cell, now)));
        failures.into_iter().min().unwrap_or(0)
    }
}

/// One in each row, of bits that no other row has.
fn cells(key: u64) -> [usize; ROWS] {
    [0, 1, 2, 3].map(|row| {
        let bits = u16::try_from(key >> (16 * row) & 0xffff).unwrap_or(0);
        row * CELLS + usize::from(bits) % CELLS
    })
}

const ROWS: usize = 4;

/// In a row. With a hundred thousand failures of as many names within one window, a name without any is refused once in ten thousand
/// times (of ten that are borne). All rows take 2 MiB.
const CELLS: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};
    use std::num::NonZeroU32;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn table() -> Table {
        Table::new(Allowance { failures: NonZeroU32::new(10).unwrap(), within: Duration::from_secs(300) })
    }

    #[test]
    fn a_flood_of_other_names_unlocks_nobody() {
        let (mut table, hash) = (table(), RandomState::new());
        let key = |name: &str| hash.hash_one(name);
        (0..10).for_each(|_| table.count(key("victim"), NOW));
        let wait = table.refuses(key("victim"), NOW);
        assert!(wait.is_some());
        for number in 0..1_000_000 {
            table.count(key(&format!("other {number}")), NOW);
        }
        assert_eq!(table.refuses(key("victim"), NOW), wait);
        assert_eq!(table.cells.len(), ROWS * CELLS, "and takes no memory");
    }

    #[test]
    fn a_flood_as_large_as_can_be_refuses_hardly_anybody_else() {
        let (mut table, hash) = (table(), RandomState::new());
        for number in 0..100_000 {
            table.count(hash.hash_one(number), NOW);
        }
        let refused = (0..10_000).filter(|number| table.refuses(hash.hash_one(-1 - number), NOW).is_some()).count();
        assert!(refused < 20, "{refused}");
    }

    #[test]
    fn what_is_being_checked_counts_until_it_is_known() {
        let mut table = table();
        (0..8).for_each(|_| table.count(7, NOW));
        for (begun, refused) in [(0, None), (1, None), (2, Some(Duration::ZERO))] {
            (0..begun).for_each(|_| table.begin(7));
            assert_eq!(table.refuses(7, NOW), refused, "{begun}");
            (0..begun).for_each(|_| table.end(7));
        }
        table.end(7);
        assert!(table.checking.is_empty());
    }
}
