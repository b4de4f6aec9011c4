//! `users.postgres`.

use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::section::Section;
use crate::base::Secret;
use crate::users::PostgresSettings;
use crate::users::postgres::Verify;

/// `None` if something that must be given is not, or cannot be used: a problem by then.
pub(super) fn postgres(section: &Section<'_>) -> Option<PostgresSettings> {
    let url = section.required("url", "say where the database is: `url: { env: DATABASE_URL }`");
    let connection = url.as_ref().and_then(connection);
    let authorities = section.nullable("ca_file").map(|field| (field.authorities(), field));
    let query = section.required("query", QUERY_HELP).and_then(|field| statement(&field, &["$1"], QUERY_HELP));
    let by_subject = section.nullable("query_by_subject").map(|field| statement(&field, &["$1"], QUERY_HELP));
    let rehash = section.nullable("rehash").map(|field| statement(&field, &["$1", "$2"], REHASH_HELP));
    let pool = section.integer("pool", defaults::POSTGRES_POOL, 1..=MOST_CONNECTIONS);
    let timeout = |key, default| section.duration(key, default, SHORTEST..=LONGEST);
    let connect_timeout = timeout("connect_timeout", defaults::POSTGRES_CONNECT_TIMEOUT);
    let query_timeout = timeout("query_timeout", defaults::POSTGRES_QUERY_TIMEOUT);
    let (connection, mode) = connection?;
    if let (Some((_, field)), false) = (&authorities, mode.is_encrypted()) {
        let help = "write `?sslmode=verify-full` behind the URL, or take this out";
        field.refuse::<()>(Code::Contradiction, "is given where the connection may be without TLS", help);
    }
    let verify = match (mode, &authorities) {
        (Mode::VerifyFull, _) => Verify::Name,
        // As libpq has it: where there is a CA, `require` verifies.
        (Mode::VerifyCa, _) | (Mode::Require, Some(_)) => Verify::Authority,
        _ => Verify::Nothing,
    };
    Some(PostgresSettings {
        connection,
        verify,
        roots: authorities.map_or(Some(Vec::new()), |(roots, _)| roots)?,
        query: query?,
        query_by_subject: by_subject.map_or(Some(None), |given| given.map(Some))?,
        rehash: rehash.map_or(Some(None), |given| given.map(Some))?,
        pool: usize::try_from(pool).unwrap_or(usize::MAX),
        connect_timeout,
        query_timeout,
    })
}

/// A statement with each of these parameters. What else is wrong with it only the database can tell.
fn statement(field: &Field<'_>, parameters: &[&str], help: &str) -> Option<String> {
    let text = field.text()?;
    if text.contains('\0') || parameters.iter().any(|parameter| !text.contains(parameter)) {
        return field.refuse(Code::BadQuery, "has not the parameters it must have", help);
    }
    Some(text.into_owned())
}

/// `sslmode`, as libpq has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    fn is_encrypted(self) -> bool {
        !matches!(self, Self::Disable | Self::Prefer)
    }
}

fn connection(field: &Field<'_>) -> Option<(tokio_postgres::Config, Mode)> {
    let secret = field.secret()?;
    let text = std::str::from_utf8(secret.expose()).ok();
    let Some((rest, mode)) = text.and_then(|text| split_mode(text.trim())) else {
        return field.refuse(Code::BadUrl, "is no URL of a database", URL_HELP);
    };
    let mut connection = match std::str::from_utf8(rest.expose()).map(str::parse::<tokio_postgres::Config>) {
        // Nothing of the error is shown: it may have a part of the password.
        Ok(Ok(connection)) if !connection.get_hosts().is_empty() || !connection.get_hostaddrs().is_empty() => {
            connection
        }
        _ => return field.refuse(Code::BadUrl, "is no URL of a database", URL_HELP),
    };
    if connection.get_user().is_none() {
        return field.refuse(Code::BadUrl, "names no user", URL_HELP);
    }
    let (mode, local) = (mode.unwrap_or(Mode::Prefer), is_local(&connection));
    if !mode.is_encrypted() && !local {
        let what = "leads to another machine, and hashes may travel there in the clear";
        field.warn(
            Code::PlainDatabase,
            what,
            "write `?sslmode=verify-full` behind the URL (`require` keeps out only those who just listen)",
        );
    }
    let sockets = connection.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    connection.ssl_mode(match mode {
        // libpq asks for none there, whatever it was told.
        _ if sockets && connection.get_hostaddrs().is_empty() => SslMode::Disable,
        Mode::Disable => SslMode::Disable,
        Mode::Prefer => SslMode::Prefer,
        Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
    });
    if connection.get_application_name().is_none() {
        connection.application_name("doorward");
    }
    // A connection through a firewall that forgot it should not cost somebody a timeout hours later.
    connection.keepalives_idle(KEEPALIVE);
    Some((connection, mode))
}

/// The URL without its `sslmode`, of which the driver knows three; `None` if it is no URL of PostgreSQL, or the mode is none.
fn split_mode(text: &str) -> Option<(Secret, Option<Mode>)> {
    let (scheme, rest) = text.split_once("://")?;
    // `postgresql+psycopg://`, as SQLAlchemy writes it: the same variable serves both.
    let is_postgres = matches!(scheme.split('+').next(), Some("postgres" | "postgresql"));
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut mode = None;
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode" | "ssl", name)) => {
                mode = Some(MODES.iter().find(|(known, _)| *known == name)?.1);
            }
            _ => kept.push(pair),
        }
    }
    let url = format!("postgresql://{place}?{}", kept.join("&"));
    is_postgres.then(|| (Secret::new(url.trim_end_matches('?')), mode))
}

/// Whether nothing leaves this machine.
fn is_local(connection: &tokio_postgres::Config) -> bool {
    let local = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    };
    connection.get_hosts().iter().all(local) && connection.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

const MODES: [(&str, Mode); 5] = [
    ("disable", Mode::Disable),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

const URL_HELP: &str = "write `postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full`, or for a socket \
                        `postgres://USER@/DATABASE?host=/run/postgresql`; in user and password signs other than letters and digits as %XX";

const QUERY_HELP: &str = "write `SELECT … AS username, … AS password_hash FROM … WHERE … = $1`; `$1` is the name";

const REHASH_HELP: &str = "write `UPDATE … SET … = $2 WHERE … = $1`; `$1` is the user, `$2` the new hash";

/// A database has a hundred by default, for all who use it.
const MOST_CONNECTIONS: u64 = 1000;

const SHORTEST: Duration = Duration::from_millis(10);

/// Nobody waits longer to be logged in.
const LONGEST: Duration = Duration::from_secs(30);

const KEEPALIVE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_taken_out_of_the_url() {
        for (text, expected) in [
            ("postgres://u:p@h/d", Some(("postgresql://u:p@h/d", None))),
            ("postgresql+psycopg://u:p@h/d", Some(("postgresql://u:p@h/d", None))),
            ("postgres://u@h/d?sslmode=require", Some(("postgresql://u@h/d", Some(Mode::Require)))),
            (
                "postgres://u@h/d?a=b&sslmode=verify-full&c=d",
                Some(("postgresql://u@h/d?a=b&c=d", Some(Mode::VerifyFull))),
            ),
            ("postgresql+asyncpg://u@h/d?ssl=verify-ca", Some(("postgresql://u@h/d", Some(Mode::VerifyCa)))),
            ("postgres://u@/d?host=/run/postgresql", Some(("postgresql://u@/d?host=/run/postgresql", None))),
            // What libpq has and nobody here can keep is refused, not taken for something weaker.
            ("postgres://u@h/d?sslmode=allow", None),
            ("postgres://u@h/d?sslmode=", None),
            ("mysql://u@h/d", None),
            ("host=h user=u", None),
        ] {
            let found = split_mode(text);
            let found = found.as_ref().map(|(url, mode)| (std::str::from_utf8(url.expose()).unwrap(), *mode));
            assert_eq!(found, expected, "{text}");
        }
    }
}
