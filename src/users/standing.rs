//! How users stood when they were last asked for: a table of bounded size, for stores that have to be asked.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::User;
use crate::base::Timestamp;
use crate::keys::PasswordPrint;
use crate::tokens::ScopeSet;

/// What a user may now, whatever the tokens say that were issued before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserStanding {
    /// Whatever the tokens say: nobody is asked about them.
    Unasked,
    /// No more than this.
    Has(Arc<Rights>),
    /// Nothing: disabled, or gone.
    Disabled,
    /// It was not asked for yet, or too long ago. Whether asking again has just failed.
    Unknown {
        /// So there is no use in asking at once.
        failed: bool,
    },
}

/// What a user who may log in has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// What may be granted.
    pub scopes: ScopeSet,
    /// As the store has them.
    pub roles: Vec<String>,
}

/// What was known of a user before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Of the hash that the user had last; kept while the user is gone.
    pub password: Option<PasswordPrint>,
    /// Whether tokens from before the user was disabled may still be good: yes, unless it is known that they were ended.
    pub tokens: bool,
}

/// A standing, and whether it is time to ask again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What is known.
    pub standing: UserStanding,
    /// It is old enough to be asked for, and asking has not just failed.
    pub due: bool,
}

/// The table. Who falls out of it costs one more question.
#[derive(Debug)]
pub struct StandingTable {
    shards: Box<[Shard]>,
    /// Subjects may be chosen by who has a signing key: nobody aims at a shard.
    hash: RandomState,
    recheck: Duration,
    capacity: usize,
}

type Shard = Mutex<HashMap<Box<str>, Entry>>;

#[derive(Debug, Default)]
struct Entry {
    /// The answer, and when the question was put.
    known: Option<(UserStanding, Timestamp)>,
    /// Of the last hash that was seen.
    password: Option<PasswordPrint>,
    /// The user is disabled, and the tokens from before are refused for good.
    ended: bool,
    failed_at: Option<Timestamp>,
}

impl StandingTable {
    /// An empty table whose answers hold for `recheck`; about `capacity` users are known at once.
    #[must_use]
    pub fn new(recheck: Duration, capacity: usize) -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, hash: RandomState::new(), recheck, capacity: capacity.div_ceil(SHARDS).max(1) }
    }

    /// How long an answer holds.
    #[must_use]
    pub const fn recheck(&self) -> Duration {
        self.recheck
    }

    /// How `subject` stands at `now`.
    #[must_use]
    pub fn look(&self, subject: &str, now: Timestamp) -> Look {
        let unknown = |failed| Look { standing: UserStanding::Unknown { failed }, due: !failed };
        let Some(shard) = self.shard(subject) else { return unknown(false) };
        let entries = shard.lock();
        let Some(entry) = entries.get(subject) else { return unknown(false) };
        let failed =
            entry.failed_at.is_some_and(|at| age(at, now).is_some_and(|age| age < PAUSE.min(self.recheck / 4)));
        match &entry.known {
            Some((standing, asked_at)) => match age(*asked_at, now) {
                Some(age) if age < self.recheck => {
                    Look { standing: standing.clone(), due: !failed && age >= self.recheck / 2 }
                }
                _ => unknown(failed),
            },
            None => unknown(failed),
        }
    }

    /// What was known of `subject` before the answer to a question that was put at `asked_at`; `None` = the answer to a later question, so
    /// that this one says nothing new.
    #[must_use]
    pub fn before(&self, subject: &str, asked_at: Timestamp, now: Timestamp) -> Option<Before> {
        let entries = self.shard(subject)?.lock();
        let Some(entry) = entries.get(subject) else { return Some(Before { password: None, tokens: true }) };
        let is_newer = entry.known.as_ref().is_none_or(|(_, known)| is_older(*known, asked_at, now));
        is_newer.then_some(Before { password: entry.password, tokens: !entry.ended })
    }

    /// Takes an answer up that came `now`: of a question put at `asked_at`, which is how old it is. `None` = the user is gone. `password`
    /// is of the user's hash.
    pub fn learn(
        &self,
        subject: &str,
        (user, password): (Option<&User>, Option<PasswordPrint>),
        asked_at: Timestamp,
        now: Timestamp,
    ) {
        let standing = match user.filter(|user| !user.disabled) {
            Some(user) => {
                UserStanding::Has(Arc::new(Rights { scopes: user.scopes.clone(), roles: user.roles.clone() }))
            }
            None => UserStanding::Disabled,
        };
        self.with(subject, now, |entry| {
            if entry.known.as_ref().is_none_or(|(_, known)| is_older(*known, asked_at, now)) {
                let ended = entry.ended && standing == UserStanding::Disabled;
                let password = password.or(entry.password);
                *entry = Entry { known: Some((standing, asked_at)), password, ended, failed_at: None };
            }
        });
    }

    /// That a disabled user's tokens were ended.
    pub fn ended(&self, subject: &str, now: Timestamp) {
        self.with(subject, now, |entry| entry.ended = true);
    }

    /// That there was no answer at `now`. What was known holds for as long as it would have.
    pub fn failed(&self, subject: &str, now: Timestamp) {
        self.with(subject, now, |entry| entry.failed_at = Some(now));
    }

    /// How many users it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether it knows nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with(&self, subject: &str, now: Timestamp, change: impl FnOnce(&mut Entry)) {
        let Some(shard) = self.shard(subject) else { return };
        let mut entries = shard.lock();
        if entries.len() >= self.capacity
            && !entries.contains_key(subject)
            && let Some(one) = makes_room(&entries, now)
        {
            entries.remove(&one);
        }
        change(entries.entry(subject.into()).or_default());
    }

    fn shard(&self, subject: &str) -> Option<&Shard> {
        let hash = usize::try_from(self.hash.hash_one(subject) % SHARDS as u64).ok()?;
        self.shards.get(hash)
    }
}

/// Who falls out of a full table: who has no answer, or the oldest one. Of a few, since requests wait for the lock.
fn makes_room(entries: &HashMap<Box<str>, Entry>, now: Timestamp) -> Option<Box<str>> {
    // What is of a time to come is not believed.
    let asked_at = |entry: &Entry| entry.known.as_ref().map(|(_, at)| *at).filter(|at| *at <= now);
    let some = entries.iter().take(LOOKED_AT);
    some.min_by_key(|(_, entry)| asked_at(entry)).map(|(subject, _)| subject.clone())
}

/// Whether what is known is older than an answer. Answers may overtake each other; and the clock may have been set back.
fn is_older(known_at: Timestamp, asked_at: Timestamp, now: Timestamp) -> bool {
    known_at <= asked_at || known_at > now
}

/// `None` for what is of a time to come: the clock was set back, and nobody knows how old it is.
fn age(at: Timestamp, now: Timestamp) -> Option<Duration> {
    (at <= now).then(|| now.since(at))
}

const SHARDS: usize = 16;

/// Of so many one makes room.
const LOOKED_AT: usize = 8;

/// How long a store that does not answer is left alone, for each user.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_known_longest_makes_room() {
        let at = Timestamp::from_seconds;
        let known = |at| Entry { known: Some((UserStanding::Disabled, at)), ..Entry::default() };
        let unknown = || Entry { failed_at: Some(at(1009)), ..Entry::default() };
        for (entries, expected) in [
            (vec![("new", known(at(1009))), ("old", known(at(1000))), ("newer", known(at(1010)))], "old"),
            (vec![("old", known(at(1000))), ("failed", unknown())], "failed"),
            (vec![("old", known(at(1000))), ("to come", known(at(1011)))], "to come"),
        ] {
            let entries: HashMap<Box<str>, Entry> =
                entries.into_iter().map(|(name, entry)| (name.into(), entry)).collect();
            assert_eq!(makes_room(&entries, at(1010)).as_deref(), Some(expected));
        }
        // However many there are, a few are looked at.
        let many: HashMap<Box<str>, Entry> =
            (0..10_000).map(|number| (number.to_string().into(), known(at(number)))).collect();
        let looked_at: Vec<_> = many.keys().take(LOOKED_AT).cloned().collect();
        assert!(makes_room(&many, at(10_000)).is_some_and(|one| looked_at.contains(&one)));
    }
}
