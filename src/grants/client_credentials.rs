//! The client credentials grant (RFC 6749 §4.4): a service in its own name.

use std::net::IpAddr;

use serde_json::Map;

use super::mint::{Holder, Waits};
use super::{Caller, Client, GrantError, GrantKind, Grants, Minted};
use crate::revocation::Until;
use crate::telemetry::Audit;
use crate::tokens::ScopeSet;

impl Grants {
    /// Issues a client an access token of its own. No refresh token: it has its secret (§4.4.3).
    ///
    /// # Errors
    /// [`GrantError::UnauthorizedClient`] for a client that may not, as no public one may. [`GrantError::Store`] where it cannot be kept
    /// how long the token lives, which revoking all of the client's must know.
    pub async fn issue_to_client(
        &self,
        caller: &Caller,
        scope: Option<&ScopeSet>,
        from: Option<IpAddr>,
    ) -> Result<Minted, GrantError> {
        let result = self.try_issue_to_client(caller, scope, from).await;
        if let Err(error) = &result {
            self.tell_refused("client", error, caller.id(), from);
        }
        result
    }

    async fn try_issue_to_client(
        &self,
        caller: &Caller,
        scope: Option<&ScopeSet>,
        from: Option<IpAddr>,
    ) -> Result<Minted, GrantError> {
        self.ask_to_issue()?;
        let client = self.clients.acting(caller, GrantKind::ClientCredentials)?;
        // Who has shown no secret is nobody, whatever the configuration allows.
        if !matches!(caller, Caller::Confidential(_)) {
            return Err(GrantError::UnauthorizedClient);
        }
        let scope = self.granted_to(client, scope)?;
        let subject = format!("{SUBJECT_PREFIX}{}", client.id);
        let holder = Holder { subject: &subject, client: &client.id, session: None };
        let mut waits = Waits::default();
        let (now, life) = loop {
            let now = self.issuing();
            self.catch_up(None, &subject, &client.id).await?;
            if let Some(life) = self.life(&subject, &client.id, now, &mut waits).await? {
                break (now, life);
            }
        };
        let issued = self.access_token(holder, &scope, life, &Map::new())?;
        self.revocations.cover(Until { tokens: life.expires_at, ..Until::default() }).await?;
        let audit = Audit::Issued {
            grant: GrantKind::ClientCredentials.as_str(),
            subject: &subject,
            client: Some(&client.id),
            sid: None,
            jti: &issued.token_id,
            scope: &scope.to_string(),
            address: from,
        };
        self.telemetry.audit(now, &audit);
        Ok(Minted { access_token: issued.token, expires_in: self.settings.access_ttl, refresh_token: None, scope })
    }

    /// Only of what the client is configured with: there is no user to have scopes.
    fn granted_to(&self, client: &Client, asked: Option<&ScopeSet>) -> Result<ScopeSet, GrantError> {
        let own = client.scopes.clone().unwrap_or_default();
        match (asked, &self.settings.default_scopes) {
            (Some(asked), _) => {
                let granted = asked.intersection(&own);
                if granted.is_empty() { Err(GrantError::InvalidScope) } else { Ok(granted) }
            }
            (None, Some(default)) => Ok(default.intersection(&own)),
            (None, None) => Ok(own),
        }
    }
}

/// In front of the id in `sub`, so that no client is ever taken for a user (RFC 9700 §4.15): no user's name begins so.
pub const SUBJECT_PREFIX: &str = "client:";
