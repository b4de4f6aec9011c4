//! Answers that were given and have not left yet, on HTTP/2: who gave them has ended, and they wait in a buffer for the client to
//! read on. A connection with some is not idle.

use std::sync::Arc;

use parking_lot::Mutex;

use super::registry::{InFlight, Place};

/// What keeps a connection in flight beyond its requests.
pub(super) struct Unsent {
    place: Arc<Place>,
    held: Mutex<Vec<InFlight<Arc<Place>>>>,
}

impl Unsent {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self { place, held: Mutex::default() }
    }

    /// A request has ended; it is in flight until everything has left.
    pub(super) fn ended(&self, in_flight: InFlight<Arc<Place>>) {
        self.held.lock().push(in_flight);
        // Its answer may have left already. The connection flushes when it is woken, and says so.
        self.place.wake();
    }

    /// The client has no room for more.
    pub(super) fn waits(&self) {
        let mut held = self.held.lock();
        if held.is_empty() {
            held.extend(Place::begin_shared(&self.place));
        }
    }

    /// Everything has left.
    pub(super) fn left(&self) {
        // Dropped without the lock.
        let _left = std::mem::take(&mut *self.held.lock());
    }
}
