//! Preflights (Fetch standard, "CORS-preflight request"): which are answered here, and how the others go upstream.

use http::Method;
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, COOKIE, HeaderValue, ORIGIN,
};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::cors::{self, only};
use super::{CorsSettings, Site};
use crate::endpoints::{Endpoint, Reply};
use crate::gate::RequestFacts;
use crate::message::field;
use crate::message::head::check_method;
use crate::policy::Cors;

/// The method that a complete preflight asks about: `OPTIONS` with one `Origin`, one `Access-Control-Request-Method` and no body.
/// `None` for every other request: that one is authenticated, whatever it calls itself.
pub fn asked(session: &mut Session) -> Option<String> {
    if session.req_header().method != Method::OPTIONS || !session.as_downstream_mut().is_body_empty() {
        return None;
    }
    requested_method(session.req_header()).map(str::to_owned)
}

/// The methods to answer a preflight with that was permitted, where it is answered here: those that the path has, and the one it
/// asks about. `None` for those that go to the upstream, and for other requests.
#[must_use]
pub fn methods_to_answer(site: &Site, route: Option<usize>, facts: &RequestFacts<'_>) -> Option<String> {
    let requested = facts.preflight?;
    let methods = || with_method(&site.gate.table().methods(facts.path), requested);
    (cors::mode(site, route) == Cors::Doorward).then(methods)
}

/// The answer to a preflight for one of doorward's own endpoints. Which origin it is for, [`cors::add`] says, unless it is for all.
#[must_use]
pub fn own(settings: &CorsSettings, request: &RequestHeader, endpoint: Endpoint) -> Reply {
    if endpoint.is_for_all_origins() {
        let reply = Reply::no_content().with_header("Access-Control-Allow-Origin", "*");
        return permission(reply, settings, endpoint.methods(), ALLOW_HEADERS);
    }
    answer(settings, request, endpoint.methods(), ALLOW_HEADERS)
}

/// As [`own`], for a path of the upstream's. Which headers its API takes is not known here, so all may be sent: what the
/// upstream must not believe is taken out of every request.
#[must_use]
pub fn proxied(settings: &CorsSettings, request: &RequestHeader, methods: &str) -> Reply {
    answer(settings, request, methods, requested_headers(request).unwrap_or(ALLOW_HEADERS))
}

/// A preflight as it goes upstream: nobody has looked at its credentials.
pub fn take_credentials_out(request: &mut RequestHeader) {
    request.remove_header(&AUTHORIZATION);
    request.remove_header(&COOKIE);
}

/// Puts back what makes a request a preflight. Without, as a client would have it that names these in `Connection`, it is an
/// `OPTIONS` like any other, which an application may have a use for, and nobody was asked who wants it.
///
/// # Errors
/// None: what was received is valid.
pub fn keep(received: &RequestHeader, request: &mut RequestHeader) -> pingora::Result<()> {
    for name in ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"] {
        request.remove_header(name);
        for value in received.headers.get_all(name) {
            request.append_header(name, value.clone())?;
        }
    }
    Ok(())
}

fn answer(settings: &CorsSettings, request: &RequestHeader, methods: &str, headers: &str) -> Reply {
    let reply = Reply::no_content();
    if settings.allow_origins.is_empty() {
        return reply;
    }
    let reply = reply.with_header("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    if !cors::allows(settings, request) {
        return reply;
    }
    permission(reply, settings, methods, headers)
}

fn permission(reply: Reply, settings: &CorsSettings, methods: &str, headers: &str) -> Reply {
    reply
        .with_header("Access-Control-Allow-Methods", with_method(methods, "OPTIONS"))
        .with_header("Access-Control-Allow-Headers", headers)
        .with_header("Access-Control-Max-Age", settings.max_age.as_secs().to_string())
}

/// A list of methods, as in `Allow`, with one more unless it is there.
fn with_method(methods: &str, method: &str) -> String {
    match methods {
        "" => method.to_owned(),
        known if known.split(", ").any(|known| known == method) => known.to_owned(),
        others => format!("{others}, {method}"),
    }
}

fn requested_method(request: &RequestHeader) -> Option<&str> {
    // Of several origins the upstream could answer another one.
    let one_origin =
        |origin: &&[u8]| !origin.is_empty() && origin.iter().all(|byte| matches!(byte, 0x21..=0x7E) && *byte != b',');
    only(request, &ORIGIN).map(HeaderValue::as_bytes).filter(one_origin)?;
    let method = only(request, &ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()?;
    check_method(method.as_bytes()).is_ok().then_some(method)
}

/// What a preflight says the page wants to send, if that is a list of names and not too long to be sent back.
fn requested_headers(request: &RequestHeader) -> Option<&str> {
    let list = only(request, &ACCESS_CONTROL_REQUEST_HEADERS)?.to_str().ok()?;
    let mut names = list.split(',');
    let fits = list.len() <= MAX_HEADERS_BYTES && names.clone().count() <= MAX_HEADERS;
    (fits && names.all(|name| field::is_token(field::trim(name.as_bytes())))).then_some(list)
}

/// What clients of OAuth and of the APIs behind send; a browser asks for each by name.
const ALLOW_HEADERS: &str = "authorization, content-type, x-requested-with, dpop, mcp-protocol-version";

/// Names that a preflight may ask about, and their length in bytes, commas included.
const MAX_HEADERS: usize = 32;
const MAX_HEADERS_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_preflight_has_one_origin_and_one_plain_method() {
        const ORIGIN: (&str, &str) = ("Origin", "https://app.example");
        const METHOD: &str = "Access-Control-Request-Method";
        for (head, method) in [
            (&[ORIGIN, (METHOD, "GET")][..], Some("GET")),
            (&[("origin", "null"), (METHOD, "M-SEARCH")], Some("M-SEARCH")),
            (&[ORIGIN], None),
            (&[(METHOD, "GET")], None),
            (&[ORIGIN, ORIGIN, (METHOD, "GET")], None),
            (&[("Origin", "https://app.example, https://b.example"), (METHOD, "GET")], None),
            (&[("Origin", "https://app.example https://b.example"), (METHOD, "GET")], None),
            (&[("Origin", ""), (METHOD, "GET")], None),
            (&[ORIGIN, (METHOD, "GET"), (METHOD, "GET")], None),
            (&[ORIGIN, (METHOD, "GET, DELETE")], None),
            (&[ORIGIN, (METHOD, "")], None),
            (&[ORIGIN, (METHOD, "get")], None),
        ] {
            assert_eq!(requested_method(&request(head)), method, "{head:?}");
        }
    }

    #[test]
    fn a_list_of_headers_is_one_field_of_names() {
        const NAME: &str = "Access-Control-Request-Headers";
        let (many, more) = (["a"; 32].join(","), ["a"; 33].join(","));
        let (long, longer) = ("a".repeat(1024), "a".repeat(1025));
        for (values, echoed) in [
            (&["authorization,x-csrf-token"][..], true),
            (&["authorization, \tX-Own"], true),
            (&[many.as_str()], true),
            (&[long.as_str()], true),
            (&[], false),
            (&[""], false),
            (&["a,"], false),
            (&["a,,b"], false),
            (&["a b"], false),
            (&["a;b"], false),
            (&["\u{e9}"], false),
            (&["a", "b"], false),
            (&[more.as_str()], false),
            (&[longer.as_str()], false),
        ] {
            let head: Vec<_> = values.iter().map(|value| (NAME, *value)).collect();
            let expected = values.first().copied().filter(|_| echoed);
            assert_eq!(requested_headers(&request(&head)), expected, "{values:?}");
        }
    }

    #[test]
    fn a_method_is_listed_once() {
        for (methods, method, expected) in
            [("", "GET", "GET"), ("GET, POST", "POST", "GET, POST"), ("GET", "OPTIONS", "GET, OPTIONS")]
        {
            assert_eq!(with_method(methods, method), expected);
        }
    }

    fn request(head: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("OPTIONS", b"/x", None).unwrap();
        for (name, value) in head {
            request.append_header(*name, *value).unwrap();
        }
        request
    }
}
