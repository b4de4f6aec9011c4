//! Which addresses are fetched from.

use url::{Host, Url};

/// Whether keys, or what leads to them, may be fetched from here at all: with TLS, or from this machine, or where `allow_http`
/// says so.
#[must_use]
pub fn may_be_fetched(url: &Url, allow_http: bool) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => allow_http && url.host().is_some() || is_this_machine(url),
        _ => false,
    }
}

/// Whether the host is this machine by its name alone.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
