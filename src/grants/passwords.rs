//! What becomes of sessions when their user's password changes, and of hashes that are no longer good enough.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{GrantError, Grants};
use crate::base::Secret;
use crate::revocation::{Family, Sid};
use crate::telemetry::Audit;
use crate::tokens::verify::MAX_LEEWAY;
use crate::users::User;

impl Grants {
    /// The user of a session, if it may go on; if not, it ends here, and its access tokens with it: whoever stole it must not have it
    /// back when the user is enabled again.
    pub(super) async fn live_user(
        &self,
        stored: &Family,
        sid: Sid,
        from: Option<IpAddr>,
    ) -> Result<Arc<User>, GrantError> {
        let asked_at = self.clock.now();
        let user = self.user_of(stored).await;
        match &user {
            Ok(user) => self.recheck.note(user, asked_at).await,
            Err(GrantError::UserDisabled | GrantError::PasswordChanged | GrantError::InvalidRefreshToken) => {
                self.end_session_of(sid, &stored.subject, from).await?;
            }
            Err(_) => {}
        }
        user
    }

    /// The user of a session, if it may go on.
    ///
    /// # Errors
    /// [`GrantError::UserDisabled`], [`GrantError::PasswordChanged`] and [`GrantError::InvalidRefreshToken`] if not, [`GrantError::UserUnusable`] if not now, and
    /// [`GrantError::Users`] where nobody can tell.
    pub(super) async fn user_of(&self, stored: &Family) -> Result<Arc<User>, GrantError> {
        match self.users.find(&stored.subject).await?.filter(|user| !user.disabled) {
            None if self.users.is_unusable(&stored.subject) => Err(GrantError::UserUnusable),
            None => Err(GrantError::UserDisabled),
            // Where the server key is gone that could tell, nobody is logged out for it: the print is made anew with this refresh.
            Some(user) if self.has_another_password(stored, &user) => Err(GrantError::PasswordChanged),
            // Of before the user was disabled, or all was revoked: it must not outlive that by not having been refreshed meanwhile.
            Some(_) if self.is_cut_off(stored) => Err(GrantError::InvalidRefreshToken),
            Some(user) => Ok(user),
        }
    }

    fn has_another_password(&self, stored: &Family, user: &User) -> bool {
        stored.password.is_some_and(|known| user.password_hash.is_of(&known, &self.server_keys) == Some(false))
    }

    async fn end_session_of(&self, sid: Sid, subject: &str, address: Option<IpAddr>) -> Result<(), GrantError> {
        let issuer = self.settings.issuer.as_str();
        if self.revocations.revoke_session(sid, issuer, MAX_LEEWAY).await? {
            let sid = sid.to_string();
            let (issuer, subject, sid) = (Some(issuer), Some(subject), Some(sid.as_str()));
            let ended = Audit::Revoked {
                kind: "session",
                subject,
                issuer,
                client: None,
                sid,
                jti: None,
                address,
                reason: None,
            };
            self.telemetry.audit(self.clock.now(), &ended);
        }
        Ok(())
    }

    /// Has a hash that is no longer good enough made anew, beside the answer to the login.
    pub(super) fn renew_outdated(&self, user: &Arc<User>, password: &Secret) -> Option<JoinHandle<()>> {
        let wanted = self.users.rehashes() && user.password_hash.is_outdated();
        wanted.then(|| tokio::spawn(self.renew(user, password.clone())))
    }

    /// If there is no thread to spare for it, or it cannot be stored, a later login tries again.
    fn renew(&self, user: &Arc<User>, password: Secret) -> impl Future<Output = ()> + Send + use<> {
        let (users, hasher, keys) = (Arc::clone(&self.users), Arc::clone(&self.hasher), Arc::clone(&self.server_keys));
        let user = Arc::clone(user);
        async move {
            let Ok(made) = hasher.renew(Arc::clone(&user.password_hash), password, keys).await else { return };
            let hash = match made {
                Ok(hash) => hash,
                Err(error) => return tracing::warn!(%error, "an outdated password hash could not be made anew"),
            };
            if let Err(error) = users.rehash(&user.username, &user.password_hash, &hash).await {
                tracing::warn!(%error, "an outdated password hash could not be replaced, a later login tries again");
            }
        }
    }
}

#[cfg(test)]
mod tests;
