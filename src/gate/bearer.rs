//! The gate's checks for doorward's own endpoints that take a Bearer token: no second reading of what a good token is.

use std::sync::Arc;

use super::credential::Credential;
use super::identify::Identity;
use super::{Denial, Gate};
use crate::policy::Reason;
use crate::tokens::{Known, Verified};

/// What an endpoint asks of a token, as a route would.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The scope that must have been granted.
    pub scope: &'static str,
    /// Whether only doorward's own tokens will do.
    pub own: bool,
}

impl Gate {
    /// Whose token a request has, if it is one that a route which asks for this would take.
    ///
    /// # Errors
    /// The [`Denial`] of any other path, with the scope that is asked for.
    pub async fn admit(&self, credential: Credential<'_>, asked: Asked) -> Result<Arc<Verified>, Denial> {
        let denied = |reason| Denial { scope: Some(asked.scope.into()), ..Denial::new(reason) };
        if let Some(reason) = credential.refusal() {
            return Err(denied(reason));
        }
        let Credential::Bearer(token) = credential else { return Err(denied(Reason::NoCredential)) };
        let verified = self.identify(token).await.map_err(denied)?;
        // In the order of a route's checks: whose it is, then what it grants.
        if asked.own && !verified.rules().own {
            return Err(denied(Reason::IssuerNotAllowed));
        }
        if verified.claims().scopes.iter().any(|granted| granted.as_str() == asked.scope) {
            Ok(verified)
        } else {
            Err(denied(Reason::InsufficientScope))
        }
    }

    /// Whose a token is, by everything but what routes ask for. Keys of another issuer that are not known are asked for once, if
    /// that is due; a second at the most.
    ///
    /// # Errors
    /// The [`Reason`] for which no route would take it.
    pub async fn identify(&self, token: &str) -> Result<Arc<Verified>, Reason> {
        let mut identity = Identity::default();
        let mut found = self.identities.identify(token, self.identities.now(), &mut identity).map(Known::shared);
        if let Some(wanted) = identity.wanted()
            && wanted.ask().await
        {
            identity = Identity::default();
            found = self.identities.identify(token, self.identities.now(), &mut identity).map(Known::shared);
        }
        self.identities.tell(&identity);
        found
    }
}
