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

/// The claim of own tokens that holds the granted scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeClaim {
    /// `scope`: one string, words separated by SP (RFC 9068 §2.2.3).
    Scope,
    /// `scopes`: an array, as older FastAPI tutorials read it.
    Scopes,
}
