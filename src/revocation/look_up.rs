//! Whether a token is dead, as it is asked for every request.

use super::answers::Answer;
use super::{Identifiers, OnStoreFailure, Revocations, Staleness, Standing, Unmarked};
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
        self.standing_of(token, &mut Unmarked::default(), now)
    }

    /// The same of a token that was `unmarked` when it was last asked for, which is brought up to date.
    pub fn standing_of(&self, token: &Identifiers<'_>, unmarked: &mut Unmarked, now: Timestamp) -> (Standing, LookUp) {
        // INVARIANT: read before the marks are. One that comes in between changes it.
        let epoch = self.view.epoch();
        let (standing, look_up) = if unmarked.holds(epoch, now) {
            (Standing::Good, LookUp::Hit)
        } else {
            let (standing, look_up, answered) = self.known(token, epoch, now);
            *unmarked = answered.unwrap_or_default();
            (standing, look_up)
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

    fn known(&self, token: &Identifiers<'_>, epoch: u64, now: Timestamp) -> (Standing, LookUp, Option<Unmarked>) {
        let answers = self.answers.load();
        let Some(answers) = answers.as_deref() else { return (self.view.standing(token, now), LookUp::Off, None) };
        let unmarked = |standing, made_at| (standing == Standing::Good).then(|| answers.unmarked(epoch, made_at));
        let digest = token.digest();
        if let Some(Answer { standing, made_at, .. }) = answers.find(&digest, &self.view, now) {
            return (standing, LookUp::Hit, unmarked(standing, made_at));
        }
        let keys = token.keys();
        // INVARIANT: counted before it is looked at, so that a mark that comes in between unsettles the answer.
        let version = self.view.version_for(&keys);
        let (standing, until) = self.view.look_up(&keys, token.issued_at, now);
        answers.insert(digest, Answer { standing, keys, version, made_at: now, until });
        (standing, LookUp::Miss, unmarked(standing, now))
    }
}
