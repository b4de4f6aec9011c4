//! Requests that doorward's own endpoints answer.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, IF_NONE_MATCH};
use http::{HeaderValue, Version};
use pingora::proxy::Session;
use zeroize::Zeroizing;

use super::{Site, facts};
use crate::endpoints::{Endpoint, Exchange, OAuthError, Reply};
use crate::gate::Denial;
use crate::message::target::Target;

/// Reads the body within its bounds and lets the endpoint answer. A [`Denial`] is to be told as that of any path is.
///
/// # Errors
/// Pingora's, if the client goes away meanwhile.
pub async fn answer(
    session: &mut Session,
    site: &Site,
    endpoint: Endpoint,
    target: Target<'_>,
    from: Option<IpAddr>,
) -> pingora::Result<Result<Reply, Denial>> {
    let body = if session.req_header().method == http::Method::POST {
        match read_body(session).await? {
            Ok(body) => body,
            Err(error) => return Ok(Ok(site.endpoints.refuse(error))),
        }
    } else {
        Zeroizing::default()
    };
    let headers = &session.req_header().headers;
    let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    let exchange = Exchange {
        method: session.req_header().method.as_str(),
        path: target.path,
        query: target.query,
        content_types: values(CONTENT_TYPE),
        content_encodings: values(CONTENT_ENCODING),
        if_none_match: values(IF_NONE_MATCH),
        authorizations: values(AUTHORIZATION),
        credential: facts::credential(session, site.limits.token_bytes),
        token_bytes: site.limits.token_bytes,
        // Node sends `Sec-Fetch-Mode` without being a browser.
        is_from_page: ["sec-fetch-site", "origin", "x-requested-with"].iter().any(|name| headers.contains_key(*name)),
        body,
        from,
    };
    Ok(site.endpoints.answer(endpoint, &exchange).await)
}

async fn read_body(session: &mut Session) -> pingora::Result<Result<Zeroizing<Vec<u8>>, OAuthError>> {
    let declared = session.get_header("content-length").and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Ok(Err(OAuthError::BodyTooLarge));
    }
    // Pingora never says this by itself, and curl waits a second for it.
    // An HTTP/1.0 client does not know it (RFC 9110 §15.2).
    let may_wait = session.req_header().version != Version::HTTP_10;
    let waits = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if may_wait && session.get_header(EXPECT).is_some_and(waits) {
        session.as_downstream_mut().write_continue_response().await?;
    }
    let read = async {
        // All at once, so that no copy of a password is left behind by a growing buffer.
        let mut body = Zeroizing::new(Vec::with_capacity(declared.unwrap_or(MAX_BODY_BYTES).min(MAX_BODY_BYTES)));
        while let Some(chunk) = session.read_request_body().await? {
            // Counted as it comes: a chunked body declares nothing.
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Ok::<_, Box<pingora::Error>>(Err(OAuthError::BodyTooLarge));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Ok(body))
    };
    let error = match pingora_timeout::timeout(BODY_TIME, read).await {
        Ok(Ok(body)) => return Ok(body),
        // Broken framing, or the client has gone: its fault either way, and where its next request begins nobody knows.
        Ok(Err(_)) => OAuthError::InvalidRequest("The request body cannot be read"),
        Err(_) => OAuthError::BodyTooSlow,
    };
    session.set_keepalive(None);
    Ok(Err(error))
}

/// Longest body of a request to an endpoint.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// For the whole body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
