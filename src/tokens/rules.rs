//! What tokens of an issuer must be, and how they are read.

use std::time::Duration;

use super::ScopeSet;

/// What one issuer's tokens must be, and what their claims mean here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerRules {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// One of these must be in `aud`; empty = none is asked for (own tokens only: an issuer of others must name one).
    pub audience: Vec<String>,
    /// The kinds of JWT that are access tokens here.
    pub token_types: Vec<TokenType>,
    /// The claim that holds the scopes.
    pub scope_claim: ClaimPath,
    /// Claims of ours and where the issuer has them; what is not named here keeps its name.
    pub claims: Vec<(String, ClaimPath)>,
    /// The only scopes it may grant; `None` = any.
    pub scopes: Option<ScopeSet>,
    /// In front of `sub` wherever users of several issuers meet.
    pub subject_prefix: String,
    /// Tolerance for clocks.
    pub leeway: Duration,
    /// An `exp` further ahead than this is refused; bounds how long a revocation mark must live.
    pub max_lifetime: Duration,
}

/// What `typ` may say (RFC 8725 §3.11); compared without regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// `at+jwt` or `application/at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `JWT`.
    Jwt,
    /// No `typ` at all.
    Absent,
}

impl TokenType {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::AccessToken, Self::Jwt, Self::Absent];

    /// As the configuration names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::Jwt => "JWT",
            Self::Absent => "absent",
        }
    }
}

/// Where a claim stands: `scope`, or `realm_access.roles` within an object. A claim whose own name has a dot
/// (`https://example.com/roles`) is found by its whole name first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// A path, as the configuration writes it.
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IssuerRules {
    /// Rules for doorward's own tokens: every kind of access token, scopes in `scope`, half a minute of leeway and a day of life.
    #[must_use]
    pub fn own(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: Vec::new(),
            token_types: TokenType::ALL.into(),
            scope_claim: ClaimPath::new("scope"),
            claims: Vec::new(),
            scopes: None,
            subject_prefix: String::new(),
            leeway: Duration::from_secs(30),
            max_lifetime: Duration::from_hours(24),
        }
    }
}
