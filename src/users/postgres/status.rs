//! Whether the database answers, for probes and the log.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::failure::Failure;

/// How it went the last time that the database was asked.
#[derive(Debug, Default)]
pub struct Status {
    /// Somebody asked by now.
    asked: AtomicBool,
    problem: Mutex<Option<Failure>>,
}

impl Status {
    /// What is wrong, one line; `None` if nothing is.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().as_ref().map(ToString::to_string)
    }

    /// Whether the last answer was one.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.problem.lock().is_none()
    }

    /// Takes in how it went with the statement `key`, or with all of them. The log is told of changes only: each failed login has a
    /// line of its own.
    pub(super) fn tell(&self, key: Option<&'static str>, result: Result<impl Sized, &Failure>) {
        let now = result.err().cloned();
        let mut problem = self.problem.lock();
        if let (None, Some(Failure::Unusable { key: other, .. })) = (&now, &*problem)
            && key.is_some_and(|key| key != *other)
        {
            // That one statement is fine says nothing of another.
            return;
        }
        let first = !self.asked.swap(true, Ordering::AcqRel);
        if *problem == now && !first {
            return;
        }
        match &now {
            None => tracing::info!("the users' database answers"),
            Some(problem @ Failure::Unusable { .. }) => {
                tracing::error!(%problem, "what is configured does not fit the users' database: mend the statement, or the table");
            }
            Some(problem) => {
                tracing::error!(%problem, "the users' database does not answer: logins are answered 503 until it does");
            }
        }
        *problem = now;
    }
}
