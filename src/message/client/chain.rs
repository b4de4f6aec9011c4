//! The lists in which each proxy adds whom it was asked by.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use http::header::FORWARDED;

use super::{TrustedProxies, once, port};

/// The client's address by the word of a trusted proxy, whose own is `peer`.
pub(super) fn client(peer: Option<IpAddr>, proxies: &TrustedProxies, headers: &HeaderMap) -> Option<IpAddr> {
    if headers.contains_key(FOR) {
        return follow(peer, proxies, x_forwarded_for(headers));
    }
    if let Some(nodes) = forwarded(headers) {
        return follow(peer, proxies, nodes.into_iter());
    }
    once(headers, "x-real-ip").and_then(|value| address(value.as_bytes())).or(peer)
}

/// From the nearest on: the first that is no trusted proxy's, or the last one that is an address at all.
fn follow(
    peer: Option<IpAddr>,
    proxies: &TrustedProxies,
    nearest_first: impl Iterator<Item = Option<IpAddr>>,
) -> Option<IpAddr> {
    let mut found = peer;
    for entry in nearest_first.take(MAX_HOPS) {
        let Some(address) = entry else { break };
        found = Some(address);
        if !proxies.trust(address) {
            break;
        }
    }
    found
}

/// Nearest first. Several fields are one list (RFC 9110 §5.3).
fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let fields = headers.get_all(FOR).iter().rev();
    fields.flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b',')).map(address)
}

/// The `for` of each element, nearest first; `None` if there is no such field, or the nearest proxy says nothing of whom it
/// was asked by.
fn forwarded(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let mut nodes = Vec::new();
    // Field by field: a quoted text ends with its field, and one that does not would swallow what the next proxy wrote.
    for field in headers.get_all(FORWARDED).iter().rev() {
        let Some(elements) = split(field.as_bytes(), b',') else {
            nodes.push(None);
            break;
        };
        for element in elements.into_iter().rev().take(MAX_HOPS) {
            match node(element) {
                Node::Absent if nodes.is_empty() => return None,
                Node::Absent | Node::Unknown => nodes.push(None),
                Node::Address(address) => nodes.push(Some(address)),
            }
        }
    }
    (!nodes.is_empty()).then_some(nodes)
}

/// What an element says of who asked.
enum Node {
    Absent,
    /// Hidden, or in no form that is known.
    Unknown,
    Address(IpAddr),
}

fn node(element: &[u8]) -> Node {
    let Some(pairs) = split(element, b';') else { return Node::Unknown };
    let mut values = pairs.into_iter().filter_map(|pair| {
        let (name, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
        name.trim_ascii().eq_ignore_ascii_case(b"for").then(|| value.get(1..).unwrap_or_default())
    });
    match (values.next(), values.next()) {
        (None, _) => Node::Absent,
        (Some(value), None) => {
            let value = value.trim_ascii();
            let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
            address(unquoted).map_or(Node::Unknown, Node::Address)
        }
        (Some(_), Some(_)) => Node::Unknown,
    }
}

/// An address, perhaps with a port; blanks around it do not matter.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    let text = text.trim_ascii();
    let (text, rest) = if let Some(inner) = text.strip_prefix(b"[") {
        let end = inner.iter().position(|byte| *byte == b']')?;
        let (inner, rest) = inner.split_at_checked(end)?;
        std::str::from_utf8(inner).ok()?.parse::<Ipv6Addr>().ok()?;
        (inner, rest.strip_prefix(b"]")?)
    } else {
        let mut colons = text.iter().enumerate().filter(|(_, byte)| **byte == b':');
        match (colons.next(), colons.next()) {
            (Some((at, _)), None) => text.split_at_checked(at)?,
            _ => (text, &b""[..]),
        }
    };
    if !rest.is_empty() {
        port(rest.strip_prefix(b":")?)?;
    }
    Some(std::str::from_utf8(text).ok()?.parse::<IpAddr>().ok()?.to_canonical())
}

/// Between separators that stand in no quoted text (RFC 9110 §5.6.4); `None` if one does not end.
fn split(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if *byte == separator && !quoted => {
                parts.push(text.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (!quoted).then_some(parts)
}

const FOR: &str = "x-forwarded-for";

/// More proxies than anybody has; beyond them whoever sends a longer list would only cost time.
const MAX_HOPS: usize = 50;
