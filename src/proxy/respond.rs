//! Writing a reply of doorward's own.

use std::time::Duration;

use http::Method;
use http::header::EXPECT;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::{CorsSettings, cors, websocket};
use crate::endpoints::Reply;
use crate::gate::{Denial, Wording};
use crate::policy::Reason;

/// Writes `reply`, readable for the pages that `cors` names, and leaves the connection usable where the request's body is small
/// enough to be read and thrown away.
///
/// # Errors
/// Pingora's, if the client has gone.
pub async fn write(session: &mut Session, cors: &CorsSettings, reply: Reply) -> pingora::Result<()> {
    let mut header = ResponseHeader::build(reply.status, Some(reply.headers.len() + ADDED))?;
    for (name, value) in reply.headers {
        header.insert_header(name, value)?;
    }
    // Not with 204, and with 304 it would be that of what was not sent (RFC 9110 §8.6).
    if !matches!(reply.status, 204 | 304) {
        header.insert_header("Content-Length", reply.body.len())?;
    }
    cors::add(cors, session.req_header(), &mut header)?;
    let without_body = session.req_header().method == Method::HEAD || reply.body.is_empty();
    prepare_unread_body(session);
    session.write_response_header(Box::new(header), without_body).await?;
    if !without_body {
        session.write_response_body(Some(reply.body), true).await?;
    }
    // With bytes unread the kernel answers the close with a reset, which can overtake the reply. What a client still sends
    // is thrown away for a moment; whether that works out is its own affair.
    let _ = session.as_downstream_mut().drain_request_body().await;
    Ok(())
}

/// A refusal as a reply, in the words of `wording`; `metadata` is the address at which a client finds out who gives tokens for what
/// it asked for.
#[must_use]
pub fn refusal(denial: &Denial, wording: &Wording, metadata: Option<&str>) -> Reply {
    let status = match denial.reason {
        Reason::InsufficientScope => wording.insufficient_scope_status,
        _ => denial.status(),
    };
    let mut reply = Reply::json(status, &denial.body(wording)).with_reason(denial.reason.as_str());
    reply.headers.retain(|(name, _)| *name != "Pragma");
    if let Some(challenge) = denial.challenge(wording, metadata) {
        reply = reply.with_header("WWW-Authenticate", challenge);
    }
    if let Some(allow) = &denial.allow {
        reply = reply.with_header("Allow", allow.as_str());
    }
    if let Some(seconds) = denial.retry_after() {
        reply = reply.with_header("Retry-After", seconds.to_string());
    }
    reply
}

fn prepare_unread_body(session: &mut Session) {
    // After a handshake the client may go on with another protocol. And who was not told to continue may keep the body to
    // itself: what comes next could be its first bytes, or the next request.
    let waits = session.req_header().headers.contains_key(EXPECT) && !session.as_downstream_mut().is_body_done();
    if waits || websocket::is_upgrade(session.req_header()) {
        session.set_keepalive(None);
        session.as_downstream_mut().set_total_drain_timeout(Some(DRAIN_TIME));
        return;
    }
    let declared = session.get_header("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let downstream = session.as_downstream_mut();
    downstream.set_total_drain_timeout(Some(DRAIN_TIME));
    if declared.is_some_and(|length| length <= SMALL_BODY) {
        downstream.set_close_on_response_before_downstream_finish(false);
    }
}

/// Headers that are put beside a reply's own: its length, CORS', the date and the connection's. With room for fewer the table of them
/// grows while it is filled.
const ADDED: usize = 8;

/// A body up to this is read to the end, so that the connection can be kept.
const SMALL_BODY: u64 = 64 * 1024;

/// For how long an unread body is read and thrown away.
const DRAIN_TIME: Duration = Duration::from_secs(2);
