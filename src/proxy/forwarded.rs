//! Who sent a request, and what the upstream is told of the connection it came on.

use http::HeaderValue;
use http::header::HOST;
use pingora::proxy::Session;

use super::request_id::RequestIds;
use crate::message::{Client, Peer, TrustedProxies};

/// Who sent it: the other side of the connection, or whom a trusted proxy names.
#[must_use]
pub fn client(session: &Session, proxies: &TrustedProxies) -> Client {
    let address = session.client_addr().and_then(|address| address.as_inet());
    let peer = match address {
        Some(address) => Peer::Network(address.ip()),
        // Clients of a Unix socket have no name, so it is our side that tells.
        None if session.server_addr().is_some_and(|ours| ours.as_unix().is_some()) => Peer::Unix,
        None => Peer::Unknown,
    };
    Client::of(peer, proxies, &session.req_header().headers)
}

/// `X-Forwarded-For` and `X-Real-IP`, `-Proto` and `-Host`, each once and whatever the client sent; `-Port` and `-Prefix` if
/// a trusted proxy said so; a `traceparent` if the request brought no good one. Nothing else of that family arrives, and no
/// `Forwarded`.
#[must_use]
pub fn headers(
    session: &Session,
    client: &Client,
    scheme: &'static str,
    ids: &RequestIds,
) -> Vec<(&'static str, HeaderValue)> {
    let text = |text: String| HeaderValue::from_str(&text).ok();
    let address = client.address.and_then(|address| text(address.to_string()));
    let sent = session.req_header().headers.get_all(TRACEPARENT).iter().map(HeaderValue::as_bytes);
    let traceparent = ids.traceparent_unless_sent(sent);
    let headers = [
        ("X-Real-IP", address.clone()),
        ("X-Forwarded-For", address),
        ("X-Forwarded-Proto", Some(HeaderValue::from_static(client.proto.unwrap_or(scheme)))),
        ("X-Forwarded-Host", client.host.clone().or_else(|| host(session))),
        ("X-Forwarded-Port", client.port.map(HeaderValue::from)),
        ("X-Forwarded-Prefix", client.prefix.clone()),
        (TRACEPARENT, traceparent.and_then(text)),
    ];
    headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn host(session: &Session) -> Option<HeaderValue> {
    let request = session.req_header();
    let authority = || HeaderValue::from_str(request.uri.authority()?.as_str()).ok();
    request.headers.get(HOST).cloned().or_else(authority)
}

/// W3C Trace Context, §3.2.
pub(super) const TRACEPARENT: &str = "traceparent";
