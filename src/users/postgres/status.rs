//! Whether the database answers, for probes and the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::failure::Failure;

/// How it went the last time that the database was asked.
#[derive(Debug, Default)]
pub struct Status {
    /// Somebody asked by now.
    asked: AtomicBool,
    problem: Mutex<Option<Failure>>,
    /// The last one that concerned one user alone, and when that was.
    of_one: Mutex<Option<(Failure, Instant)>>,
}

impl Status {
    /// What is wrong, one line; `None` if nothing is.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let problem = self.problem.lock().as_ref().map(ToString::to_string);
        problem.or_else(|| {
            let of_one = self.of_one.lock();
            of_one.as_ref().filter(|(_, at)| at.elapsed() < SHOWN_FOR).map(|(failure, _)| failure.to_string())
        })
    }

    /// Whether the last answer was one, be it of no use.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.problem.lock().is_none()
    }

    /// Takes in that a user's session cannot be told to be good or over, by the fault of a row or statement. It is shown for a minute:
    /// that others are found says nothing of it.
    pub(super) fn tell_of_one(&self, failure: &Failure) {
        *self.of_one.lock() = Some((failure.clone(), Instant::now()));
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

const SHOWN_FOR: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fault_of_one_row_is_shown_for_a_minute_whatever_becomes_of_others() {
        let status = Status::default();
        status.tell(Some("query"), Ok::<_, &Failure>(()));
        assert_eq!(status.problem(), None);
        status.tell_of_one(&Failure::Many { key: "query" });
        status.tell(Some("query"), Ok::<_, &Failure>(()));
        assert!(status.problem().unwrap().contains("more than one user") && status.is_up());
        status.tell(Some("query"), Err::<(), _>(&Failure::Slow(Duration::from_secs(1))));
        assert!(status.problem().unwrap().contains("no answer") && !status.is_up());
        status.tell(Some("query"), Ok::<_, &Failure>(()));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(status.problem().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(status.problem(), None);
    }
}
