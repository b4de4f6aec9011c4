//! How doorward issues.

use std::time::Duration;

use crate::tokens::{ScopeSet, TokenType};

/// The `tokens` section, less its keys, and `revocation.cascade`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `iss` of own tokens.
    pub issuer: String,
    /// `aud` of own tokens, and what is asked of them; empty = none.
    pub audience: Vec<String>,
    /// The identifiers of the protected resources here (RFC 9728 §1.2), without a final slash.
    pub resources: Vec<String>,
    /// `typ` of the JOSE header.
    pub typ: String,
    /// What `typ` of own tokens may be for them to pass.
    pub token_types: Vec<TokenType>,
    /// Where the granted scopes stand.
    pub scope_claim: ScopeClaim,
    /// Granted when a login asks for none; `None` = all that the user has.
    pub default_scopes: Option<ScopeSet>,
    /// Life of an access token.
    pub access_ttl: Duration,
    /// Absolute life of a login session.
    pub refresh_ttl: Duration,
    /// Life of a refresh token that is not used.
    pub refresh_idle: Duration,
    /// How long a just-rotated refresh token may be repeated; at most 60 s.
    pub refresh_grace: Duration,
    /// Tolerance for clocks; at most 5 min.
    pub leeway: Duration,
    /// User attributes copied into access tokens.
    pub claims: Vec<String>,
    /// Whether revoking an access token ends its session.
    pub cascade: bool,
}

impl Settings {
    /// Whether tokens issued here may be asked for a resource (RFC 8707 §2): an audience of theirs, or one of those here. Where they have
    /// no audience they are good for whoever takes them, and any absolute URI without a fragment will do.
    #[must_use]
    pub fn knows(&self, resource: &str) -> bool {
        if self.audience.is_empty() {
            return url::Url::parse(resource).is_ok_and(|resource| resource.fragment().is_none());
        }
        let own = resource.trim_end_matches('/');
        self.audience.iter().any(|audience| audience == resource) || self.resources.iter().any(|known| known == own)
    }
}

/// The claim of own tokens that holds the granted scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeClaim {
    /// `scope`: one string, words separated by SP (RFC 9068 §2.2.3).
    Scope,
    /// `scopes`: an array, as older FastAPI tutorials read it.
    Scopes,
}
