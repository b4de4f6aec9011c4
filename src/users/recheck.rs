//! Asking again how users stand whose tokens are being used (`users.recheck`).

mod asking;
mod ending;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use self::asking::{Asking, Question};
pub use self::ending::{EndTokens, NotEnded};
use self::ending::{Endings, Taking};
use super::standing::{StandingTable, UserStanding};
use super::{InMemory, User, UserStore, UserStoreError};
use crate::base::{Clock, Timestamp};
use crate::keys::ServerKeys;
use crate::telemetry::Telemetry;

/// How users stand now. Of a store that has all of them in memory it is known at every look; others are asked, in the background from
/// half of `users.recheck` on, so that a user who is busy waits for it once.
#[derive(Debug)]
pub struct Recheck {
    store: Arc<dyn UserStore>,
    table: Option<Arc<StandingTable>>,
    clock: Arc<dyn Clock>,
    asking: Arc<Asking>,
    endings: Option<Endings>,
    telemetry: Option<Arc<Telemetry>>,
}

impl Recheck {
    /// Over `store`. `every` = `users.recheck`; `None` = users are asked for at the next refresh only, unless they are in memory.
    #[must_use]
    pub fn new(store: Arc<dyn UserStore>, every: Option<Duration>, clock: Arc<dyn Clock>) -> Self {
        let table = every.map(|every| Arc::new(StandingTable::new(every, CAPACITY)));
        let asking = Arc::new(Asking::new(store.at_once()));
        Self { store, table, clock, asking, endings: None, telemetry: None }
    }

    /// Counts questions without an answer.
    #[must_use]
    pub fn counting(self, telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry: Some(telemetry), ..self }
    }

    /// The same, which has tokens ended when a user turns out to have another password, or to be disabled or gone.
    #[must_use]
    pub fn ending(self, ends: Arc<dyn EndTokens>, keys: Arc<ServerKeys>) -> Self {
        Self { endings: Some(Endings { ends, keys }), ..self }
    }

    /// The same with what the one `before` knows, of the same store: another password is told by what was known, and saving the
    /// configuration must not have all who are busy asked for at once.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        if !Arc::ptr_eq(&self.store, &before.store) {
            return self;
        }
        let table = match (self.table, &before.table) {
            (Some(mine), Some(other)) if mine.recheck() == other.recheck() => Some(Arc::clone(other)),
            (table, _) => table,
        };
        Self { table, asking: Arc::clone(&before.asking), ..self }
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
        if let Some(mut answered) = self.asking.answered(subject) {
            // Its end is the answer: nothing is ever sent.
            let _ = timeout(PATIENCE, answered.changed()).await;
        }
    }

    /// Takes up what a login or a refresh found in the store, so that a user who was let in anew is not refused for what was known before.
    /// Waits until the tokens of another password are ended: what is issued then must come after it.
    pub async fn note(&self, user: &User, asked_at: Timestamp) {
        if let Some(table) = &self.table {
            self.taking(table).take(&user.username, Some(user), asked_at).await;
        }
    }

    /// The user as the store has it now, for a request that wants to know more than the standing. Logins come first here, too.
    ///
    /// # Errors
    /// [`UserStoreError`], also if there are too many questions.
    pub async fn find(&self, subject: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        let Some(_turn) = self.asking.turn().await else {
            return Err(UserStoreError("too many users are asked for at once".to_owned()));
        };
        let asked_at = self.clock.now();
        let user = self.store.find(subject).await?;
        if let Some(table) = &self.table {
            self.taking(table).take(subject, user.as_deref(), asked_at).await;
        }
        Ok(user)
    }

    fn taking<'a>(&'a self, table: &'a StandingTable) -> Taking<'a> {
        Taking { table, endings: self.endings.as_ref(), clock: &*self.clock }
    }

    fn begin(&self, table: &Arc<StandingTable>, subject: &str) {
        // Offline there is nobody to do it, and nobody who waits.
        let Ok(runtime) = Handle::try_current() else { return };
        let Some(question) = self.asking.open(subject) else { return };
        let (store, table, clock) = (Arc::clone(&self.store), Arc::clone(table), Arc::clone(&self.clock));
        let (endings, telemetry) = (self.endings.clone(), self.telemetry.clone());
        runtime.spawn(async move {
            let taking = Taking { table: &table, endings: endings.as_ref(), clock: &*clock };
            if let Err(error) = ask(question, &*store, &taking).await {
                tracing::warn!(%error, "how a user stands cannot be told");
                if let Some(telemetry) = telemetry {
                    telemetry.metrics.store_error("recheck");
                }
            }
        });
    }
}

/// Puts the question, and has the table learn the answer. One that comes late is not lost: the store works on anyway.
async fn ask(mut question: Question, store: &dyn UserStore, taking: &Taking<'_>) -> Result<(), UserStoreError> {
    let Taking { table, clock, .. } = *taking;
    let (asking, subject) = (Arc::clone(&question.asking), question.subject.clone());
    let Some(_turn) = asking.turn().await else {
        table.failed(&subject, clock.now());
        return Err(UserStoreError("too many users are asked for at once".to_owned()));
    };
    let asked_at = clock.now();
    let mut find = store.find(&subject);
    let (answer, in_time) = match timeout(PATIENCE, &mut find).await {
        Ok(answer) => (answer, Ok(())),
        Err(_) => {
            table.failed(&subject, clock.now());
            question.send_away();
            (find.await, Err(UserStoreError("it came too late".to_owned())))
        }
    };
    match answer {
        Ok(user) => taking.take(&subject, user.as_deref(), asked_at).await,
        Err(error) => {
            table.failed(&subject, clock.now());
            return Err(error);
        }
    }
    in_time
}

/// How a user stands: as the store has it in memory, or as it said.
#[derive(Debug, PartialEq)]
pub enum Standing<'a> {
    /// The user as of now, not disabled.
    Known(&'a User),
    /// What was asked for.
    Asked(UserStanding),
}

/// How long a request waits for an answer, and a question for its turn.
const PATIENCE: Duration = Duration::from_secs(1);

/// Users known at once: about 30 MB.
const CAPACITY: usize = 100_000;

#[cfg(test)]
mod tests;
