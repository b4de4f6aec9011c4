//! What the marks say of a token, remembered by whoever remembers the token.

use super::Standing;
use crate::base::Timestamp;

/// What the marks said of a token: good as long as no mark was made since, on whomever, and the cache's answer would be good.
///
/// One number says whether that is so, where the cache compares those of four places and has to find the answer first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub(super) standing: Standing,
    /// Of the view, before it was asked; 0 = it was not asked.
    pub(super) epoch: u64,
    pub(super) made_at: Timestamp,
    /// When the cache would forget it, or the mark that decided it is over.
    pub(super) until: Timestamp,
}

impl Answered {
    /// What is said still, when the view's number is this one. Of a clock that was set back nobody knows how old it is: a mark that
    /// was over may be alive again.
    pub(super) fn now(&self, epoch: u64, now: Timestamp) -> Option<Standing> {
        (self.epoch == epoch && self.made_at <= now && now < self.until).then_some(self.standing)
    }
}

impl Default for Answered {
    /// Nobody was asked.
    fn default() -> Self {
        let never = Timestamp::from_millis(0);
        Self { standing: Standing::Unknown, epoch: 0, made_at: never, until: never }
    }
}
