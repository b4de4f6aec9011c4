//! `upstream`.

use std::time::Duration;

use url::{Host, Url};

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::section::Section;
use super::server::socket_path;
use crate::policy::identity::fold;
use crate::proxy::{AuthorizationMode, IdentityHeader, UpstreamSettings, UpstreamUrl};

/// `None` if there is no usable `url`, which is a problem by then.
pub(super) fn upstream(section: &Section<'_>) -> Option<UpstreamSettings> {
    let url =
        section.required("url", "say where the API is: `url: http://127.0.0.1:8000`").and_then(|field| url(&field));
    let timeout = |key, default| section.duration(key, default, Duration::from_millis(1)..=LONGEST_TIMEOUT);
    let connect_timeout = timeout("connect_timeout", defaults::CONNECT_TIMEOUT);
    let read_timeout = timeout("read_timeout", defaults::READ_TIMEOUT);
    let idle_timeout = timeout("idle_timeout", defaults::IDLE_TIMEOUT);
    let modes = [("pass", AuthorizationMode::Pass), ("strip", AuthorizationMode::Strip)];
    let authorization = section.word("authorization", AuthorizationMode::Pass, &modes);
    let identity_headers = match section.field("identity_headers") {
        Some(field) => identity_headers(&field),
        None => defaults::IDENTITY_HEADERS.map(|(name, claim)| header(name, claim)).into(),
    };
    Some(UpstreamSettings {
        url: url?,
        connect_timeout,
        read_timeout,
        idle_timeout,
        authorization,
        identity_headers,
        identity_header_bytes: defaults::IDENTITY_HEADER_BYTES,
        keep_headers: Vec::new(),
        http2: false,
        tls: None,
    })
}

fn url(field: &Field<'_>) -> Option<UpstreamUrl> {
    let text = field.text()?;
    if let Some(path) = text.strip_prefix("unix:") {
        return socket_path(field, path).map(UpstreamUrl::Unix);
    }
    let help = "write `http://host:port` or `unix:/path`";
    let Ok(url) = Url::parse(&text) else { return field.refuse(Code::BadUrl, "is no URL", help) };
    if url.scheme() != "http" {
        return field.refuse(Code::BadUrl, "has a scheme other than `http` and `unix`", help);
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return field.refuse(Code::BadUrl, "has a user, query or fragment", help);
    }
    if url.path() != "/" {
        let what = "has a path, and requests are forwarded with the path they came with";
        return field.refuse(Code::BadUrl, what, help);
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return field.refuse(Code::BadUrl, "has no host", help),
    };
    match url.port_or_known_default() {
        Some(port) if port > 0 => Some(UpstreamUrl::Http { host, port }),
        _ => field.refuse(Code::BadUrl, "has no port that can be connected to", help),
    }
}

fn identity_headers(field: &Field<'_>) -> Vec<IdentityHeader> {
    let mut headers: Vec<IdentityHeader> = Vec::new();
    for entry in field.entries().unwrap_or_default() {
        let reader = field.reader();
        let refuse = |code, what: &str, help: &str| reader.problem(entry.key_at, code, what, help);
        let claim = Field::new(reader, &entry.value, "upstream.identity_headers".to_owned()).name();
        let folded = fold(&entry.key);
        if entry.key.len() > NAME_LIMIT || !is_token(&entry.key) || folded.is_empty() {
            refuse(
                Code::BadHeader,
                "this is no name of a header",
                "a name has letters, digits and `-`, as `X-Forwarded-User`",
            );
        } else if TAKEN.contains(&folded.as_str()) {
            let what = "this header belongs to the connection, the message or the client";
            refuse(Code::BadHeader, what, "take another name, as `X-Forwarded-User`");
        } else if headers.iter().any(|known| fold(&known.name) == folded) {
            let what = "this header stands here already; case, and `_` or `.` for `-`, make no other name";
            refuse(Code::Duplicate, what, "keep one of the two");
        } else if let Some(claim) = claim {
            headers.push(header(&entry.key, &claim));
        }
    }
    headers
}

fn header(name: &str, claim: &str) -> IdentityHeader {
    IdentityHeader { name: name.to_owned(), claim: claim.to_owned() }
}

/// A `token` (RFC 9110 §5.6.2).
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A day: longer than any answer takes, and short enough that no sum overflows.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// Bytes of a header's name.
const NAME_LIMIT: usize = 64;

/// Names, folded, that identity must not overwrite: those of the connection and of framing (RFC 9110 §7.6.1, §6.4),
/// those that say what the body is, credentials, and what a proxy says about the client.
const TAKEN: &[&str] = &[
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-type",
    "content-encoding",
    "content-range",
    "expect",
    "range",
    "date",
    "via",
    "authorization",
    "cookie",
    "set-cookie",
    "www-authenticate",
    "origin",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-uri",
    "x-real-ip",
    "x-request-id",
    "traceparent",
    "tracestate",
];
