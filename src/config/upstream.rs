//! `upstream`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use url::{Host, Url};

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::headers;
use super::listen::socket_path;
use super::mint::{self, Minting};
use super::section::Section;
use super::settings::{Admin, Listen, Server};
use super::tls;
use crate::policy::AuthorizationMode;
use crate::proxy::{ConnectSettings, UpstreamSettings, UpstreamUrl};

/// `None` if there is no usable `url`, which is a problem by then. `mint` is what [`mint::mint`] found.
pub(super) fn upstream(
    section: &Section<'_>,
    server: &Server,
    admin: &Admin,
    mint: &Minting,
) -> Option<UpstreamSettings> {
    let field = section.required("url", "say where the API is: `url: http://127.0.0.1:8000`");
    let target = field.as_ref().and_then(target);
    if let (Some(field), Some(target)) = (&field, &target) {
        warn_of_loop(field, &target.url, server, admin);
    }
    let https = target.as_ref().is_some_and(|target| target.https);
    let tls = tls::upstream(section, field.as_ref(), target.as_ref().map(|target| &target.url), https);
    let timeout = |key, default| section.duration(key, default, Duration::from_millis(1)..=LONGEST_TIMEOUT);
    let connect_timeout = timeout("connect_timeout", defaults::CONNECT_TIMEOUT);
    let read_timeout = timeout("read_timeout", defaults::READ_TIMEOUT);
    let idle_timeout = timeout("idle_timeout", defaults::IDLE_TIMEOUT);
    let authorization = section.field("authorization").and_then(|field| mint::mode(&field, mint));
    let identity_headers = headers::identity_headers(section);
    let keep_headers = headers::keep_headers(section, &identity_headers, &server.trusted_proxies);
    let identity_header_bytes =
        section.size("identity_header_bytes", defaults::IDENTITY_HEADER_BYTES, LEAST_BUDGET..=MOST_BUDGET);
    let http2 = section.flag("http2", false);
    Some(UpstreamSettings {
        connect: ConnectSettings { url: target?.url, connect_timeout, read_timeout, idle_timeout, http2, tls },
        authorization: authorization.unwrap_or(AuthorizationMode::Pass),
        identity_headers,
        identity_header_bytes,
        keep_headers,
    })
}

/// What `upstream.url` says.
struct Target {
    url: UpstreamUrl,
    https: bool,
}

fn target(field: &Field<'_>) -> Option<Target> {
    let text = field.text()?;
    if let Some(path) = text.strip_prefix("unix:") {
        return socket_path(field, path).map(|path| Target { url: UpstreamUrl::Unix(path), https: false });
    }
    let help = "write `http://host:port`, `https://host` or `unix:/path`";
    let Ok(url) = Url::parse(&text) else { return field.refuse(Code::BadUrl, "is no URL", help) };
    if !matches!(url.scheme(), "http" | "https") {
        return field.refuse(Code::BadUrl, "has a scheme other than `http`, `https` and `unix`", help);
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
        Some(port) if port > 0 => {
            Some(Target { url: UpstreamUrl::Http { host, port }, https: url.scheme() == "https" })
        }
        _ => field.refuse(Code::BadUrl, "has no port that can be connected to", help),
    }
}

/// A request that comes back to where it was sent from goes round until something breaks; on the admin listener it would show
/// metrics to everybody.
fn warn_of_loop(field: &Field<'_>, url: &UpstreamUrl, server: &Server, admin: &Admin) {
    let help = "name the address of the API itself";
    if server.listen.iter().any(|listen| leads_to(url, listen)) {
        field.warn(Code::Loop, "is an address of `server.listen`: requests would come back here", help);
    }
    if leads_to(url, &admin.listen) {
        field.warn(Code::Loop, "is the address of `admin.listen`: metrics would be public", help);
    }
}

fn leads_to(url: &UpstreamUrl, listen: &Listen) -> bool {
    let (host, port, listen) = match (url, listen) {
        (UpstreamUrl::Http { host, port }, Listen::Tcp(listen)) => (host, *port, listen),
        (UpstreamUrl::Unix(path), Listen::Unix(listen)) => return path == listen,
        _ => return false,
    };
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses = match host.parse::<IpAddr>() {
        // Connecting to no address in particular leads to this machine.
        Ok(address) if !address.is_unspecified() => vec![address],
        Ok(_) => loopback.to_vec(),
        Err(_) if host == "localhost" => loopback.to_vec(),
        Err(_) => return false,
    };
    let reaches = |address: &IpAddr| listen.ip() == *address || (listen.ip().is_unspecified() && address.is_loopback());
    listen.port() == port && addresses.iter().any(reaches)
}

/// A day: longer than any answer takes, and short enough that no sum overflows.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// Less does not hold the names of the default headers.
const LEAST_BUDGET: u64 = 256;

/// No server takes more headers.
const MOST_BUDGET: u64 = 64 * 1024;
