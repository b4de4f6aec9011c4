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
    told: Mutex<Vec<(Tried, Entry, Outcome)>>,
}

#[async_trait]
impl SharedFailures for Scripted {
    async fn admit(&self, _: &Tried) -> Option<Result<Entry, Wait>> {
        self.answers.lock().pop_front().unwrap()
    }

    async fn settle(&self, tried: &Tried, entry: Entry, outcome: Outcome) {
        self.told.lock().push((tried.clone(), entry, outcome));
    }
}

const ADMITTED: Option<Result<Entry, Wait>> = Some(Ok(Entry { is_known: false }));
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
    let told: Vec<_> = scripted.told.lock().iter().map(|(_, _, outcome)| *outcome).collect();
    assert_eq!(told, [Outcome::Succeeded, Outcome::Untold, Outcome::Failed, Outcome::Failed]);
}

/// A store that was too slow to answer may have counted them, in either place; those that this instance refuses, too.
#[tokio::test]
async fn what_came_of_it_is_told_where_no_answer_came_in_time() {
    let clock = ManualClock::at(Timestamp::from_seconds(1_800_000_000));
    let (logins, scripted) = sharing(KEY, &[None; 4]);
    logins.admit("alice", None, &clock).await.unwrap().succeeded();
    for _ in 0..2 {
        let _proxy = logins.admit("alice", None, &clock).await.unwrap().failed();
    }
    assert_eq!(logins.admit("alice", None, &clock).await.unwrap_err(), Throttled { retry_after: 338 });
    let outcomes = [Outcome::Succeeded, Outcome::Failed, Outcome::Failed, Outcome::Untold];
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let told: Vec<_> = scripted.told.lock().iter().map(|(_, entry, outcome)| (entry.is_known, *outcome)).collect();
    assert_eq!(told, outcomes.map(|outcome| [(true, outcome), (false, outcome)]).concat());
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
