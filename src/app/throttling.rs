//! Failed logins of all instances, counted in the store they share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::base::Clock;
use crate::revocation::redis::{Admission, Attempted, Borne, DEADLINE, Outcome as Settled};
use crate::revocation::{RedisStore, StoreError};
use crate::telemetry::Telemetry;
use crate::users::Allowance;
use crate::users::shared_throttle::{Entry, Kind, Outcome, SharedFailures, Tried, wait_for};
use crate::users::throttle::Wait;

/// Counts them in Redis.
pub struct FailuresInRedis {
    store: Arc<RedisStore>,
    telemetry: Arc<Telemetry>,
    clock: Arc<dyn Clock>,
    goes_by_clock: bool,
    /// Each instance counts alone. Told once, and not at each login.
    is_alone: AtomicBool,
    retrying: Semaphore,
}

impl FailuresInRedis {
    /// By the server's clock, which `clock` is like.
    #[must_use]
    pub fn new(store: Arc<RedisStore>, clock: Arc<dyn Clock>, telemetry: Arc<Telemetry>) -> Self {
        Self {
            store,
            telemetry,
            clock,
            goes_by_clock: false,
            is_alone: AtomicBool::default(),
            retrying: Semaphore::new(RETRYING),
        }
    }

    /// By `clock` itself, which can be moved in tests.
    #[must_use]
    pub fn by_own_clock(self) -> Self {
        Self { goes_by_clock: true, ..self }
    }

    fn attempted(&self, tried: &Tried) -> Attempted {
        let borne = |allowance: Option<Allowance>| {
            allowance.map(|allowance| Borne { failures: allowance.failures.get(), slot: allowance.slot_length() })
        };
        Attempted {
            kind: match tried.kind {
                Kind::Logins => "logins",
                Kind::Clients => "clients",
            },
            id: tried.id,
            user: tried.user,
            address: tried.address,
            known: borne(tried.known()),
            per_user: borne(tried.settings.per_user),
            per_address: borne(tried.settings.per_address),
            now: self.goes_by_clock.then(|| self.clock.now()),
            until: self.clock.now().plus(DEADLINE),
        }
    }

    fn failed(&self, error: &StoreError) {
        self.telemetry.metrics.store_error("throttle");
        if !self.is_alone.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "failed logins are counted by this instance alone: so many more can be tried as there are instances");
        }
    }

    fn answered(&self) {
        if self.is_alone.swap(false, Ordering::Relaxed) {
            tracing::info!("failed logins are counted together again");
        }
    }
}

#[async_trait]
impl SharedFailures for FailuresInRedis {
    async fn admit(&self, tried: &Tried) -> Option<Result<Entry, Wait>> {
        let answer = self.store.admit(&self.attempted(tried)).await;
        if answer.is_ok() {
            self.answered();
        }
        match answer {
            Ok(Admission::Admitted { is_known }) => Some(Ok(Entry { is_known })),
            Ok(Admission::ForOthers) => Some(Err(Wait::ForOthers)),
            Ok(Admission::In(wait)) => Some(Err(wait_for(wait))),
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    async fn settle(&self, tried: &Tried, entry: Entry, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Failed => Settled::Failed,
            Outcome::Untold => Settled::Untold,
            Outcome::Succeeded => Settled::Succeeded,
        };
        let attempted = self.attempted(tried);
        let mut settled = self.store.settle(&attempted, entry.is_known, outcome).await;
        // A store that was too slow once may be so now, and the user be right all the same.
        if settled.is_err()
            && outcome != Settled::Failed
            && let Ok(_place) = self.retrying.try_acquire()
        {
            for _ in 0..RETRIES {
                tokio::time::sleep(RETRY_AFTER).await;
                settled = self.store.settle(&attempted, entry.is_known, outcome).await;
                if settled.is_ok() {
                    break;
                }
            }
        }
        if let Err(error) = settled {
            self.failed(&error);
        }
    }
}

impl fmt::Debug for FailuresInRedis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("FailuresInRedis").field(&self.store).finish()
    }
}

/// How many wait to say it again. Those beyond say it once: in an outage there is one for each right login.
const RETRYING: usize = 64;

/// As long as it is waited for, give or take: what is said later changes nothing.
const RETRIES: u32 = 15;

const RETRY_AFTER: Duration = Duration::from_secs(1);
