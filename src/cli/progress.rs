//! How far a long piece of work has come, on stderr.

use std::time::Duration;

use super::output;
use crate::base::Stopwatch;

/// A line now and then.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    since: Stopwatch,
}

impl Progress {
    /// Of what is done to each record.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, since: Stopwatch::start() }
    }

    /// So many are done.
    pub(super) fn tell(&mut self, done: u64) {
        if self.since.elapsed() >= EVERY {
            output::note(format_args!("{} {done} records, and on", self.what));
            self.since = Stopwatch::start();
        }
    }
}

const EVERY: Duration = Duration::from_secs(2);
