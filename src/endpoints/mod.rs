//! The endpoints doorward serves itself.

pub mod address;
mod client_auth;
pub mod content_type;
pub mod document;
pub mod error_body;
pub mod exchange;
mod introspect;
mod jwks;
mod metadata;
pub mod multipart;
pub mod operators;
pub mod parameters;
pub mod publication;
pub mod refresh;
mod resource;
pub mod revoke;
pub mod settings;
pub mod token;
pub mod urlencoded;
mod userinfo;

use std::sync::Arc;

use serde_json::json;

pub use error_body::{Challenge, OAuthError};
pub use exchange::{Exchange, Reply};
pub use operators::{BodyError, OperatorHead, Operators};
pub use publication::{Documents, Publication, Resource};
pub use settings::{Forms, Settings};

use crate::gate::{Denial, Gate};
use crate::grants::Grants;

/// One of doorward's own endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Password, refresh and client credentials grants (RFC 6749 §3.2).
    Token,
    /// The refresh grant alone, as the tutorials call it.
    Refresh,
    /// Revocation (RFC 7009).
    Revoke,
    /// What is true of a token now (RFC 7662).
    Introspect,
    /// Who the user of a token is (OpenID Connect Core §5.3).
    Userinfo,
    /// The public halves of own keys (RFC 7517 §5).
    Jwks,
    /// What the issuer can do (RFC 8414).
    Metadata,
    /// Who gives tokens for the API, or for a part of it (RFC 9728).
    ResourceMetadata,
}

impl Endpoint {
    /// The methods it has, as `Allow` lists them.
    #[must_use]
    pub const fn methods(self) -> &'static str {
        match self {
            Self::Token | Self::Refresh | Self::Revoke | Self::Introspect => "POST",
            Self::Userinfo => "GET, HEAD, POST",
            Self::Jwks | Self::Metadata | Self::ResourceMetadata => document::METHODS,
        }
    }

    /// Whether pages of every origin may read it: there is nothing in it that anybody could not ask for.
    #[must_use]
    pub const fn is_for_all_origins(self) -> bool {
        match self {
            Self::Token | Self::Refresh | Self::Revoke | Self::Introspect | Self::Userinfo => false,
            Self::Jwks | Self::Metadata | Self::ResourceMetadata => true,
        }
    }
}

/// The endpoints of one configuration.
#[derive(Debug)]
pub struct Endpoints {
    settings: Settings,
    documents: Documents,
    grants: Arc<Grants>,
    gate: Arc<Gate>,
}

impl Endpoints {
    /// Endpoints over the documents they show, the grants they offer, and the gate that judges the tokens shown to them.
    #[must_use]
    pub fn new(settings: Settings, documents: Documents, grants: Arc<Grants>, gate: Arc<Gate>) -> Self {
        Self { settings, documents, grants, gate }
    }

    /// The endpoint at exactly this path. A near miss (`/token/`, `/Token`, `/%74oken`) is none: it goes through the policy
    /// like any path.
    #[must_use]
    pub fn at(&self, path: &[u8]) -> Option<Endpoint> {
        let is = |configured: &Option<String>| configured.as_deref().is_some_and(|own| own.as_bytes() == path);
        match &self.settings {
            own if is(&own.token) || own.token_aliases.iter().any(|alias| alias.as_bytes() == path) => {
                Some(Endpoint::Token)
            }
            own if is(&own.refresh) => Some(Endpoint::Refresh),
            own if is(&own.revoke) => Some(Endpoint::Revoke),
            own if is(&own.introspect) => Some(Endpoint::Introspect),
            own if is(&own.userinfo) => Some(Endpoint::Userinfo),
            own if own.resource_metadata.as_deref().is_some_and(|root| is_at_or_below(root, path)) => {
                Some(Endpoint::ResourceMetadata)
            }
            _ => self.documents.at(path).map(|(endpoint, _)| endpoint),
        }
    }

    /// The `resource_metadata` of a challenge for this path, decoded (RFC 9728 §5.1); `None` where there is no metadata.
    #[must_use]
    pub fn resource_metadata(&self, path: &str) -> Option<&str> {
        self.documents.resource_metadata(path)
    }

    /// The configured path of an endpoint; the label of metrics and logs.
    #[must_use]
    pub fn path(&self, endpoint: Endpoint) -> &str {
        let path = match endpoint {
            Endpoint::Token => &self.settings.token,
            Endpoint::Refresh => &self.settings.refresh,
            Endpoint::Revoke => &self.settings.revoke,
            Endpoint::Introspect => &self.settings.introspect,
            Endpoint::Userinfo => &self.settings.userinfo,
            Endpoint::Jwks => &self.settings.jwks,
            Endpoint::Metadata => &self.settings.metadata,
            Endpoint::ResourceMetadata => &self.settings.resource_metadata,
        };
        path.as_deref().unwrap_or_default()
    }

    /// Answers a request.
    ///
    /// # Errors
    /// The [`Denial`] of a Bearer token that would not do for any other path either.
    pub async fn answer(&self, endpoint: Endpoint, exchange: &Exchange<'_>) -> Result<Reply, Denial> {
        if !endpoint.methods().split(", ").any(|method| method == exchange.method) {
            return Ok(Reply::method_not_allowed(endpoint.methods()));
        }
        let answer = match endpoint {
            Endpoint::Token => token::answer(&self.grants, exchange, &self.settings).await,
            Endpoint::Refresh => refresh::answer(&self.grants, exchange, self.settings.forms).await,
            Endpoint::Revoke => revoke::answer(&self.grants, exchange, self.settings.forms).await,
            Endpoint::Introspect => introspect::answer(&self.grants, &self.gate, exchange, self.settings.forms).await?,
            Endpoint::Userinfo => Ok(userinfo::answer(&self.grants, &self.gate, exchange).await?),
            Endpoint::Jwks | Endpoint::Metadata | Endpoint::ResourceMetadata => Ok(self.document(exchange)),
        };
        Ok(answer.unwrap_or_else(|error| match error {
            // For failed logins and refreshes; who revokes asks for nothing.
            OAuthError::InvalidGrant(_) if self.settings.failed_grant_is_401 && endpoint != Endpoint::Revoke => {
                error.reply_as_401(&self.settings.realm)
            }
            _ => self.refuse(error),
        }))
    }

    /// What a request is answered that no endpoint gets to see.
    #[must_use]
    pub fn refuse(&self, error: OAuthError) -> Reply {
        error.reply(&self.settings.realm)
    }

    fn document(&self, exchange: &Exchange<'_>) -> Reply {
        let document = self.documents.at(exchange.path);
        // Clients try several addresses, and go on after a 404 only.
        let missing =
            || Reply::json(404, &json!({ "detail": "Not Found" })).with_header("Access-Control-Allow-Origin", "*");
        document.map_or_else(missing, |(_, document)| document.answer(exchange))
    }
}

fn is_at_or_below(root: &str, path: &[u8]) -> bool {
    path.strip_prefix(root.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests;
