//! What is true of a token now (RFC 7662), and whose it is.

use std::net::IpAddr;
use std::sync::Arc;

use super::client_credentials::SUBJECT_PREFIX;
use super::refresh::narrowed;
use super::{Caller, Client, GrantError, GrantKind, Grants};
use crate::base::Timestamp;
use crate::revocation::{Presented, Sid, Step, Terms};
use crate::tokens::{RefreshToken, ScopeSet, Verified};
use crate::users::User;

/// A refresh token that would be exchanged if its client presented it now.
#[derive(Debug)]
pub struct LiveSession {
    /// Whose it is.
    pub user: Arc<User>,
    /// What refreshing would grant.
    pub scope: ScopeSet,
    /// When the token was made.
    pub issued_at: Timestamp,
    /// When it ends unless it is used before; not past the end of the session.
    pub expires_at: Timestamp,
}

/// Whom an access token speaks for, as things are now.
#[derive(Debug)]
pub enum Owner {
    /// A user who may log in.
    User(Arc<User>),
    /// A registered client, in its own name.
    Client,
    /// Somebody whom another issuer knows.
    Foreign,
}

impl Grants {
    /// The client that may ask what is true of tokens: one that has shown its secret (RFC 7662 §2.1).
    ///
    /// # Errors
    /// [`GrantError::InvalidClient`] for everybody else: whoever may ask can try out tokens.
    pub fn ask_to_introspect<'c>(
        &self,
        caller: &'c Caller,
        from: Option<IpAddr>,
    ) -> Result<&'c Arc<Client>, GrantError> {
        match caller {
            Caller::Confidential(client) => Ok(client),
            Caller::Anonymous | Caller::Public(_) => {
                Err(self.refused_to_introspect(GrantError::InvalidClient, caller.id(), from))
            }
        }
    }

    /// Tells that an introspection was refused; `client` as it is configured.
    pub fn refused_to_introspect(&self, error: GrantError, client: Option<&str>, from: Option<IpAddr>) -> GrantError {
        self.tell_refused("introspect", &error, client, from);
        error
    }

    /// The session of a refresh token, if `client` could refresh it now. Asking is not using: nothing moves on, and an old
    /// token ends no session, since whoever asks about it need not have it from a thief.
    ///
    /// A predecessor within its grace is none: it was used, and only a lost answer would be repeated for it.
    ///
    /// # Errors
    /// [`GrantError::Store`] and [`GrantError::Users`] where nobody can tell.
    pub async fn live_session(&self, client: &Client, text: &str) -> Result<Option<LiveSession>, GrantError> {
        let Ok(token) = RefreshToken::read(text, &self.server_keys) else { return Ok(None) };
        let sid = Sid::of(&token.family);
        let stored = self.revocations.store().family(sid).await?;
        self.tell_store_up();
        let own = |owner: &Option<String>| owner.as_deref() == Some(client.id.as_str());
        let Some(stored) = stored.filter(|stored| own(&stored.client) && client.may(GrantKind::RefreshToken)) else {
            return Ok(None);
        };
        self.catch_up(Some(sid), &stored.subject, &client.id).await?;
        if self.came_back(&stored, sid) {
            return Ok(None);
        }
        let at = self.clock.now();
        let presented = Presented { generation: token.generation, key_number: token.key, from: None, at };
        let terms = Terms {
            grace: self.settings.refresh_grace,
            idle: self.settings.refresh_idle,
            key_number: self.server_keys.current(),
        };
        // The same question as at a refresh; the answer is thrown away.
        if !matches!(stored.present(&presented, &terms), Step::Rotate(_) | Step::Ahead(_)) {
            return Ok(None);
        }
        let user = match self.user_of(&stored).await {
            Ok(user) => user,
            Err(
                GrantError::UserDisabled
                | GrantError::UserUnusable
                | GrantError::PasswordChanged
                | GrantError::InvalidRefreshToken,
            ) => return Ok(None),
            Err(error) => return Err(error),
        };
        let scope = narrowed(&client.limit(&stored.scope), &user, None)?;
        let expires_at = stored.expires_at.min(stored.idle_expires_at);
        Ok(Some(LiveSession { user, scope, issued_at: stored.rotated_at, expires_at }))
    }

    /// Whom a good access token speaks for; `None` if the user was disabled or is gone, or the client is.
    ///
    /// # Errors
    /// [`GrantError::Users`] where nobody can tell.
    pub async fn owner(&self, token: &Verified) -> Result<Option<Owner>, GrantError> {
        let claims = token.claims();
        if !token.rules().own {
            return Ok(Some(Owner::Foreign));
        }
        if let Some(id) = claims.subject.strip_prefix(SUBJECT_PREFIX) {
            let client = self.clients.entry(id).filter(|entry| entry.client.may(GrantKind::ClientCredentials));
            return Ok(client.map(|_| Owner::Client));
        }
        let user = self.recheck.find(&claims.subject).await?;
        Ok(user.filter(|user| !user.disabled).map(Owner::User))
    }
}
