//! Users from a table of any application, found by a configured query.
//!
//! # One way for all names
//! A name is asked for whether anybody has it, in one statement; what differs afterwards is what a hash costs, and for an unknown name
//! that is drawn from what the users' hashes cost. They cannot be counted here as in a file: see [`prices`].
//!
//! # What becomes `sub`
//! The column `subject`, else `username`. A refresh looks the user up by it: with `query`, or where the two columns differ with
//! `query_by_subject`, without which a column `subject` is refused.

mod columns;
mod database;
mod failure;
mod prices;
mod row;
mod settings;
mod status;
mod tls;

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio_postgres::Statement;

use self::columns::Columns;
use self::database::{Database, Sql, check_update};
use self::failure::Failure;
use self::prices::Prices;
use self::row::Unfit;
pub use self::settings::{PostgresSettings, Verify};
pub use self::status::Status;
use super::{Candidate, User, UserStore, UserStoreError};

/// Users in PostgreSQL.
#[derive(Debug)]
pub struct PostgresUsers {
    settings: PostgresSettings,
    database: Database,
    prices: Mutex<Prices>,
    status: Arc<Status>,
}

impl PostgresUsers {
    /// Connects to nothing yet, so that doorward starts while the database is down. `None` if `sslmode` asks for a certificate and
    /// there is nobody whose could be taken.
    #[must_use]
    pub fn new(settings: PostgresSettings) -> Option<Self> {
        let database = Database::new(&settings)?;
        Some(Self { settings, database, prices: Mutex::default(), status: Arc::default() })
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

    /// The user that `sql` finds for `name`.
    async fn ask(&self, sql: Sql<'_>, name: &str) -> Result<Option<User>, UserStoreError> {
        let check = |statement: &Statement| self.check(statement).map(|_| ());
        let rows = match self.database.find(sql, name, check).await {
            Err(Failure::Data(problem)) => {
                // The database works; with this value the statement does not.
                tracing::warn!(problem, "a user cannot be looked up, and is taken to be nobody");
                Ok(Vec::new())
            }
            result => result,
        };
        self.status.tell(Some(sql.key), rows.as_ref());
        let rows = rows.map_err(|failure| UserStoreError(failure.to_string()))?;
        let row = match rows.as_slice() {
            [] => return Ok(None),
            [row] => row,
            rows => {
                let (rows, key) = (rows.len(), sql.key);
                tracing::error!(
                    rows,
                    key,
                    "a name has more than one user, and so nobody can log in with it: mend the query"
                );
                return Ok(None);
            }
        };
        let columns = Columns::of(row.columns()).map_err(UserStoreError)?;
        match row::user(row, &columns) {
            Ok(user) => {
                self.prices.lock().learn(&user.username, &user.password_hash);
                Ok(Some(user))
            }
            Err(Unfit::NoPassword) => Ok(None),
            Err(problem) => {
                tracing::warn!(%problem, key = sql.key, "a user that was found cannot log in");
                Ok(None)
            }
        }
    }
}

#[async_trait]
impl UserStore for PostgresUsers {
    async fn candidate(&self, username: &str, blind: u64) -> Result<Candidate, UserStoreError> {
        let user = self.ask(self.query(), username).await?.map(Arc::new);
        // Drawn for known names too, so that both ways do the same work.
        let decoy = self.prices.lock().decoy(blind);
        let hash = user.as_ref().map_or(decoy, |user| Arc::clone(&user.password_hash));
        Ok(Candidate { user, hash })
    }

    async fn find(&self, username: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        let by_subject = self.settings.query_by_subject.as_ref();
        let sql = by_subject.map_or_else(|| self.query(), |text| Sql { key: "query_by_subject", text });
        let user = self.ask(sql, username).await?;
        if user.as_ref().is_some_and(|user| user.username != username) {
            let key = sql.key;
            tracing::error!(
                key,
                "the query finds another user by the subject of a session, which ends: mend the query"
            );
            return Ok(None);
        }
        Ok(user.map(Arc::new))
    }

    fn rehashes(&self) -> bool {
        self.settings.rehash.is_some()
    }

    async fn rehash(&self, username: &str, hash: &str) -> Result<(), UserStoreError> {
        let Some(text) = &self.settings.rehash else { return Ok(()) };
        match self.database.update(Sql { key: "rehash", text }, username, hash).await {
            Ok(1) => Ok(()),
            Ok(rows) => Err(UserStoreError(format!(
                "`users.postgres.rehash` would change {rows} rows in place of one, and was undone"
            ))),
            Err(failure) => Err(UserStoreError(failure.to_string())),
        }
    }
}

/// Often enough for a probe of every ten seconds to be believed.
const PROBE_EVERY: Duration = Duration::from_secs(10);

const PROBE_WHILE_DOWN_EVERY: Duration = Duration::from_secs(1);
