//! Where users come from.

use std::sync::Arc;

use async_trait::async_trait;

use super::{StoredHash, User};

/// A source of users.
#[async_trait]
pub trait UserStore: Send + Sync + std::fmt::Debug {
    /// Looks a name up. The answer always has a hash to check the password against, so that a login for an unknown name
    /// takes the way, and the time, of one for a known name: a shortcut here tells an attacker which names exist.
    ///
    /// `blind` is a number that follows from the name and that nobody outside can predict; it picks the decoy, so that
    /// asking twice costs the same twice.
    ///
    /// # Errors
    /// [`UserStoreError`] if the store cannot be asked: the login is answered 503, never "wrong password".
    async fn candidate(&self, username: &str, blind: u64) -> Result<Candidate, UserStoreError>;

    /// The user of a session, with the hash as it stands now; no password is asked for. `None` if the name is gone: that ends the
    /// user's sessions and tokens for good. Answers in bounded time.
    ///
    /// # Errors
    /// [`UserStoreError`] if the store cannot be asked, or what it has of the user may be a mistake: that refuses, and ends nothing.
    async fn find(&self, username: &str) -> Result<Option<Arc<User>>, UserStoreError>;

    /// How many questions it takes at once without one waiting for another.
    fn at_once(&self) -> usize {
        32
    }

    /// Whether outdated hashes are to be replaced at login.
    fn rehashes(&self) -> bool {
        false
    }

    /// Puts `hash` in the place of the user's, if that is `expected` still and the user may log in: one step, in which nobody else changes
    /// it, or a password that was changed meanwhile would come back. Asked for only where [`UserStore::rehashes`] says so.
    ///
    /// # Errors
    /// [`UserStoreError`] if it may not be there; a later login tries again.
    async fn rehash(&self, username: &str, expected: &StoredHash, hash: &str) -> Result<(), UserStoreError> {
        let _ = (username, expected, hash);
        Ok(())
    }

    /// Whether the name is somebody's whose hash nobody can check: refused, but not gone, and no session ends by it.
    fn is_unusable(&self, username: &str) -> bool {
        let _ = username;
        false
    }

    /// Whether a user who was found a moment ago may still log in with the same hash, as far as that is known without asking anybody.
    /// Checking a password takes time, in which it may be changed.
    fn still_has(&self, user: &User) -> bool {
        let _ = user;
        true
    }

    /// What is known of a user without asking anybody. Only a store that has all its users in memory overrides this; its tokens then
    /// hold as its users do, at every request.
    fn in_memory(&self, username: &str) -> InMemory<'_> {
        let _ = username;
        InMemory::Unknown
    }
}

/// What a store knows of a user at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InMemory<'a> {
    /// Nothing: it has to be asked.
    Unknown,
    /// That there is no such user.
    Gone,
    /// All.
    User(&'a User),
}

/// What a login is checked against.
#[derive(Clone)]
pub struct Candidate {
    /// The user, if there is one.
    pub user: Option<Arc<User>>,
    /// The user's hash, or a decoy of the scheme and cost of one of those in use.
    pub hash: Arc<StoredHash>,
}

/// The store of users does not answer, or with what may be a mistake. What is told has nothing of a user's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store of users has no answer: {0}")]
pub struct UserStoreError(pub String);

impl std::fmt::Debug for Candidate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Candidate").field("user", &self.user).finish_non_exhaustive()
    }
}
