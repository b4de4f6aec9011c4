//! Revocation (RFC 7009).

use std::net::IpAddr;
use std::time::Duration;

use super::{Caller, GrantError, Grants};
use crate::base::Timestamp;
use crate::revocation::{Mark, MarkKind, Sid};
use crate::telemetry::Audit;
use crate::tokens::verify::MAX_LEEWAY;
use crate::tokens::{RefreshToken, Verified, VerifyError};

impl Grants {
    /// Revokes an access token, or a refresh token with its session. Durable when it returns. What is not a live token of
    /// ours is none that anybody could use, so it is no error (RFC 7009 §2.2).
    ///
    /// # Errors
    /// [`GrantError::InvalidClient`] and [`GrantError::ForeignToken`] for another client's token, which lives on;
    /// [`GrantError::Store`] if the mark could not be made durable: never answered 200.
    pub async fn revoke(&self, caller: &Caller, text: &str, from: Option<IpAddr>) -> Result<(), GrantError> {
        let revoked = self.try_revoke(caller, text, from).await;
        if let Err(error) = &revoked {
            self.tell_refused("revoke", error, caller.id(), from);
        }
        revoked
    }

    async fn try_revoke(&self, caller: &Caller, text: &str, from: Option<IpAddr>) -> Result<(), GrantError> {
        self.ask_for_time()?;
        if text.starts_with(RefreshToken::PREFIX) {
            self.revoke_refresh_token(caller, text, from).await
        } else {
            self.revoke_access_token(caller, text, from).await
        }
    }

    async fn revoke_refresh_token(&self, caller: &Caller, text: &str, from: Option<IpAddr>) -> Result<(), GrantError> {
        let Ok(token) = RefreshToken::read(text, &self.server_keys) else { return Ok(()) };
        let sid = Sid::of(&token.family);
        if !self.clients.is_open() {
            let Some(family) = self.revocations.store().family(sid).await? else { return Ok(()) };
            self.clients.ask_to_revoke(caller, family.client.as_deref())?;
        }
        self.end_session(sid, None, from).await
    }

    async fn revoke_access_token(&self, caller: &Caller, text: &str, from: Option<IpAddr>) -> Result<(), GrantError> {
        // Only a token whose signature verifies is marked: otherwise anybody could fill the list, or revoke by a guessed jti.
        let Some(verified) = self.verified(text).await? else { return Ok(()) };
        let claims = verified.claims();
        // Another issuer's clients are not ours, whatever they are called: its tokens are whoever's who has them.
        if *claims.issuer == *self.settings.issuer {
            self.clients.ask_to_revoke(caller, claims.client.as_deref())?;
        }
        let until = self.taken_until(&verified);
        if self.clock.now() < until {
            self.revocations
                .mark(Mark {
                    kind: MarkKind::Jti,
                    issuer: claims.issuer.to_string(),
                    value: verified.identifier().to_owned(),
                    expires_at: until,
                    issued_before: None,
                })
                .await?;
            self.tell_store_up();
            self.tell_revoked("token", Some(&verified), None, from);
        }
        // A session outlives its access tokens, so logging out with an expired one ends it all the same.
        match claims.session.as_deref().and_then(Sid::parse) {
            // Only of our own tokens: another issuer may write what it likes, and would end a session of ours.
            Some(sid) if self.settings.cascade && verified.rules().own => {
                self.end_session(sid, Some(&verified), from).await
            }
            _ => Ok(()),
        }
    }

    /// When nobody takes a token any more, by the store's clock. That of another issuer ends by the clock of whoever judges it, of which
    /// only this machine's is known.
    pub(super) fn taken_until(&self, token: &Verified) -> Timestamp {
        let end = token.claims().expires_at.plus(MAX_LEEWAY);
        if token.rules().own { end } else { self.revocations.clock().at(end).plus(OTHER_CLOCKS) }
    }

    /// The token if it is one; `None` if nobody would take it (RFC 7009 §2.2).
    pub(super) async fn verified(&self, text: &str) -> Result<Option<Verified>, GrantError> {
        let mut tried = self.verifier.verify_uncached(text);
        if let Err(rejected) = &tried
            && matches!(rejected.error, VerifyError::UnknownKey | VerifyError::KeysUnavailable)
            && let Some(keys) = rejected.issuer.as_deref().and_then(|rules| self.issuers.get(&rules.issuer))
        {
            if keys.want(rejected.kid.as_deref()).await {
                tried = self.verifier.verify_uncached(text);
            }
            // It may be a token, and live on: to answer 200 would be to promise that it does not (RFC 7009 §2.2.1).
            match &tried {
                Err(rejected) if rejected.error == VerifyError::KeysUnavailable => {
                    return Err(GrantError::KeysUnavailable);
                }
                Err(rejected) if rejected.error == VerifyError::UnknownKey && keys.last_fetch_failed() => {
                    return Err(GrantError::KeysUnavailable);
                }
                _ => {}
            }
        }
        match tried {
            Ok(verified) => Ok(Some(verified)),
            Err(rejected) if rejected.error == VerifyError::WrongType => Err(GrantError::UnsupportedTokenType),
            Err(_) => Ok(None),
        }
    }

    async fn end_session(&self, sid: Sid, by: Option<&Verified>, from: Option<IpAddr>) -> Result<(), GrantError> {
        let known = self.revocations.revoke_session(sid, &self.settings.issuer, MAX_LEEWAY).await?;
        self.tell_store_up();
        if known {
            self.tell_revoked("session", by, Some(sid), from);
        }
        Ok(())
    }

    fn tell_revoked(&self, kind: &'static str, token: Option<&Verified>, sid: Option<Sid>, address: Option<IpAddr>) {
        let claims = token.map(Verified::claims);
        let sid = sid.map(|sid| sid.to_string());
        let audit = Audit::Revoked {
            kind,
            subject: claims.map(|claims| &*claims.subject),
            issuer: claims.map(|claims| &*claims.issuer),
            client: claims.and_then(|claims| claims.client.as_deref()),
            sid: sid.as_deref().or(claims.and_then(|claims| claims.session.as_deref())),
            jti: claims.and_then(|claims| claims.token_id.as_deref()),
            address,
            reason: None,
        };
        self.telemetry.audit(self.clock.now(), &audit);
    }
}

/// How far the clocks of other instances may be behind this one's. A mark that is not needed costs 76 bytes for as long; one that is missing
/// is a revoked token that passes there.
pub(super) const OTHER_CLOCKS: Duration = Duration::from_hours(1);
