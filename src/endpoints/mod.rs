//! The endpoints doorward serves itself.

pub mod content_type;
pub mod error_body;
pub mod exchange;
pub mod multipart;
pub mod parameters;
pub mod refresh;
pub mod revoke;
pub mod settings;
pub mod token;
pub mod urlencoded;

use std::sync::Arc;

pub use error_body::OAuthError;
pub use exchange::{Exchange, Reply};
pub use settings::Settings;

use crate::grants::Grants;

/// One of doorward's own endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Password and refresh grants (RFC 6749 §3.2).
    Token,
    /// The refresh grant alone, as the tutorials call it.
    Refresh,
    /// Revocation (RFC 7009).
    Revoke,
}

impl Endpoint {
    /// The methods it has, as `Allow` lists them.
    #[must_use]
    pub const fn methods(self) -> &'static str {
        match self {
            Self::Token | Self::Refresh | Self::Revoke => "POST",
        }
    }
}

/// The endpoints of one configuration.
#[derive(Debug)]
pub struct Endpoints {
    settings: Settings,
    grants: Arc<Grants>,
}

impl Endpoints {
    /// Endpoints over the grants they offer.
    #[must_use]
    pub fn new(settings: Settings, grants: Arc<Grants>) -> Self {
        Self { settings, grants }
    }

    /// The endpoint at exactly this path. A near miss (`/token/`, `/Token`, `/%74oken`) is none: it goes through the policy
    /// like any path.
    #[must_use]
    pub fn at(&self, path: &[u8]) -> Option<Endpoint> {
        let is = |configured: &Option<String>| configured.as_deref().is_some_and(|own| own.as_bytes() == path);
        match &self.settings {
            own if is(&own.token) => Some(Endpoint::Token),
            own if is(&own.refresh) => Some(Endpoint::Refresh),
            own if is(&own.revoke) => Some(Endpoint::Revoke),
            _ => None,
        }
    }

    /// The configured path of an endpoint; the label of metrics and logs.
    #[must_use]
    pub fn path(&self, endpoint: Endpoint) -> &str {
        let path = match endpoint {
            Endpoint::Token => &self.settings.token,
            Endpoint::Refresh => &self.settings.refresh,
            Endpoint::Revoke => &self.settings.revoke,
        };
        path.as_deref().unwrap_or_default()
    }

    /// Answers a request.
    pub async fn answer(&self, endpoint: Endpoint, exchange: &Exchange<'_>) -> Reply {
        if !endpoint.methods().split(", ").any(|method| method == exchange.method) {
            return Reply::method_not_allowed(endpoint.methods());
        }
        let answer = match endpoint {
            Endpoint::Token => token::answer(&self.grants, exchange).await,
            Endpoint::Refresh => refresh::answer(&self.grants, exchange, self.settings.query_tokens).await,
            Endpoint::Revoke => revoke::answer(&self.grants, exchange, self.settings.query_tokens).await,
        };
        answer.unwrap_or_else(|error| match error {
            OAuthError::InvalidGrant(_) if self.settings.failed_grant_is_401 => error.reply_as_401(),
            _ => error.reply(),
        })
    }
}
