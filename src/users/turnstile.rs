//! Waiting for one's turn at the throttle, where only those are in the way who may all be right.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use super::shared_throttle::{ASK_AGAIN, Kind, Open, Outcome, Shared, SharedFailures, Tried};
use super::throttle::{Attempt, Throttle, ThrottleSettings, Throttled, Wait};
use crate::base::Clock;
use crate::keys::ServerKeys;

/// Those of users and those of clients are counted apart: a service with an outdated secret must not keep the users out who share its
/// address.
#[derive(Clone, Debug)]
pub struct Throttles {
    /// Logins.
    pub logins: Arc<Turnstile>,
    /// Clients that show a secret.
    pub clients: Arc<Turnstile>,
}

impl Throttles {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new(settings: ThrottleSettings) -> Self {
        Self { logins: Arc::new(Turnstile::new(settings)), clients: Arc::new(Turnstile::new(settings)) }
    }

    /// The same counts here, and those that `failures` counts for all instances decide as long as it answers. Instances with the same
    /// first server key count together.
    #[must_use]
    pub fn sharing(&self, failures: &Arc<dyn SharedFailures>, keys: &Arc<ServerKeys>) -> Self {
        let shared = |kind| Shared { failures: Arc::clone(failures), keys: Arc::clone(keys), kind };
        Self {
            logins: Arc::new(self.logins.sharing(shared(Kind::Logins))),
            clients: Arc::new(self.clients.sharing(shared(Kind::Clients))),
        }
    }

    /// What they were made with.
    #[must_use]
    pub fn settings(&self) -> ThrottleSettings {
        self.logins.throttle.settings()
    }
}

/// A [`Throttle`] before which those wait who would be refused for others that are being tried, and for nothing else.
#[derive(Debug)]
pub struct Turnstile {
    throttle: Arc<Throttle>,
    /// Told whenever a login is no longer being tried.
    ended: Arc<Notify>,
    waiting: Arc<Semaphore>,
    shared: Option<Shared>,
}

/// A login that is being tried. Dropped, as when the client goes away, it has failed.
#[derive(Debug)]
#[must_use = "dropped, it counts as a failure"]
pub struct Turn {
    attempt: Option<Attempt>,
    /// As other instances see it.
    open: Option<Open>,
    ended: Arc<Notify>,
}

impl Turnstile {
    fn new(settings: ThrottleSettings) -> Self {
        let throttle = Arc::new(Throttle::new(settings));
        Self { throttle, ended: Arc::default(), waiting: Arc::new(Semaphore::new(WAITING)), shared: None }
    }

    fn sharing(&self, shared: Shared) -> Self {
        // Without an allowance there is nothing to count.
        let shared = self.throttle.settings().of_known().map(|_| shared);
        let Self { throttle, ended, waiting, .. } = self;
        Self { throttle: Arc::clone(throttle), ended: Arc::clone(ended), waiting: Arc::clone(waiting), shared }
    }

    /// [`Throttle::admit`], once it is known of those in the way whether they fail.
    ///
    /// # Errors
    /// [`Throttled`] if too many have failed, or too many wait.
    pub async fn admit(&self, name: &str, address: Option<IpAddr>, clock: &dyn Clock) -> Result<Turn, Throttled> {
        let tried = self.shared.as_ref().map(|shared| shared.tried(name, address, self.throttle.settings()));
        let (mut place, mut unsure) = (None, None);
        let refused = loop {
            let mut ended = pin!(self.ended.notified());
            // INVARIANT: before it is looked at, so that none that ends in between is missed.
            ended.as_mut().enable();
            match self.try_admit(tried.as_ref(), name, address, clock, &mut unsure).await {
                Ok(turn) => return Ok(turn),
                Err(Wait::Until(throttled)) => break throttled,
                Err(Wait::ForOthers) => {}
            }
            if place.is_none() {
                let Ok(found) = self.waiting.try_acquire() else { break Throttled { retry_after: 1 } };
                place = Some(found);
            }
            if tried.is_some() {
                // Those in the way may be tried elsewhere, where nobody tells us.
                let _ended_here = timeout(ASK_AGAIN, ended).await;
            } else {
                ended.await;
            }
        };
        // Nobody tried anything.
        if let Some(open) = unsure {
            open.end(Outcome::Untold);
        }
        Err(refused)
    }

    /// By what all instances have counted, or if nobody can tell, by what this one has. If that lets nobody in, `unsure` is what the others
    /// may have counted all the same.
    async fn try_admit(
        &self,
        tried: Option<&Tried>,
        name: &str,
        address: Option<IpAddr>,
        clock: &dyn Clock,
        unsure: &mut Option<Open>,
    ) -> Result<Turn, Wait> {
        let mut open = None;
        if let (Some(shared), Some(tried)) = (&self.shared, tried) {
            let answer = shared.admit(tried, &self.ended).await;
            if let Some(open) = unsure.take() {
                open.forget();
            }
            open = Some(answer?);
        }
        let attempt = match &open {
            Some(open) if !open.is_unsure() => self.throttle.note(name, address, clock.now()),
            _ => match self.throttle.admit(name, address, clock.now()) {
                Ok(attempt) => attempt,
                Err(wait) => {
                    *unsure = open;
                    return Err(wait);
                }
            },
        };
        Ok(Turn { attempt: Some(attempt), open, ended: Arc::clone(&self.ended) })
    }
}

impl Turn {
    /// As [`Attempt::succeeded`].
    pub fn succeeded(mut self) {
        self.attempt.take().into_iter().for_each(Attempt::succeeded);
        self.open.take().into_iter().for_each(|open| open.end(Outcome::Succeeded));
    }

    /// As [`Attempt::failed`].
    #[must_use]
    pub fn failed(mut self) -> bool {
        self.open.take().into_iter().for_each(|open| open.end(Outcome::Failed));
        self.attempt.take().is_some_and(Attempt::failed)
    }

    /// As [`Attempt::untold`].
    pub fn untold(mut self) {
        self.attempt.take().into_iter().for_each(Attempt::untold);
        self.open.take().into_iter().for_each(|open| open.end(Outcome::Untold));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // INVARIANT: before the others are told.
        drop(self.attempt.take());
        self.ended.notify_waiters();
    }
}

/// How many wait until it is known of others whether they fail. Those beyond are told to come back.
const WAITING: usize = 64;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::base::{ManualClock, Timestamp};
    use crate::users::Allowance;

    fn turnstile(failures: u32) -> (Arc<Turnstile>, Arc<dyn Clock>) {
        let failures = NonZeroU32::new(failures).unwrap();
        let per_user = Some(Allowance { failures, within: Duration::from_secs(300) });
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)));
        (Arc::new(Turnstile::new(ThrottleSettings { per_user, per_address: None })), clock)
    }

    #[tokio::test]
    async fn right_ones_at_once_all_get_in_one_after_the_other() {
        // How many of those at once are right, and how many may fail: (right, wrong, refused).
        for (right, wrong) in [(60, 0), (57, 3), (50, 10)] {
            let (throttle, clock) = turnstile(3);
            let (mut good, mut bad, mut refused) = (0, 0, 0);
            let mut tries = tokio::task::JoinSet::new();
            for number in 0..right + wrong {
                let (throttle, clock) = (Arc::clone(&throttle), Arc::clone(&clock));
                tries.spawn(async move {
                    let attempt = throttle.admit("alice", "192.0.2.1".parse().ok(), &*clock).await?;
                    tokio::task::yield_now().await;
                    // The wrong ones come first.
                    if number < wrong {
                        assert!(!attempt.failed());
                    } else {
                        attempt.untold();
                    }
                    Ok::<_, Throttled>(number >= wrong)
                });
            }
            for outcome in tries.join_all().await {
                match outcome {
                    Ok(true) => good += 1,
                    Ok(false) => bad += 1,
                    Err(throttled) => refused += u32::from(throttled.retry_after > 300),
                }
            }
            assert_eq!(bad, wrong.min(3));
            assert_eq!(good + bad + refused, 60, "of {right} and {wrong}");
            assert_eq!(wrong == 0, refused == 0);
            assert_eq!(throttle.waiting.available_permits(), WAITING);
        }
    }

    #[tokio::test]
    async fn no_more_wait_than_there_is_room_for() {
        let (throttle, clock) = turnstile(1);
        let first = throttle.admit("alice", None, &*clock).await.unwrap();
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..=WAITING {
            let (throttle, clock) = (Arc::clone(&throttle), Arc::clone(&clock));
            tries.spawn(async move { throttle.admit("alice", None, &*clock).await.map(Turn::untold) });
        }
        assert_eq!(tries.join_next().await.unwrap().unwrap(), Err(Throttled { retry_after: 1 }));
        first.untold();
        assert!(tries.join_all().await.into_iter().all(|outcome| outcome == Ok(())));
    }
}
