//! Where requests go.

use std::path::PathBuf;
use std::time::Duration;

/// The `upstream` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Where the API is.
    pub url: UpstreamUrl,
    /// For one TCP connect.
    pub connect_timeout: Duration,
    /// For one read of the response.
    pub read_timeout: Duration,
    /// How long an idle connection is kept; below the upstream's own keep-alive.
    pub idle_timeout: Duration,
    /// What becomes of the client's `Authorization`.
    pub authorization: AuthorizationMode,
    /// Which headers tell the upstream who asks.
    pub identity_headers: Vec<IdentityHeader>,
}

/// `upstream.url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamUrl {
    /// `http://host:port`; the host may be a name.
    Http {
        /// Name or address, an IPv6 address without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

/// `upstream.authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationMode {
    /// The header that was checked arrives as it came.
    Pass,
    /// The header is taken out.
    Strip,
}

/// One entry of `upstream.identity_headers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// Name of the header, a valid field name (RFC 9110 §5.1).
    pub name: String,
    /// The claim it shows; `*` = all of them, as base64url JSON.
    pub claim: String,
}
