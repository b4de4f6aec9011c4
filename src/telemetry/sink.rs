//! Where lines go: a bounded buffer, emptied by a thread of its own.
//!
//! # Why not a channel of lines
//! A line is copied once, into a buffer that is reused, and the thread writes all that has gathered with one call.
//! The bound is in bytes, so that a reader of the log who has stopped reading costs a known amount of memory.
//!
//! # Why it is not woken for every line
//! To wake a thread, and to have it write a few hundred bytes, costs more than the line does. So after it has written it leaves some
//! milliseconds for lines to gather. One that comes after a pause is written at once, and so are records: what was done must not be lost
//! with a process that is killed.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use prometheus::IntCounter;

use super::names;

/// What is lost when whoever reads the log is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Importance {
    /// Diagnostics and access lines: dropped first, and counted.
    Routine,
    /// Refusals, whose number a client chooses: they must neither stop the service nor be driven out by access
    /// lines. Dropped, and counted, when [`ROUTINE_ROOM`] and [`REFUSAL_ROOM`] are full.
    Refusal,
    /// What changed something: dropped last. Whoever can refuse to change something asks [`Sink::has_room`] first.
    Record,
}

/// The end of the log that lines are put into. Cheap to clone.
#[derive(Clone)]
pub struct Sink(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Lines came, or the end.
    filled: Condvar,
    /// Room came, or the end.
    drained: Condvar,
    dropped: IntCounter,
    /// In memory nothing drains the buffer, so nothing may wait for room.
    in_memory: bool,
}

#[derive(Default)]
struct State {
    pending: Vec<u8>,
    /// The thread has just written, and waits for more to do.
    gathering: bool,
    /// How many of the lines are records: it does not wait then.
    records: usize,
    closed: bool,
    finished: bool,
}

impl Sink {
    /// Lines are kept, for tests: see [`Sink::lines`].
    #[must_use]
    pub fn memory() -> Self {
        Self::new(true)
    }

    /// Lines are written to `out` by a thread, until the guard is dropped.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn to(out: impl Write + Send + 'static) -> io::Result<(Self, Guard)> {
        let sink = Self::new(false);
        let writer = sink.clone();
        std::thread::Builder::new().name("doorward-log".into()).spawn(move || writer.drain_into(out))?;
        Ok((sink.clone(), Guard(sink)))
    }

    /// What was written to a sink in memory, less the line ends; nothing for any other.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if !self.0.in_memory {
            return Vec::new();
        }
        String::from_utf8_lossy(&self.0.state.lock().pending).lines().map(str::to_owned).collect()
    }

    /// How many lines were dropped; the metric is this very counter.
    pub(super) fn dropped(&self) -> &IntCounter {
        &self.0.dropped
    }

    /// Whether there is room for the record of something that is about to be done; a quarter of it is left to what cannot
    /// be refused.
    pub(super) fn has_room(&self) -> bool {
        self.0.in_memory || self.0.state.lock().pending.len() < ROUTINE_ROOM + REFUSAL_ROOM + RECORD_ROOM / 4 * 3
    }

    /// Takes `line`, line end included.
    pub(super) fn push(&self, importance: Importance, line: &str) {
        let room = match importance {
            Importance::Routine => ROUTINE_ROOM,
            Importance::Refusal => ROUTINE_ROOM + REFUSAL_ROOM,
            Importance::Record => ROUTINE_ROOM + REFUSAL_ROOM + RECORD_ROOM,
        };
        let mut state = self.0.state.lock();
        // Never waits: this is called on the threads that serve, and a reader that stops must not stop them.
        let full = !self.0.in_memory && state.pending.len().saturating_add(line.len()) > room;
        if full || state.closed {
            self.0.dropped.inc();
            return;
        }
        let before = state.pending.len();
        state.pending.extend_from_slice(line.as_bytes());
        let enough = before < ENOUGH && state.pending.len() >= ENOUGH;
        let record = importance == Importance::Record;
        let urgent = record && state.records == 0;
        state.records += usize::from(record);
        let wakes = if state.gathering { urgent || enough } else { before == 0 };
        drop(state);
        if wakes {
            self.0.filled.notify_one();
        }
    }

    #[expect(clippy::expect_used, reason = "the name and the help text are constants, and a test makes a sink")]
    fn new(in_memory: bool) -> Self {
        let dropped = IntCounter::new(names::LOG_LINES_DROPPED.name, names::LOG_LINES_DROPPED.help);
        Self(Arc::new(Shared {
            state: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            dropped: dropped.expect("a valid metric name"),
            in_memory,
        }))
    }

    /// Waits until there is enough to write, or something that must not wait; a moment at the most.
    fn gather(&self) {
        let mut state = self.0.state.lock();
        state.gathering = true;
        while !state.closed && state.records == 0 && state.pending.len() < ENOUGH {
            if self.0.filled.wait_for(&mut state, GATHERS_FOR).timed_out() {
                break;
            }
        }
        state.gathering = false;
    }

    fn drain_into(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let mut state = self.0.state.lock();
            while state.pending.is_empty() && !state.closed {
                self.0.filled.wait(&mut state);
            }
            if state.pending.is_empty() {
                state.finished = true;
                self.0.drained.notify_all();
                return;
            }
            std::mem::swap(&mut state.pending, &mut batch);
            state.records = 0;
            drop(state);
            self.0.drained.notify_all();
            if out.write_all(&batch).and_then(|()| out.flush()).is_err() {
                // A closed pipe: there is nobody left to tell, but the metric still counts.
                let lines = batch.split(|byte| *byte == b'\n').count() - 1;
                self.0.dropped.inc_by(u64::try_from(lines).unwrap_or(u64::MAX));
            }
            batch.clear();
            batch.shrink_to(KEPT_CAPACITY);
            self.gather();
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.in_memory { "Sink(memory)" } else { "Sink" })
    }
}

/// Has the last lines written when it is dropped. Lines that come later are dropped and counted.
#[derive(Debug)]
#[must_use = "without it the last lines are lost"]
pub struct Guard(Sink);

impl Drop for Guard {
    fn drop(&mut self) {
        let shared = &self.0.0;
        let mut state = shared.state.lock();
        state.closed = true;
        shared.filled.notify_all();
        // Writers that wait for room must see the end as well.
        shared.drained.notify_all();
        while !state.finished {
            if shared.drained.wait_for(&mut state, LAST_WORDS).timed_out() {
                return;
            }
        }
    }
}

/// Bytes that may wait before access lines and diagnostics are dropped: some 4,000 requests.
const ROUTINE_ROOM: usize = 1 << 20;
/// Bytes beyond that for refusals.
const REFUSAL_ROOM: usize = 1 << 20;
/// Bytes beyond that for records; then they wait.
const RECORD_ROOM: usize = 1 << 20;
/// Bytes that are written without waiting for more.
const ENOUGH: usize = 64 << 10;
/// How long lines gather after some were written.
const GATHERS_FOR: Duration = Duration::from_millis(5);
/// What a buffer keeps after a burst, in bytes.
const KEPT_CAPACITY: usize = 64 << 10;
/// How long the end may be held up by a reader that has stopped reading.
const LAST_WORDS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
