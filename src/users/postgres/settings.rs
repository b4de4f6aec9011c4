//! How users are found in PostgreSQL.

use std::time::Duration;

/// `users.postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresSettings {
    /// Where the database is, and as whom. Its `Debug` leaves the password out.
    pub connection: tokio_postgres::Config,
    /// What the server's certificate must be, where there is TLS.
    pub verify: Verify,
    /// Whose certificates are taken, in DER; empty = the operating system's.
    pub roots: Vec<Vec<u8>>,
    /// Finds a user by the name that was typed, `$1`.
    pub query: String,
    /// Finds a user by what stands in `sub`, `$1`; `None` = `query` does.
    pub query_by_subject: Option<String>,
    /// Stores a new hash, `$2`, for the user with the subject `$1`; `None` = hashes stay as they are.
    pub rehash: Option<String>,
    /// The most connections; at least one.
    pub pool: usize,
    /// How long to wait for a connection, be it a free one or a new one.
    pub connect_timeout: Duration,
    /// How long to wait for an answer.
    pub query_timeout: Duration,
}

/// `sslmode`, as far as it concerns the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Any: who only listens learns nothing, who stands in between does (`prefer` and `require`).
    Nothing,
    /// One of `roots`, whatever its name (`verify-ca`).
    Authority,
    /// One of `roots`, for the host connected to (`verify-full`).
    Name,
}
