//! Who sent a request: what the connection shows, or what a trusted proxy says of it.

mod chain;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use super::host;

/// `server.trusted_proxies`: whose word on the client is taken. Nobody's, unless configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl TrustedProxies {
    /// Proxies in these networks and, with `unix`, whoever may open a Unix socket that is listened on.
    #[must_use]
    pub const fn new(networks: Vec<IpNet>, unix: bool) -> Self {
        Self { networks, unix }
    }

    /// Whether an address is one of theirs. An IPv4 address is one, also as `::ffff:a.b.c.d`.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether the other side of a connection is one of them.
    #[must_use]
    pub fn trust_peer(&self, peer: Peer) -> bool {
        match peer {
            Peer::Network(address) => self.trust(address),
            Peer::Unix => self.unix,
            Peer::Unknown => false,
        }
    }
}

/// The other side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Somebody at this address.
    Network(IpAddr),
    /// Somebody on this machine who may open the Unix socket.
    Unix,
    /// The system does not say, as after a reset. Nobody to trust.
    Unknown,
}

impl Peer {
    /// Its address; an IPv4 one is one, also on a socket for both.
    #[must_use]
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Network(address) => Some(address.to_canonical()),
            Self::Unix | Self::Unknown => None,
        }
    }
}

/// The client, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address; `None` on a Unix socket without a proxy's word.
    pub address: Option<IpAddr>,
    /// Whether the connection itself is a trusted proxy's.
    pub through_proxy: bool,
    /// The scheme the client uses, `http` or `https`, by the proxy's word.
    pub proto: Option<&'static str>,
    /// The host it asked for, with a port if it named one, by the proxy's word.
    pub host: Option<HeaderValue>,
    /// The port it connected to, by the proxy's word.
    pub port: Option<u16>,
    /// The path that the proxy took off the front of the target.
    pub prefix: Option<HeaderValue>,
}

impl Client {
    /// The client of a request. What `headers` say of it counts only if `peer` is one of `proxies`; without one there is no
    /// allocation and no header is looked at.
    ///
    /// The address is the last one in `X-Forwarded-For` that is not a trusted proxy's: each proxy adds whom it was asked by, so
    /// what stands left of that anybody can have written. Whatever is no address ends the search, and the one before it holds.
    /// `Forwarded` (RFC 7239, its `for` alone) is read where there is no `X-Forwarded-For`, and `X-Real-IP` where there is
    /// neither: nearly all proxies write the first, and let pass what a client writes into the others. One that does not
    /// must take it out. Addresses may have a port; IPv6 ones may, and with a port must, stand in brackets.
    ///
    /// The others are taken if they come once and are one plain value: `X-Forwarded-Proto` `http` or `https`, `X-Forwarded-Host`
    /// a host, `X-Forwarded-Port` a port, `X-Forwarded-Prefix` an absolute path with nothing in it that two readers could read
    /// differently.
    #[must_use]
    pub fn of(peer: Peer, proxies: &TrustedProxies, headers: &HeaderMap) -> Self {
        let address = peer.address();
        if !proxies.trust_peer(peer) {
            return Self { address, ..Self::default() };
        }
        let word = |name| once(headers, name);
        Self {
            address: chain::client(address, proxies, headers),
            through_proxy: true,
            proto: word("x-forwarded-proto").and_then(|value| scheme(value.as_bytes())),
            host: word("x-forwarded-host").filter(|value| host::is_valid(value.as_bytes())).cloned(),
            port: word("x-forwarded-port").and_then(|value| port(value.as_bytes())),
            prefix: word("x-forwarded-prefix").filter(|value| is_plain_path(value.as_bytes())).cloned(),
        }
    }
}

/// The only field of that name: of two, one may be the client's.
fn once<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h HeaderValue> {
    let mut fields = headers.get_all(name).iter();
    let first = fields.next();
    if fields.next().is_some() { None } else { first }
}

fn scheme(value: &[u8]) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|known| value.eq_ignore_ascii_case(known.as_bytes()))
}

fn port(value: &[u8]) -> Option<u16> {
    let digits = (1..=5).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let port: u16 = std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()?;
    (port > 0).then_some(port)
}

/// An upstream puts this in front of the links it writes: neither another host (`//`) nor a list nor anything to decode.
fn is_plain_path(value: &[u8]) -> bool {
    let pairs = || value.iter().zip(value.iter().skip(1));
    value.first() == Some(&b'/')
        && value.iter().all(|byte| byte.is_ascii_graphic() && !b"\\%?#,;\"<>".contains(byte))
        && !pairs().any(|pair| matches!(pair, (b'/', b'/') | (b'.', b'.')))
}
