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
    /// instances, no more are let in than may fail. `None` if nobody can tell in time; it may be counted then.
    async fn admit(&self, tried: &Tried) -> Option<Result<Entry, Wait>>;

    /// Says what came of it, whether it was let in or not: that may be what nobody could tell. Where this is lost, it has failed.
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

    /// Where nobody can tell in time, [`Open::is_unsure`].
    pub(super) async fn admit(&self, tried: &Tried, ended: &Arc<Notify>) -> Result<Open, Wait> {
        let entry = self.failures.admit(tried).await.transpose()?;
        let (failures, ended) = (Arc::clone(&self.failures), Arc::clone(ended));
        Ok(Open { failures, tried: tried.clone(), entry, ended, is_told: false })
    }
}

/// A login that is being tried, as the others see it. Dropped, it has failed.
pub(super) struct Open {
    failures: Arc<dyn SharedFailures>,
    tried: Tried,
    /// `None` where the answer came too late, if any did.
    entry: Option<Entry>,
    ended: Arc<Notify>,
    is_told: bool,
}

impl Open {
    /// Whether it was let in is not known: this instance has to decide.
    pub(super) fn is_unsure(&self) -> bool {
        self.entry.is_none()
    }

    /// It is asked again, under the same number, and nothing has come of it yet.
    pub(super) fn forget(mut self) {
        self.is_told = true;
    }

    /// Beside the answer, which need not wait for it.
    pub(super) fn end(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        // Without a runtime the process ends, and nobody waits for longer than a login takes.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // Whoever is right must not be charged because the store was slow: where it was counted, if it was, nobody heard.
        let entries = match self.entry {
            Some(entry) => vec![entry],
            None => [true, false].map(|is_known| Entry { is_known }).to_vec(),
        };
        for entry in entries {
            let (failures, tried, ended) = (Arc::clone(&self.failures), self.tried.clone(), Arc::clone(&self.ended));
            runtime.spawn(async move {
                failures.settle(&tried, entry, outcome).await;
                // INVARIANT: afterwards, or who is told would find it still in the way.
                ended.notify_waiters();
            });
        }
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
mod tests;
