//! Users from a table of any application, found by a configured query.
//!
//! # One way for all names
//! A name is asked for whether anybody has it, in one statement; what differs afterwards is what a hash costs, and for an unknown name
//! that is drawn from what the users' hashes cost. They cannot be counted here as in a file: see [`prices`].
//!
//! # What ends a session
//! That the user is not there, is disabled, or has no password (NULL, empty, or locked with `!` or `*`). Whatever may be a mistake in a
//! row or in the query (a hash that nobody can read, two rows, a value that does not fit) refuses, as an outage does, and is over when it
//! is mended: what a session is ended for does not come back. At a login each of these is nobody.
//!
//! # What becomes `sub`
//! The column `subject`, else `username`. A refresh looks the user up by it: with `query`, or where the two columns differ with
//! `query_by_subject`, without which a column `subject` is refused.

mod columns;
mod database;
mod failure;
mod held;
mod parameter;
mod pause;
mod prices;
mod row;
mod settings;
mod statement;
mod status;
mod tls;

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio_postgres::{Row, Statement};

use self::columns::Columns;
use self::database::{Database, Replaced};
use self::failure::Failure;
use self::parameter::respells;
use self::pause::Pause;
use self::prices::Prices;
use self::row::Unfit;
pub use self::settings::{PostgresSettings, Verify};
use self::statement::{Sql, check_update};
pub use self::status::Status;
use super::{Candidate, StoredHash, User, UserStore, UserStoreError};

/// Users in PostgreSQL.
#[derive(Debug)]
pub struct PostgresUsers {
    settings: PostgresSettings,
    database: Database,
    prices: Mutex<Prices>,
    status: Arc<Status>,
    /// Since an UPDATE failed.
    rehash_pause: Pause,
}

impl PostgresUsers {
    /// Connects to nothing yet, so that doorward starts while the database is down. `None` if `sslmode` asks for a certificate and
    /// there is nobody whose could be taken.
    #[must_use]
    pub fn new(settings: PostgresSettings) -> Option<Self> {
        let database = Database::new(&settings)?;
        Some(Self {
            settings,
            database,
            prices: Mutex::default(),
            status: Arc::default(),
            rehash_pause: Pause::default(),
        })
    }

    /// As it was configured.
    #[must_use]
    pub fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    /// Whether the database answers, as of the last time that it was asked.
    #[must_use]
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Asks the database now and then whether it answers, and takes the statements, until `users` are dropped: a probe should tell
    /// before somebody logs in.
    pub async fn watch(users: Weak<Self>) {
        let mut first = true;
        while let Some(strong) = users.upgrade() {
            strong.try_out(first).await;
            first = false;
            let pause = if strong.status.is_up() { PROBE_EVERY } else { PROBE_WHILE_DOWN_EVERY };
            drop(strong);
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_out(&self, with_warnings: bool) {
        let check = |statement: &Statement| {
            let columns = self.check(statement)?;
            if with_warnings && !columns.ignored.is_empty() {
                tracing::warn!(columns = ?columns.ignored, "`users.postgres`: these columns mean nothing here, and are left out");
            }
            Ok(())
        };
        let mut result = self.database.try_out(self.query(), check).await;
        if let (Ok(()), Some(text)) = (&result, &self.settings.query_by_subject) {
            result = self.database.try_out(Sql { key: "query_by_subject", text }, check).await;
        }
        if let (Ok(()), Some(text)) = (&result, &self.settings.rehash) {
            result = self.database.try_out(Sql { key: "rehash", text }, check_update).await;
        }
        self.status.tell(None, result.as_ref());
    }

    fn query(&self) -> Sql<'_> {
        Sql { key: "query", text: &self.settings.query }
    }

    fn check(&self, statement: &Statement) -> Result<Columns, String> {
        if statement.params().len() != 1 {
            return Err("it must have one parameter, `$1`".to_owned());
        }
        let columns = Columns::of(statement.columns())?;
        if columns.subject.is_some() && self.settings.query_by_subject.is_none() {
            return Err("it has a column `subject`, and nothing says how to find a user by it at a refresh; \
                        add `users.postgres.query_by_subject`, or name the column `username` if the query finds it"
                .to_owned());
        }
        Ok(columns)
    }

    fn query_by_subject(&self) -> Sql<'_> {
        let by_subject = self.settings.query_by_subject.as_ref();
        by_subject.map_or_else(|| self.query(), |text| Sql { key: "query_by_subject", text })
    }

    /// The user that `sql` finds for `name`; that of the subject `wanted`, if somebody certain is.
    async fn ask(&self, sql: Sql<'_>, name: &str, wanted: Option<&str>) -> Result<Option<User>, Failure> {
        let check = |statement: &Statement| self.check(statement).map(|_| ());
        let row = self.database.find(sql, name, check).await;
        // Where it is one name that nothing can be found for, the database works.
        let problem = row.as_ref().err().filter(|failure| !failure.is_of_one());
        self.status.tell(Some(sql.key), problem.map_or(Ok(()), Err));
        let Some(row) = row? else { return Ok(None) };
        let user = user_of(sql, &row, wanted)?;
        if let Some(user) = &user {
            self.prices.lock().learn(&user.username, &user.password_hash);
        }
        Ok(user)
    }
}

/// The user of a row; `None` for one who may not log in, whatever else the row has.
fn user_of(sql: Sql<'_>, row: &Row, wanted: Option<&str>) -> Result<Option<User>, Failure> {
    let key = sql.key;
    let columns = Columns::of(row.columns()).map_err(|problem| Failure::Unusable { key, problem })?;
    match row::user(row, &columns, wanted) {
        Ok(user) => Ok(Some(user)),
        Err(Unfit::NoPassword | Unfit::Disabled) => Ok(None),
        Err(problem) => Err(Failure::Row { key, problem: problem.to_string() }),
    }
}

#[async_trait]
impl UserStore for PostgresUsers {
    async fn candidate(&self, username: &str, blind: u64) -> Result<Candidate, UserStoreError> {
        let user = match self.ask(self.query(), username, None).await {
            Err(failure) if failure.is_of_one() => {
                // People type anything; what is no number is no news.
                if !matches!(failure, Failure::NoValue { .. }) {
                    tracing::warn!(%failure, "a user cannot be looked up, and is taken to be nobody");
                }
                None
            }
            user => user.map_err(|failure| UserStoreError(failure.to_string()))?,
        };
        // One spelling each, or there would be as many guesses as spellings.
        let user = user.filter(|user| !respells(username, &user.username)).map(Arc::new);
        // Drawn for known names too, so that both ways do the same work.
        let decoy = self.prices.lock().decoy(blind);
        let hash = user.as_ref().map_or(decoy, |user| Arc::clone(&user.password_hash));
        Ok(Candidate { user, hash })
    }

    async fn find(&self, username: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        let user = self.ask(self.query_by_subject(), username, Some(username)).await;
        if let Some(failure) = user.as_ref().err().filter(|failure| failure.is_of_one()) {
            self.status.tell_of_one(failure);
        }
        user.map(|user| user.map(Arc::new)).map_err(|failure| UserStoreError(failure.to_string()))
    }

    fn at_once(&self) -> usize {
        self.settings.pool
    }

    fn rehashes(&self) -> bool {
        self.settings.rehash.is_some() && !self.rehash_pause.is_on()
    }

    async fn rehash(&self, username: &str, expected: &StoredHash, hash: &str) -> Result<(), UserStoreError> {
        let Some(text) = &self.settings.rehash else { return Ok(()) };
        let (find, put) = (self.query_by_subject(), Sql { key: "rehash", text });
        let check = |statement: &Statement| self.check(statement).map(|_| ());
        let is_as_expected = |row: &Row| match user_of(find, row, Some(username)) {
            Ok(Some(user)) => !user.disabled && *user.password_hash == *expected,
            Ok(None) | Err(_) => false,
        };
        let problem = match self.database.replace((find, put), (username, hash), check, is_as_expected).await {
            Ok(Replaced::Done | Replaced::Another) => return Ok(()),
            Ok(Replaced::Rows(rows)) => {
                format!("`users.postgres.rehash` would change {rows} rows in place of one, and was undone")
            }
            Err(failure) => failure.to_string(),
        };
        self.rehash_pause.begin();
        Err(UserStoreError(problem))
    }
}

/// Often enough for a probe of every ten seconds to be believed.
const PROBE_EVERY: Duration = Duration::from_secs(10);

const PROBE_WHILE_DOWN_EVERY: Duration = Duration::from_secs(1);
