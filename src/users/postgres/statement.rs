//! Statements over a connection.

use std::pin::pin;

use deadpool_postgres::Client;
use futures_core::Stream as _;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, RowStream, Statement};

use super::failure::Failure;
use super::parameter::{Parameter, parameter};

/// A statement, and the key it was configured under.
#[derive(Clone, Copy)]
pub(super) struct Sql<'a> {
    pub(super) key: &'static str,
    pub(super) text: &'a str,
}

/// What an UPDATE for new hashes must take.
pub(super) fn check_update(statement: &Statement) -> Result<(), String> {
    match statement.params() {
        [_, hash] if <&str as ToSql>::accepts(hash) => Ok(()),
        _ => Err("it must have two parameters: the user, `$1`, and the new hash, `$2`, a text".to_owned()),
    }
}

/// The statement, and `name` as its first parameter.
pub(super) async fn prepared(
    client: &Client,
    sql: Sql<'_>,
    name: &str,
    check: &impl Fn(&Statement) -> Result<(), String>,
) -> Result<(Statement, Parameter), Trouble> {
    let statement = client.prepare_cached(sql.text).await?;
    check(&statement).map_err(Trouble::Unusable)?;
    let kind = statement.params().first().ok_or_else(|| Trouble::Unusable("it has no `$1`".to_owned()))?;
    let name = parameter(name, kind).map_err(Trouble::Unusable)?.ok_or(Trouble::NoValue)?;
    Ok((statement, name))
}

pub(super) fn as_parameter(value: &Parameter) -> &(dyn ToSql + Sync) {
    &**value
}

/// The row, if there is one. Of a query that has lost its WHERE not all are read.
pub(super) async fn one(rows: RowStream) -> Result<Option<Row>, Trouble> {
    let mut rows = pin!(rows);
    let mut next = async || std::future::poll_fn(|context| rows.as_mut().poll_next(context)).await.transpose();
    let first = next().await?;
    if first.is_some() && next().await?.is_some() {
        return Err(Trouble::Many);
    }
    Ok(first)
}

/// What can go wrong with one.
pub(super) enum Trouble {
    Driver(Error),
    Unusable(String),
    NoValue,
    Many,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl Trouble {
    pub(super) fn failure(self, key: &'static str) -> Failure {
        match self {
            Self::Driver(error) => Failure::of(&error, key),
            Self::Unusable(problem) => Failure::Unusable { key, problem },
            Self::NoValue => Failure::NoValue { key },
            Self::Many => Failure::Many { key },
        }
    }
}
