//! Answers per token, remembered before the view.

use std::time::Duration;

use moka::sync::Cache;

use super::identifiers::Keys;
use super::{Answered, CacheSettings, Standing, View};
use crate::base::Timestamp;

/// What was found out of tokens, for as long as nothing has changed about them.
#[derive(Debug)]
pub(super) struct Answers {
    cache: Cache<[u8; 16], Answer>,
    settings: CacheSettings,
}

/// One answer, and all that it depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) standing: Standing,
    pub(super) keys: Keys,
    /// Of the view, for `keys`, before it was asked.
    pub(super) version: u64,
    pub(super) made_at: Timestamp,
    /// When the mark that decided it is over.
    pub(super) until: Option<Timestamp>,
}

impl Answers {
    /// `None` if nothing is to be remembered.
    pub(super) fn new(settings: CacheSettings) -> Option<Self> {
        if settings.capacity == 0 || settings.ttl.is_zero() {
            return None;
        }
        let cache = Cache::builder()
            .max_capacity(settings.capacity)
            // Only to free memory: whether an answer holds is decided by the time that is passed in.
            .time_to_live(settings.ttl.min(MAX_TTL))
            .build();
        Some(Self { cache, settings })
    }

    /// The answer of that name, if it holds still.
    pub(super) fn find(&self, digest: &[u8; 16], view: &View, now: Timestamp) -> Option<Answer> {
        let answer = self.cache.get(digest)?;
        let fresh = now >= answer.made_at && now.since(answer.made_at) < self.settings.ttl;
        let over = answer.until.is_some_and(|until| now >= until);
        (fresh && !over && view.version_for(&answer.keys) == answer.version).then_some(answer)
    }

    /// An answer for who remembers it himself; `epoch` is of the view before that was looked at.
    pub(super) fn answered(&self, answer: &Answer, epoch: u64) -> Answered {
        let Answer { standing, made_at, until, .. } = *answer;
        let forgotten = made_at.plus(self.settings.ttl);
        Answered { standing, epoch, made_at, until: until.map_or(forgotten, |until| until.min(forgotten)) }
    }

    pub(super) fn insert(&self, digest: [u8; 16], answer: Answer) {
        self.cache.insert(digest, answer);
    }
}

/// The cache refuses more than a thousand years.
const MAX_TTL: Duration = Duration::from_hours(24 * 365);
