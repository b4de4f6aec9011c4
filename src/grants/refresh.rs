//! The refresh grant (RFC 6749 §6), with rotation and detection of reuse (RFC 9700 §4.14.2).

use std::net::IpAddr;

use super::mint::{Holder, Life, Waits};
use super::{Caller, Client, GrantError, Grants, Minted};
use crate::base::Timestamp;
use crate::keys::KeyNumber;
use crate::revocation::{Family, Presented, Sid, Step, Swap, Terms, Until};
use crate::telemetry::Audit;
use crate::tokens::verify::MAX_LEEWAY;
use crate::tokens::{RefreshToken, ScopeSet};
use crate::users::User;

impl Grants {
    /// Answers a refresh token with its successor and a fresh access token.
    ///
    /// # Errors
    /// [`GrantError::InvalidRefreshToken`] for what is not, or no longer, a session's; [`GrantError::ReusedRefreshToken`]
    /// where the session was ended because of it.
    pub async fn refresh(
        &self,
        caller: &Caller,
        text: &str,
        scope: Option<&ScopeSet>,
        from: Option<IpAddr>,
    ) -> Result<Minted, GrantError> {
        let result = self.try_refresh(caller, text, scope, from).await;
        match &result {
            // Reuse has a record of its own.
            Ok(_) | Err(GrantError::ReusedRefreshToken) => {}
            Err(error) => self.tell_refused("refresh", error, caller.id(), from),
        }
        result
    }

    async fn try_refresh(
        &self,
        caller: &Caller,
        text: &str,
        scope: Option<&ScopeSet>,
        from: Option<IpAddr>,
    ) -> Result<Minted, GrantError> {
        self.ask_to_issue()?;
        self.clients.ask_for_client(caller)?;
        let token = RefreshToken::read(text, &self.server_keys).map_err(|_| GrantError::InvalidRefreshToken)?;
        let sid = Sid::of(&token.family);
        let store = self.revocations.store();
        let mut stored = store.family(sid).await?.ok_or(GrantError::InvalidRefreshToken)?;
        // Before the session is touched: by another client's mistake it must neither move on nor end.
        let client = self.clients.refreshing(caller, stored.client.as_deref())?;
        let mut waits = Waits::default();
        loop {
            let now = self.issuing();
            let attempt = Attempt { token, sid, from, now };
            match self.advance(&attempt, client, &stored, scope, &mut waits).await? {
                Advanced::Done(minted) => return Ok(minted),
                Advanced::Waited => {}
                // Somebody else moved the session on meanwhile: what was current is a predecessor now, judged anew.
                Advanced::Lost(Some(current)) => stored = current,
                Advanced::Lost(None) => return Err(GrantError::InvalidRefreshToken),
            }
        }
    }

    async fn advance(
        &self,
        attempt: &Attempt,
        client: &Client,
        stored: &Family,
        scope: Option<&ScopeSet>,
        waits: &mut Waits,
    ) -> Result<Advanced, GrantError> {
        let Attempt { token, sid, from, now } = *attempt;
        // Before anything comes of it: where nobody can tell, the session must be as it was.
        self.catch_up(Some(sid), &stored.subject, &client.id).await?;
        if self.came_back(stored, sid) {
            // Ended for good: the mark is forgotten long before the session would be over.
            self.revocations.revoke_session(sid, &self.settings.issuer, MAX_LEEWAY).await?;
            return Err(GrantError::InvalidRefreshToken);
        }
        let presented = Presented { generation: token.generation, key_number: token.key, from, at: now };
        // Nor does the grace run on while the store is away: who was answered 503, by a rotation that took place, comes again as soon as it is back.
        let grace = self.settings.refresh_grace;
        let away = self.revocations.store().away_since(now.since(stored.rotated_at), grace);
        let terms = Terms {
            grace: grace.saturating_add(away),
            idle: self.settings.refresh_idle,
            key_number: self.server_keys.current(),
        };
        let (next, told) = match stored.present(&presented, &terms) {
            Step::Rotate(next) | Step::Ahead(next) => (next, Told::Rotated),
            Step::Repeat { next, first } => (next, Told::Repeated { first }),
            Step::Refused(_) => return Err(GrantError::InvalidRefreshToken),
            Step::Reuse { cause, .. } => {
                self.revocations.revoke_session(sid, &self.settings.issuer, MAX_LEEWAY).await?;
                let audit = Audit::Reused {
                    subject: &stored.subject,
                    client: stored.client.as_deref(),
                    sid: &sid.to_string(),
                    cause: cause.as_str(),
                    address: from,
                };
                self.telemetry.audit(now, &audit);
                return Err(GrantError::ReusedRefreshToken);
            }
        };
        // All that can refuse comes before the rotation: a refused request must not use the token up.
        let user = self.live_user(stored, sid, from).await?;
        let scope = narrowed(&client.limit(&stored.scope), &user, scope)?;
        let Some(life) = self.life(&user.username, &client.id, now, waits).await? else { return Ok(Advanced::Waited) };
        let next = next.issued(life.expires_at);
        // With the rotation, under the key of today: so a key may be retired once all sessions have been refreshed.
        let next = match told {
            Told::Rotated => next.with_password(user.password_hash.print(&self.server_keys)),
            Told::Repeated { .. } => next,
        };
        let successor =
            RefreshToken { key: KeyNumber(next.key_number.0), family: token.family, generation: next.generation };
        let successor = successor.write(&self.server_keys).ok_or(GrantError::InvalidRefreshToken)?;
        let mint = Mint { user: &user, client, scope, life, sid, successor, told };
        self.revocations.cover(Until { sessions: next.idle_expires_at, ..Until::default() }).await?;
        // Also where nothing changes: what was read may be lost yet, what was written is not.
        let swapped = self.revocations.store().swap(sid, stored, next).await?;
        self.tell_store_up();
        match swapped {
            Swap::Done => self.mint(attempt, stored, mint).map(Advanced::Done),
            Swap::Lost(current) => Ok(Advanced::Lost(current)),
        }
    }

    /// Whether the session was ended, and lives in the store again: a failover loses what no replica had yet.
    pub(super) fn came_back(&self, session: &Family, sid: Sid) -> bool {
        !session.revoked && self.revocations.has_ended(&self.settings.issuer, sid)
    }

    /// Whether everything was revoked that its user, or its client, had been issued when it began.
    pub(super) fn is_cut_off(&self, session: &Family) -> bool {
        let cutoff = self.revocations.cutoff(&self.settings.issuer, &session.subject, session.client.as_deref());
        cutoff.is_some_and(|cutoff| session.issued_at <= cutoff)
    }

    fn mint(&self, attempt: &Attempt, stored: &Family, mint: Mint<'_>) -> Result<Minted, GrantError> {
        let sid = mint.sid.to_string();
        let holder = Holder { subject: &mint.user.username, client: &mint.client.id, session: Some(&sid) };
        let issued = self.access_token(holder, &mint.scope, mint.life, &self.attributes(mint.user))?;
        let (subject, client, jti) = (stored.subject.as_str(), stored.client.as_deref(), issued.token_id.as_str());
        let audit = match mint.told {
            Told::Rotated => Audit::Refreshed {
                subject,
                client,
                sid: &sid,
                jti,
                scope: &mint.scope.to_string(),
                address: attempt.from,
            },
            Told::Repeated { first } => {
                Audit::Repeated { subject, client, sid: &sid, jti, address: attempt.from, first_address: first }
            }
        };
        self.telemetry.audit(attempt.now, &audit);
        Ok(Minted {
            access_token: issued.token,
            expires_in: self.settings.access_ttl,
            refresh_token: Some(mint.successor),
            scope: mint.scope,
        })
    }
}

/// One presentation of a refresh token.
#[derive(Clone, Copy)]
struct Attempt {
    token: RefreshToken,
    sid: Sid,
    from: Option<IpAddr>,
    now: Timestamp,
}

struct Mint<'a> {
    user: &'a User,
    client: &'a Client,
    scope: ScopeSet,
    life: Life,
    sid: Sid,
    successor: String,
    told: Told,
}

/// What the audit log says of it.
#[derive(Clone, Copy)]
enum Told {
    Rotated,
    /// The answer to a rotation was given again; who asked first.
    Repeated {
        first: Option<IpAddr>,
    },
}

enum Advanced {
    Done(Minted),
    Lost(Option<Family>),
    /// Nothing has happened yet: the second had to begin that the token is dated with.
    Waited,
}

/// What this refresh grants: of the session's scopes, as far as its client still may have them, those the user still has, and of these what was asked for, which must
/// not exceed the session's (RFC 6749 §6). The session itself keeps its scopes.
pub(super) fn narrowed(session: &ScopeSet, user: &User, asked: Option<&ScopeSet>) -> Result<ScopeSet, GrantError> {
    let available = session.intersection(&user.scopes);
    match asked {
        None => Ok(available),
        Some(asked) if !session.contains_all(asked) => Err(GrantError::InvalidScope),
        Some(asked) => {
            let granted = asked.intersection(&available);
            if granted.is_empty() { Err(GrantError::InvalidScope) } else { Ok(granted) }
        }
    }
}
