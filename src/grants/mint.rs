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

    /// The cut-off of what is revoked now, or was at `at`.
    pub(super) fn cutting_off(&self, at: Timestamp) -> Timestamp {
        at.plus(self.revocations.clock().error())
    }

    /// The life of a token for `subject` that is issued `now` through `client`. After a mark on everything that either was issued up to
    /// and including this second, the token is dated one second later: otherwise it would be born revoked. That second has begun when this
    /// returns: a token from the future would escape whatever is revoked until then.
    pub(super) async fn life(&self, subject: &str, client: &str, now: Timestamp) -> Life {
        let second = now.whole_second();
        let issued_at = match self.revocations.cutoff(&self.settings.issuer, subject, Some(client)) {
            Some(cutoff) if cutoff >= second => cutoff.whole_second().plus(Duration::from_secs(1)),
            _ => second,
        };
        let ahead = issued_at.since(self.issuing());
        if ahead > Duration::ZERO {
            tokio::time::sleep(ahead.min(LONGEST_WAIT)).await;
        }
        Life { issued_at, expires_at: issued_at.plus(self.settings.access_ttl) }
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

/// A second, and by how much clocks may be wrong.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
