//! Whether a token is dead, as it is asked for every request.

use super::answers::Answer;
use super::{Answered, Identifiers, OnStoreFailure, Revocations, Staleness, Standing};
use crate::base::Timestamp;

/// How a look-up ended, for the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// The answer was remembered.
    Hit,
    /// It was not.
    Miss,
    /// The token passed although the view is too old to tell.
    Stale,
    /// Nothing is remembered, by the settings.
    Off,
}

impl Revocations {
    /// What the marks say of `token` at `now`, by the store's time. No I/O; asked for every request.
    pub fn standing(&self, token: &Identifiers<'_>, now: Timestamp) -> (Standing, LookUp) {
        self.standing_of(token, &mut Answered::default(), now)
    }

    /// The same of a token of which that was `answered` when it was last asked for; it is brought up to date.
    pub fn standing_of(&self, token: &Identifiers<'_>, answered: &mut Answered, now: Timestamp) -> (Standing, LookUp) {
        // INVARIANT: read before the marks are. One that comes in between changes it.
        let epoch = self.view.epoch();
        let (standing, look_up) = match answered.now(epoch, now) {
            Some(standing) => (standing, LookUp::Hit),
            None => {
                let (standing, look_up, new) = self.known(token, epoch, now);
                *answered = new;
                (standing, look_up)
            }
        };
        // A mark refuses whatever the store says: marks are only ever added.
        if standing == Standing::Good
            && let Some(Staleness { too_old: true, then, .. }) = self.staleness()
        {
            return match then {
                OnStoreFailure::Deny => (Standing::Unknown, look_up),
                OnStoreFailure::Allow => (Standing::Good, LookUp::Stale),
            };
        }
        (standing, look_up)
    }

    fn known(&self, token: &Identifiers<'_>, epoch: u64, now: Timestamp) -> (Standing, LookUp, Answered) {
        let answers = self.answers.load();
        let Some(answers) = answers.as_deref() else {
            return (self.view.standing(token, now), LookUp::Off, Answered::default());
        };
        let digest = token.digest();
        if let Some(answer) = answers.find(&digest, &self.view, now) {
            return (answer.standing, LookUp::Hit, answers.answered(&answer, epoch));
        }
        let keys = token.keys();
        // INVARIANT: counted before it is looked at, so that a mark that comes in between unsettles the answer.
        let version = self.view.version_for(&keys);
        let (standing, until) = self.view.look_up(&keys, token.issued_at, now);
        let answer = Answer { standing, keys, version, made_at: now, until };
        answers.insert(digest, answer);
        (standing, LookUp::Miss, answers.answered(&answer, epoch))
    }
}

#[cfg(test)]
mod tests;
