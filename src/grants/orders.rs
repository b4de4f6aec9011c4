//! What an operator revokes, by whatever is known of it.

use std::net::IpAddr;

use super::revoke::OTHER_CLOCKS;
use super::{GrantError, Grants, Order, OrderError, OrderKind, Ordered};
use crate::base::Timestamp;
use crate::policy::Reason;
use crate::revocation::{Mark, MarkKind, Position, Sid, Until};
use crate::telemetry::Audit;
use crate::tokens::verify::MAX_LEEWAY;
use crate::tokens::{RefreshToken, Verified};

impl Grants {
    /// Revokes what an operator says. Durable, and in effect here, when it returns; to ask again is harmless.
    ///
    /// # Errors
    /// [`OrderError`]; for [`GrantError::Store`] in it nobody can tell whether it is durable.
    pub async fn order(&self, order: &Order, from: Option<IpAddr>) -> Result<Ordered, OrderError> {
        let done = self.try_order(order, from).await;
        match &done {
            Ok(_) => self.tell_store_up(),
            Err(OrderError::Grant(error)) => self.tell_refused(WHAT, error, None, from),
            Err(_) => self.audit_refused(WHAT, Reason::MalformedRequest.as_str(), None, from),
        }
        done
    }

    async fn try_order(&self, order: &Order, from: Option<IpAddr>) -> Result<Ordered, OrderError> {
        self.ask_for_time()?;
        match order.kind {
            OrderKind::Token if order.value.starts_with(RefreshToken::PREFIX) => self.order_refresh(order, from).await,
            OrderKind::Token => self.order_access(order, from).await,
            kind => self.order_by_name(kind, order, from).await,
        }
    }

    async fn order_refresh(&self, order: &Order, from: Option<IpAddr>) -> Result<Ordered, OrderError> {
        if order.issuer.as_ref().is_some_and(|issuer| *issuer != self.settings.issuer) {
            return Err(OrderError::OtherIssuer);
        }
        let token = RefreshToken::read(&order.value, &self.server_keys).map_err(|_| OrderError::NoToken)?;
        self.order_session(Sid::of(&token.family), order, from).await
    }

    async fn order_access(&self, order: &Order, from: Option<IpAddr>) -> Result<Ordered, OrderError> {
        // By its signature and not by what it says: a forged one would take the place of the one that was meant.
        let verified = self.verified(&order.value).await?.ok_or(OrderError::NoToken)?;
        let claims = verified.claims();
        if order.issuer.as_ref().is_some_and(|issuer| *issuer != *claims.issuer) {
            return Err(OrderError::OtherIssuer);
        }
        let until = self.taken_until(&verified);
        let mark = mark(MarkKind::Jti, &claims.issuer, verified.identifier(), until);
        let position = self.mark_until(mark).await?;
        self.tell_ordered("token", order, (Some(&verified), None), from);
        match claims.session.as_deref().and_then(Sid::parse) {
            Some(sid) if self.settings.cascade && verified.rules().own => {
                let session = self.order_session(sid, order, from).await?;
                // Whoever has the session's mark refuses the token by it.
                let position = if session.position == Position::Local { position } else { session.position };
                Ok(Ordered { expires_at: until.max(session.expires_at), position })
            }
            _ => Ok(Ordered { expires_at: until, position }),
        }
    }

    async fn order_by_name(&self, kind: OrderKind, order: &Order, from: Option<IpAddr>) -> Result<Ordered, OrderError> {
        let issuer = order.issuer.as_deref().unwrap_or(&self.settings.issuer);
        let rules = self.verifier.rules(issuer).ok_or(OrderError::UnknownIssuer)?;
        let (mark_kind, told) = match kind {
            OrderKind::Session if rules.own => {
                let sid = Sid::parse(&order.value).ok_or(OrderError::NoSession)?;
                return self.order_session(sid, order, from).await;
            }
            // By the text of a token it is not named here.
            OrderKind::Token | OrderKind::Jti => (MarkKind::Jti, "token"),
            OrderKind::Session => (MarkKind::Sid, "session"),
            OrderKind::Subject => (MarkKind::Sub, "subject"),
            OrderKind::Client => (MarkKind::Client, "client"),
        };
        let now = self.clock.now();
        // Only these two go on to be issued tokens.
        let has_future = matches!(mark_kind, MarkKind::Sub | MarkKind::Client);
        let until = if rules.own {
            let end = self.own_end(now).await?;
            let tokens = end.tokens.plus(MAX_LEEWAY);
            // Until then somebody could refresh a session of before.
            if has_future { tokens.max(end.sessions) } else { tokens }
        } else {
            // What another issuer issues is seen when it is shown here, and lives no longer than this.
            now.plus(rules.max_lifetime).plus(MAX_LEEWAY).plus(OTHER_CLOCKS)
        };
        // Others date by clocks of their own, which are like this machine's or the store's, whichever is right. By the earlier one, if that
        // is wrong, stolen tokens would be spared; by the later one somebody's next may be refused for as long as the two differ.
        let clock = self.revocations.clock();
        let cutoff = if rules.own { clock.cutting_off(now) } else { clock.local().max(now) };
        let mark = Mark { issued_before: has_future.then_some(cutoff), ..mark(mark_kind, issuer, &order.value, until) };
        let position = self.mark_until(mark).await?;
        self.tell_ordered(told, order, (None, None), from);
        Ok(Ordered { expires_at: until, position })
    }

    /// Ends a session of ours. Its access tokens are marked also where the store has none of that name: it may have lost it.
    async fn order_session(&self, sid: Sid, order: &Order, from: Option<IpAddr>) -> Result<Ordered, OrderError> {
        let issuer = self.settings.issuer.as_str();
        let store = self.revocations.store();
        let until = if self.revocations.revoke_session(sid, issuer, MAX_LEEWAY).await.map_err(GrantError::from)? {
            // Read after its end, since when it is given no more tokens.
            store.family(sid).await.map_err(GrantError::from)?.map(|family| family.latest_access_exp)
        } else {
            None
        };
        let until = match until {
            Some(latest) => latest.plus(MAX_LEEWAY),
            None => self.own_end(self.clock.now()).await?.tokens.plus(MAX_LEEWAY),
        };
        let value = sid.to_string();
        // Once more where it was marked to end it: that says where the mark stands, and changes nothing.
        let position = self.mark_until(mark(MarkKind::Sid, issuer, &value, until)).await?;
        self.tell_ordered("session", order, (None, Some(sid)), from);
        Ok(Ordered { expires_at: until, position })
    }

    /// Makes a mark, unless its time is past.
    async fn mark_until(&self, mark: Mark) -> Result<Position, GrantError> {
        if self.clock.now() < mark.expires_at { Ok(self.revocations.mark(mark).await?) } else { Ok(Position::Local) }
    }

    /// Until when anything may be used that we issued until now, by the settings of then, or issue at this moment by those of today.
    pub(super) async fn own_end(&self, now: Timestamp) -> Result<Until, GrantError> {
        let issued = self.revocations.issued_until().await?;
        let idle = self.settings.refresh_ttl.min(self.settings.refresh_idle);
        Ok(Until {
            tokens: issued.tokens.max(now.plus(self.settings.access_ttl)),
            sessions: issued.sessions.max(now.plus(idle)),
        })
    }

    fn tell_ordered(
        &self,
        kind: &'static str,
        order: &Order,
        (token, session): (Option<&Verified>, Option<Sid>),
        address: Option<IpAddr>,
    ) {
        let claims = token.map(Verified::claims);
        let session = session.map(|sid| sid.to_string());
        // Nothing that could be a token's text.
        let named = |wanted| (order.kind == wanted).then_some(order.value.as_str());
        let own = || order.issuer.as_deref().or(Some(self.settings.issuer.as_str()));
        let audit = Audit::Revoked {
            kind,
            subject: named(OrderKind::Subject).or(claims.map(|claims| &*claims.subject)),
            issuer: claims.map(|claims| &*claims.issuer).or_else(own),
            client: named(OrderKind::Client).or(claims.and_then(|claims| claims.client.as_deref())),
            sid: session
                .as_deref()
                .or(named(OrderKind::Session))
                .or(claims.and_then(|claims| claims.session.as_deref())),
            jti: named(OrderKind::Jti).or(claims.and_then(|claims| claims.token_id.as_deref())),
            address,
            reason: order.reason.as_deref(),
        };
        self.telemetry.audit(self.clock.now(), &audit);
    }
}

/// A mark that spares nothing.
fn mark(kind: MarkKind, issuer: &str, value: &str, expires_at: Timestamp) -> Mark {
    Mark { kind, issuer: issuer.to_owned(), value: value.to_owned(), expires_at, issued_before: None }
}

/// The operation, in the audit log.
const WHAT: &str = "revocations";

#[cfg(test)]
mod tests;
