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
    /// In which forms parameters are read.
    pub forms: Forms,
    /// Whether a request with a user name and no `grant_type` is a login, as FastAPI's own form has it.
    pub implied_password_grant: bool,
    /// Whether a failed login or refresh is answered 401 with a challenge, for clients that compare the status.
    pub failed_grant_is_401: bool,
    /// The realm of challenges to clients (RFC 7617 §2): printable ASCII without `"` and `\`.
    pub realm: String,
}

/// In which forms an endpoint reads parameters besides `application/x-www-form-urlencoded`. Each endpoint has them as far as they make
/// sense there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forms {
    /// `multipart/form-data`, which FastAPI takes wherever it takes a form.
    pub multipart: bool,
    /// A JSON object, where there is a token alone to send.
    pub json: bool,
    /// `?refresh_token=` and `?token=`, as the tutorials send them.
    pub query_tokens: bool,
}

impl Settings {
    /// Whether there is a token endpoint.
    #[must_use]
    pub const fn grants_tokens(&self) -> bool {
        self.token.is_some() || !self.token_aliases.is_empty()
    }

    /// Whether there is an endpoint that takes one token and little else.
    #[must_use]
    pub const fn reads_single_tokens(&self) -> bool {
        self.refresh.is_some() || self.revoke.is_some()
    }

    /// Whether there is an endpoint that reads a form.
    #[must_use]
    pub const fn reads_forms(&self) -> bool {
        self.grants_tokens() || self.reads_single_tokens() || self.introspect.is_some()
    }
}
