//! A registered client (RFC 6749 §2), and who sends a request.

use std::sync::Arc;

use super::SecretHash;
use crate::tokens::ScopeSet;

/// One of `clients`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// What its secret is checked against; `None` = a public client, which anybody can say to be (RFC 6749 §2.1).
    pub secret: Option<SecretHash>,
    /// What it may use.
    pub grants: Vec<GrantKind>,
    /// The only scopes it may be granted; `None` = no limit by the client.
    pub scopes: Option<ScopeSet>,
    /// Whether it is the one of requests that name none.
    pub default: bool,
}

/// A grant that a client may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// RFC 6749 §4.3.
    Password,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl GrantKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Password, Self::RefreshToken, Self::ClientCredentials];

    /// The word of `grant_type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

impl Client {
    /// Whether it may use this grant.
    #[must_use]
    pub fn may(&self, grant: GrantKind) -> bool {
        self.grants.contains(&grant)
    }

    /// What of `scopes` it may be granted.
    #[must_use]
    pub fn limit(&self, scopes: &ScopeSet) -> ScopeSet {
        self.scopes.as_ref().map_or_else(|| scopes.clone(), |own| scopes.intersection(own))
    }

    /// Whether it has a secret, and must show it.
    #[must_use]
    pub const fn is_confidential(&self) -> bool {
        self.secret.is_some()
    }
}

/// Who sends a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Who names no client, or one that nobody knows.
    Anonymous,
    /// Who names a public client.
    Public(Arc<Client>),
    /// A confidential client that has shown its secret.
    Confidential(Arc<Client>),
}

impl Caller {
    /// The client as it is configured, if it is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Public(client) | Self::Confidential(client) => Some(&client.id),
        }
    }
}
