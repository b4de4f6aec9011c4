//! What a client sees when the upstream fails.

use pingora::{Error, ErrorSource, ErrorType, RetryType};
use serde_json::json;

use super::{request_body, respond};
use crate::endpoints::Reply;
use crate::gate::denial::Limit;
use crate::gate::{Denial, Wording};
use crate::policy::Reason;

/// How an upstream fails; the label of `doorward_upstream_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens there, or the name is unknown.
    Connect,
    /// It took too long to connect or to answer.
    Timeout,
    /// It is not who it should be, or does not take us for who we are.
    Tls,
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
                | ErrorType::BindError
                // A socket that we may not use, or no port that is free.
                | ErrorType::InternalError,
            ) => Self::Connect,
            (
                ErrorSource::Upstream,
                ErrorType::TLSHandshakeFailure
                | ErrorType::TLSHandshakeTimedout
                | ErrorType::TLSWantX509Lookup
                | ErrorType::InvalidCert,
            ) => Self::Tls,
            (ErrorSource::Upstream, ErrorType::ReadError | ErrorType::WriteError) if is_alert(error) => Self::Tls,
            (ErrorSource::Upstream, ErrorType::ReadError) if is_late(error) => Self::Timeout,
            (ErrorSource::Upstream, _) => Self::Broken,
            _ => Self::Internal,
        }
    }

    /// Whether the upstream is to blame.
    #[must_use]
    pub const fn is_upstreams(self) -> bool {
        matches!(self, Self::Connect | Self::Timeout | Self::Tls | Self::Broken)
    }

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
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
    pub fn reply(self, draining: bool, wording: &Wording) -> Option<Reply> {
        let (status, detail) = match self {
            Self::Client => return None,
            Self::BodyTooLong => return self.refusal().map(|denial| respond::refusal(&denial, wording, None)),
            Self::Connect if draining => (503, "Service Unavailable"),
            Self::Connect | Self::Tls | Self::Broken => (502, "Bad Gateway"),
            Self::Timeout => (504, "Gateway Timeout"),
            Self::Internal => (500, "Internal Server Error"),
        };
        let reply = Reply::json(status, &json!({ "detail": detail })).with_reason("upstream");
        Some(if status == 503 { reply.with_header("Retry-After", "5") } else { reply })
    }
}

/// Whether a request may be sent once more after `error` on a connection that was there: if that one had been used before and
/// died before a byte of an answer, or if the upstream says that it has not begun (RFC 9113 §8.7).
///
/// It is for the caller to know that the request is idempotent, whole, and not answered in part.
#[must_use]
pub fn died_unanswered(error: &Error, reused: bool) -> bool {
    match (error.esource(), error.etype(), error.retry) {
        // An answer that is no HTTP/2 is an answer.
        (_, ErrorType::InvalidH2 | ErrorType::H2Downgrade, _) => false,
        (_, _, RetryType::Decided(true)) => true,
        // Pingora does not ask whether half a head had come.
        (_, _, RetryType::ReusedOnly) => reused && nothing_was_read(error),
        (ErrorSource::Upstream, ErrorType::WriteError, _) => reused && !is_alert(error),
        _ => false,
    }
}

/// Pingora counts the bytes of a head in words only.
fn nothing_was_read(error: &Error) -> bool {
    let context = error.context.as_ref().map_or("", |context| context.as_str());
    context.split_once("bytes already read: ").is_none_or(|(_, count)| count == "0")
}

/// The answer to a request for a WebSocket, and what the kernel gave up on.
fn is_late(error: &Error) -> bool {
    let io = error.root_cause().downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

/// An upstream that refuses our certificate says so after the handshake (RFC 8446 §4.4.2.4).
fn is_alert(error: &Error) -> bool {
    let io = error.root_cause().downcast_ref::<std::io::Error>();
    let tls = io.and_then(|error| error.get_ref()?.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::AlertReceived(_)))
}

#[cfg(test)]
mod tests;
