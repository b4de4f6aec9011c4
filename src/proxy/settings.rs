//! Where requests go.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::Secret;
use crate::policy::AuthorizationMode;

/// The `upstream` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// How it is reached.
    pub connect: ConnectSettings,
    /// What becomes of the client's `Authorization`, where a route does not say otherwise.
    pub authorization: AuthorizationMode,
    /// Which headers tell the upstream who asks.
    pub identity_headers: Vec<IdentityHeader>,
    /// Names and values of the identity headers together, in bytes.
    pub identity_header_bytes: usize,
    /// Protected headers that a trusted proxy may send, as written.
    pub keep_headers: Vec<String>,
}

/// What of the `upstream` section concerns its connections: nothing else makes them, and what is known of its addresses, void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectSettings {
    /// Where the API is.
    pub url: UpstreamUrl,
    /// For one TCP connect.
    pub connect_timeout: Duration,
    /// For one read of the response.
    pub read_timeout: Duration,
    /// How long an idle connection is kept; below the upstream's own keep-alive.
    pub idle_timeout: Duration,
    /// Whether it is spoken to in HTTP/2.
    pub http2: bool,
    /// How it proves who it is; `None` = plain http.
    pub tls: Option<UpstreamTls>,
}

/// `upstream.url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamUrl {
    /// `http://host:port`, or `https://` where there is `tls`; the host may be a name.
    Http {
        /// Name or address, an IPv6 address without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

/// One entry of `upstream.identity_headers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// Name of the header, a valid field name (RFC 9110 §5.1).
    pub name: String,
    /// The claim it shows; `*` = all of them, as base64url JSON.
    pub claim: String,
}

/// `upstream.tls`, its files read and found to be what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name the certificate must have, and the one sent as SNI. Never empty: Pingora verifies nothing then.
    pub server_name: String,
    /// Who may sign the upstream's certificate, in DER; empty = whom the operating system trusts.
    pub roots: Vec<Vec<u8>>,
    /// Our own certificate and its chain, and its key, in DER; where the upstream asks for one.
    pub identity: Option<(Vec<Vec<u8>>, Secret)>,
}

/// `server.cors`: who may read doorward's own answers from a browser, and the upstream's where that is left to doorward.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsSettings {
    /// Origins as browsers send them, `https://app.example.com`; `*` = any.
    pub allow_origins: Vec<String>,
    /// Whether browsers may send cookies. Not together with `*`.
    pub allow_credentials: bool,
    /// How long browsers may remember the answer to a preflight.
    pub max_age: Duration,
}

/// What of `server.limits` concerns a request that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// The longest token that is looked at, in bytes.
    pub token_bytes: usize,
    /// The longest body that is forwarded, in bytes; `None` = any.
    pub body_bytes: Option<u64>,
}
