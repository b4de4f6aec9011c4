//! Which instances a mark is in effect at.

mod tally;

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::tally::Tally;
use super::replicas::Place;
use super::{Bucket, Position, Replicas, Revocations, StoreError};

/// Who refuses what a mark names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The names of the instances that have it in their view, this one first.
    pub confirmed_by: Vec<String>,
    /// The names of those that have not, or were not heard of.
    pub missing: Vec<String>,
}

impl Revocations {
    /// Who has the change at `position` in the view, after a `wait` of at most so long for those that have it not. Who was not heard of for
    /// [`SILENT_AFTER`](super::replicas::SILENT_AFTER) is not waited for. Without a wait, and where nobody else follows the store, only this instance is asked.
    ///
    /// # Errors
    /// [`StoreError`] if it is not known who else there is. The mark is durable all the same.
    pub async fn confirmation(&self, position: Position, wait: Duration) -> Result<Confirmation, StoreError> {
        let own = || Confirmation { confirmed_by: vec![self.instance.clone()], missing: Vec::new() };
        match (position, &self.replicas) {
            // Whoever makes a mark has applied it before this is asked.
            (Position::Stream { bucket, id, history }, Some(replicas)) if !wait.is_zero() => {
                let tally = Tally::new((self.id, self.instance.clone()), Place { history, id });
                confirmed(&**replicas, bucket, tally, Instant::now() + wait).await
            }
            (Position::Local | Position::Stream { .. }, _) => Ok(own()),
        }
    }
}

async fn confirmed(
    replicas: &dyn Replicas,
    bucket: Bucket,
    mut tally: Tally,
    deadline: Instant,
) -> Result<Confirmation, StoreError> {
    let mut pause = FIRST_PAUSE;
    let mut failure = StoreError::Unavailable(NOT_COMPLETE.to_owned());
    loop {
        // The last time is at the deadline: what came until then counts.
        let is_last = Instant::now() >= deadline;
        match replicas.roll(bucket).await {
            Ok(roll) => {
                if tally.hear(roll) {
                    break;
                }
            }
            Err(error) => failure = error,
        }
        if is_last {
            break;
        }
        sleep_until((Instant::now() + pause).min(deadline)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    tally.outcome().ok_or(failure)
}

/// Others announce what they have applied in a tenth of a second at the latest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Doubled each time up to this: whoever takes longer is slow anyway, and the store has other work.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

const NOT_COMPLETE: &str = "the list of instances is not complete yet";

#[cfg(test)]
mod tests;
