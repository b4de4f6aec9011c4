//! What happened, as values. [`super::Telemetry`] decides what each becomes: numbers, a line, or both.
//!
//! No event has a field for a token, a password or a query, and none may be put into another field.

use std::net::IpAddr;
use std::time::Duration;

use super::handles::RouteLabel;
use super::labels::{Decision, Listener, Method};
use crate::base::Timestamp;

/// A request that was answered, or whose connection ended before it was.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// When it was done.
    pub at: Timestamp,
    /// Its id (`X-Request-Id`, kept or made).
    pub id: &'a str,
    /// Where it came in.
    pub listener: Listener,
    /// The route it belongs to.
    pub route: &'a RouteLabel,
    /// Its method.
    pub method: Method,
    /// The path as it came. A query that is left on it is cut off.
    pub path: &'a str,
    /// The status that was sent; 0 if none was.
    pub status: u16,
    /// What became of it.
    pub decision: Decision,
    /// The code of the reason for it, if there is one.
    pub reason: Option<&'static str>,
    /// Who asked: `sub` of a verified token.
    pub subject: Option<&'a str>,
    /// Through which client: `client_id` of a verified token.
    pub client: Option<&'a str>,
    /// Who says so: `iss` of a verified token.
    pub issuer: Option<&'a str>,
    /// The client's address.
    pub client_address: Option<IpAddr>,
    /// From the head of the request to the end of the answer.
    pub duration: Duration,
    /// What the gate needed of that, if it was asked.
    pub decision_duration: Option<Duration>,
    /// What the upstream needed of that, if it was asked.
    pub upstream_duration: Option<Duration>,
    /// How the upstream failed, if it did: a code, never an error's text, which may quote what was sent.
    pub upstream_error: Option<&'static str>,
}

/// Something for the audit log. Each becomes a record; none is sampled.
#[derive(Clone, Debug)]
pub enum Audit<'a> {
    /// A login was granted.
    Issued {
        /// The grant type.
        grant: &'static str,
        /// To whom.
        subject: &'a str,
        /// Through which client.
        client: Option<&'a str>,
        /// The session it started, if it did.
        sid: Option<&'a str>,
        /// The access token's id.
        jti: &'a str,
        /// The scopes granted, with blanks between.
        scope: &'a str,
        /// The client's address.
        address: Option<IpAddr>,
    },
    /// A session was refreshed.
    Refreshed {
        /// Whose.
        subject: &'a str,
        /// Through which client.
        client: Option<&'a str>,
        /// The session.
        sid: &'a str,
        /// The new access token's id.
        jti: &'a str,
        /// The scopes granted, with blanks between.
        scope: &'a str,
        /// The client's address.
        address: Option<IpAddr>,
    },
    /// A refresh token came again within the grace and got the same successor. Counted as a grace replay.
    Repeated {
        /// Whose.
        subject: &'a str,
        /// Through which client.
        client: Option<&'a str>,
        /// The session.
        sid: &'a str,
        /// The new access token's id.
        jti: &'a str,
        /// Who repeated it.
        address: Option<IpAddr>,
        /// Who presented it first.
        first_address: Option<IpAddr>,
    },
    /// A refresh token came again when it must not: the session is dead. Counted as reuse.
    Reused {
        /// Whose.
        subject: &'a str,
        /// Through which client.
        client: Option<&'a str>,
        /// The session.
        sid: &'a str,
        /// Which rule was broken.
        cause: &'static str,
        /// Who presented it.
        address: Option<IpAddr>,
    },
    /// Something was refused.
    Refused {
        /// What: `login`, `refresh`, `client` (a client's own token), `revoke`, `request`, or `stream`: one that had begun.
        what: &'static str,
        /// The code of the reason.
        reason: &'static str,
        /// Who, where it is known. A user name that nobody has stays out: people type passwords into that field.
        subject: Option<&'a str>,
        /// Whose word that is: `iss` of a verified token. Two issuers may both have an `admin`.
        issuer: Option<&'a str>,
        /// Through which client: as configured, or of a verified token.
        client: Option<&'a str>,
        /// The route, for a request.
        route: Option<&'a str>,
        /// The id of the request.
        id: Option<&'a str>,
        /// The client's address.
        address: Option<IpAddr>,
    },
    /// A revocation is durable and in effect. Counted by kind.
    Revoked {
        /// What: `token`, `session`, `subject`, `client`.
        kind: &'static str,
        /// Whose.
        subject: Option<&'a str>,
        /// Whose word that is; the ids below are within it.
        issuer: Option<&'a str>,
        /// Through which client.
        client: Option<&'a str>,
        /// The session.
        sid: Option<&'a str>,
        /// The token's id.
        jti: Option<&'a str>,
        /// Who asked for it.
        address: Option<IpAddr>,
        /// What for, in an operator's own words.
        reason: Option<&'a str>,
    },
    /// The configuration was read again. Sets the reload metrics.
    Reloaded {
        /// Whether it is in use now.
        ok: bool,
        /// The number of the snapshot in use, counted from the start.
        generation: u64,
        /// How many problems kept it from being used.
        problems: usize,
        /// Keys whose new value waits for a restart.
        restart: &'a [&'a str],
    },
}

impl Audit<'_> {
    /// The names of all kinds, as they stand in the records.
    pub const NAMES: [&'static str; 7] =
        ["issued", "refreshed", "repeated", "reused", "refused", "revoked", "reloaded"];

    /// The name of this kind.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "issued",
            Self::Refreshed { .. } => "refreshed",
            Self::Repeated { .. } => "repeated",
            Self::Reused { .. } => "reused",
            Self::Refused { .. } => "refused",
            Self::Revoked { .. } => "revoked",
            Self::Reloaded { .. } => "reloaded",
        }
    }
}
