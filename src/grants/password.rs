//! The password grant (RFC 6749 §4.3).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::{GrantError, Grants, Minted, PUBLIC_CLIENT};
use crate::base::{Secret, Stopwatch, entropy};
use crate::revocation::{Family, Sid};
use crate::telemetry::Audit;
use crate::tokens::{FamilyId, RefreshToken, ScopeSet};
use crate::users::{User, Verdict};

/// A login as it was typed.
pub struct Login<'a> {
    /// The name, byte for byte.
    pub username: &'a str,
    /// The password, not normalised: hashes of existing users were made without.
    pub password: Secret,
    /// What was asked for; `None` = nothing in particular.
    pub scope: Option<ScopeSet>,
    /// Where it came from.
    pub from: Option<IpAddr>,
}

impl Grants {
    /// Checks a login and begins a session.
    ///
    /// # Errors
    /// [`GrantError::WrongLogin`] for unknown, wrong and disabled alike, after the same work; [`GrantError::PasswordTooLong`], which
    /// clients cannot tell from it. [`GrantError::Throttled`] for each of them alike, before any.
    pub async fn log_in(&self, login: Login<'_>) -> Result<Minted, GrantError> {
        let from = login.from;
        let result = self.try_log_in(login).await;
        if let Err(error) = &result {
            self.tell_refused("login", error, from);
        }
        result
    }

    async fn try_log_in(&self, login: Login<'_>) -> Result<Minted, GrantError> {
        self.ask_for_record()?;
        let user = self.admit(login.username, login.password, login.from).await?;
        let scope = self.grantable(&user, login.scope.as_ref())?;
        let now = self.clock.now();
        let life = self.life(&user.username, now);
        let family_id = FamilyId(entropy::random());
        let sid = Sid::of(&family_id);
        let key = self.server_keys.current();
        let family = Family::begin(
            &user.username,
            Some(PUBLIC_CLIENT),
            scope.clone(),
            key,
            crate::revocation::SessionLife {
                now,
                absolute: self.settings.refresh_ttl,
                idle: self.settings.refresh_idle,
            },
        );
        let refresh_token = RefreshToken { key, family: family_id, generation: family.generation };
        let refresh_token = refresh_token.write(&self.server_keys).ok_or(GrantError::InvalidRefreshToken)?;
        let issued = self.access_token(&user, &scope, &sid.to_string(), life)?;
        self.revocations.store().create(sid, family.issued(life.expires_at)).await?;
        self.tell_store_up();
        let audit = Audit::Issued {
            grant: "password",
            subject: &user.username,
            client: Some(PUBLIC_CLIENT),
            sid: Some(&sid.to_string()),
            jti: &issued.token_id,
            scope: &scope.to_string(),
            address: login.from,
        };
        self.telemetry.audit(now, &audit);
        Ok(Minted { access_token: issued.token, expires_in: self.settings.access_ttl, refresh_token, scope })
    }

    /// Checks the password, unless too many were wrong before. Whoever is asked to wait costs neither a look-up nor a hash.
    async fn admit(&self, username: &str, password: Secret, from: Option<IpAddr>) -> Result<Arc<User>, GrantError> {
        let attempt = self.throttle.admit(username, from, self.clock.now())?;
        let result = self.authenticate(username, password).await;
        match &result {
            Ok(_) => attempt.succeeded(),
            Err(GrantError::WrongLogin | GrantError::PasswordTooLong) => {
                if attempt.failed() {
                    tracing::warn!(
                        address = from.map(tracing::field::display),
                        "all failed logins so far came from one address that no client of its own has; if it is that of a proxy, \
                         add it to `server.trusted_proxies`: as it is, all clients share one allowance of failed logins"
                    );
                }
            }
            Err(_) => attempt.untold(),
        }
        result
    }

    /// The hash is computed in every case, before anything is told from anything else.
    async fn authenticate(&self, username: &str, password: Secret) -> Result<Arc<User>, GrantError> {
        let blind = self.server_keys.blind(username);
        let candidate = self.users.candidate(username, blind).await?;
        let watch = Stopwatch::start();
        let verdict = self.hasher.verify(candidate.hash, password).await?;
        self.telemetry.metrics.password_verified(watch.elapsed());
        let user = candidate.user.filter(|user| !user.disabled).ok_or(GrantError::WrongLogin)?;
        match verdict {
            Verdict::Fits => Ok(user),
            Verdict::Differs => Err(GrantError::WrongLogin),
            Verdict::TooLong => Err(GrantError::PasswordTooLong),
        }
    }

    /// What of `asked` this user may have (RFC 6749 §3.3).
    fn grantable(&self, user: &User, asked: Option<&ScopeSet>) -> Result<ScopeSet, GrantError> {
        let granted = match (asked, &self.settings.default_scopes) {
            (Some(asked), _) => {
                let granted = asked.intersection(&user.scopes);
                if granted.is_empty() {
                    return Err(GrantError::InvalidScope);
                }
                granted
            }
            (None, Some(default)) => default.intersection(&user.scopes),
            (None, None) => user.scopes.clone(),
        };
        Ok(granted)
    }
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Login")
    }
}
