//! Who sent a request, and what the upstream is told of the connection it came on.

use std::net::IpAddr;

use arrayvec::ArrayVec;
use http::header::HOST;
use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;
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

/// What the upstream is told of the connection: `X-Forwarded-For` and `X-Real-IP`, `-Proto` and `-Host`, each once and whatever
/// the client sent; `-Port` and `-Prefix` if a trusted proxy said so; a `traceparent` if the request brought no good one. Nothing
/// else of that family arrives, and no `Forwarded`.
pub struct Forwarded {
    address: Option<HeaderValue>,
    proto: HeaderValue,
    host: Option<HeaderValue>,
    port: Option<HeaderValue>,
    prefix: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
}

impl Forwarded {
    /// What there is to tell of a request that came by `scheme`.
    #[must_use]
    pub fn of(session: &Session, client: &Client, scheme: &'static str, ids: &RequestIds) -> Self {
        let sent = session.req_header().headers.get_all(&TRACEPARENT).iter().map(HeaderValue::as_bytes);
        Self {
            address: client.address.and_then(text),
            proto: HeaderValue::from_static(client.proto.unwrap_or(scheme)),
            host: client.host.clone().or_else(|| host(session)),
            port: client.port.map(HeaderValue::from),
            prefix: client.prefix.clone(),
            traceparent: ids.traceparent_unless_sent(sent),
        }
    }

    /// Puts it into a request that goes upstream.
    ///
    /// # Errors
    /// None: the names and values are valid.
    pub fn apply(&self, request: &mut RequestHeader) -> pingora::Result<()> {
        if self.traceparent.is_some() {
            // It is about the trace that ours takes the place of.
            request.remove_header(&TRACESTATE);
        }
        let headers = [
            ("X-Real-IP", self.address.as_ref()),
            ("X-Forwarded-For", self.address.as_ref()),
            ("X-Forwarded-Proto", Some(&self.proto)),
            ("X-Forwarded-Host", self.host.as_ref()),
            ("X-Forwarded-Port", self.port.as_ref()),
            ("X-Forwarded-Prefix", self.prefix.as_ref()),
            ("traceparent", self.traceparent.as_ref()),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                request.insert_header(name, value.clone())?;
            }
        }
        Ok(())
    }
}

/// As `Display` has it, which takes ten times as long for the address that most clients have.
fn text(address: IpAddr) -> Option<HeaderValue> {
    let IpAddr::V4(address) = address else { return HeaderValue::try_from(address.to_string()).ok() };
    let mut text = ArrayVec::<u8, 15>::new();
    for octet in address.octets() {
        if !text.is_empty() {
            text.push(b'.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
        let zeros = usize::from(octet < 100) + usize::from(octet < 10);
        text.extend(digits.into_iter().skip(zeros));
    }
    HeaderValue::from_bytes(&text).ok()
}

fn host(session: &Session) -> Option<HeaderValue> {
    let request = session.req_header();
    let authority = || HeaderValue::from_str(request.uri.authority()?.as_str()).ok();
    request.headers.get(HOST).cloned().or_else(authority)
}

/// W3C Trace Context, §3.2 and §3.3.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everybody_writes_them() {
        for address in
            ["0.0.0.0", "1.20.255.100", "10.0.9.99", "255.255.255.255", "109.101.200.10", "::1", "2001:db8::a:1"]
        {
            assert_eq!(text(address.parse().unwrap()).unwrap(), address);
        }
    }
}
