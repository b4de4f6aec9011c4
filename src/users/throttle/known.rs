//! From where users have logged in.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::window::{Allowance, Window};
use crate::base::Timestamp;

/// The addresses from which users have logged in, each with an allowance of its own. Only whoever has a password gets in here.
#[derive(Debug)]
pub(super) struct Known {
    allowance: Allowance,
    users: HashMap<u64, User>,
    /// Whose last login was when: the first is the longest ago.
    turns: BTreeMap<u64, u64>,
    turn: u64,
}

#[derive(Debug, Default)]
struct User {
    turn: u64,
    /// The one of the last login at the end.
    places: Vec<Place>,
}

#[derive(Debug, Default)]
struct Place {
    address: u64,
    /// Passwords that are being checked.
    checking: u32,
    failures: Window,
}

impl Known {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, users: HashMap::new(), turns: BTreeMap::new(), turn: 0 }
    }

    pub(super) fn contains(&self, user: u64, address: u64) -> bool {
        self.users.get(&user).is_some_and(|user| user.places.iter().any(|place| place.address == address))
    }

    /// How long to wait until another password may be checked; zero as long as others are being checked. `None`
    /// if one may be now.
    pub(super) fn refuses(&self, user: u64, address: u64, now: Timestamp) -> Option<Duration> {
        let place = self.users.get(&user)?.places.iter().find(|place| place.address == address)?;
        if let Some(wait) = self.allowance.full_for(&place.failures, now) {
            return Some(wait);
        }
        let failures = self.allowance.total(&place.failures, now);
        let is_busy = place.checking > 0 && failures.saturating_add(place.checking) >= self.allowance.failures.get();
        is_busy.then_some(Duration::ZERO)
    }

    pub(super) fn begin(&mut self, user: u64, address: u64) {
        if let Some(place) = self.place(user, address) {
            place.checking = place.checking.saturating_add(1);
        }
    }

    pub(super) fn end(&mut self, user: u64, address: u64) {
        if let Some(place) = self.place(user, address) {
            place.checking = place.checking.saturating_sub(1);
        }
    }

    pub(super) fn count(&mut self, user: u64, address: u64, now: Timestamp) {
        let allowance = self.allowance;
        if let Some(place) = self.place(user, address) {
            allowance.count(&mut place.failures, now);
        }
    }

    /// The user has logged in from there: it is known, and what failed there is forgotten.
    ///
    /// Where there is no room, the one that has not logged in for the longest time gives way, if nothing has failed there lately;
    /// else the new one is not remembered. So nobody loses his failures by others' logins.
    pub(super) fn remember(&mut self, user: u64, address: u64, now: Timestamp) {
        if !self.users.contains_key(&user) && !self.make_room(now) {
            return;
        }
        self.turn += 1;
        let known = self.users.entry(user).or_default();
        self.turns.remove(&known.turn);
        self.turns.insert(self.turn, user);
        known.turn = self.turn;
        let place = match known.places.iter().position(|place| place.address == address) {
            Some(at) => known.places.remove(at),
            None if known.places.len() < PLACES => Place { address, ..Place::default() },
            None => match known.places.iter().position(|place| place.is_idle(self.allowance, now)) {
                Some(at) => Place { address, ..known.places.remove(at).emptied() },
                None => return,
            },
        };
        known.places.push(place.emptied());
    }

    fn make_room(&mut self, now: Timestamp) -> bool {
        if self.users.len() < USERS {
            return true;
        }
        let allowance = self.allowance;
        let is_idle = |user: &User| user.places.iter().all(|place| place.is_idle(allowance, now));
        let oldest = self.turns.iter().take(LOOKED_AT);
        let idle = oldest.into_iter().find(|(_, user)| self.users.get(user).is_none_or(is_idle));
        let Some((turn, user)) = idle.map(|(turn, user)| (*turn, *user)) else { return false };
        self.turns.remove(&turn);
        self.users.remove(&user);
        true
    }

    fn place(&mut self, user: u64, address: u64) -> Option<&mut Place> {
        self.users.get_mut(&user)?.places.iter_mut().find(|place| place.address == address)
    }
}

impl Place {
    fn is_idle(&self, allowance: Allowance, now: Timestamp) -> bool {
        self.checking == 0 && allowance.total(&self.failures, now) == 0
    }

    fn emptied(self) -> Self {
        Self { failures: Window::default(), ..self }
    }
}

/// Addresses of one user: with more, whoever has a password and a large network could take up all the room.
const PLACES: usize = 8;

/// Users; with three addresses each about 10 MiB.
const USERS: usize = 50_000;

/// How many of the users with the oldest logins are asked to give way.
const LOOKED_AT: usize = 16;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn known() -> Known {
        Known::new(Allowance { failures: NonZeroU32::new(2).unwrap(), within: Duration::from_secs(300) })
    }

    #[test]
    fn the_address_of_the_oldest_login_gives_way_unless_something_failed_there() {
        let mut known = known();
        (0..8).for_each(|address| known.remember(1, address, NOW));
        known.remember(1, 0, NOW);
        known.count(1, 1, NOW);
        known.begin(1, 2);
        known.remember(1, 100, NOW);
        let left: Vec<u64> = (0..=100).filter(|address| known.contains(1, *address)).collect();
        assert_eq!(left, [0, 1, 2, 4, 5, 6, 7, 100]);
        for address in left {
            known.count(1, address, NOW);
        }
        known.remember(1, 101, NOW);
        assert!(!known.contains(1, 101), "nobody is left who could give way");
        known.end(1, 2);
        known.remember(1, 101, NOW.plus(Duration::from_secs(600)));
        assert!(known.contains(1, 101));
    }

    #[test]
    fn logins_of_others_unlock_nobody() {
        let mut known = known();
        let users = u64::try_from(USERS).unwrap();
        (0..users).for_each(|user| known.remember(user, 5, NOW));
        (0..2).for_each(|_| known.count(0, 5, NOW));
        let wait = known.refuses(0, 5, NOW);
        assert!(wait.is_some_and(|wait| wait > Duration::ZERO));
        (users..users + 100).for_each(|user| known.remember(user, 5, NOW));
        assert_eq!((known.refuses(0, 5, NOW), known.contains(0, 5)), (wait, true));
        assert!(known.contains(users + 99, 5) && !known.contains(1, 5));
        assert_eq!((known.users.len(), known.turns.len()), (USERS, USERS));
        // All of the oldest have failures: a new one must do without an allowance of its own.
        (101..200).for_each(|user| known.count(user, 5, NOW));
        known.remember(users + 100, 5, NOW);
        assert!(!known.contains(users + 100, 5));
    }

    #[test]
    fn a_login_forgets_what_failed_there() {
        let mut known = known();
        known.remember(1, 5, NOW);
        known.remember(1, 6, NOW);
        (0..2).for_each(|_| known.count(1, 5, NOW));
        known.count(1, 6, NOW);
        assert!(known.refuses(1, 5, NOW).is_some());
        known.remember(1, 5, NOW);
        assert_eq!(known.refuses(1, 5, NOW), None);
        known.count(1, 6, NOW);
        assert!(known.refuses(1, 6, NOW).is_some(), "and there alone");
    }
}
