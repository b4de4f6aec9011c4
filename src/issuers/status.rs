//! How the keys of an issuer stand, for operators.

use std::time::Duration;

use crate::base::Timestamp;

/// The keys of an issuer at one moment, and how fetching them goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether there are keys to verify with.
    pub available: bool,
    /// When keys were fetched last, by this process or one before it.
    pub last_success: Option<Timestamp>,
    /// How long ago that is.
    pub age: Option<Duration>,
    /// Why the last fetch failed, one line without anything of the answer; `None` if it did not.
    pub problem: Option<String>,
}

impl Status {
    /// Whether somebody should look: there are no keys, or only those of before.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        !self.available || self.problem.is_some()
    }
}
