//! The request for a WebSocket (RFC 6455 §4.1): a request like any other, but that its token may come in another place.

use http::header::{AUTHORIZATION, CONNECTION, HeaderValue, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{Method, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::gate::credential::Credential;
use crate::gate::{Permit, websocket};

/// The token in `Sec-WebSocket-Protocol` of a request for a WebSocket. With an `Authorization` field there is none: a request has
/// one credential, and that one decides.
#[must_use]
pub fn credential(request: &RequestHeader, limit: usize) -> Credential<'_> {
    if !is_upgrade(request) || request.headers.contains_key(AUTHORIZATION) {
        return Credential::None;
    }
    websocket::credential(request.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().map(HeaderValue::as_bytes), limit)
}

/// Asks the upstream for a WebSocket only where the client did so in full, and never shows it a token as a subprotocol.
///
/// # Errors
/// None: what is left of a valid value is valid.
pub fn filter_request(received: &RequestHeader, request: &mut RequestHeader, permit: &Permit) -> pingora::Result<()> {
    // Pingora goes by `Upgrade` alone. A tunnel behind a preflight, or behind a POST, would be one that nobody asked for.
    if request.headers.contains_key(UPGRADE) && !is_upgrade(received) {
        request.remove_header(&UPGRADE);
        request.remove_header(&CONNECTION);
    }
    if permit.has_websocket_token() {
        let offered = request.remove_header(&SEC_WEBSOCKET_PROTOCOL);
        let left = offered.and_then(|offered| websocket::without_token(offered.to_str().ok()?));
        if let Some(left) = left {
            request.insert_header("Sec-WebSocket-Protocol", left)?;
        }
    }
    Ok(())
}

/// Selects `bearer` where the upstream selects nothing: a client that offers subprotocols may insist on one of them.
///
/// # Errors
/// None: the name and value are valid.
pub fn filter_response(response: &mut ResponseHeader, permit: &Permit) -> pingora::Result<()> {
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    if permit.has_websocket_token() && !response.headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        response.insert_header("Sec-WebSocket-Protocol", websocket::BEARER)?;
    }
    Ok(())
}

/// Whether every server takes it for the request of a WebSocket.
#[must_use]
pub fn is_upgrade(request: &RequestHeader) -> bool {
    let mut upgrades = request.headers.get_all(UPGRADE).iter();
    // First, as most requests have none.
    let Some(upgrade) = upgrades.next() else { return false };
    let names_upgrade = |value: &HeaderValue| {
        value.as_bytes().split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    };
    upgrades.next().is_none()
        && upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")
        && request.method == Method::GET
        && request.version == Version::HTTP_11
        && request.headers.get_all(CONNECTION).iter().any(names_upgrade)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, head: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut request = RequestHeader::build(method, b"/ws", None).unwrap();
        for (name, value) in head {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    #[test]
    fn a_websocket_is_asked_for_in_full_or_not_at_all() {
        const UPGRADE: (&str, &str) = ("Upgrade", "websocket");
        const CONNECTION: (&str, &str) = ("Connection", "Upgrade");
        for (method, head, expected) in [
            ("GET", &[UPGRADE, CONNECTION][..], true),
            ("GET", &[("Upgrade", "WebSocket"), ("Connection", "keep-alive, upgrade")], true),
            ("GET", &[UPGRADE, ("Connection", "keep-alive"), CONNECTION], true),
            ("GET", &[UPGRADE], false),
            ("GET", &[CONNECTION], false),
            ("GET", &[UPGRADE, ("Connection", "upgrades")], false),
            ("GET", &[("Upgrade", "websocket, h2c"), CONNECTION], false),
            ("GET", &[("Upgrade", "h2c"), CONNECTION], false),
            ("GET", &[UPGRADE, ("Upgrade", "h2c"), CONNECTION], false),
            ("POST", &[UPGRADE, CONNECTION], false),
            ("OPTIONS", &[UPGRADE, CONNECTION], false),
        ] {
            assert_eq!(is_upgrade(&request(method, head)), expected, "{method} {head:?}");
        }
        let mut old = request("GET", &[UPGRADE, CONNECTION]);
        for version in [Version::HTTP_10, Version::HTTP_2] {
            old.set_version(version);
            assert!(!is_upgrade(&old), "{version:?}");
        }
    }

    #[test]
    fn a_token_is_read_from_a_request_for_a_websocket_without_authorization() {
        const TOKEN: (&str, &str) = ("Sec-WebSocket-Protocol", "bearer, t");
        let ask = [("Upgrade", "websocket"), ("Connection", "Upgrade"), TOKEN];
        assert_eq!(credential(&request("GET", &ask), 9), Credential::Bearer("t"));
        assert_eq!(credential(&request("GET", &[TOKEN]), 9), Credential::None, "no WebSocket");
        for authorization in ["", "Basic x", "Bearer x"] {
            let head = [ask.as_slice(), &[("Authorization", authorization)]].concat();
            assert_eq!(credential(&request("GET", &head), 9), Credential::None, "{authorization}");
        }
    }
}
