//! Who sent a request: what the connection shows, or what a trusted proxy says of it.

use std::net::IpAddr;

use ipnet::IpNet;

/// `server.trusted_proxies`: whose word on the client is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Proxies in these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether an address is one of theirs. An IPv4 address is one, also as `::ffff:a.b.c.d`.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The client, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address; `None` on a Unix socket without a proxy's word.
    pub address: Option<IpAddr>,
    /// Whether the connection itself is a trusted proxy's.
    pub through_proxy: bool,
}
