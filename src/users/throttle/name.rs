//! Under what failures are counted.

use std::net::IpAddr;

use icu_normalizer::ComposingNormalizerBorrowed;

/// A user name as failures are counted under it: NFKC, without regard to case, without blanks around.
///
/// For counting only; users are looked up by the name as it was typed. A store may find one user under several spellings, and with
/// a count for each spelling there would be as many guesses as spellings. Two users whose names differ in no more than this share
/// one count.
pub(super) fn canonical(username: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let composed = nfkc.normalize(username);
    // Letter by letter, and by way of the large ones: some have two small forms (σ and ς), or a large one of two letters (ß).
    let small = composed.trim().chars().flat_map(char::to_lowercase);
    let folded: String = small.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    nfkc.normalize(&folded).into_owned()
}

/// Where a login comes from, as failures are counted: an IPv6 client has a /64 for himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    V4([u8; 4]),
    V6(u64),
    /// A Unix socket without a trusted proxy's word, or a connection whose other side the system does not tell.
    Unknown,
}

impl Place {
    pub(super) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => Self::V6(u64::try_from(address.to_bits() >> 64).unwrap_or(0)),
            None => Self::Unknown,
        }
    }

    /// The same on every machine, and other bytes for any other place.
    pub(super) fn bytes(self) -> Vec<u8> {
        match self {
            Self::V4(octets) => octets.to_vec(),
            Self::V6(network) => network.to_be_bytes().to_vec(),
            Self::Unknown => Vec::new(),
        }
    }
}

/// Whether this is hardly a client's own address, but that of a proxy which is not in `server.trusted_proxies`.
pub(super) fn may_be_a_proxy(address: Option<IpAddr>) -> bool {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => {
            let [a, b, ..] = address.octets();
            // The last: shared address space (RFC 6598), which clouds use inside.
            address.is_loopback() || address.is_private() || address.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        Some(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_one() {
        for (spellings, canonical_name) in [
            (&["alice", "Alice", "ALICE", " alice", "alice\u{a0}", "ａｌｉｃｅ", "Ⓐlice", "\talice\n"][..], "alice"),
            (&["josé", "jose\u{301}", "JOSÉ", "JOSE\u{301}"], "josé"),
            (&["straße", "STRASSE", "STRAẞE"], "strasse"),
            (&["σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ"], "σίσυφοσ"),
            (&["ﬁona", "FIONA"], "fiona"),
            (&["", " ", "\u{2003}"], ""),
        ] {
            for spelling in spellings {
                assert_eq!(canonical(spelling), canonical_name, "{spelling:?}");
            }
        }
        for (one, other) in [("alice", "alicia"), ("a b", "ab"), ("a", "а"), ("jose", "josé")] {
            assert_ne!(canonical(one), canonical(other));
        }
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let place = |text: &str| Place::of(Some(text.parse().unwrap()));
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            assert_eq!(place(one) == place(other), same, "{one} {other}");
        }
        assert_ne!(Place::of(None), place("::"));
    }

    #[test]
    fn proxies_have_addresses_that_are_nobodys_on_the_internet() {
        for (address, may_be) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.0.1", true),
            ("169.254.1.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("8.8.8.8", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(may_be_a_proxy(Some(address.parse().unwrap())), may_be, "{address}");
        }
        assert!(may_be_a_proxy(None));
    }
}
