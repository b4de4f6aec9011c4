//! Which endpoints there are, and where.

/// The `endpoints` section and what `wire` says of these endpoints. A path is `None` where the endpoint is switched off; the prefix is already in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Token endpoint (RFC 6749 §3.2).
    pub token: Option<String>,
    /// More paths of it, for clients that know no other.
    pub token_aliases: Vec<String>,
    /// The tutorials' refresh endpoint.
    pub refresh: Option<String>,
    /// Revocation endpoint (RFC 7009 §2).
    pub revoke: Option<String>,
    /// Introspection endpoint (RFC 7662 §2).
    pub introspect: Option<String>,
    /// `UserInfo` endpoint (OpenID Connect Core §5.3).
    pub userinfo: Option<String>,
    /// The JWK set of our own keys (RFC 7517 §5).
    pub jwks: Option<String>,
    /// Metadata of the issuer (RFC 8414 §3), without the issuer's path behind it. The prefix is not in front: the RFC says where
    /// it is.
    pub metadata: Option<String>,
    /// Metadata of the protected resource (RFC 9728 §3), without the resource's path behind it; no prefix either.
    pub resource_metadata: Option<String>,
    /// Whether `?refresh_token=` and `?token=` are read, as the tutorials send them.
    pub query_tokens: bool,
    /// Whether a failed login or refresh is answered 401 with a challenge, for clients that compare the status.
    pub failed_grant_is_401: bool,
}
