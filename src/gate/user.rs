//! Whether the user whom an own token names may still what it says (`users.recheck`), and whether the client does that acts for itself.

use std::collections::HashSet;
use std::sync::Arc;

use super::identify::Failure;
use crate::base::Timestamp;
use crate::policy::Reason;
use crate::revocation::MarkKind;
use crate::tokens::{Held, Known};
use crate::users::{Recheck, Standing, UserStanding};

/// Whom own tokens are held against; nobody, where nobody knows.
#[derive(Debug, Default)]
pub(super) struct Users {
    recheck: Option<Arc<Recheck>>,
    /// The clients that may act for themselves.
    clients: Option<HashSet<String>>,
}

/// A user whose standing is not known.
#[derive(Clone, Debug)]
pub(super) struct WantedUser {
    recheck: Arc<Recheck>,
    subject: Box<str>,
}

impl Users {
    pub(super) fn of(recheck: Arc<Recheck>, clients: HashSet<String>) -> Self {
        Self { recheck: Some(recheck), clients: Some(clients) }
    }

    /// The token, with no more scopes and roles than its user still has.
    pub(super) fn admit(&self, token: Known, now: Timestamp) -> Result<Known, Failure> {
        // Another issuer's users are not ours.
        if !token.rules().own {
            return Ok(token);
        }
        let refused = |token: &Known, reason| Failure::new(reason, Some(Arc::clone(token.rules())));
        // A client that acts for itself is no user (RFC 9700 §4.15). One that is no longer registered, or no longer for that, is nobody.
        if let Some(client) = token.claims().subject.strip_prefix(CLIENT_PREFIX) {
            let gone = self.clients.as_ref().is_some_and(|clients| !clients.contains(client));
            return if gone { Err(refused(&token, Reason::UserDisabled)) } else { Ok(token) };
        }
        let Some(recheck) = &self.recheck else { return Ok(token) };
        match recheck.standing(&token.claims().subject, now) {
            Standing::Known(user) => Ok(cut(token, Held { scopes: &user.scopes, roles: &user.roles })),
            Standing::Asked(UserStanding::Unasked) => Ok(token),
            Standing::Asked(UserStanding::Has(rights)) => {
                Ok(cut(token, Held { scopes: &rights.scopes, roles: &rights.roles }))
            }
            Standing::Asked(UserStanding::Disabled) => Err(refused(&token, Reason::UserDisabled)),
            Standing::Asked(UserStanding::Unknown { failed: true }) => Err(refused(&token, Reason::StoreUnavailable)),
            Standing::Asked(UserStanding::Unknown { failed: false }) => {
                let subject = token.claims().subject.clone();
                let user = WantedUser { recheck: Arc::clone(recheck), subject };
                Err(refused(&token, Reason::StoreUnavailable).or_ask(user))
            }
        }
    }

    /// Why a token under a mark of this kind is refused. Of a user who is disabled or gone all tokens are marked too; the log is to say
    /// which of the two it is, or whoever looks for the cause looks in the wrong place.
    pub(super) fn revoked(&self, token: Known, kind: MarkKind, now: Timestamp) -> Reason {
        let disabled = || self.admit(token, now).is_err_and(|failure| failure.reason() == Reason::UserDisabled);
        if kind == MarkKind::Sub && disabled() { Reason::UserDisabled } else { Reason::Revoked }
    }

    /// [`Users::admit`] for a stream, which does not end because nobody can tell how its user stands: all of them would, with each outage.
    pub(super) fn still_admits(&self, token: Known, now: Timestamp) -> Result<Known, Reason> {
        match self.admit(token.clone(), now).map_err(|failure| failure.reason()) {
            Err(Reason::StoreUnavailable) => Ok(token),
            admitted => admitted,
        }
    }
}

impl WantedUser {
    /// Waits for the answer; looking again then gives another one, be it that there was none.
    pub(super) async fn ask(&self) -> bool {
        self.recheck.answer(&self.subject).await;
        true
    }
}

fn cut(token: Known, held: Held<'_>) -> Known {
    match token.cut_to(held) {
        Some(cut) => token.replaced(cut),
        None => token,
    }
}

const CLIENT_PREFIX: &str = "client:";
