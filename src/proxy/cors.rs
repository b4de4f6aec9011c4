//! CORS (Fetch standard, "CORS protocol"): which pages may read what doorward itself answers, and what the upstream does where
//! that is left to doorward. What the upstream answers otherwise passes as it is.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderName, HeaderValue,
    ORIGIN, VARY,
};
use pingora::http::{RequestHeader, ResponseHeader};

use super::{CorsSettings, Site};
use crate::endpoints::Reply;
use crate::policy::Cors;

/// Whose the CORS of a proxied path is.
#[must_use]
pub fn mode(site: &Site, route: Option<usize>) -> Cors {
    let route = route.and_then(|index| site.gate.table().routes().get(index));
    route.and_then(|route| route.spec().cors).unwrap_or(site.preflights)
}

/// Lets pages of an allowed origin read an answer of the upstream's, where its CORS is doorward's: nothing of its own is left.
///
/// # Errors
/// None: the names and values are valid.
pub fn filter(
    site: &Site,
    route: Option<usize>,
    request: &RequestHeader,
    response: &mut ResponseHeader,
) -> pingora::Result<()> {
    // No page reads an interim answer.
    let is_read = !response.status.is_informational();
    if !is_read || site.cors.allow_origins.is_empty() || mode(site, route) == Cors::Upstream {
        return Ok(());
    }
    for name in &ANSWERS {
        response.remove_header(name);
    }
    add(&site.cors, request, response)
}

/// Lets pages of an allowed origin read an answer of doorward's own, unless it says itself that all may.
///
/// # Errors
/// None: the names and values are valid.
pub fn add(settings: &CorsSettings, request: &RequestHeader, response: &mut ResponseHeader) -> pingora::Result<()> {
    if settings.allow_origins.is_empty() || response.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return Ok(());
    }
    // For every origin, and for none: a cache must not give one origin's answer to another.
    if !response.headers.get_all(VARY).iter().any(names_origin) {
        response.append_header("Vary", "Origin")?;
    }
    let is_preflights = response.headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS);
    for (name, value) in fields(settings, origin(request), !is_preflights) {
        response.insert_header(name, value)?;
    }
    Ok(())
}

/// As [`add`], for an answer to a head of which no more is known than its `Origin`.
#[must_use]
pub fn with_fields(settings: &CorsSettings, origin: Option<&[u8]>, reply: Reply) -> Reply {
    if settings.allow_origins.is_empty() {
        return reply;
    }
    let reply = reply.with_header("Vary", "Origin");
    fields(settings, origin, true).fold(reply, |reply, (name, value)| reply.with_header(name, value))
}

/// Whether pages of the request's origin may read what doorward answers.
#[must_use]
pub fn allows(settings: &CorsSettings, request: &RequestHeader) -> bool {
    origin(request).and_then(|origin| allowed_origin(settings, origin)).is_some()
}

/// The value of a field that stands there once.
pub(super) fn only<'r>(request: &'r RequestHeader, name: &HeaderName) -> Option<&'r HeaderValue> {
    let mut fields = request.headers.get_all(name).iter();
    fields.next().filter(|_| fields.next().is_none())
}

fn origin(request: &RequestHeader) -> Option<&[u8]> {
    only(request, &ORIGIN).map(HeaderValue::as_bytes)
}

fn names_origin(vary: &HeaderValue) -> bool {
    vary.as_bytes().split(|byte| *byte == b',').any(|name| name.trim_ascii().eq_ignore_ascii_case(b"origin"))
}

/// What an allowed origin is told; nothing to any other.
fn fields<'s>(
    settings: &'s CorsSettings,
    origin: Option<&[u8]>,
    exposes: bool,
) -> impl Iterator<Item = (&'static str, &'s str)> + use<'s> {
    let origin = origin.and_then(|origin| allowed_origin(settings, origin));
    let told = origin.map(|origin| {
        [
            Some(("Access-Control-Allow-Origin", origin)),
            settings.allow_credentials.then_some(("Access-Control-Allow-Credentials", "true")),
            exposes.then_some(("Access-Control-Expose-Headers", EXPOSE_HEADERS)),
        ]
    });
    told.into_iter().flatten().flatten()
}

/// The value of `Access-Control-Allow-Origin`. `*` only without credentials: with them every page could read what is meant for
/// one user.
fn allowed_origin<'s>(settings: &'s CorsSettings, origin: &[u8]) -> Option<&'s str> {
    let listed = |wanted: &[u8]| settings.allow_origins.iter().find(|known| known.as_bytes() == wanted);
    let named = listed(origin).filter(|known| *known != "*");
    named.or_else(|| listed(b"*").filter(|_| !settings.allow_credentials)).map(String::as_str)
}

/// What a page must read of a refusal, to know what to do next.
const EXPOSE_HEADERS: &str = "WWW-Authenticate, Retry-After, DPoP-Nonce";

const ANSWERS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
            let mut request = RequestHeader::build("GET", b"/x", None).unwrap();
            for origin in origins {
                request.append_header("Origin", *origin).unwrap();
            }
            let found = origin(&request).and_then(|origin| allowed_origin(&settings, origin));
            assert_eq!(found, expected, "{allowed:?} {origins:?}");
        }
    }

    #[test]
    fn an_answer_varies_by_origin_on_top_of_what_else_it_does() {
        let settings = CorsSettings { allow_origins: vec!["https://a.example".to_owned()], ..CorsSettings::default() };
        for (own, all) in [
            (&[][..], &["Origin"][..]),
            (&["accept-encoding"], &["accept-encoding", "Origin"]),
            (&["*", "X-Origin"], &["*", "X-Origin", "Origin"]),
            (&["Cookie", "accept-encoding,ORIGIN "], &["Cookie", "accept-encoding,ORIGIN "]),
        ] {
            let mut response = ResponseHeader::build(200, None).unwrap();
            for vary in own {
                response.append_header("Vary", *vary).unwrap();
            }
            add(&settings, &RequestHeader::build("GET", b"/x", None).unwrap(), &mut response).unwrap();
            assert_eq!(response.headers.get_all(VARY).iter().collect::<Vec<_>>(), *all, "{own:?}");
        }
    }
}
