//! What a client sees when the upstream fails.

use pingora::{Error, ErrorSource, ErrorType};
use serde_json::json;

use super::{request_body, respond};
use crate::endpoints::Reply;
use crate::gate::Denial;
use crate::gate::denial::Limit;
use crate::policy::Reason;

/// How an upstream fails; the label of `doorward_upstream_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens there, or the name is unknown.
    Connect,
    /// It took too long to connect or to answer.
    Timeout,
    /// It answered with something that is not HTTP, or broke off.
    Broken,
    /// The client went away; nothing is the upstream's fault.
    Client,
    /// The client's body is over the limit.
    BodyTooLong,
    /// A mistake of ours.
    Internal,
}

impl Failure {
    /// What an error of Pingora's means.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match (error.esource(), error.etype()) {
            (_, &request_body::TOO_LONG) => Self::BodyTooLong,
            (ErrorSource::Downstream, _) => Self::Client,
            (_, ErrorType::ConnectTimedout | ErrorType::ReadTimedout | ErrorType::WriteTimedout) => Self::Timeout,
            (
                ErrorSource::Upstream,
                ErrorType::ConnectRefused
                | ErrorType::ConnectNoRoute
                | ErrorType::ConnectError
                | ErrorType::ConnectProxyFailure
                | ErrorType::SocketError
                | ErrorType::BindError,
            ) => Self::Connect,
            (ErrorSource::Upstream, _) => Self::Broken,
            _ => Self::Internal,
        }
    }

    /// Whether the upstream is to blame.
    #[must_use]
    pub const fn is_upstreams(self) -> bool {
        matches!(self, Self::Connect | Self::Timeout | Self::Broken)
    }

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Client => "client",
            Self::BodyTooLong => Reason::TooLarge.as_str(),
            Self::Internal => "internal",
        }
    }

    /// What it is refused for, where it is the client that did wrong.
    #[must_use]
    pub fn refusal(self) -> Option<Denial> {
        (self == Self::BodyTooLong).then(|| Denial::over(Limit::Body))
    }

    /// The reply; `None` where nobody is left to read one. While doorward drains, the application may already be stopped:
    /// clients are asked to come again.
    #[must_use]
    pub fn reply(self, draining: bool) -> Option<Reply> {
        let (status, detail) = match self {
            Self::Client => return None,
            Self::BodyTooLong => return self.refusal().map(|denial| respond::refusal(&denial, denial.status())),
            Self::Connect if draining => (503, "Service Unavailable"),
            Self::Connect | Self::Broken => (502, "Bad Gateway"),
            Self::Timeout => (504, "Gateway Timeout"),
            Self::Internal => (500, "Internal Server Error"),
        };
        let reply = Reply::json(status, &json!({ "detail": detail })).with_reason("upstream");
        Some(if status == 503 { reply.with_header("Retry-After", "5") } else { reply })
    }
}
