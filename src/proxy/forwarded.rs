//! What the upstream is told of the connection a request came on.

use http::HeaderValue;
use http::header::HOST;
use pingora::proxy::Session;

use super::facts;
use super::request_id::RequestIds;

/// `X-Forwarded-For`, `-Proto` and `-Host` as doorward itself sees them, and a `traceparent` if the request brought none.
#[must_use]
pub fn headers(session: &Session, scheme: &'static str, ids: &RequestIds) -> Vec<(&'static str, HeaderValue)> {
    let text = |text: String| HeaderValue::from_str(&text).ok();
    let traceparent = session.get_header("traceparent").is_none().then(|| ids.traceparent());
    let headers = [
        ("X-Forwarded-For", facts::client_address(session).and_then(|address| text(address.to_string()))),
        ("X-Forwarded-Proto", Some(HeaderValue::from_static(scheme))),
        ("X-Forwarded-Host", session.req_header().headers.get(HOST).cloned()),
        ("traceparent", traceparent.and_then(text)),
    ];
    headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
