//! Connections to the database, and statements over them: in time or not at all.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, Statement};
use uuid::Uuid;

use super::failure::{Failure, describe, is_stale};
use super::settings::PostgresSettings;
use super::tls;

/// A pool of connections, made when they are needed.
pub(super) struct Database {
    pool: Pool,
    tls: tokio_postgres_rustls::MakeRustlsConnect,
    connect_timeout: Duration,
    query_timeout: Duration,
}

/// A statement, and the key it was configured under.
#[derive(Clone, Copy)]
pub(super) struct Sql<'a> {
    pub(super) key: &'static str,
    pub(super) text: &'a str,
}

impl Database {
    /// Connects to nothing yet. `None` if nobody's certificate could be taken.
    pub(super) fn new(settings: &PostgresSettings) -> Option<Self> {
        let tls = tls::connector(settings.verify, &settings.roots)?;
        // A broken connection is noticed when it is used; asking before each use would cost every login a round trip.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(settings.connection.clone(), tls.clone(), config);
        let pool = Pool::builder(manager).max_size(settings.pool).build().ok()?;
        let (connect_timeout, query_timeout) = (settings.connect_timeout, settings.query_timeout);
        Some(Self { pool, tls, connect_timeout, query_timeout })
    }

    /// The rows that `sql` finds for `name`, once `check` has found the statement fit. Nobody's rows where the statement wants a
    /// number or UUID and the name is none.
    pub(super) async fn find(
        &self,
        sql: Sql<'_>,
        name: &str,
        check: impl Fn(&Statement) -> Result<(), String>,
    ) -> Result<Vec<Row>, Failure> {
        self.in_time(async {
            let (client, found) = self.try_find(sql, name, &check).await?;
            match found {
                Err(Trouble::Driver(error)) if is_stale(&error) => {
                    forget(client, sql, &error);
                    let (_, found) = self.try_find(sql, name, &check).await?;
                    found.map_err(|trouble| trouble.failure(sql.key))
                }
                found => found.map_err(|trouble| trouble.failure(sql.key)),
            }
        })
        .await
    }

    async fn try_find(
        &self,
        sql: Sql<'_>,
        name: &str,
        check: &impl Fn(&Statement) -> Result<(), String>,
    ) -> Result<(Client, Result<Vec<Row>, Trouble>), Failure> {
        let client = self.connection().await?;
        let asked = async {
            let statement = client.prepare_cached(sql.text).await?;
            check(&statement).map_err(Trouble::Unusable)?;
            let Some(kind) = statement.params().first() else { return Ok(Vec::new()) };
            match parameter(name, kind).map_err(Trouble::Unusable)? {
                Some(name) => Ok(client.query(&statement, &[&*name]).await?),
                None => Ok(Vec::new()),
            }
        };
        match timeout(self.query_timeout, asked).await {
            Ok(found) => Ok((client, found)),
            Err(_) => Err(self.give_up(client)),
        }
    }

    /// Runs an UPDATE for the user `$1`; how many rows it changed, and only if that is one are they changed.
    pub(super) async fn update(&self, sql: Sql<'_>, subject: &str, value: &str) -> Result<u64, Failure> {
        self.in_time(async {
            let mut client = self.connection().await?;
            let asked = async {
                let statement = client.prepare_cached(sql.text).await?;
                check_update(&statement).map_err(Trouble::Unusable)?;
                let [kind, _] = statement.params() else { return Ok(0) };
                let Some(subject) = parameter(subject, kind).map_err(Trouble::Unusable)? else { return Ok(0) };
                let transaction = client.transaction().await?;
                let changed = transaction.execute(&statement, &[&*subject, &value]).await?;
                // An UPDATE without its WHERE would give everybody one password.
                if changed == 1 {
                    transaction.commit().await?;
                } else {
                    transaction.rollback().await?;
                }
                Ok(changed)
            };
            match timeout(self.query_timeout, asked).await {
                Ok(Err(Trouble::Driver(error))) if is_stale(&error) => {
                    forget(client, sql, &error);
                    Err(Failure::of(&error, sql.key))
                }
                Ok(changed) => changed.map_err(|trouble: Trouble| trouble.failure(sql.key)),
                Err(_) => Err(self.give_up(client)),
            }
        })
        .await
    }

    /// Whether the database answers and takes `sql`.
    pub(super) async fn try_out(
        &self,
        sql: Sql<'_>,
        check: impl Fn(&Statement) -> Result<(), String>,
    ) -> Result<(), Failure> {
        self.in_time(async {
            let client = self.connection().await?;
            let asked = async {
                // A round trip, also where the statement is prepared already.
                client.simple_query("").await?;
                let statement = client.prepare_cached(sql.text).await?;
                check(&statement).map_err(Trouble::Unusable)
            };
            match timeout(self.query_timeout, asked).await {
                Ok(Err(Trouble::Driver(error))) if is_stale(&error) => {
                    forget(client, sql, &error);
                    Err(Failure::of(&error, sql.key))
                }
                Ok(answer) => answer.map_err(|trouble: Trouble| trouble.failure(sql.key)),
                Err(_) => Err(self.give_up(client)),
            }
        })
        .await
    }

    /// A second attempt must not take a second time as long.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let limit = self.connect_timeout.saturating_add(self.query_timeout);
        timeout(limit, work).await.unwrap_or(Err(Failure::Slow(limit)))
    }

    async fn connection(&self) -> Result<Client, Failure> {
        match timeout(self.connect_timeout, self.pool.get()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(PoolError::Backend(error))) => Err(Failure::Unreachable(describe(&error))),
            Ok(Err(error)) => Err(Failure::Unreachable(error.to_string())),
            Err(_) => Err(Failure::NoConnection(self.connect_timeout)),
        }
    }

    /// Lets a connection go that does not answer, and asks the server not to work on: it would not notice before it is done.
    fn give_up(&self, client: Client) -> Failure {
        let cancel = client.cancel_token();
        drop(Object::take(client));
        let (tls, limit) = (self.tls.clone(), self.connect_timeout);
        tokio::spawn(async move { timeout(limit, cancel.cancel_query(tls)).await.is_ok_and(|done| done.is_ok()) });
        Failure::Slow(self.query_timeout)
    }
}

/// Not shown: the pool's own `Debug` shows all there is.
impl std::fmt::Debug for Database {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Database").field("pool", &self.pool.status()).finish_non_exhaustive()
    }
}

/// What an UPDATE for new hashes must take.
pub(super) fn check_update(statement: &Statement) -> Result<(), String> {
    match statement.params() {
        [_, hash] if <&str as ToSql>::accepts(hash) => Ok(()),
        _ => Err("it must have two parameters: the user, `$1`, and the new hash, `$2`, a text".to_owned()),
    }
}

enum Trouble {
    Driver(Error),
    Unusable(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl Trouble {
    fn failure(self, key: &'static str) -> Failure {
        match self {
            Self::Driver(error) => Failure::of(&error, key),
            Self::Unusable(problem) => Failure::Unusable { key, problem },
        }
    }
}

fn forget(client: Client, sql: Sql<'_>, error: &Error) {
    if error.code().is_some_and(|code| !code.code().starts_with("57P")) {
        let _ = client.statement_cache.remove(sql.text, &[]);
    } else {
        drop(Object::take(client));
    }
}

type Parameter = Box<dyn ToSql + Send + Sync>;

/// The name as the statement takes it: it may compare it with a number or UUID. `None` = the name is none.
fn parameter(name: &str, kind: &Type) -> Result<Option<Parameter>, String> {
    fn parsed<T: std::str::FromStr + ToSql + Send + Sync + 'static>(name: &str) -> Option<Parameter> {
        name.parse::<T>().ok().map(|value| Box::new(value) as Parameter)
    }
    match *kind {
        Type::INT2 => Ok(parsed::<i16>(name)),
        Type::INT4 => Ok(parsed::<i32>(name)),
        Type::INT8 => Ok(parsed::<i64>(name)),
        Type::UUID => Ok(parsed::<Uuid>(name)),
        ref text if <&str as ToSql>::accepts(text) => Ok(Some(Box::new(name.to_owned()))),
        ref other => Err(format!("`$1` comes out as `{other}`; write `$1::text`")),
    }
}
