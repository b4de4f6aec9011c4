//! The numbers of connections.

use prometheus::IntCounter;

use super::labels::{ConnectionCap, Unserved};
use super::names::{self, Family};
use super::registry::Families;
use super::tally::{Held, Level};

/// How many there are, and what became of those that no request was read from.
#[derive(Debug)]
pub struct Connections {
    open: Level,
    refused: [IntCounter; ConnectionCap::ALL.len()],
    displaced: [IntCounter; ConnectionCap::ALL.len()],
    unserved: [IntCounter; Unserved::ALL.len()],
}

impl Connections {
    pub(super) fn new(families: &Families) -> Self {
        let by_cap = |family: &Family| {
            let counters = families.counters(family);
            ConnectionCap::ALL.map(|cap| counters.with_label_values(&[cap.as_str()]))
        };
        let unserved = families.counters(&names::CONNECTIONS_UNSERVED);
        Self {
            open: families.level(&names::CONNECTIONS),
            refused: by_cap(&names::CONNECTIONS_REFUSED),
            displaced: by_cap(&names::CONNECTIONS_DISPLACED),
            unserved: Unserved::ALL.map(|reason| unserved.with_label_values(&[reason.as_str()])),
        }
    }

    /// A connection is open until the guard is dropped.
    pub fn opened(&self) -> Held {
        self.open.hold()
    }

    /// A new one was closed at once: there is no room, and everybody has a request in flight.
    pub fn refused(&self, cap: ConnectionCap) {
        count(&self.refused, cap as usize);
    }

    /// One that was idle gave way to a new one.
    pub fn displaced(&self, cap: ConnectionCap) {
        count(&self.displaced, cap as usize);
    }

    /// One ended before a request was read from it, or in the middle of one's head.
    pub fn unserved(&self, reason: Unserved) {
        count(&self.unserved, reason as usize);
    }
}

fn count(counters: &[IntCounter], label: usize) {
    if let Some(counter) = counters.get(label) {
        counter.inc();
    }
}
