//! How passwords are checked.

use std::num::NonZeroUsize;

/// `users.hashing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingSettings {
    /// How many hashes are computed at once; `None` = cores less one, at least one.
    pub concurrency: Option<NonZeroUsize>,
    /// How many more may wait; beyond it a login is answered 503.
    pub queue: usize,
}
