//! A pair of tokens for a session.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{GrantError, Grants};
use crate::base::{Timestamp, entropy};
use crate::revocation::{self, Sid};
use crate::tokens::{AccessToken, Issued, ScopeSet};
use crate::users::User;

/// What a successful grant answers with (RFC 6749 §5.1).
pub struct Minted {
    /// The JWT.
    pub access_token: String,
    /// Its life from now.
    pub expires_in: Duration,
    /// The refresh token, if the client may use one.
    pub refresh_token: Option<String>,
    /// What was granted; may be less than was asked for.
    pub scope: ScopeSet,
}

/// When a token is issued and until when it lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// What one grant has waited for, until its token can be dated.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// The beginning of which second.
    last: Option<Timestamp>,
    count: u32,
}

impl Grants {
    /// The time that what is issued now is dated with: by the store's clock, as far back as that may be. What is revoked from now on is cut
    /// off as late as it may be, by whichever instance: so no error of their clocks puts it before this.
    pub(super) fn issuing(&self) -> Timestamp {
        self.clock.now().minus(self.revocations.clock().error())
    }

    /// Whatever another instance has revoked of `subject`, `client` and the session `sid` is known when this returns. With the time of
    /// [`issuing`](Self::issuing) taken before: what is revoked later kills what is issued with it.
    pub(super) async fn catch_up(&self, sid: Option<Sid>, subject: &str, client: &str) -> Result<(), GrantError> {
        let client = Some(client);
        Ok(self.revocations.catch_up(&self.settings.issuer, revocation::Holder { sid, subject, client }).await?)
    }

    /// The life of a token for `subject` that is issued `now` through `client`. After a mark on everything that either was issued up to
    /// and including this second, the token is dated one second later: otherwise it would be born revoked. A token from the future would
    /// escape whatever is revoked until then, so that second is waited for. `None` once it has been: what was true before need not be
    /// any more, and everything must be asked again, with the time of [`issuing`](Self::issuing) taken anew.
    ///
    /// # Errors
    /// [`GrantError::RevokedAhead`] where that goes on, or would take long.
    pub(super) async fn life(
        &self,
        subject: &str,
        client: &str,
        now: Timestamp,
        waits: &mut Waits,
    ) -> Result<Option<Life>, GrantError> {
        let second = now.whole_second();
        let issued_at = match self.revocations.cutoff(&self.settings.issuer, subject, Some(client)) {
            Some(cutoff) if cutoff >= second => cutoff.whole_second().plus(Duration::from_secs(1)),
            _ => second,
        };
        let ahead = issued_at.since(now);
        if ahead == Duration::ZERO || waits.last == Some(issued_at) {
            return Ok(Some(Life { issued_at, expires_at: issued_at.plus(self.settings.access_ttl) }));
        }
        // One from the future would outlive what is revoked until then.
        if ahead > LONGEST_WAIT || waits.count == MOST_WAITS {
            return Err(GrantError::RevokedAhead);
        }
        *waits = Waits { last: Some(issued_at), count: waits.count + 1 };
        // Part of it may have gone by.
        tokio::time::sleep(issued_at.since(self.issuing()).min(LONGEST_WAIT)).await;
        Ok(None)
    }

    pub(super) fn access_token(
        &self,
        holder: Holder<'_>,
        scopes: &ScopeSet,
        life: Life,
        attributes: &Map<String, Value>,
    ) -> Result<Issued, GrantError> {
        let issuer = self.issuer.as_ref().ok_or(GrantError::NotGranting)?;
        let issued = issuer.write(&AccessToken {
            subject: holder.subject,
            client: holder.client,
            scopes,
            session: holder.session,
            issued_at: life.issued_at,
            expires_at: life.expires_at,
            attributes,
            random: entropy::random(),
        })?;
        Ok(issued)
    }

    /// What of a user goes into access tokens.
    pub(super) fn attributes(&self, user: &User) -> Map<String, Value> {
        let named = self.settings.claims.iter();
        named.filter_map(|name| Some((name.clone(), user.attribute(name)?))).collect()
    }
}

/// Whose a token is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder<'a> {
    /// `sub`.
    pub(super) subject: &'a str,
    /// `client_id`.
    pub(super) client: &'a str,
    /// `sid`, if it belongs to a session.
    pub(super) session: Option<&'a str>,
}

impl fmt::Debug for Minted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Minted").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// A second, and by how much clocks may be wrong: half a second that of the instance which revoked, and this one's, and some more if they
/// were measured long ago.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Each is for another revocation of everything, made while the one before was waited for.
const MOST_WAITS: u32 = 3;
