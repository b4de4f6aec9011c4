//! Where the upstream is, resolved off the request path.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::upstreams::peer::HttpPeer;

use super::{UpstreamSettings, UpstreamUrl};

/// The upstream's addresses and how to connect to them.
#[derive(Debug)]
pub struct Upstream {
    settings: UpstreamSettings,
    /// The last set a resolver gave; kept while it gives none.
    addresses: ArcSwap<Vec<SocketAddr>>,
    next: AtomicUsize,
}

/// No address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's name was never resolved")]
pub struct Unresolved;

impl Upstream {
    /// An upstream; a name is not resolved yet, an address needs no resolving.
    #[must_use]
    pub fn new(settings: UpstreamSettings) -> Self {
        let addresses = match &settings.url {
            UpstreamUrl::Http { host, port } => {
                host.parse().map(|address| vec![SocketAddr::new(address, *port)]).unwrap_or_default()
            }
            UpstreamUrl::Unix(_) => Vec::new(),
        };
        Self { settings, addresses: ArcSwap::from_pointee(addresses), next: AtomicUsize::new(0) }
    }

    /// How to connect to it.
    #[must_use]
    pub fn settings(&self) -> &UpstreamSettings {
        &self.settings
    }

    /// What the peer of the next attempt is: one address after the other.
    ///
    /// # Errors
    /// [`Unresolved`] if there is none to try.
    pub fn peer(&self) -> Result<HttpPeer, Unresolved> {
        let mut peer = match &self.settings.url {
            UpstreamUrl::Unix(path) => {
                let path = path.to_str().ok_or(Unresolved)?;
                HttpPeer::new_uds(path, false, String::new()).map_err(|_| Unresolved)?
            }
            UpstreamUrl::Http { .. } => {
                let addresses = self.addresses.load();
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                let address = addresses.get(turn.checked_rem(addresses.len()).ok_or(Unresolved)?).ok_or(Unresolved)?;
                resolved(*address)
            }
        };
        peer.options.connection_timeout = Some(self.settings.connect_timeout);
        peer.options.total_connection_timeout = Some(self.settings.connect_timeout * 3);
        peer.options.read_timeout = Some(self.settings.read_timeout);
        peer.options.idle_timeout = Some(self.settings.idle_timeout);
        Ok(peer)
    }

    /// Resolves a name that was not resolved yet; waits for it a second at the most.
    pub async fn resolve_first(&self) {
        if let UpstreamUrl::Http { host, port } = &self.settings.url
            && self.addresses.load().is_empty()
        {
            // Not in time is no error: it is tried again, and until then requests are answered 502.
            let _ = tokio::time::timeout(RESOLVE_AGAIN, self.resolve(host, *port)).await;
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
        let UpstreamUrl::Http { host, port } = &upstream.settings.url else { return None };
        if host.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        Some(if upstream.resolve(host, *port).await { RESOLVE_EVERY } else { RESOLVE_AGAIN })
    }

    async fn resolve(&self, host: &str, port: u16) -> bool {
        match tokio::net::lookup_host((host, port)).await {
            Ok(found) => {
                let mut found: Vec<SocketAddr> = found.collect();
                // `localhost` is both; services written for it mostly listen on IPv4.
                found.sort_by_key(SocketAddr::is_ipv6);
                found.dedup();
                if found.is_empty() {
                    return false;
                }
                if **self.addresses.load() != found {
                    tracing::info!(upstream = host, addresses = ?found, "upstream resolved");
                    self.addresses.store(Arc::new(found));
                }
                true
            }
            Err(error) => {
                tracing::warn!(upstream = host, %error, "upstream name not resolved; the last addresses stay");
                false
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "given a socket address it neither resolves nor panics")]
fn resolved(address: SocketAddr) -> HttpPeer {
    HttpPeer::new(address, false, String::new())
}

/// `getaddrinfo` tells no TTL.
const RESOLVE_EVERY: Duration = Duration::from_secs(10);
const RESOLVE_AGAIN: Duration = Duration::from_secs(1);
