//! Asking again how users stand whose tokens are being used (`users.recheck`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::standing::{StandingTable, UserStanding};
use super::{InMemory, User, UserStore};
use crate::base::{Clock, Timestamp};
use crate::keys::ServerKeys;

/// How users stand now. Of a store that has all of them in memory it is known at every look; others are asked, in the background from
/// half of `users.recheck` on, so that a user who is busy waits for it once.
#[derive(Debug)]
pub struct Recheck {
    store: Arc<dyn UserStore>,
    table: Option<Arc<StandingTable>>,
    clock: Arc<dyn Clock>,
    asking: Arc<Asking>,
    endings: Option<Endings>,
}

/// Ends the tokens of a user who is not who the user was.
#[async_trait]
pub trait EndTokens: Send + Sync + std::fmt::Debug {
    /// Refuses all own access tokens that `subject` was issued until `at`, from when this returns on.
    ///
    /// # Errors
    /// [`NotEnded`] if that could not be stored.
    async fn end_tokens(&self, subject: &str, at: Timestamp) -> Result<(), NotEnded>;
}

/// The tokens go on: the store of marks does not answer. It has been told in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tokens of a user could not be ended")]
pub struct NotEnded;

/// Who ends tokens, and what tells one password from another.
#[derive(Clone, Debug)]
struct Endings {
    ends: Arc<dyn EndTokens>,
    keys: Arc<ServerKeys>,
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
        Self { store, table, clock, asking: Arc::new(Asking::new()), endings: None }
    }

    /// The same, which has tokens ended when a user turns out to have another password, or to be disabled or gone.
    #[must_use]
    pub fn ending(self, ends: Arc<dyn EndTokens>, keys: Arc<ServerKeys>) -> Self {
        Self { endings: Some(Endings { ends, keys }), ..self }
    }

    /// The same with what the one `before` knows, of the same store: another password is told by what was known.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        let same = |mine: &Arc<StandingTable>, other: &Arc<StandingTable>| mine.recheck() == other.recheck();
        let table = match (self.table, &before.table) {
            (Some(mine), Some(other)) if same(&mine, other) && Arc::ptr_eq(&self.store, &before.store) => {
                Some(Arc::clone(other))
            }
            (table, _) => table,
        };
        Self { table, ..self }
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
    /// Waits until the tokens of another password are ended: what is issued then must come after it.
    pub async fn note(&self, user: &User, asked_at: Timestamp) {
        if let Some(table) = &self.table {
            let taking = Taking { table, endings: self.endings.as_ref(), clock: &*self.clock };
            taking.take(&user.username, Some(user), asked_at).await;
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
        let endings = self.endings.clone();
        runtime.spawn(async move {
            // Closed whatever happens, or nobody would ever ask for this user again.
            let open = Open { asking, subject, _done: done };
            let subject = &*open.subject;
            let asked_at = clock.now();
            let answer = timeout(PATIENCE, open.asking.ask(&*store, subject)).await;
            match answer {
                Ok(Ok(user)) => {
                    let taking = Taking { table: &table, endings: endings.as_ref(), clock: &*clock };
                    taking.take(subject, user.as_deref(), asked_at).await;
                }
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

/// An answer that is being taken up.
struct Taking<'a> {
    table: &'a StandingTable,
    endings: Option<&'a Endings>,
    clock: &'a dyn Clock,
}

impl Taking<'_> {
    async fn take(&self, subject: &str, user: Option<&User>, asked_at: Timestamp) {
        let now = self.clock.now();
        let Some(before) = self.table.before(subject, asked_at, now) else { return };
        let Some(Endings { ends, keys }) = self.endings else {
            return self.table.learn(subject, (user, None), asked_at, now);
        };
        let password = user.map(|user| user.password_hash.print(keys));
        let has_another = |user: &User| {
            let known = before.password.as_ref();
            known.is_some_and(|known| user.password_hash.is_of(known, keys) == Some(false))
        };
        // Ended first: a token of the old password must not pass as one of the new. Until that is stored, what was known holds for as
        // long as it would have, and the next question tries again.
        if user.is_some_and(|user| !user.disabled && has_another(user)) && ends.end_tokens(subject, now).await.is_err()
        {
            return self.table.failed(subject, self.clock.now());
        }
        self.table.learn(subject, (user, password), asked_at, self.clock.now());
        // Refused first: the mark is for the time when the user is let in again. Not where the row is gone: tables are filled anew, and
        // nobody should be logged out for it.
        let disabled = user.is_some_and(|user| user.disabled);
        if disabled && before.tokens && ends.end_tokens(subject, now).await.is_ok() {
            self.table.ended(subject, self.clock.now());
        }
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
