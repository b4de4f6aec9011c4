//! Names of headers that a client may not send to the upstream.

use std::ops::BitOr;

/// The names of a configuration and all of [`NAMES`], folded.
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
        let initials = PREFIXES.iter().map(|prefix| initial(prefix.as_bytes())).fold(initial(CGI), BitOr::bitor);
        let mut names = Self { names: Vec::new(), initials };
        names.add(NAMES.iter().map(|name| (*name).to_owned()));
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
    pub(super) fn has(&self, name: &str) -> bool {
        let name = trimmed(name);
        if self.initials & initial(name) == 0 {
            return false;
        }
        let mut buffer = [0; NAME_LIMIT];
        let name = fold_into(name, &mut buffer);
        self.lists(name) || name.strip_prefix(CGI).is_some_and(|name| self.lists(name))
    }

    fn lists(&self, name: &[u8]) -> bool {
        PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
            || self.names.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok()
    }
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
const CGI: &[u8] = b"http-";

/// All that begins so, by products that put claims or the client's side of a connection into families of headers.
const PREFIXES: &[&str] = &[
    "x-doorward-",
    // oauth2-proxy, Traefik, every proxy: who, and by which address, scheme, host, path, method, certificate. The upstream takes
    // them for ours.
    "x-forwarded-",
    "x-auth-request-",
    "x-jwt-",
    // Authelia and Apache; `Remote-Addr` and the like of CGI; and what Kubernetes' front proxy says.
    "remote-",
    "x-remote-",
    // Not all of `X-Goog-*`: `X-Goog-Api-Key` and others are the client's own.
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-amzn-oidc-",
    "cf-access-",
    // Azure's App Service.
    "x-ms-client-principal",
    "x-ms-token-",
    // A certificate that somebody else has checked (RFC 9440, nginx, HAProxy, AWS).
    "client-cert",
    "x-client-cert",
    "ssl-client-",
    "x-ssl-client-",
    "x-amzn-mtls-",
    // A path, host or method other than the one that was decided about (Symfony, IIS, Envoy, nginx, Next.js).
    "x-original-",
    "x-rewrite-",
    "x-envoy-original-",
    "x-accel-",
    "x-middleware-",
    "x-http-method",
    // The client's address, as others write it: frameworks believe all of them (chi, Rails, remix-utils).
    "cf-connecting-ip",
    "x-client-ip",
];

const NAMES: &[&str] = &[
    // What is left of `X-Doorward-` when it is freed of what is no letter at its end.
    "x-doorward",
    // The client's side of a connection.
    "forwarded",
    "x-forwarded",
    "x-real-ip",
    "client-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "fastly-client-ip",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    "x-arr-clientcert",
    "x-arr-ssl",
    "x-ssl-cert",
    // A method, host or path other than the one that was decided about. Gunicorn takes the two of CGI from the wire.
    "x-method-override",
    "x-script-name",
    "script-name",
    "path-info",
    "x-host",
    "x-http-host-override",
    // `HTTP_PROXY` to a CGI program (httpoxy).
    "proxy",
];
