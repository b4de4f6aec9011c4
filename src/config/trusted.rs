//! `server.trusted_proxies`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::code::Code;
use super::field::Field;

/// Whose word on the client is taken.
#[derive(Default)]
pub(super) struct Trusted {
    pub(super) networks: Vec<IpNet>,
    /// Whoever connects to a Unix socket.
    pub(super) unix: bool,
}

/// Networks, addresses, and the word `unix`.
pub(super) fn trusted(field: &Field<'_>) -> Trusted {
    let mut trusted = Trusted::default();
    for item in field.list().unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        let known = if text == "unix" {
            std::mem::replace(&mut trusted.unix, true)
        } else {
            let Some(network) = network(&item, &text) else { continue };
            let known = trusted.networks.contains(&network);
            trusted.networks.push(network);
            known
        };
        if known {
            item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
        }
    }
    trusted
}

fn network(field: &Field<'_>, text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        // Clients that reach an IPv6 socket over IPv4 are compared as IPv4.
        let address = address.to_canonical();
        if address.is_unspecified() {
            return field.refuse(Code::BadNetwork, "is no address that anybody has", HELP);
        }
        return Some(address.into());
    }
    let Ok(network) = text.parse::<IpNet>() else {
        return field.refuse(Code::BadNetwork, "is no address or network", HELP);
    };
    // Only parsed numbers are shown, so no text that stands here by mistake.
    let whole = network.trunc();
    if whole != network {
        let help = format!("write `{whole}` for the whole network, or `{}` for the one address", network.addr());
        return field.refuse(Code::BadNetwork, "is a network with bits set behind its prefix", &help);
    }
    let narrowest = if network.addr().is_ipv4() { SHORTEST_V4 } else { SHORTEST_V6 };
    if network.prefix_len() < narrowest {
        let help = "name your proxies, as `10.0.0.0/8` or `192.0.2.7`: whoever is in here can say to be anybody";
        return field.refuse(Code::BadNetwork, "trusts a large part of the internet", help);
    }
    if matches!(network, IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some()) {
        let help = "write it as a network of IPv4, as `10.0.0.0/8`";
        return field.refuse(Code::BadNetwork, "is a network of IPv4 in the form of IPv6", help);
    }
    Some(network)
}

/// `10.0.0.0/8` is the largest network that anybody has for himself.
const SHORTEST_V4: u8 = 8;

/// `fc00::/7`: unique local addresses (RFC 4193).
const SHORTEST_V6: u8 = 7;

const HELP: &str =
    "write a network as `10.0.0.0/8`, an address as `192.0.2.7`, or `unix` for whoever connects to a Unix socket";
