//! What can go wrong between here and the database, told without the data.

use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// No connection, in time or at all.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// All were in use, or making a new one took too long.
    #[error(
        "no connection within {0:?}: the database does not answer, or all connections are in use (`users.postgres.pool`)"
    )]
    NoConnection(Duration),
    /// There is a connection, and nothing came over it.
    #[error("no answer within {0:?} (`users.postgres.query_timeout`)")]
    Slow(Duration),
    /// What was configured cannot be used with this database.
    #[error("`users.postgres.{key}` cannot be used: {problem}")]
    Unusable {
        /// The key of the statement.
        key: &'static str,
        /// What is wrong, and the cure.
        problem: String,
    },
    /// The database refuses or fails.
    #[error("{0}")]
    Database(String),
    /// The statement cannot be run for this very value (SQLSTATE class 22), such as a name that is no UUID.
    #[error("{0}")]
    Data(String),
    /// `$1` is a number or UUID, and the name none, or none as the database writes it.
    #[error("`users.postgres.{key}`: its `$1` is of a type that the name is no value of")]
    NoValue {
        /// The key of the statement.
        key: &'static str,
    },
    /// The statement finds several rows for one name.
    #[error("`users.postgres.{key}` finds more than one user by one name: mend the query")]
    Many {
        /// The key of the statement.
        key: &'static str,
    },
    /// The row is none of a user.
    #[error("`users.postgres.{key}` finds a row that cannot be used: {problem}")]
    Row {
        /// The key of the statement.
        key: &'static str,
        /// What is wrong, and never the value.
        problem: String,
    },
}

impl Failure {
    /// Whether it is of one name or row: the database works, and others are found.
    pub(super) const fn is_of_one(&self) -> bool {
        matches!(self, Self::Data(_) | Self::NoValue { .. } | Self::Many { .. } | Self::Row { .. })
    }

    /// From what the driver says of the statement `key`.
    pub(super) fn of(error: &Error, key: &'static str) -> Self {
        let text = describe(error);
        match class(error) {
            Some("22") => Self::Data(format!("`users.postgres.{key}`: {text}")),
            Some("42" | "3F" | "0A") => Self::Unusable { key, problem: text },
            _ => Self::Database(text),
        }
    }
}

/// Whether another connection, or the statement prepared anew, may do what this one failed at.
pub(super) fn is_stale(error: &Error) -> bool {
    // A statement whose table was altered (`cached plan must not change result type`), or that a pooler in between has lost.
    let prepared = [SqlState::FEATURE_NOT_SUPPORTED, SqlState::INVALID_SQL_STATEMENT_NAME];
    error.is_closed() || error.code().is_some_and(|code| prepared.contains(code) || code.code().starts_with("57P"))
}

/// What happened, without what a message may show of the data: people type passwords into the field of the name.
pub(super) fn describe(error: &Error) -> String {
    if let Some(database) = error.as_db_error() {
        let code = database.code().code();
        return match class(error) {
            Some(class) if WITHOUT_DATA.contains(&class) => format!("{} (SQLSTATE {code})", database.message()),
            _ => format!("the database reports SQLSTATE {code}"),
        };
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn class(error: &Error) -> Option<&str> {
    error.code().and_then(|code| code.code().get(..2))
}

/// Classes of errors whose messages name tables, columns, roles and settings, but no values.
const WITHOUT_DATA: [&str; 10] = ["08", "0A", "26", "28", "3D", "3F", "42", "53", "57", "58"];
