//! A verified token as it is remembered, and as requests have it.

use std::any::Any;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::cache::MAX_AGE;
use super::{Rejected, Verified};
use crate::base::{Times, Timestamp};

/// A token that was verified at a certain time.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) verified: Arc<Verified>,
    pub(super) at: Timestamp,
}

impl Remembered {
    /// Whether it was verified with the keys its issuer has now, no longer than [`MAX_AGE`] ago. Of a clock that was set back nobody
    /// knows how long ago that is.
    pub(super) fn counts(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.at.plus(MAX_AGE) && self.verified.is_of_current_keys()
    }
}

/// A verified token, behind a count of its own.
///
/// A token that many threads remember is counted by all of them. A request that had it from there would write to memory that the
/// others write to at the same moment; so each thread makes one of these, and its requests clone that.
#[derive(Clone, Debug)]
pub struct Known(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    token: Remembered,
    made: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Known {
    pub(super) fn new(remembered: Remembered) -> Self {
        Self(Arc::new(Kept { token: remembered, made: OnceLock::new() }))
    }

    /// Whether it may still be taken without being verified anew, by this machine's clock; not whether its times are right, which
    /// [`Verified::in_time`] says.
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> bool {
        self.0.token.counts(now)
    }

    /// The same, if it is [in time](Verified::in_time): to be asked on every request.
    ///
    /// # Errors
    /// [`Rejected`] for that.
    pub fn timely(self, now: Times) -> Result<Self, Rejected> {
        match self.in_time(now) {
            Ok(()) => Ok(self),
            Err(error) => Err(Rejected { error, issuer: Some(Arc::clone(self.rules())), kid: None }),
        }
    }

    pub(super) fn remembered(&self) -> Remembered {
        self.0.token.clone()
    }

    /// What `make` makes of the token, kept beside it as long as this is remembered. Whoever asks for it decides alone what that
    /// is, by one configuration: with another one the token is another's to remember.
    ///
    /// # Errors
    /// Those of `make`; then nothing is kept.
    pub fn made<T: Any + Send + Sync, E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(Ok(made)) = self.0.made.get().map(|made| Arc::clone(made).downcast()) {
            return Ok(made);
        }
        let made = Arc::new(make()?);
        // Another request may have been quicker, with the same.
        let _ = self.0.made.set(Arc::<T>::clone(&made));
        Ok(made)
    }

    /// The token itself, for who keeps it longer than a request.
    #[must_use]
    pub fn shared(&self) -> Arc<Verified> {
        Arc::clone(&self.0.token.verified)
    }

    /// The same, cut; nobody will find it by what was cut.
    #[must_use]
    pub fn replaced(&self, cut: Verified) -> Self {
        Self::new(Remembered { verified: Arc::new(cut), at: self.0.token.at })
    }
}

impl From<Arc<Verified>> for Known {
    /// Of one that was judged elsewhere, and is not remembered.
    fn from(verified: Arc<Verified>) -> Self {
        Self::new(Remembered { verified, at: Timestamp::MAX })
    }
}

impl Deref for Known {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.0.token.verified
    }
}
