//! CORS (Fetch standard, "CORS protocol"): which preflights are answered here, and which pages may read what doorward itself
//! answers. What the upstream answers passes as it is.

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, COOKIE,
    HeaderName, HeaderValue, ORIGIN, VARY,
};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use super::{CorsSettings, Site};
use crate::endpoints::Reply;
use crate::gate::RequestFacts;
use crate::message::head::check_method;
use crate::policy::Cors;

/// The method that a complete preflight asks about: `OPTIONS` with one `Origin`, one `Access-Control-Request-Method` and no body.
/// `None` for every other request: that one is authenticated, whatever it calls itself.
pub fn preflight(session: &mut Session) -> Option<String> {
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
    let table = site.gate.table();
    let route = route.and_then(|index| table.routes().get(index));
    let answers = route.and_then(|route| route.spec().cors).unwrap_or(site.preflights);
    (answers == Cors::Doorward).then(|| with_method(&table.methods(facts.path), requested))
}

/// The answer to a preflight for a path with these methods, a list as in `Allow`. Which origin it is for, [`add`] says.
#[must_use]
pub fn answer(settings: &CorsSettings, request: &RequestHeader, methods: &str) -> Reply {
    let reply = Reply { status: 204, headers: Vec::new(), body: Vec::new(), reason: None };
    if settings.allow_origins.is_empty() {
        return reply;
    }
    let reply = reply.with_header("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    if allowed_origin(settings, request).is_none() {
        return reply;
    }
    reply
        .with_header("Access-Control-Allow-Methods", with_method(methods, "OPTIONS"))
        .with_header("Access-Control-Allow-Headers", ALLOW_HEADERS)
        .with_header("Access-Control-Max-Age", settings.max_age.as_secs().to_string())
}

/// Lets pages of an allowed origin read an answer of doorward's own.
///
/// # Errors
/// None: the names and values are valid.
pub fn add(settings: &CorsSettings, request: &RequestHeader, response: &mut ResponseHeader) -> pingora::Result<()> {
    if settings.allow_origins.is_empty() {
        return Ok(());
    }
    // For every origin, and for none: a cache must not give one origin's answer to another.
    if !response.headers.contains_key(VARY) {
        response.insert_header("Vary", "Origin")?;
    }
    let Some(origin) = allowed_origin(settings, request) else { return Ok(()) };
    response.insert_header("Access-Control-Allow-Origin", origin)?;
    if settings.allow_credentials {
        response.insert_header("Access-Control-Allow-Credentials", "true")?;
    }
    if !response.headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS) {
        response.insert_header("Access-Control-Expose-Headers", EXPOSE_HEADERS)?;
    }
    Ok(())
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
pub fn keep_preflight(received: &RequestHeader, request: &mut RequestHeader) -> pingora::Result<()> {
    for name in [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS] {
        request.remove_header(&name);
        for value in received.headers.get_all(&name) {
            request.append_header(name.clone(), value.clone())?;
        }
    }
    Ok(())
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

/// The value of `Access-Control-Allow-Origin`. `*` only without credentials: with them every page could read what is meant for
/// one user.
fn allowed_origin(settings: &CorsSettings, request: &RequestHeader) -> Option<HeaderValue> {
    let origin = only(request, &ORIGIN)?;
    let lists = |wanted: &[u8]| settings.allow_origins.iter().any(|known| known.as_bytes() == wanted);
    if lists(origin.as_bytes()) && origin != "*" {
        return Some(origin.clone());
    }
    (!settings.allow_credentials && lists(b"*")).then(|| HeaderValue::from_static("*"))
}

fn only<'r>(request: &'r RequestHeader, name: &HeaderName) -> Option<&'r HeaderValue> {
    let mut fields = request.headers.get_all(name).iter();
    fields.next().filter(|_| fields.next().is_none())
}

/// What clients of OAuth and of the APIs behind send; a browser asks for each by name.
const ALLOW_HEADERS: &str = "authorization, content-type, x-requested-with, dpop, mcp-protocol-version";

/// What a page must read of a refusal, to know what to do next.
const EXPOSE_HEADERS: &str = "WWW-Authenticate, Retry-After, DPoP-Nonce";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request(head: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut request = RequestHeader::build("OPTIONS", b"/x", None).unwrap();
        for (name, value) in head {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

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
    fn an_origin_is_named_exactly_and_never_all_of_them_with_credentials() {
        for (allowed, credentials, origins, expected) in [
            (&["https://a.example"][..], false, &["https://a.example"][..], Some("https://a.example")),
            (&["https://a.example"], true, &["https://a.example"], Some("https://a.example")),
            (&["https://b.example", "https://a.example"], false, &["https://a.example"], Some("https://a.example")),
            (&["https://a.example"], false, &["https://A.example"], None),
            (&["https://a.example"], false, &["https://a.example:443"], None),
            (&["https://a.example"], false, &["https://a.example.evil"], None),
            (&["https://a.example"], false, &["http://a.example"], None),
            (&["https://a.example"], false, &["null"], None),
            (&["https://a.example"], false, &[], None),
            (&["https://a.example"], false, &["https://a.example", "https://a.example"], None),
            (&["*"], false, &["https://a.example"], Some("*")),
            (&["*"], false, &[], None),
            (&["*"], true, &["https://a.example"], None),
            (&["*"], true, &["*"], None),
            (&["*", "https://a.example"], true, &["https://a.example"], Some("https://a.example")),
        ] {
            let allow_origins = allowed.iter().map(|origin| (*origin).to_owned()).collect();
            let settings = CorsSettings { allow_origins, allow_credentials: credentials, max_age: Duration::ZERO };
            let head: Vec<_> = origins.iter().map(|origin| ("Origin", *origin)).collect();
            let found = allowed_origin(&settings, &request(&head));
            assert_eq!(
                found.as_ref().map(HeaderValue::as_bytes),
                expected.map(str::as_bytes),
                "{allowed:?} {origins:?}"
            );
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
}
