//! `/revocations` and `/store`, from the connection to those who answer it.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, ORIGIN};
use http::{HeaderValue, Version};
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::socket::SocketAddr;
use zeroize::Zeroizing;

use crate::endpoints::{BodyError, OperatorHead, Operators, Reply};

/// Answers a request. The body is read only of one that may be answered at all.
pub(super) async fn answer(session: &mut ServerSession, operators: &Operators) -> Reply {
    let request = session.req_header().clone();
    let values = |name| request.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    let head = OperatorHead {
        path: request.uri.path(),
        method: request.method.as_str(),
        query: request.uri.query().map(str::as_bytes),
        is_from_page: request.headers.contains_key(ORIGIN) || request.headers.contains_key("sec-fetch-site"),
        authorizations: values(AUTHORIZATION),
        content_types: values(CONTENT_TYPE),
        content_encodings: values(CONTENT_ENCODING),
        from: address(session),
    };
    if let Err(refused) = operators.admit(&head) {
        // What it has still to send is not read, so nobody knows where its next request begins.
        session.set_keepalive(None);
        return refused;
    }
    if request.method != http::Method::POST {
        return operators.answer(&head, Ok(&[])).await;
    }
    let body = read_body(session).await;
    if body.is_err() {
        session.set_keepalive(None);
    }
    operators.answer(&head, body.as_ref().map(|body| body.as_slice()).map_err(|error| *error)).await
}

async fn read_body(session: &mut ServerSession) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let declared = session.get_header("content-length").and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(BodyError::TooLarge);
    }
    let waits = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    // An HTTP/1.0 client does not know it (RFC 9110 §15.2).
    if session.req_header().version != Version::HTTP_10 && session.get_header(EXPECT).is_some_and(waits) {
        session.write_continue_response().await.map_err(|_| BodyError::Unreadable)?;
    }
    let read = async {
        // All at once, so that no copy of a token is left behind by a growing buffer.
        let mut body = Zeroizing::new(Vec::with_capacity(declared.unwrap_or(MAX_BODY_BYTES)));
        while let Some(chunk) = session.read_request_body().await.map_err(|_| BodyError::Unreadable)? {
            // Counted as it comes: a chunked body declares nothing.
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(BodyError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    pingora_timeout::timeout(BODY_TIME, read).await.unwrap_or(Err(BodyError::TooSlow))
}

fn address(session: &ServerSession) -> Option<IpAddr> {
    match session.client_addr()? {
        SocketAddr::Inet(address) => Some(address.ip().to_canonical()),
        SocketAddr::Unix(_) => None,
    }
}

/// As the public endpoints have it: a token and a sentence are a tenth of it.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// For the whole body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
