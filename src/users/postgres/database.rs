//! Connections to the database, and statements over them: in time or not at all.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod};
use tokio::time::{error::Elapsed, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{IsolationLevel, Row, Statement};

use super::failure::{Failure, describe, is_stale};
use super::held::Held;
use super::settings::PostgresSettings;
use super::statement::{Sql, Trouble, as_parameter, check_update, one, prepared};
use super::tls;

/// A pool of connections, made when they are needed.
pub(super) struct Database {
    pool: Pool,
    tls: tokio_postgres_rustls::MakeRustlsConnect,
    connect_timeout: Duration,
    query_timeout: Duration,
}

/// What became of a value that was to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// It was.
    Done,
    /// It is another one by now, and stays.
    Another,
    /// The UPDATE would have changed so many rows, and was undone: without its WHERE it would give everybody one password.
    Rows(u64),
}

impl Database {
    /// Connects to nothing yet. `None` if nobody's certificate could be taken.
    pub(super) fn new(settings: &PostgresSettings) -> Option<Self> {
        let tls = tls::connector(settings.verify, &settings.roots)?;
        // A broken connection is noticed when it is used; asking before each use would cost every login a round trip.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connection = with_a_share_for_each_host(&settings.connection, settings.connect_timeout);
        let manager = Manager::from_config(connection, tls.clone(), config);
        let pool = Pool::builder(manager).max_size(settings.pool).build().ok()?;
        let (connect_timeout, query_timeout) = (settings.connect_timeout, settings.query_timeout);
        Some(Self { pool, tls, connect_timeout, query_timeout })
    }

    /// The row that `sql` finds for `name`, once `check` has found the statement fit.
    pub(super) async fn find(
        &self,
        sql: Sql<'_>,
        name: &str,
        check: impl Fn(&Statement) -> Result<(), String>,
    ) -> Result<Option<Row>, Failure> {
        self.in_time(async {
            let found = match self.try_find(sql, name, &check).await? {
                Err(Trouble::Driver(error)) if is_stale(&error) => self.try_find(sql, name, &check).await?,
                found => found,
            };
            found.map_err(|trouble| trouble.failure(sql.key))
        })
        .await
    }

    async fn try_find(
        &self,
        sql: Sql<'_>,
        name: &str,
        check: &impl Fn(&Statement) -> Result<(), String>,
    ) -> Result<Result<Option<Row>, Trouble>, Failure> {
        let mut held = self.hold().await?;
        let client = held.client()?;
        let asked = async {
            let (statement, name) = prepared(client, sql, name, check).await?;
            one(client.query_raw(&statement, [as_parameter(&name)]).await?).await
        };
        let found = timeout(self.query_timeout, asked).await;
        self.settle(held, sql, found)
    }

    /// Runs the UPDATE `put` for the user `$1`, if the row that `find` has for this user `is_as_expected`: one transaction, in which nobody
    /// else changes it.
    pub(super) async fn replace(
        &self,
        (find, put): (Sql<'_>, Sql<'_>),
        (subject, value): (&str, &str),
        check: impl Fn(&Statement) -> Result<(), String>,
        is_as_expected: impl Fn(&Row) -> bool,
    ) -> Result<Replaced, Failure> {
        self.in_time(async {
            let mut held = self.hold().await?;
            let client = held.client()?;
            let asked = async {
                let (found, key) = prepared(client, find, subject, &check).await?;
                let (put, subject) = prepared(client, put, subject, &check_update).await?;
                // What is changed by others after this look is an error at the UPDATE, whatever statement it is that looks.
                let begun = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start();
                let transaction = begun.await?;
                let row = one(transaction.query_raw(&found, [as_parameter(&key)]).await?).await?;
                if !row.as_ref().is_some_and(&is_as_expected) {
                    transaction.rollback().await?;
                    return Ok(Replaced::Another);
                }
                match transaction.execute(&put, &[as_parameter(&subject), &value]).await? {
                    1 => transaction.commit().await.map(|()| Replaced::Done).map_err(Trouble::Driver),
                    rows => transaction.rollback().await.map(|()| Replaced::Rows(rows)).map_err(Trouble::Driver),
                }
            };
            let replaced = timeout(self.query_timeout, asked).await;
            match self.settle(held, put, replaced)? {
                Err(Trouble::Driver(error)) if error.code() == Some(&SqlState::T_R_SERIALIZATION_FAILURE) => {
                    Ok(Replaced::Another)
                }
                replaced => replaced.map_err(|trouble| trouble.failure(put.key)),
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
            let mut held = self.hold().await?;
            let client = held.client()?;
            let asked = async {
                // A round trip, also where the statement is prepared already.
                client.simple_query("").await?;
                let statement = client.prepare_cached(sql.text).await?;
                check(&statement).map_err(Trouble::Unusable)
            };
            let answer = timeout(self.query_timeout, asked).await;
            self.settle(held, sql, answer)?.map_err(|trouble| trouble.failure(sql.key))
        })
        .await
    }

    /// A second attempt must not take a second time as long.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let limit = self.connect_timeout.saturating_add(self.query_timeout);
        timeout(limit, work).await.unwrap_or(Err(Failure::Slow(limit)))
    }

    async fn hold(&self) -> Result<Held, Failure> {
        match timeout(self.connect_timeout, self.pool.get()).await {
            Ok(Ok(client)) => Ok(Held::new(client, self.tls.clone(), self.connect_timeout)),
            Ok(Err(PoolError::Backend(error))) => Err(Failure::Unreachable(describe(&error))),
            Ok(Err(error)) => Err(Failure::Unreachable(error.to_string())),
            Err(_) => Err(Failure::NoConnection(self.connect_timeout)),
        }
    }

    /// Gives a connection back over which `asked` came, if it is good for another question.
    fn settle<T>(
        &self,
        mut held: Held,
        sql: Sql<'_>,
        asked: Result<Result<T, Trouble>, Elapsed>,
    ) -> Result<Result<T, Trouble>, Failure> {
        let Ok(result) = asked else { return Err(Failure::Slow(self.query_timeout)) };
        match &result {
            Err(Trouble::Driver(error)) if is_stale(error) => {
                if error.code().is_some_and(|code| !code.code().starts_with("57P")) {
                    let _ = held.client()?.statement_cache.remove(sql.text, &[]);
                    held.give_back();
                } else {
                    held.discard();
                }
            }
            // The other rows are still on their way.
            Err(Trouble::Many) => drop(held),
            _ => held.give_back(),
        }
        Ok(result)
    }
}

/// Not shown: the pool's own `Debug` shows all there is.
impl std::fmt::Debug for Database {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Database").field("pool", &self.pool.status()).finish_non_exhaustive()
    }
}

/// A host that swallows what it is sent must not use up the time in which another one would have answered.
fn with_a_share_for_each_host(connection: &tokio_postgres::Config, whole: Duration) -> tokio_postgres::Config {
    let hosts = connection.get_hosts().len().max(connection.get_hostaddrs().len()).max(1);
    let share = whole / u32::try_from(hosts).unwrap_or(u32::MAX);
    let mut connection = connection.clone();
    connection.connect_timeout(connection.get_connect_timeout().map_or(share, |given| share.min(*given)));
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_connecting_is_shared_by_the_hosts() {
        for (url, whole, each) in [
            ("postgres://a@one/x", 1000, 1000),
            ("postgres://a@one,two/x", 1000, 500),
            ("postgres://a@one,two,three,four/x?connect_timeout=9", 1000, 250),
            ("postgres://a@one,two/x?connect_timeout=1", 10_000, 1000),
            ("hostaddr=192.0.2.1,192.0.2.2 user=a", 1000, 500),
        ] {
            let shared = with_a_share_for_each_host(&url.parse().unwrap(), Duration::from_millis(whole));
            assert_eq!(shared.get_connect_timeout(), Some(&Duration::from_millis(each)), "{url}");
        }
    }
}
