//! That no mark refuses a token, remembered by whoever remembers the token.

use crate::base::Timestamp;

/// That no mark refused a token: good as long as no mark was made since, on whomever, and the cache's answer would be good.
///
/// One number says whether that is so, where the cache compares those of four places and has to find the answer first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unmarked {
    /// Of the view, before it was asked; 0 = it was not asked.
    pub(super) epoch: u64,
    pub(super) made_at: Timestamp,
    pub(super) until: Timestamp,
}

impl Unmarked {
    /// Whether it says so still, when the view's number is this one. Of a clock that was set back nobody knows how old it is: a mark
    /// that was over may be alive again.
    pub(super) fn holds(&self, epoch: u64, now: Timestamp) -> bool {
        self.epoch == epoch && self.made_at <= now && now < self.until
    }
}
