//! Which addresses are fetched from.
//!
//! What the operator wrote may be anywhere. What an issuer's metadata says may not: a metadata document must not be able to have
//! doorward ask the cloud's metadata service, or whatever else listens inside (CVE-2026-41413). Addresses are judged where the
//! connection is made, so that a name which resolves to something else the second time gains nothing. Behind an HTTP proxy it is
//! the proxy that resolves, and must judge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Whether keys, or what leads to them, may be fetched from here at all: with TLS, or from this machine, or where `allow_http`
/// says so. Never with a user or a password in it: nothing is fetched with credentials.
#[must_use]
pub fn may_be_fetched(url: &Url, allow_http: bool) -> bool {
    let secure = match url.scheme() {
        "https" => true,
        "http" => allow_http || is_this_machine(url),
        _ => false,
    };
    secure && url.host().is_some() && url.username().is_empty() && url.password().is_none()
}

/// Whether the host is this machine by its name alone.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        _ => literal(url).is_some_and(|address| place(address) == Place::Loopback),
    }
}

/// The address that stands for the host, if it is one.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Public,
    Loopback,
    LinkLocal,
    /// RFC 1918, RFC 4193, and what is no more public than those.
    Private,
    /// No host has it, or none that would be meant.
    Nowhere,
}

/// The kinds of places where an issuer was found to be; its metadata may lead there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places(Vec<Place>);

impl Places {
    pub fn add(&mut self, address: IpAddr) {
        self.0.push(place(address));
    }

    pub fn admit(&self, address: IpAddr) -> bool {
        match place(address) {
            Place::Public => true,
            Place::Nowhere => false,
            inner => self.0.contains(&inner),
        }
    }
}

pub(super) fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(address) => place_v4(address),
        IpAddr::V6(address) => place_v6(address),
    }
}

fn place_v4(address: Ipv4Addr) -> Place {
    match address.octets() {
        [0 | 224..=255, ..] => Place::Nowhere,
        [127, ..] => Place::Loopback,
        [169, 254, ..] => Place::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Place::Private,
        // Carriers' (RFC 6598), for protocols (RFC 6890), for measuring (RFC 2544).
        [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] => Place::Private,
        _ => Place::Public,
    }
}

fn place_v6(address: Ipv6Addr) -> Place {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        place_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Place::Nowhere,
        [0, 0, 0, 0, 0, 0, 0, 1] => Place::Loopback,
        // An IPv4 address in another form: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xFFFF | 0, high, low] => embedded(high, low),
        [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo (RFC 4380) hides one.
        [0x2001, 0, ..] => Place::Nowhere,
        [0x64, 0xFF9B, 1, ..] | [0xFC00..=0xFDFF | 0xFEC0..=0xFEFF, ..] => Place::Private,
        [0xFE80..=0xFEBF, ..] => Place::LinkLocal,
        [0xFF00..=0xFFFF, ..] => Place::Nowhere,
        _ => Place::Public,
    }
}

/// All addresses of a name are where nobody may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address must not be fetched from")]
pub(super) struct NotAdmitted;

/// Resolves names for one connection, and judges what it finds.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    /// Whose addresses are judged. An HTTP proxy, which the operator named, may be anywhere.
    pub host: String,
    /// Where they may be; `None` = anywhere.
    pub within: Option<Places>,
    /// Where they were.
    pub found: Arc<Mutex<Places>>,
}

impl Resolver {
    pub async fn addresses(self, name: String) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        // The port is the URL's; reqwest puts it in.
        let mut addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
        if name == self.host {
            if let Some(places) = &self.within {
                addresses.retain(|address| places.admit(address.ip()));
                if addresses.is_empty() {
                    return Err(Box::new(NotAdmitted));
                }
            }
            let mut found = self.found.lock();
            for address in &addresses {
                found.add(address.ip());
            }
        }
        Ok(addresses)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolved = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(resolved.await?.into_iter()) as Addrs) })
    }
}

#[cfg(test)]
mod tests;
