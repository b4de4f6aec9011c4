//! Where the upstream is, resolved off the request path, and which of its addresses a request tries.

use std::net::SocketAddr;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::upstreams::peer::HttpPeer;

use super::upstream_addresses::Addresses;
use super::upstream_tls::UpstreamIdentity;
use super::{ConnectSettings, UpstreamUrl};
use crate::connection::tls::TlsError;

/// The upstream's addresses and how to connect to them.
#[derive(Debug)]
pub struct Upstream {
    settings: ConnectSettings,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A Unix socket.
    Socket(Box<HttpPeer>),
    /// What every address of the name has in common, and the addresses.
    Addresses(Box<Common>, Addresses),
    /// A path that is none, which the configuration would have said.
    Nowhere,
}

#[derive(Debug)]
struct Common {
    settings: ConnectSettings,
    identity: Option<UpstreamIdentity>,
    group: u64,
}

/// No address is known, or all were tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream has no address that could be tried")]
pub struct Unresolved;

impl Upstream {
    /// An upstream; a name is not resolved yet, an address needs no resolving.
    ///
    /// # Errors
    /// [`TlsError`] for certificates, a key or a name that cannot be used.
    pub fn new(settings: ConnectSettings) -> Result<Self, TlsError> {
        let identity = settings.tls.as_ref().map(UpstreamIdentity::new).transpose()?;
        let common = Common { settings: settings.clone(), identity, group: NEXT_GROUP.fetch_add(1, Ordering::Relaxed) };
        let target = match &settings.url {
            UpstreamUrl::Unix(path) => {
                let peer = path.to_str().and_then(|path| HttpPeer::new_uds(path, false, String::new()).ok());
                peer.map_or(Target::Nowhere, |peer| Target::Socket(Box::new(common.complete(peer))))
            }
            UpstreamUrl::Http { host, port } => {
                let addresses = Addresses::default();
                if let Ok(address) = host.parse() {
                    addresses.replace([SocketAddr::new(address, *port)], |address| common.peer(address));
                }
                Target::Addresses(Box::new(common), addresses)
            }
        };
        Ok(Self { settings, target })
    }

    /// How to connect to it.
    #[must_use]
    pub fn settings(&self) -> &ConnectSettings {
        &self.settings
    }

    /// Takes over what is known of the addresses of `before`, if that is the same host and port.
    pub fn take_over(&self, before: &Self) {
        if let (Target::Addresses(common, addresses), Target::Addresses(_, known)) = (&self.target, &before.target)
            && self.settings.url == before.settings.url
        {
            addresses.replace(known.list(), |address| common.peer(address));
        }
    }

    /// What the peer of the next attempt is: one address after the other, none of those that were `tried`, and only if there
    /// is no other one that could not be reached a moment ago. An attempt after another waits for `left` at the most, but long
    /// enough to be one.
    ///
    /// # Errors
    /// [`Unresolved`] if there is none to try.
    pub fn peer(&self, tried: &[SocketAddr], left: Duration) -> Result<Box<HttpPeer>, Unresolved> {
        let mut peer = match &self.target {
            Target::Socket(peer) => peer.clone(),
            Target::Addresses(_, addresses) => Box::new(addresses.next(tried).ok_or(Unresolved)?),
            Target::Nowhere => return Err(Unresolved),
        };
        if !tried.is_empty() {
            let timeouts = [&mut peer.options.connection_timeout, &mut peer.options.total_connection_timeout];
            timeouts.into_iter().flatten().for_each(|timeout| *timeout = left.max(SHORTEST_CONNECT).min(*timeout));
        }
        Ok(peer)
    }

    /// That this address could not be reached: for a moment it is asked last.
    pub fn not_reached(&self, address: SocketAddr) {
        if let Target::Addresses(_, addresses) = &self.target {
            addresses.put_back(address);
        }
    }

    /// That a connection to this address was made.
    pub fn reached(&self, address: SocketAddr) {
        if let Target::Addresses(_, addresses) = &self.target {
            addresses.forgive(address);
        }
    }

    /// Whether there is an address that was not `tried`.
    #[must_use]
    pub fn has_other_than(&self, tried: &[SocketAddr]) -> bool {
        matches!(&self.target, Target::Addresses(_, addresses) if addresses.has_other_than(tried))
    }

    /// Resolves a name that was not resolved yet; waits for it a second at the most.
    pub async fn resolve_first(&self) {
        if let Some(name) = self.name()
            && name.addresses.is_empty()
        {
            // Not in time is no error: it is tried again, and until then requests are answered 502.
            let _ = tokio::time::timeout(RESOLVE_AGAIN, name.resolve()).await;
        }
    }

    /// Resolves a name now and again, until nobody uses the upstream any more; an address needs none of it. The last set
    /// that was not empty is kept.
    pub async fn follow_name(upstream: Weak<Self>) {
        while let Some(wait) = Self::resolve_once(&upstream).await {
            tokio::time::sleep(wait).await;
        }
    }

    /// How long to wait until the next time; `None` = there is none.
    async fn resolve_once(upstream: &Weak<Self>) -> Option<Duration> {
        let upstream = upstream.upgrade()?;
        let resolved = upstream.name()?.resolve().await;
        Some(if resolved { RESOLVE_EVERY } else { RESOLVE_AGAIN })
    }

    /// `None` for what needs no resolving.
    fn name(&self) -> Option<Name<'_>> {
        let (Target::Addresses(common, addresses), UpstreamUrl::Http { host, port }) =
            (&self.target, &self.settings.url)
        else {
            return None;
        };
        host.parse::<std::net::IpAddr>().is_err().then_some(Name { host, port: *port, common, addresses })
    }
}

struct Name<'u> {
    host: &'u str,
    port: u16,
    common: &'u Common,
    addresses: &'u Addresses,
}

impl Name<'_> {
    async fn resolve(&self) -> bool {
        match tokio::net::lookup_host((self.host, self.port)).await {
            Ok(found) => {
                let found: Vec<SocketAddr> = found.collect();
                if found.is_empty() {
                    return false;
                }
                if self.addresses.replace(found, |address| self.common.peer(address)) {
                    tracing::info!(upstream = self.host, addresses = ?self.addresses.list(), "upstream resolved");
                }
                true
            }
            Err(error) => {
                tracing::warn!(upstream = self.host, %error, "upstream name not resolved; the last addresses stay");
                false
            }
        }
    }
}

impl Common {
    #[expect(clippy::disallowed_methods, reason = "given a socket address it neither resolves nor panics")]
    fn peer(&self, address: SocketAddr) -> HttpPeer {
        self.complete(HttpPeer::new(address, false, String::new()))
    }

    fn complete(&self, mut peer: HttpPeer) -> HttpPeer {
        if let Some(identity) = &self.identity {
            identity.apply_to(&mut peer);
        }
        peer.group_key = self.group;
        peer.options.connection_timeout = Some(self.settings.connect_timeout);
        peer.options.total_connection_timeout = Some(self.settings.connect_timeout * 3);
        peer.options.read_timeout = Some(self.settings.read_timeout);
        peer.options.idle_timeout = Some(self.settings.idle_timeout);
        if self.settings.http2 {
            // Nothing less: a request must not be tried in HTTP/1.1 after an upstream has had it in HTTP/2.
            peer.options.set_http_version(2, 2);
            peer.options.max_h2_streams = H2_STREAMS;
            peer.options.h2_ping_interval = Some(H2_PING_EVERY);
        }
        peer
    }
}

/// Connections are shared within a group. Pingora's own key knows neither the CAs nor more of a client certificate than its
/// serial number, so each configuration of the upstream has a group of its own: what it verifies holds for each connection it
/// uses.
static NEXT_GROUP: AtomicU64 = AtomicU64::new(1);

/// Streams on one connection at once. Pingora's default is 1.
const H2_STREAMS: usize = 100;

/// A connection whose other end is gone without a word is noticed by this.
const H2_PING_EVERY: Duration = Duration::from_secs(10);

/// For a connect within reach; with less an attempt could only fail.
const SHORTEST_CONNECT: Duration = Duration::from_millis(100);

/// `getaddrinfo` tells no TTL.
const RESOLVE_EVERY: Duration = Duration::from_secs(10);
const RESOLVE_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
