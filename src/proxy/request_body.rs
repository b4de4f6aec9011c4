//! How long a forwarded body may be (`server.limits.body_bytes`).

use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::RequestLimits;
use crate::gate::Denial;
use crate::gate::denial::Limit;
use crate::message::BodyLength;

/// Refuses a body that says itself that it is too long.
///
/// # Errors
/// The refusal.
pub fn check_declared(body: BodyLength, limits: &RequestLimits) -> Result<(), Denial> {
    match (body, limits.body_bytes) {
        (BodyLength::Fixed(length), Some(limit)) if length > limit => Err(Denial::over(Limit::Body)),
        _ => Ok(()),
    }
}

/// Ends a request whose body turns out to be too long: on its way, as chunks and HTTP/2 declare nothing. Counted where it is
/// read, because a retry sends the first part once more.
///
/// # Errors
/// [`TOO_LONG`].
pub fn check_read(session: &Session, limits: &RequestLimits) -> pingora::Result<()> {
    let Some(limit) = limits.body_bytes else { return Ok(()) };
    let session = session.as_downstream();
    // A WebSocket's bytes are read as a body, and are none.
    let is_over = u64::try_from(session.body_bytes_read()).is_ok_and(|read| read > limit);
    if is_over && !session.was_upgraded() {
        Error::e_explain(TOO_LONG, "the request's body is too long")
    } else {
        Ok(())
    }
}

/// How a body that is too long shows in Pingora's errors.
pub const TOO_LONG: ErrorType = ErrorType::HTTPStatus(413);
