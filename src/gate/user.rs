//! Whether the user whom an own token names may still what it says (`users.recheck`).

use std::sync::Arc;

use super::identify::Failure;
use crate::base::Timestamp;
use crate::policy::Reason;
use crate::tokens::{ScopeSet, Verified};
use crate::users::{Recheck, Standing, UserStanding};

/// Whom own tokens are held against; nobody, where nobody knows.
#[derive(Debug, Default)]
pub(super) struct Users(Option<Arc<Recheck>>);

/// A user whose standing is not known.
#[derive(Clone, Debug)]
pub(super) struct WantedUser {
    recheck: Arc<Recheck>,
    subject: Box<str>,
}

impl Users {
    pub(super) const fn of(recheck: Arc<Recheck>) -> Self {
        Self(Some(recheck))
    }

    /// The token, with no more scopes than its user still has.
    pub(super) fn admit(&self, token: Arc<Verified>, now: Timestamp) -> Result<Arc<Verified>, Failure> {
        let Some(recheck) = self.0.as_ref().filter(|_| is_of_a_user(&token)) else { return Ok(token) };
        let refused = |reason| Failure::new(reason, Some(Arc::clone(token.rules())));
        match recheck.standing(&token.claims().subject, now) {
            Standing::Known(user) => Ok(cut(token, &user.scopes)),
            Standing::Asked(UserStanding::Unasked) => Ok(token),
            Standing::Asked(UserStanding::Has(scopes)) => Ok(cut(token, &scopes)),
            Standing::Asked(UserStanding::Disabled) => Err(refused(Reason::UserDisabled)),
            Standing::Asked(UserStanding::Unknown { failed: true }) => Err(refused(Reason::StoreUnavailable)),
            Standing::Asked(UserStanding::Unknown { failed: false }) => {
                let subject = token.claims().subject.clone();
                let user = WantedUser { recheck: Arc::clone(recheck), subject };
                Err(refused(Reason::StoreUnavailable).or_ask(user))
            }
        }
    }

    /// The same for a stream, which does not end because nobody can tell how its user stands: all of them would, with each outage.
    pub(super) fn still_admits(&self, token: Arc<Verified>, now: Timestamp) -> Result<Arc<Verified>, Reason> {
        match self.admit(Arc::clone(&token), now).map_err(|failure| failure.reason()) {
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

/// Another issuer's users are not ours, and a client that acts for itself is no user (RFC 9700 §4.15).
fn is_of_a_user(token: &Verified) -> bool {
    token.rules().own && !token.claims().subject.starts_with(CLIENT_PREFIX)
}

fn cut(token: Arc<Verified>, scopes: &ScopeSet) -> Arc<Verified> {
    if scopes.contains_all(&token.claims().scopes) { token } else { Arc::new(token.cut_to(scopes)) }
}

const CLIENT_PREFIX: &str = "client:";
