//! What connections must keep to.

use std::time::Duration;

use crate::base::Secret;
use crate::message::HeadLimits;

/// What of `server.limits` concerns connections. May change while they are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, in all.
    pub connections: usize,
    /// Connections at once of one address (IPv6: of one /64); `None` = as many as in all.
    pub connections_per_address: Option<usize>,
    /// For a TLS handshake, and for the whole head of each request from its first byte on.
    pub header_timeout: Duration,
    /// Between requests.
    pub idle_timeout: Duration,
    /// The size of a request's head.
    pub head: HeadLimits,
}

/// `server.tls`, its files read and found to be what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate and its chain, the leaf first, in DER.
    pub certificates: Vec<Vec<u8>>,
    /// The private key, in DER: PKCS#8, PKCS#1 or SEC1.
    pub key: Secret,
    /// Who may sign the certificates of clients, in DER; empty = none is asked for.
    pub client_ca: Vec<Vec<u8>>,
}
