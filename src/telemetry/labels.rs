//! Label values: closed sets, so that no client can make a new time series.

/// Which listener a request came in at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listener {
    /// The one clients use.
    Public,
    /// The one operators use.
    Admin,
}

impl Listener {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Public, Self::Admin];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

/// The method of a request. Whatever else a client makes up is [`Method::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options, Self::Other];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "other",
        }
    }

    /// From the method of a request; methods are case-sensitive (RFC 9110 §9.1).
    #[must_use]
    pub fn of(method: &str) -> Self {
        match method {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Forwarded, or tried to.
    Allow,
    /// Refused by the gate.
    Deny,
    /// Answered by one of doorward's own endpoints.
    Own,
    /// Failed for a fault that is not the client's.
    Error,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Deny, Self::Own, Self::Error];

    /// The label, and the word in the access log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Own => "own",
            Self::Error => "error",
        }
    }
}

/// The `grant_type` of a token request. Whatever else a client makes up is [`GrantType::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names say it")]
pub enum GrantType {
    Password,
    RefreshToken,
    ClientCredentials,
    AuthorizationCode,
    Other,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Password, Self::RefreshToken, Self::ClientCredentials, Self::AuthorizationCode, Self::Other];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::Other => "other",
        }
    }

    /// From the parameter of a request.
    #[must_use]
    pub fn of(grant_type: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.as_str() == grant_type).unwrap_or(Self::Other)
    }
}

/// What a look-up in a cache gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheResult {
    /// The answer was there.
    Hit,
    /// It had to be worked out.
    Miss,
    /// The cache is switched off.
    Off,
}

impl CacheResult {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hit, Self::Miss, Self::Off];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Off => "off",
        }
    }
}

/// Of what there can be no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionCap {
    /// Connections in all.
    All,
    /// Connections of one address.
    Address,
    /// File descriptors of the process.
    Descriptors,
}

impl ConnectionCap {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::All, Self::Address, Self::Descriptors];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "connections",
            Self::Address => "connections-per-address",
            Self::Descriptors => "descriptors",
        }
    }
}

/// Why a connection ended before a request was read from it, or in the middle of one's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unserved {
    /// Nothing came: whoever looks whether the port is open.
    Silent,
    /// The TLS handshake failed.
    Tls,
    /// The TLS handshake took too long.
    TlsTimeout,
    /// The head took too long.
    HeadTimeout,
    /// The client went away in the middle of a head.
    HeadCut,
    /// Over HTTP/2 no request could be read, or the connection was ended for what came.
    Http2,
}

impl Unserved {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Silent, Self::Tls, Self::TlsTimeout, Self::HeadTimeout, Self::HeadCut, Self::Http2];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Tls => "tls",
            Self::TlsTimeout => "tls-timeout",
            Self::HeadTimeout => "head-timeout",
            Self::HeadCut => "head-cut",
            Self::Http2 => "http2",
        }
    }
}

/// The label of a thing that stands for all that are not configured.
pub(super) const OTHER: &str = "other";
/// The label of a thing that is absent.
pub(super) const NONE: &str = "none";
