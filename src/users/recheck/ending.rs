//! Taking an answer up: what it says of the user's password, and of tokens from before.

use std::sync::Arc;

use async_trait::async_trait;

use crate::base::{Clock, Timestamp};
use crate::keys::ServerKeys;
use crate::users::User;
use crate::users::standing::StandingTable;

/// Ends the tokens of a user who is not who the user was.
#[async_trait]
pub trait EndTokens: Send + Sync + std::fmt::Debug {
    /// Refuses all own access tokens that `subject` was issued until `at`, from when this returns on.
    ///
    /// # Errors
    /// [`NotEnded`] if that could not be stored.
    async fn end_tokens(&self, subject: &str, at: Timestamp) -> Result<(), NotEnded>;
}

/// The tokens go on: the store of marks does not answer. It has been told in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tokens of a user could not be ended")]
pub struct NotEnded;

/// Who ends tokens, and what tells one password from another.
#[derive(Clone, Debug)]
pub(super) struct Endings {
    pub(super) ends: Arc<dyn EndTokens>,
    pub(super) keys: Arc<ServerKeys>,
}

/// An answer that is being taken up.
pub(super) struct Taking<'a> {
    pub(super) table: &'a StandingTable,
    pub(super) endings: Option<&'a Endings>,
    pub(super) clock: &'a dyn Clock,
}

impl Taking<'_> {
    pub(super) async fn take(&self, subject: &str, user: Option<&User>, asked_at: Timestamp) {
        let now = self.clock.now();
        let Some(before) = self.table.before(subject, asked_at, now) else { return };
        let Some(Endings { ends, keys }) = self.endings else {
            return self.table.learn(subject, (user, None), asked_at, now);
        };
        let password = user.map(|user| user.password_hash.print(keys));
        let has_another = |user: &User| {
            let known = before.password.as_ref();
            known.is_some_and(|known| user.password_hash.is_of(known, keys) == Some(false))
        };
        // Ended first: a token of the old password must not pass as one of the new. Until that is stored, what was known holds for as
        // long as it would have, and the next question tries again.
        if user.is_some_and(|user| !user.disabled && has_another(user)) && ends.end_tokens(subject, now).await.is_err()
        {
            return self.table.failed(subject, self.clock.now());
        }
        self.table.learn(subject, (user, password), asked_at, self.clock.now());
        // Refused first: the mark is for the time when the user is let in again. Not where the row is gone: tables are filled anew, and
        // nobody should be logged out for it.
        let disabled = user.is_some_and(|user| user.disabled);
        if disabled && before.tokens && ends.end_tokens(subject, now).await.is_ok() {
            self.table.ended(subject, self.clock.now());
        }
    }
}
