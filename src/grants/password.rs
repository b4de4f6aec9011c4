//! The password grant (RFC 6749 §4.3).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::mint::{Holder, Life, Waits};
use super::{Caller, Client, GrantError, GrantKind, Grants, Minted};
use crate::base::{Secret, Stopwatch, Timestamp, entropy};
use crate::revocation::{Family, SessionLife, Sid, Until};
use crate::telemetry::Audit;
use crate::tokens::{FamilyId, RefreshToken, ScopeSet};
use crate::users::{Turn, User, Verdict};

/// A login as it was typed.
pub struct Login<'a> {
    /// Through which client.
    pub caller: &'a Caller,
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
        let (from, caller) = (login.from, login.caller);
        let result = self.try_log_in(login).await;
        if let Err(error) = &result {
            self.tell_refused("login", error, caller.id(), from);
        }
        result
    }

    async fn try_log_in(&self, login: Login<'_>) -> Result<Minted, GrantError> {
        self.ask_to_issue()?;
        let client = self.clients.acting(login.caller, GrantKind::Password)?;
        let user = self.admit(login.username, login.password, login.from).await?;
        let scope = self.grantable(&user, client, login.scope.as_ref())?;
        let mut waits = Waits::default();
        let (now, life) = loop {
            let now = self.issuing();
            // After the time that the token says: if the password is changed from now on, that ends the token too.
            if !self.users.still_has(&user) {
                return Err(GrantError::WrongLogin);
            }
            self.catch_up(None, &user.username, &client.id).await?;
            if let Some(life) = self.life(&user.username, &client.id, now, &mut waits).await? {
                break (now, life);
            }
        };
        let session =
            client.may(GrantKind::RefreshToken).then(|| self.session(&user, client, &scope, now)).transpose()?;
        let sid = session.as_ref().map(|session| session.sid.to_string());
        let holder = Holder { subject: &user.username, client: &client.id, session: sid.as_deref() };
        let issued = self.access_token(holder, &scope, life, &self.attributes(&user))?;
        let refresh_token = match session {
            Some(session) => Some(self.begin(session, life).await?),
            None => {
                self.revocations.cover(Until { tokens: life.expires_at, ..Until::default() }).await?;
                None
            }
        };
        let audit = Audit::Issued {
            grant: GrantKind::Password.as_str(),
            subject: &user.username,
            client: Some(&client.id),
            sid: sid.as_deref(),
            jti: &issued.token_id,
            scope: &scope.to_string(),
            address: login.from,
        };
        self.telemetry.audit(now, &audit);
        Ok(Minted { access_token: issued.token, expires_in: self.settings.access_ttl, refresh_token, scope })
    }

    /// A session for a client that may refresh it; not begun yet.
    fn session(&self, user: &User, client: &Client, scope: &ScopeSet, now: Timestamp) -> Result<Session, GrantError> {
        let family_id = FamilyId(entropy::random());
        let key = self.server_keys.current();
        let life = SessionLife { now, absolute: self.settings.refresh_ttl, idle: self.settings.refresh_idle };
        let family = Family::begin(&user.username, Some(&client.id), scope.clone(), key, life)
            .with_password(user.password_hash.print(&self.server_keys));
        let refresh_token = RefreshToken { key, family: family_id, generation: family.generation };
        let refresh_token = refresh_token.write(&self.server_keys).ok_or(GrantError::InvalidRefreshToken)?;
        Ok(Session { sid: Sid::of(&family_id), family, refresh_token })
    }

    /// Stores a session with the life of its first access token. Its refresh token.
    async fn begin(&self, session: Session, life: Life) -> Result<String, GrantError> {
        let mut family = session.family.issued(life.expires_at);
        // Dated as its token is, or a mark of this second would end it.
        family.issued_at = family.issued_at.max(life.issued_at);
        self.revocations.cover(Until { sessions: family.idle_expires_at, ..Until::default() }).await?;
        self.revocations.store().create(session.sid, family).await?;
        self.tell_store_up();
        Ok(session.refresh_token)
    }

    /// Checks the password, unless too many were wrong before. Whoever is asked to wait costs neither a look-up nor a hash.
    async fn admit(&self, username: &str, password: Secret, from: Option<IpAddr>) -> Result<Arc<User>, GrantError> {
        let attempt = self.throttle.logins.admit(username, from, &*self.clock).await?;
        let result = self.authenticate(username, password).await;
        settle(attempt, &result, from);
        result
    }

    /// The hash is computed in every case, before anything is told from anything else.
    async fn authenticate(&self, username: &str, password: Secret) -> Result<Arc<User>, GrantError> {
        let blind = self.server_keys.blind(username);
        // Before the look-up, which would be for nothing where there is no room; and before anybody knows whether the name is one.
        let place = self.hasher.admit()?;
        let asked_at = self.clock.now();
        let candidate = self.users.candidate(username, blind).await?;
        let watch = Stopwatch::start();
        let verdict = self.hasher.verify_in(place, candidate.hash, password.clone()).await?;
        self.telemetry.metrics.password_verified(watch.elapsed());
        let user = candidate.user.filter(|user| !user.disabled).ok_or(GrantError::WrongLogin)?;
        match verdict {
            Verdict::Fits => {
                self.recheck.note(&user, asked_at).await;
                // Nobody waits for it.
                drop(self.renew_outdated(&user, &password));
                Ok(user)
            }
            Verdict::Differs => Err(GrantError::WrongLogin),
            Verdict::TooLong => Err(GrantError::PasswordTooLong),
        }
    }

    /// What of `asked` this user may have through this client (RFC 6749 §3.3).
    fn grantable(&self, user: &User, client: &Client, asked: Option<&ScopeSet>) -> Result<ScopeSet, GrantError> {
        let available = client.limit(&user.scopes);
        let granted = match (asked, &self.settings.default_scopes) {
            (Some(asked), _) => {
                let granted = asked.intersection(&available);
                if granted.is_empty() {
                    return Err(GrantError::InvalidScope);
                }
                granted
            }
            (None, Some(default)) => default.intersection(&available),
            (None, None) => available,
        };
        Ok(granted)
    }
}

/// Tells the throttle what an attempt came to.
pub(super) fn settle<T>(attempt: Turn, result: &Result<T, GrantError>, from: Option<IpAddr>) {
    match result {
        Ok(_) => attempt.succeeded(),
        Err(GrantError::WrongLogin | GrantError::PasswordTooLong | GrantError::InvalidClient) => {
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
}

/// A session that is to begin.
struct Session {
    sid: Sid,
    family: Family,
    refresh_token: String,
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Login")
    }
}
