//! `Host` and `:authority` (RFC 9110 §7.2).

use std::net::Ipv6Addr;

/// Whether this is a host that everybody takes apart alike: a name, an IPv4 address or an IPv6 address in brackets, and a
/// port behind a colon where there is one.
///
/// A name is narrower than RFC 3986's `reg-name`: applications build links from it, so there are no `%`, no quotes, no commas,
/// no empty labels.
#[must_use]
pub fn is_valid(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let (address, port) = rest.split_at(end);
            if !is_ipv6(address) {
                return false;
            }
            (None, port.strip_prefix(b"]").unwrap_or_default())
        }
        _ => {
            let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
            let (name, port) = host.split_at(end);
            (Some(name), port)
        }
    };
    name.is_none_or(is_name) && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

/// Whether two hosts are one: letters in any case, and the root's dot at the end of a name says nothing.
#[must_use]
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (without_dot(one), without_dot(other));
    one.0.eq_ignore_ascii_case(other.0) && one.1 == other.1
}

fn without_dot(host: &[u8]) -> (&[u8], &[u8]) {
    let end = host.iter().rposition(|byte| matches!(byte, b':' | b']')).filter(|end| host.get(*end) == Some(&b':'));
    let (name, port) = host.split_at(end.unwrap_or(host.len()));
    (name.strip_suffix(b".").unwrap_or(name), port)
}

fn is_name(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let is_empty_label = |pair: &[u8]| pair == b"..";
    (1..=LONGEST_NAME).contains(&name.len())
        && name.iter().all(plain)
        && name.first() != Some(&b'.')
        && !name.windows(2).any(is_empty_label)
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn is_port(port: &[u8]) -> bool {
    let digits = port.len() <= 5 && port.first() != Some(&b'0') && port.iter().all(u8::is_ascii_digit);
    digits && std::str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok())
}

/// DNS has no longer ones.
const LONGEST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, valid) in [
            ("a", true),
            ("a.example", true),
            ("A.EXAMPLE.", true),
            ("a_b-c~1.example:1", true),
            ("127.0.0.1:65535", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]:80", true),
            // attacks.md P22
            ("", false),
            ("a b", false),
            ("a.example/../x?y#z", false),
            ("a.example:99999", false),
            ("[::1]x", false),
            ("u@a", false),
            ("a\\b", false),
            ("a#b", false),
            ("a?b", false),
            ("a:", false),
            ("a:0", false),
            ("a:080", false),
            ("a:+80", false),
            ("a:80:80", false),
            (":80", false),
            ("[::1", false),
            ("[]", false),
            ("[::1%25eth0]", false),
            ("[1.2.3.4]", false),
            ("::1", false),
            ("a..b", false),
            (".a", false),
            ("a,b", false),
            ("a%2eb", false),
            ("é", false),
            ("google.com\0.evil", false),
        ] {
            assert_eq!(is_valid(host.as_bytes()), valid, "{host:?}");
        }
        assert!(!is_valid(&[b'a'; LONGEST_NAME + 1]));
    }

    #[test]
    fn one_host() {
        for (one, other, same) in [
            ("a.example", "A.Example.", true),
            ("a.example:80", "a.example.:80", true),
            ("[::1]", "[::1]", true),
            ("[::1]:80", "[::1]", false),
            ("a", "b", false),
            ("a:80", "a:81", false),
            ("a", "a:80", false),
        ] {
            assert_eq!(is_same(one.as_bytes(), other.as_bytes()), same, "{one} {other}");
        }
    }
}
