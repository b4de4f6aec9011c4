//! Names of headers that a client may not send to the upstream.

use std::ops::BitOr;

use super::names::{NAMES, PREFIXES, Purpose};

/// The names of a configuration and the protected ones of [`NAMES`], folded.
#[derive(Clone, Debug)]
pub(super) struct Protected {
    /// Sorted.
    names: Vec<Box<str>>,
    /// The two letters that one of them, or of [`PREFIXES`], begins with: a bit each, which some share. Most headers of most
    /// requests are told apart here.
    initials: u128,
}

impl Default for Protected {
    fn default() -> Self {
        let initials = prefixes().map(|prefix| initial(prefix.as_bytes())).fold(initial(CGI.as_bytes()), BitOr::bitor);
        let mut names = Self { names: Vec::new(), initials };
        names.add(NAMES.iter().filter(|(_, purpose)| purpose.is_protected()).map(|(name, _)| (*name).to_owned()));
        names
    }
}

impl Protected {
    /// Adds names, which are folded already.
    pub(super) fn add(&mut self, folded: impl IntoIterator<Item = String>) {
        self.names.extend(folded.into_iter().map(String::into_boxed_str));
        self.names.sort_unstable();
        self.names.dedup();
        self.initials = self.names.iter().map(|name| initial(name.as_bytes())).fold(self.initials, BitOr::bitor);
    }

    /// Whether a header's name is one of them in any spelling, or begins as one of [`PREFIXES`].
    pub(super) fn has(&self, spelt: &str) -> bool {
        let name = trimmed(spelt);
        if self.initials & initial(name) == 0 {
            return false;
        }
        let mut buffer = [0; NAME_LIMIT];
        let name = fold_into(name, &mut buffer);
        let listed = self.lists(name) || name.strip_prefix(CGI.as_bytes()).is_some_and(|name| self.lists(name));
        listed && !is_plain_trace(spelt)
    }

    fn lists(&self, name: &[u8]) -> bool {
        prefixes().any(|prefix| name.starts_with(prefix.as_bytes()))
            || self.names.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok()
    }
}

fn prefixes() -> impl Iterator<Item = &'static str> {
    PREFIXES.iter().filter(|(_, purpose)| purpose.is_protected()).map(|(prefix, _)| *prefix)
}

/// Whether it names the request in the one spelling in which the client's own is looked at.
fn is_plain_trace(spelt: &str) -> bool {
    NAMES.iter().any(|(name, purpose)| *purpose == Purpose::Trace && name.eq_ignore_ascii_case(spelt))
}

/// A name as the most lenient upstream sees it.
pub fn fold(name: &str) -> String {
    let mut buffer = [0; NAME_LIMIT];
    fold_into(trimmed(name), &mut buffer).iter().copied().map(char::from).collect()
}

/// Without what is neither letter nor digit at either end.
fn trimmed(name: &str) -> &[u8] {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric();
    let bytes = name.as_bytes();
    let from = bytes.iter().position(is_plain).unwrap_or(bytes.len());
    let to = bytes.iter().rposition(is_plain).map_or(from, |last| last + 1);
    bytes.get(from..to).unwrap_or_default()
}

/// A name that does not fit loses its end: it may still begin as one of [`PREFIXES`], and can equal no other.
fn fold_into<'b>(name: &[u8], buffer: &'b mut [u8; NAME_LIMIT]) -> &'b [u8] {
    for (folded, byte) in buffer.iter_mut().zip(name) {
        *folded = fold_byte(*byte);
    }
    buffer.get(..name.len().min(NAME_LIMIT)).unwrap_or_default()
}

const fn fold_byte(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

fn initial(name: &[u8]) -> u128 {
    let [first, second] = [0, 1].map(|place| name.get(place).map_or(0, |byte| u32::from(fold_byte(*byte))));
    1 << ((first * 5 + second) % u128::BITS)
}

/// Bytes of the longest name that can be configured.
pub(super) const NAME_LIMIT: usize = 128;

/// What CGI and WSGI put before a header's name; some servers take it from the wire too.
pub(super) const CGI: &str = "http-";
