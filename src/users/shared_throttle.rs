//! Failed logins that several instances count together, so that with more of them nobody may guess more often.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::throttle::{self, Allowance, ThrottleSettings, Throttled, Wait};
use crate::base::entropy;
use crate::keys::ServerKeys;

/// Where they are counted. What a failure is, and where it is counted, is as in [`Throttle`](super::Throttle).
#[async_trait]
pub trait SharedFailures: Send + Sync + fmt::Debug {
    /// Lets a login be tried, in one step with counting it as failed until [`settle`](Self::settle): of many at once, at whichever
    /// instances, no more are let in than may fail. `None` if nobody can tell in time.
    async fn admit(&self, tried: &Tried) -> Option<Result<Entry, Wait>>;

    /// Says what came of it. Where that is lost, it has failed.
    async fn settle(&self, tried: &Tried, entry: Entry, outcome: Outcome);
}

/// A login that is to be tried, or a client's secret: no name and no address, but keyed hashes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What it is.
    pub kind: Kind,
    /// A random number of its own.
    pub id: [u8; 8],
    /// Of the name.
    pub user: [u8; 16],
    /// Of the address.
    pub address: [u8; 16],
    /// How many failures are borne.
    pub settings: ThrottleSettings,
}

impl Tried {
    /// What is borne of a name at an address where it has logged in.
    #[must_use]
    pub fn known(&self) -> Option<Allowance> {
        self.settings.of_known()
    }
}

/// Those of one kind are counted apart from those of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Users' passwords.
    Logins,
    /// Clients' secrets.
    Clients,
}

/// How a login was let in: by whom it was, and not for others to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether the user had logged in there before: it is counted where it was judged.
    pub is_known: bool,
    /// When, in Unix milliseconds by the clock that counts.
    pub at: i64,
}

/// What came of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was wrong, or nobody waited for the answer.
    Failed,
    /// Nobody can tell.
    Untold,
    /// It was right.
    Succeeded,
}

/// How the failures of one kind are shared.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) failures: Arc<dyn SharedFailures>,
    pub(super) keys: Arc<ServerKeys>,
    pub(super) kind: Kind,
}

impl Shared {
    pub(super) fn tried(&self, name: &str, address: Option<IpAddr>, settings: ThrottleSettings) -> Tried {
        let [user, address] = throttle::counted(name, address).map(|bytes| self.keys.count_under(&bytes));
        Tried { kind: self.kind, id: entropy::random(), user, address, settings }
    }

    /// `None` if nobody can tell in time.
    pub(super) async fn admit(&self, tried: &Tried, ended: &Arc<Notify>) -> Option<Result<Open, Wait>> {
        let entry = match self.failures.admit(tried).await? {
            Ok(entry) => entry,
            Err(wait) => return Some(Err(wait)),
        };
        let (failures, ended) = (Arc::clone(&self.failures), Arc::clone(ended));
        Some(Ok(Open { told: Some((failures, tried.clone(), entry, ended)) }))
    }
}

/// A login that is being tried, as the others see it. Dropped, it has failed.
pub(super) struct Open {
    told: Option<(Arc<dyn SharedFailures>, Tried, Entry, Arc<Notify>)>,
}

impl Open {
    /// Beside the answer, which need not wait for it.
    pub(super) fn end(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        let Some((failures, tried, entry, ended)) = self.told.take() else { return };
        // Without a runtime the process ends, and nobody waits for longer than a login takes.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            failures.settle(&tried, entry, outcome).await;
            // INVARIANT: afterwards, or who is told would find it still in the way.
            ended.notify_waiters();
        });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tell(Outcome::Failed);
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Open")
    }
}

/// What to do about failures that are forgotten in so long.
#[must_use]
pub fn wait_for(wait: Duration) -> Wait {
    Wait::Until(Throttled::after(wait))
}

/// How long until it is asked again of those that are tried at other instances.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::num::NonZeroU32;

    use parking_lot::Mutex;

    use super::*;
    use crate::base::{ManualClock, Secret, Timestamp};
    use crate::users::{Throttles, Turnstile};

    /// Answers as it was told to.
    #[derive(Debug, Default)]
    struct Scripted {
        answers: Mutex<VecDeque<Option<Result<Entry, Wait>>>>,
        told: Mutex<Vec<(Tried, Outcome)>>,
    }

    #[async_trait]
    impl SharedFailures for Scripted {
        async fn admit(&self, _: &Tried) -> Option<Result<Entry, Wait>> {
            self.answers.lock().pop_front().unwrap()
        }

        async fn settle(&self, tried: &Tried, _: Entry, outcome: Outcome) {
            self.told.lock().push((tried.clone(), outcome));
        }
    }

    const ADMITTED: Option<Result<Entry, Wait>> = Some(Ok(Entry { is_known: false, at: 0 }));
    const FULL: Option<Result<Entry, Wait>> = Some(Err(Wait::Until(Throttled { retry_after: 7 })));

    fn sharing(key: &str, answers: &[Option<Result<Entry, Wait>>]) -> (Arc<Turnstile>, Arc<Scripted>) {
        let scripted = Arc::new(Scripted::default());
        scripted.answers.lock().extend(answers);
        let failures: Arc<dyn SharedFailures> = Arc::<Scripted>::clone(&scripted);
        let keys = Arc::new(ServerKeys::new([&Secret::new(key)]).unwrap());
        let per_user = Some(Allowance { failures: NonZeroU32::new(2).unwrap(), within: Duration::from_secs(300) });
        let throttles = Throttles::new(ThrottleSettings { per_user, per_address: None });
        (throttles.sharing(&failures, &keys).logins, scripted)
    }

    const KEY: &str = "a key that is long enough for all";

    /// What the store answers to logins that are all wrong, and how many seconds they are told to wait; 0 = let in.
    #[tokio::test]
    async fn the_store_decides_as_long_as_it_answers() {
        let clock = ManualClock::at(Timestamp::from_seconds(1_800_000_000));
        for (about, answers, waits) in [
            ("whatever is counted here", vec![ADMITTED, ADMITTED, ADMITTED, ADMITTED], vec![0, 0, 0, 0]),
            ("also if nothing is", vec![FULL, ADMITTED], vec![7, 0]),
            ("or else this instance does", vec![None, None, None, FULL, ADMITTED], vec![0, 0, 338, 7, 0]),
            ("by all that failed here", vec![ADMITTED, ADMITTED, None], vec![0, 0, 338]),
            ("those in the way are waited for", vec![Some(Err(Wait::ForOthers)), ADMITTED], vec![0]),
            ("and may fail", vec![Some(Err(Wait::ForOthers)), FULL], vec![7]),
        ] {
            let (logins, scripted) = sharing(KEY, &answers);
            for expected in waits {
                let found = match logins.admit("alice", None, &clock).await {
                    Ok(turn) => {
                        let _proxy = turn.failed();
                        0
                    }
                    Err(throttled) => throttled.retry_after,
                };
                assert_eq!(found, expected, "{about}");
            }
            assert!(scripted.answers.lock().is_empty(), "{about}: asked once for each");
        }
    }

    #[tokio::test]
    async fn what_came_of_it_is_told_once() {
        let clock = ManualClock::at(Timestamp::from_seconds(1_800_000_000));
        let (logins, scripted) = sharing(KEY, &[ADMITTED; 4]);
        for outcome in [Some(Outcome::Succeeded), Some(Outcome::Untold), Some(Outcome::Failed), None] {
            let turn = logins.admit("alice", None, &clock).await.unwrap();
            match outcome {
                Some(Outcome::Succeeded) => turn.succeeded(),
                Some(Outcome::Untold) => turn.untold(),
                Some(Outcome::Failed) => drop(turn.failed()),
                None => drop(turn),
            }
        }
        while scripted.told.lock().len() < 4 {
            tokio::task::yield_now().await;
        }
        let told: Vec<_> = scripted.told.lock().iter().map(|(_, outcome)| *outcome).collect();
        assert_eq!(told, [Outcome::Succeeded, Outcome::Untold, Outcome::Failed, Outcome::Failed]);
    }

    #[test]
    fn instances_with_one_key_count_under_one_name_that_says_nothing() {
        let shared = |key, kind| Shared {
            failures: Arc::new(Scripted::default()),
            keys: Arc::new(ServerKeys::new([&Secret::new(key)]).unwrap()),
            kind,
        };
        let settings = ThrottleSettings { per_user: None, per_address: None };
        let under = |key, name: &str, from: &str| {
            let tried = shared(key, Kind::Logins).tried(name, from.parse().ok(), settings);
            (tried.user, tried.address)
        };
        let alice = under(KEY, "alice", "192.0.2.1");
        assert_eq!(under(KEY, " ALICE", "::ffff:192.0.2.1"), alice);
        let other = under("another key that is long enough..", "alice", "192.0.2.1");
        assert!(other.0 != alice.0 && other.1 != alice.1);
        assert_ne!(under(KEY, "bob", "192.0.2.1").0, alice.0);
        assert_ne!(under(KEY, "alice", "192.0.2.2").1, alice.1);
        assert_ne!(under(KEY, "", "").0, under(KEY, "", "").1, "a name is no address");
    }
}
