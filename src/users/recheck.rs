//! Asking again how users stand whose tokens are being used (`users.recheck`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::standing::{StandingTable, UserStanding};
use super::{InMemory, User, UserStore};
use crate::base::{Clock, Timestamp};

/// How users stand now. Of a store that has all of them in memory it is known at every look; others are asked, in the background from
/// half of `users.recheck` on, so that a user who is busy waits for it once.
#[derive(Debug)]
pub struct Recheck {
    store: Arc<dyn UserStore>,
    table: Option<Arc<StandingTable>>,
    clock: Arc<dyn Clock>,
    asking: Arc<Asking>,
}

#[derive(Debug)]
struct Asking {
    /// One question at a time for each user; whoever else asks waits for its answer.
    open: Mutex<HashMap<Box<str>, watch::Receiver<()>>>,
    /// The store has logins to answer too.
    at_once: Semaphore,
}

impl Recheck {
    /// Over `store`. `every` = `users.recheck`; `None` = users are asked for at the next refresh only, unless they are in memory.
    #[must_use]
    pub fn new(store: Arc<dyn UserStore>, every: Option<Duration>, clock: Arc<dyn Clock>) -> Self {
        let table = every.map(|every| Arc::new(StandingTable::new(every, CAPACITY)));
        Self { store, table, clock, asking: Arc::new(Asking::new()) }
    }

    /// How `subject` stands at `now`. Waits for nothing; has it asked for if that is due.
    #[must_use]
    pub fn standing(&self, subject: &str, now: Timestamp) -> Standing<'_> {
        match self.store.in_memory(subject) {
            InMemory::User(user) if !user.disabled => return Standing::Known(user),
            InMemory::User(_) | InMemory::Gone => return Standing::Asked(UserStanding::Disabled),
            InMemory::Unknown => {}
        }
        let Some(table) = &self.table else { return Standing::Asked(UserStanding::Unasked) };
        let look = table.look(subject, now);
        if look.due {
            self.begin(table, subject);
        }
        Standing::Asked(look.standing)
    }

    /// Waits for the answer of a question that was begun; a second at the most. Does not wait if there is none.
    pub async fn answer(&self, subject: &str) {
        let open = self.asking.open.lock().get(subject).cloned();
        if let Some(mut open) = open {
            // Its end is the answer: nothing is ever sent.
            let _ = timeout(PATIENCE, open.changed()).await;
        }
    }

    /// Takes up what a login or a refresh found in the store, so that a user who was let in anew is not refused for what was known before.
    pub fn note(&self, user: &User, asked_at: Timestamp) {
        if let Some(table) = &self.table {
            table.learn(&user.username, Some(user), asked_at, self.clock.now());
        }
    }

    fn begin(&self, table: &Arc<StandingTable>, subject: &str) {
        // Offline there is nobody to do it, and nobody who waits.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut open = self.asking.open.lock();
        if open.contains_key(subject) || open.len() >= MOST_OPEN {
            return;
        }
        let (done, waiting) = watch::channel(());
        open.insert(subject.into(), waiting);
        let (store, table) = (Arc::clone(&self.store), Arc::clone(table));
        let (clock, asking, subject) = (Arc::clone(&self.clock), Arc::clone(&self.asking), Box::from(subject));
        runtime.spawn(async move {
            // Closed whatever happens, or nobody would ever ask for this user again.
            let open = Open { asking, subject, _done: done };
            let subject = &*open.subject;
            let asked_at = clock.now();
            let answer = timeout(PATIENCE, open.asking.ask(&*store, subject)).await;
            match answer {
                Ok(Ok(user)) => table.learn(subject, user.as_deref(), asked_at, clock.now()),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "how a user stands cannot be told");
                    table.failed(subject, clock.now());
                }
                Err(_) => {
                    tracing::warn!("how a user stands cannot be told: the store of users did not answer in time");
                    table.failed(subject, clock.now());
                }
            }
        });
    }
}

/// How a user stands: as the store has it in memory, or as it said.
#[derive(Debug, PartialEq)]
pub enum Standing<'a> {
    /// The user as of now, not disabled.
    Known(&'a User),
    /// What was asked for.
    Asked(UserStanding),
}

impl Asking {
    fn new() -> Self {
        Self { open: Mutex::default(), at_once: Semaphore::new(AT_ONCE) }
    }

    async fn ask(&self, store: &dyn UserStore, subject: &str) -> Result<Option<Arc<User>>, super::UserStoreError> {
        // Never closed.
        let _slot = self.at_once.acquire().await.ok();
        store.find(subject).await
    }
}

struct Open {
    asking: Arc<Asking>,
    subject: Box<str>,
    _done: watch::Sender<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.asking.open.lock().remove(&self.subject);
    }
}

/// How long a request waits for an answer, and how long a question may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Users known at once: about 30 MB.
const CAPACITY: usize = 100_000;

/// Questions at once; the rest waits for its turn.
const AT_ONCE: usize = 16;

/// Questions begun and not answered. Beyond it requests are answered 503, which they would be a second later too.
const MOST_OPEN: usize = 4096;

#[cfg(test)]
mod tests;
