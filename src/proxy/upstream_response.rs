//! What of the upstream's answer a client gets.

use http::header::{CONNECTION, CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType};

use super::IdentityHeader;
use super::cookies::HOST_NAME;

/// Takes out what clients must not believe and what concerns only the connection to the upstream; of interim answers too.
///
/// # Errors
/// 502 for a 204 that says it has a body (RFC 9110 §8.6), whose bytes would be the beginning of the next answer, and for a 101
/// that `upgrades` nothing: what came behind it would be read by nobody or by the wrong one. Pingora lets both through.
pub fn filter(response: &mut ResponseHeader, upgrades: bool, identity: &[IdentityHeader]) -> pingora::Result<()> {
    let broken = match response.status {
        StatusCode::NO_CONTENT => announces_body(&response.headers),
        StatusCode::SWITCHING_PROTOCOLS => {
            !upgrades || response.version != Version::HTTP_11 || !response.headers.contains_key(UPGRADE)
        }
        _ => false,
    };
    if broken {
        return Err(Error::explain(ErrorType::InvalidHTTPHeader, "an answer that is none to this request").into_up());
    }
    if response.headers.keys().any(|name| is_ours(name, identity)) {
        let ours: Vec<HeaderName> = response.headers.keys().filter(|name| is_ours(name, identity)).cloned().collect();
        for name in &ours {
            response.remove_header(name);
        }
    }
    if response.headers.get_all(SET_COOKIE).iter().any(sets_our_cookie) {
        let others: Vec<HeaderValue> =
            response.headers.get_all(SET_COOKIE).iter().filter(|cookie| !sets_our_cookie(cookie)).cloned().collect();
        response.remove_header(&SET_COOKIE);
        for cookie in others {
            response.append_header(SET_COOKIE, cookie)?;
        }
    }
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        drop_hop_by_hop(response);
    }
    Ok(())
}

/// As [`filter`], for the fields behind a body.
pub fn filter_trailers(trailers: &mut HeaderMap, identity: &[IdentityHeader]) {
    let ours: Vec<HeaderName> =
        trailers.keys().filter(|name| is_ours(name, identity) || **name == SET_COOKIE).cloned().collect();
    for name in ours {
        trailers.remove(name);
    }
}

fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
}

/// Headers that only doorward writes. An upstream that shows what it received would tell clients how to forge them.
fn is_ours(name: &HeaderName, identity: &[IdentityHeader]) -> bool {
    let name = name.as_str();
    name.starts_with(PREFIX) || identity.iter().any(|header| header.name.eq_ignore_ascii_case(name))
}

/// Browsers compare the prefix of a name without regard to case (RFC 6265bis §5.7).
fn sets_our_cookie(cookie: &HeaderValue) -> bool {
    let cookie = cookie.as_bytes().trim_ascii_start();
    cookie.get(..HOST_NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(HOST_NAME))
}

/// Pingora replaces `Connection` and leaves what it names (RFC 9110 §7.6.1).
fn drop_hop_by_hop(response: &mut ResponseHeader) {
    let needs_upgrade = response.status == StatusCode::UPGRADE_REQUIRED;
    if response.headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = response
            .headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| !END_TO_END.contains(name) && (!needs_upgrade || *name != UPGRADE))
            .collect();
        for name in &named {
            response.remove_header(name);
        }
    }
    for name in &HOP_BY_HOP {
        response.remove_header(name);
    }
}

const PREFIX: &str = "x-doorward-";

const HOP_BY_HOP: [HeaderName; 2] =
    [HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];

/// What frames the answer: to name it in `Connection` is no way to have it dropped.
const END_TO_END: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, http::header::CONTENT_TYPE];

#[cfg(test)]
mod tests {
    use super::*;

    /// The status; the answer's fields; those that are left.
    type Case = (u16, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

    #[test]
    fn what_is_left_of_an_answer() {
        let cases: &[Case] = &[
            (200, &[("content-type", "a/b"), ("x-own", "1")], &[("content-type", "a/b"), ("x-own", "1")]),
            (200, &[("X-Doorward-Subject", "root"), ("x-doorward-new", "1")], &[]),
            (200, &[("X-Forwarded-User", "root"), ("x-forwarded-users", "1")], &[("x-forwarded-users", "1")]),
            (200, &[("x-accel-buffering", "no")], &[("x-accel-buffering", "no")]),
            (
                200,
                &[("set-cookie", "a=1"), ("set-cookie", "__Host-doorward=x; Secure"), ("set-cookie", "b=2")],
                &[("set-cookie", "a=1"), ("set-cookie", "b=2")],
            ),
            (200, &[("set-cookie", " __HOST-Doorward-state=x")], &[]),
            (103, &[("link", "</a>"), ("set-cookie", "__Host-doorward=x")], &[("link", "</a>")]),
            (
                200,
                &[("connection", "close, X-Own, content-length"), ("x-own", "1"), ("content-length", "3")],
                &[("connection", "close, X-Own, content-length"), ("content-length", "3")],
            ),
            (200, &[("keep-alive", "timeout=5"), ("proxy-connection", "close")], &[]),
            (426, &[("connection", "upgrade"), ("upgrade", "h2c")], &[("connection", "upgrade"), ("upgrade", "h2c")]),
            (
                101,
                &[("connection", "upgrade"), ("upgrade", "websocket")],
                &[("connection", "upgrade"), ("upgrade", "websocket")],
            ),
            (204, &[("content-length", "0")], &[("content-length", "0")]),
            (304, &[("content-length", "9")], &[("content-length", "9")]),
        ];
        for (status, given, left) in cases {
            let mut response = header(*status, given);
            filter(&mut response, true, &identity()).unwrap();
            assert_eq!(fields(&response.headers), *left, "{status} {given:?}");
        }
    }

    #[test]
    fn what_is_no_answer_to_the_request() {
        let cases = [
            (204, true, ("content-length", "4")),
            (204, true, ("transfer-encoding", "chunked")),
            (101, false, ("upgrade", "websocket")),
            (101, true, ("connection", "upgrade")),
        ];
        for (status, upgrades, field) in cases {
            assert!(filter(&mut header(status, &[field]), upgrades, &identity()).is_err(), "{status} {field:?}");
        }
    }

    #[test]
    fn trailers_are_filtered_too() {
        let mut trailers =
            header(200, &[("grpc-status", "0"), ("x-doorward-subject", "root"), ("set-cookie", "a=1")]).headers.clone();
        filter_trailers(&mut trailers, &identity());
        assert_eq!(fields(&trailers), [("grpc-status", "0")]);
    }

    fn identity() -> [IdentityHeader; 1] {
        [IdentityHeader { name: "X-Forwarded-User".to_owned(), claim: "sub".to_owned() }]
    }

    fn header(status: u16, fields: &[(&'static str, &str)]) -> ResponseHeader {
        let mut header = ResponseHeader::build(status, None).unwrap();
        for (name, value) in fields {
            header.append_header(*name, *value).unwrap();
        }
        header
    }

    fn fields(headers: &HeaderMap) -> Vec<(&str, &str)> {
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
    }
}
