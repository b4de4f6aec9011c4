//! Who is at the other end of the connection, for the upstream.

use http::HeaderValue;
use http::header::HOST;
use pingora::proxy::Session;

use super::facts;

/// `X-Forwarded-For`, `-Proto` and `-Host` as doorward itself sees them.
#[must_use]
pub fn headers(session: &Session, scheme: &'static str) -> Vec<(&'static str, HeaderValue)> {
    let address = facts::client_address(session).and_then(|address| HeaderValue::from_str(&address.to_string()).ok());
    let host = session.req_header().headers.get(HOST).cloned();
    let headers = [
        ("X-Forwarded-For", address),
        ("X-Forwarded-Proto", Some(HeaderValue::from_static(scheme))),
        ("X-Forwarded-Host", host),
    ];
    headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
