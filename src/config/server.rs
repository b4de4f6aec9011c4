//! `server` and `admin`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::section::Section;
use super::settings::{Admin, Listen, Server, Shutdown};
use crate::message::TrustedProxies;
use crate::proxy::CorsSettings;

pub(super) fn server(section: &Section<'_>) -> Server {
    let field = section.field("listen");
    let listen = field.as_ref().and_then(listeners).unwrap_or_else(|| vec![Listen::Tcp(defaults::LISTEN)]);
    let given = section.nullable("public_url");
    if let Some(field) = field.filter(|_| given.is_none() && !listen.first().is_some_and(is_loopback)) {
        let help = "say in `server.public_url` what they see, as `https://api.example.com`";
        field.warn(Code::NoPublicUrl, "is an address that clients hardly see", help);
    }
    Server {
        listen,
        public_url: given.and_then(|field| public_url(&field)),
        shutdown: section.section("shutdown", shutdown),
        socket_mode: defaults::SOCKET_MODE,
        h2c: false,
        tls: None,
        trusted_proxies: TrustedProxies::default(),
        limits: defaults::LIMITS,
        request_limits: defaults::REQUEST_LIMITS,
        cors: CorsSettings { max_age: defaults::CORS_MAX_AGE, ..CorsSettings::default() },
    }
}

/// `server` is the public side, which the admin listener must not be on: metrics and probes would be public.
pub(super) fn admin(section: &Section<'_>, server: &Server) -> Admin {
    let field = section.field("listen");
    let listen = field.as_ref().and_then(listener).unwrap_or(Listen::Tcp(defaults::ADMIN_LISTEN));
    if server.listen.iter().any(|public| same(public, &listen)) {
        let what = "`admin.listen` is an address of `server.listen` too";
        let at = field.map_or(section.at(), |field| field.at());
        section.reader().problem(at, Code::Duplicate, what, "give it another port: what it serves must not be public");
    }
    Admin { listen }
}

fn shutdown(section: &Section<'_>) -> Shutdown {
    Shutdown {
        lame_duck: section.duration("lame_duck", defaults::LAME_DUCK, Duration::ZERO..=LONGEST_STOP),
        drain: section.duration("drain", defaults::DRAIN, Duration::ZERO..=LONGEST_STOP),
    }
}

/// One address or a list of them.
fn listeners(field: &Field<'_>) -> Option<Vec<Listen>> {
    if field.is_text() {
        return Some(vec![listener(field)?]);
    }
    let mut listeners = Vec::new();
    for item in field.filled_list("name an address, or leave the key out")? {
        let Some(listen) = listener(&item) else { continue };
        if listeners.iter().any(|known| same(known, &listen)) {
            item.refuse::<()>(
                Code::Duplicate,
                "is an address that stands in the list already",
                "take one of the two out",
            );
        } else {
            listeners.push(listen);
        }
    }
    Some(listeners).filter(|listeners| !listeners.is_empty())
}

fn listener(field: &Field<'_>) -> Option<Listen> {
    let text = field.text()?;
    if let Some(path) = text.strip_prefix("unix:") {
        return socket_path(field, path).map(Listen::Unix);
    }
    match text.parse() {
        Ok(address) => Some(Listen::Tcp(address)),
        Err(_) => field.refuse(
            Code::BadAddress,
            "is no address to listen on",
            "write `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080` for all, or `unix:/run/doorward.sock`",
        ),
    }
}

/// The path behind `unix:`, from the folder of the configuration.
pub(super) fn socket_path(field: &Field<'_>, path: &str) -> Option<PathBuf> {
    let resolved = field.reader().resolve(path);
    if path.is_empty() || path.contains('\0') || resolved.as_os_str().len() > SOCKET_PATH_LIMIT {
        let help =
            format!("name a path of at most {SOCKET_PATH_LIMIT} bytes, the folder of the configuration included");
        return field.refuse(Code::BadPath, "is no path of a Unix socket", &help);
    }
    Some(resolved)
}

fn public_url(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match Url::parse(&text) {
        Ok(url) if plain(&url) => Some(text.trim_end_matches('/').to_owned()),
        _ => field.refuse(
            Code::BadUrl,
            "is no URL that clients could use",
            "write `https://api.example.com`: http or https, without user, query and fragment",
        ),
    }
}

/// Whether two listeners cannot both be bound, or are one. Port 0 is another port each time.
fn same(one: &Listen, other: &Listen) -> bool {
    match (one, other) {
        (Listen::Tcp(one), Listen::Tcp(other)) => {
            let overlap = one.ip() == other.ip() || covers(one.ip(), other.ip()) || covers(other.ip(), one.ip());
            one.port() != 0 && one.port() == other.port() && overlap
        }
        _ => one == other,
    }
}

/// Whether listening on `all` takes `one` too; `::` takes IPv4 as well.
fn covers(all: IpAddr, one: IpAddr) -> bool {
    all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
}

fn is_loopback(listen: &Listen) -> bool {
    matches!(listen, Listen::Tcp(address) if address.ip().is_loopback())
}

/// Nobody waits longer for a process to stop.
const LONGEST_STOP: Duration = Duration::from_hours(1);

/// `sun_path` has 108 bytes, the last a NUL.
const SOCKET_PATH_LIMIT: usize = 107;
