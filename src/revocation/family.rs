//! Login sessions, as a state machine: what a refresh token does to its family, and when presenting one proves a theft
//! (RFC 9700 §4.14.2).
//!
//! Pure: no clock, no store, no log. A store only compares and swaps what is computed here.

use std::cmp::{Ordering, max, min};
use std::net::IpAddr;
use std::time::Duration;

use crate::base::Timestamp;
use crate::keys::{KeyNumber, PasswordPrint};
use crate::tokens::ScopeSet;
use crate::tokens::verify::MAX_LEEWAY;

/// The record of a login session: all that is stored of its refresh tokens. No token can be made from it, so a store that
/// leaks gives no session away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The current generation: that of the one refresh token that may be rotated.
    pub generation: u32,
    /// The server key that made the current generation, so that it can be written once more, equal to the byte, after the
    /// keys were changed.
    pub key_number: KeyNumber,
    /// When the current generation was made.
    pub rotated_at: Timestamp,
    /// Who presented its predecessor first; `None` at the first generation, and where addresses are unknown.
    pub presenter: Option<IpAddr>,
    /// Who else presented predecessors.
    pub strangers: Strangers,
    /// The user.
    pub subject: String,
    /// Of the user's password at the login or the last refresh; `None` in records of before there were any.
    pub password: Option<PasswordPrint>,
    /// The client it was issued to.
    pub client: Option<String>,
    /// What was granted at the login. Narrowing it at a refresh does not change it.
    pub scope: ScopeSet,
    /// When the login was.
    pub issued_at: Timestamp,
    /// The end of its life, however busy it is.
    pub expires_at: Timestamp,
    /// The end of its life if nobody refreshes before.
    pub idle_expires_at: Timestamp,
    /// The latest `exp` of the access tokens it was given: how long revoking it must be remembered, whatever today's
    /// setting is.
    pub latest_access_exp: Timestamp,
    /// It is over. Never undone.
    pub revoked: bool,
}

/// Whether the last two generations' predecessors were repeated from another address than they first came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    /// The current generation's predecessor was.
    pub here: bool,
    /// The predecessor of that one was.
    pub before: bool,
}

/// How long a new session may live.
#[derive(Clone, Copy, Debug)]
pub struct SessionLife {
    /// The time of the login.
    pub now: Timestamp,
    /// `tokens.refresh_ttl`.
    pub absolute: Duration,
    /// `tokens.refresh_idle`.
    pub idle: Duration,
}

/// A refresh token with a good tag.
#[derive(Clone, Copy, Debug)]
pub struct Presented {
    /// Its generation.
    pub generation: u32,
    /// The server key of its tag.
    pub key_number: KeyNumber,
    /// Who sent it, if that is known.
    pub from: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
}

/// Today's settings.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// `tokens.refresh_grace`: how long the predecessor gets the same successor again. Zero: never.
    pub grace: Duration,
    /// `tokens.refresh_idle`.
    pub idle: Duration,
    /// The server key that makes new tokens.
    pub key_number: KeyNumber,
}

/// What presenting a token leads to. A `Family` in it is what is to be swapped in; nothing holds before that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was the current one: the answer is the successor, of `generation`.
    Rotate(Family),
    /// It was the immediate predecessor, within the grace and with an unused successor: the answer is the current
    /// generation once more.
    Repeat {
        /// May equal the family as it stands.
        next: Family,
        /// Who presented it first.
        first: Option<IpAddr>,
    },
    /// Somebody uses what somebody else has used: the session ends, its access tokens with it.
    Reuse {
        /// The family, revoked.
        next: Family,
        /// How it was noticed.
        cause: ReuseCause,
    },
    /// It is ahead of the store, which must have lost a write. It counts as the current one and is rotated at once: the
    /// answer is the successor, of `generation`.
    Ahead(Family),
    /// Nothing happens.
    Refused(Refused),
}

/// How reuse was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReuseCause {
    /// Two or more generations old, grace or not.
    Superseded,
    /// The predecessor, but the grace is over.
    AfterGrace,
    /// Within the grace, but for the second generation in a row from another address than the first presenter's: a thief
    /// who keeps in step with the victim.
    InStep,
    /// The current generation, but under another server key than the one that made it.
    WrongKey,
}

/// Why nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// The session is past its life.
    Expired,
    /// It was revoked.
    Revoked,
}

impl ReuseCause {
    /// All causes.
    pub const ALL: [Self; 4] = [Self::Superseded, Self::AfterGrace, Self::InStep, Self::WrongKey];

    /// The word for the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::AfterGrace => "after-grace",
            Self::InStep => "in-step",
            Self::WrongKey => "wrong-key",
        }
    }
}

impl Family {
    /// A new session. Its first refresh token is of generation 0, made with the server key `key_number`.
    #[must_use]
    pub fn begin(
        subject: &str,
        client: Option<&str>,
        scope: ScopeSet,
        key_number: KeyNumber,
        life: SessionLife,
    ) -> Self {
        let expires_at = life.now.plus(life.absolute);
        Self {
            generation: 0,
            key_number,
            rotated_at: life.now,
            presenter: None,
            strangers: Strangers::default(),
            subject: subject.to_owned(),
            password: None,
            client: client.map(str::to_owned),
            scope,
            issued_at: life.now,
            expires_at,
            idle_expires_at: min(expires_at, life.now.plus(life.idle)),
            latest_access_exp: life.now,
            revoked: false,
        }
    }

    /// What presenting a refresh token of this family leads to.
    #[must_use]
    pub fn present(&self, presented: &Presented, terms: &Terms) -> Step {
        if self.revoked {
            return Step::Refused(Refused::Revoked);
        }
        let expired = presented.at >= min(self.expires_at, self.idle_expires_at);
        // Past its life, a session has nothing left to protect but its last access tokens.
        if expired && presented.at >= self.latest_access_exp {
            return Step::Refused(Refused::Expired);
        }
        match presented.generation.cmp(&self.generation) {
            Ordering::Less => self.present_old(presented, terms, expired),
            _ if expired => Step::Refused(Refused::Expired),
            // A tag under a key that did not make the current generation: whoever made it holds a token and a server key.
            Ordering::Equal if presented.key_number != self.key_number => self.reuse(ReuseCause::WrongKey),
            Ordering::Equal => self.rotate(presented, terms).map_or(Step::Refused(Refused::Expired), Step::Rotate),
            Ordering::Greater => self.rotate(presented, terms).map_or(Step::Refused(Refused::Expired), Step::Ahead),
        }
    }

    /// The family after an access token that expires at `exp` was issued to it. To be stored before that token is given out.
    #[must_use]
    pub fn issued(mut self, exp: Timestamp) -> Self {
        self.latest_access_exp = max(self.latest_access_exp, exp);
        self
    }

    /// The family of a user with this password.
    #[must_use]
    pub fn with_password(self, print: PasswordPrint) -> Self {
        Self { password: Some(print), ..self }
    }

    /// The family, ended.
    #[must_use]
    pub fn revoke(mut self) -> Self {
        self.revoked = true;
        self
    }

    /// When a store may forget it: past its life, and past that of its last access token, which could not be revoked by
    /// the session afterwards.
    #[must_use]
    pub fn kept_until(&self) -> Timestamp {
        max(min(self.expires_at, self.idle_expires_at), self.latest_access_exp.plus(MAX_LEEWAY))
    }

    fn present_old(&self, presented: &Presented, terms: &Terms, expired: bool) -> Step {
        // The immediate predecessor alone; the successor is unused, or the current generation would be a later one.
        if presented.generation.checked_add(1) != Some(self.generation) {
            return self.reuse(ReuseCause::Superseded);
        }
        if presented.at.since(self.rotated_at) >= terms.grace {
            return self.reuse(ReuseCause::AfterGrace);
        }
        if expired {
            return Step::Refused(Refused::Expired);
        }
        let stranger = match (self.presenter, presented.from) {
            (Some(first), Some(now)) => first.to_canonical() != now.to_canonical(),
            _ => false,
        };
        if stranger && self.strangers.before {
            return self.reuse(ReuseCause::InStep);
        }
        let mut next = self.clone();
        next.strangers.here |= stranger;
        Step::Repeat { next, first: self.presenter }
    }

    fn reuse(&self, cause: ReuseCause) -> Step {
        Step::Reuse { next: self.clone().revoke(), cause }
    }

    /// The family with the presented generation used; `None` if generations are used up.
    fn rotate(&self, presented: &Presented, terms: &Terms) -> Option<Self> {
        let mut next = self.clone();
        next.generation = presented.generation.checked_add(1)?;
        next.key_number = terms.key_number;
        next.rotated_at = presented.at;
        next.presenter = presented.from;
        // A generation ahead says nothing of the predecessors in between: they were lost with the write.
        let in_a_row = presented.generation == self.generation;
        next.strangers = Strangers { here: false, before: in_a_row && self.strangers.here };
        next.idle_expires_at = min(self.expires_at, presented.at.plus(terms.idle));
        Some(next)
    }
}

#[cfg(test)]
mod tests;
