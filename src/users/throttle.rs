//! How often logins may fail (RFC 6749 §4.3.2), and clients show a wrong secret (§2.3.1): by name and by address, counted before anything is
//! hashed.
//!
//! Whether a name exists makes no difference here: counts are kept under whatever is typed. What is kept is never the name, which
//! may be somebody's password in the wrong field, but a hash under a key of this process.

mod known;
mod name;
mod table;
mod window;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::base::Timestamp;
use known::Known;
use name::Place;
use table::Table;
pub use window::Allowance;

/// `users.throttle`: `None` = any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// Failures of one user name; and apart from these, of one name at an address where it has logged in.
    pub per_user: Option<Allowance>,
    /// Failures of one address (IPv6: one /64), whatever the names.
    pub per_address: Option<Allowance>,
}

impl ThrottleSettings {
    /// What is borne of a name at an address where it has logged in: where names have no allowance, that of an address still must not
    /// be others' to use up.
    #[must_use]
    pub fn of_known(self) -> Option<Allowance> {
        self.per_user.or(self.per_address)
    }
}

/// The failures of all names and addresses, in memory that is bounded: lost at a restart.
pub struct Throttle {
    settings: ThrottleSettings,
    keys: RandomState,
    state: Mutex<State>,
}

struct State {
    users: Option<Table>,
    addresses: Option<Table>,
    known: Option<Known>,
    sameness: Sameness,
}

/// Too many logins have failed: the answer is 429 with Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many failed logins")]
pub struct Throttled {
    /// Whole seconds until another may be tried; at least 1.
    pub retry_after: u64,
}

impl Throttle {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new(settings: ThrottleSettings) -> Self {
        let state = State {
            users: settings.per_user.map(Table::new),
            addresses: settings.per_address.map(Table::new),
            known: settings.of_known().map(Known::new),
            sameness: Sameness::default(),
        };
        Self { settings, keys: RandomState::new(), state: Mutex::new(state) }
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> ThrottleSettings {
        self.settings
    }

    /// Lets a login be tried. While it is, it counts as if it would fail, so that many at once get no further than one by one.
    ///
    /// From where the user has logged in before, only the failures of this user there count: what others do under the name, or
    /// from the same address under other names, locks nobody out.
    ///
    /// # Errors
    /// [`Wait`], which does not count as a failure: who waits as told gets in.
    pub fn admit(self: &Arc<Self>, username: &str, address: Option<IpAddr>, now: Timestamp) -> Result<Attempt, Wait> {
        let mut state = self.state.lock();
        let charge = self.charge(&state, username, address, now);
        match state.refuses(charge) {
            Some(wait) => Err(wait),
            None => Ok(self.begin(&mut state, charge, address)),
        }
    }

    /// Counts a login that was let in by what several instances have counted together: it is tried whatever has failed here.
    pub fn note(self: &Arc<Self>, username: &str, address: Option<IpAddr>, now: Timestamp) -> Attempt {
        let mut state = self.state.lock();
        let charge = self.charge(&state, username, address, now);
        self.begin(&mut state, charge, address)
    }

    fn charge(&self, state: &State, username: &str, address: Option<IpAddr>, at: Timestamp) -> Charge {
        let user = self.keys.hash_one(name::canonical(username));
        let from = self.keys.hash_one(Place::of(address));
        let is_known = state.known.as_ref().is_some_and(|known| known.contains(user, from));
        Charge { user, from, is_known, at }
    }

    fn begin(self: &Arc<Self>, state: &mut State, charge: Charge, address: Option<IpAddr>) -> Attempt {
        state.begin(charge);
        let may_be_a_proxy = name::may_be_a_proxy(address);
        Attempt { throttle: Arc::clone(self), charge, may_be_a_proxy, is_open: true }
    }
}

/// What a name and an address are counted under where instances share counts: in the same spelling everywhere, and told apart.
pub(super) fn counted(username: &str, address: Option<IpAddr>) -> [Vec<u8>; 2] {
    let tagged = |tag: &[u8], bytes: &[u8]| [tag, bytes].concat();
    [tagged(b"user ", name::canonical(username).as_bytes()), tagged(b"address ", &Place::of(address).bytes())]
}

impl Throttled {
    /// After so long, in whole seconds and at least one.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self { retry_after: u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1) }
    }
}

/// Why a login may not be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Those that are being tried are all that is in the way: they may all be right.
    ForOthers,
    /// Too many have failed.
    Until(Throttled),
}

/// Under what a failure is counted.
#[derive(Clone, Copy)]
struct Charge {
    user: u64,
    from: u64,
    /// Whether this user had logged in from there when the login was let in: it is counted where it was judged.
    is_known: bool,
    at: Timestamp,
}

/// A login that is being tried. Dropped, as when the client goes away, it has failed: otherwise hanging up would be a way to guess.
#[must_use = "dropped, it counts as a failure"]
pub struct Attempt {
    throttle: Arc<Throttle>,
    charge: Charge,
    may_be_a_proxy: bool,
    is_open: bool,
}

impl Attempt {
    /// The password was right. From now on this user has an allowance of his own at this address, all of it.
    ///
    /// The failures of the name elsewhere stay: they are others' guesses, and would begin anew at each login of the user. Those of
    /// the address stay, too: whoever has one good password could guess on forever.
    pub fn succeeded(mut self) {
        self.close(|state, charge| {
            if let Some(known) = &mut state.known {
                known.remember(charge.user, charge.from, charge.at);
            }
        });
    }

    /// Name or password was wrong. True once, when it looks as if all clients had one address, that of a proxy: then they share an
    /// allowance, and anybody can lock all of them out.
    #[must_use]
    pub fn failed(mut self) -> bool {
        let may_be_a_proxy = self.may_be_a_proxy;
        self.close(|state, charge| {
            state.count(charge);
            state.sameness.looks_like_a_proxy(charge, may_be_a_proxy)
        })
    }

    /// Nobody knows whether it was right: a store was down, or there was no room to hash.
    pub fn untold(mut self) {
        self.close(|_, _| ());
    }

    /// All under one lock: in between others would be let in.
    fn close<T>(&mut self, then: impl FnOnce(&mut State, Charge) -> T) -> T {
        self.is_open = false;
        let mut state = self.throttle.state.lock();
        state.end(self.charge);
        then(&mut state, self.charge)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_open {
            self.close(State::count);
        }
    }
}

impl State {
    fn refuses(&self, Charge { user, from, is_known, at }: Charge) -> Option<Wait> {
        let mut waits = Vec::new();
        if is_known {
            waits.extend(self.known.as_ref().and_then(|known| known.refuses(user, from, at)));
        } else {
            for (table, key) in [(&self.users, user), (&self.addresses, from)] {
                waits.extend(table.as_ref().and_then(|table| table.refuses(key, at)));
            }
        }
        let wait = waits.into_iter().max()?;
        if wait.is_zero() {
            return Some(Wait::ForOthers);
        }
        Some(Wait::Until(Throttled::after(wait)))
    }

    fn begin(&mut self, charge: Charge) {
        match &mut self.known {
            Some(known) if charge.is_known => known.begin(charge.user, charge.from),
            _ => self.tables(charge).for_each(|(table, key)| table.begin(key)),
        }
    }

    fn end(&mut self, charge: Charge) {
        match &mut self.known {
            Some(known) if charge.is_known => known.end(charge.user, charge.from),
            _ => self.tables(charge).for_each(|(table, key)| table.end(key)),
        }
    }

    fn count(&mut self, charge: Charge) {
        match &mut self.known {
            Some(known) if charge.is_known => known.count(charge.user, charge.from, charge.at),
            _ => self.tables(charge).for_each(|(table, key)| table.count(key, charge.at)),
        }
    }

    fn tables(&mut self, charge: Charge) -> impl Iterator<Item = (&mut Table, u64)> {
        let tables = [(&mut self.users, charge.user), (&mut self.addresses, charge.from)];
        tables.into_iter().filter_map(|(table, key)| Some((table.as_mut()?, key)))
    }
}

/// Whether all failures so far came from one address that is hardly a client's own.
#[derive(Default)]
struct Sameness {
    first: Option<(u64, u64)>,
    failures: u32,
    with_other_names: bool,
    /// Another address was seen, or it was told.
    is_settled: bool,
}

impl Sameness {
    fn looks_like_a_proxy(&mut self, Charge { user, from, .. }: Charge, may_be_a_proxy: bool) -> bool {
        if self.is_settled {
            return false;
        }
        let (first_user, first_from) = *self.first.get_or_insert((user, from));
        self.failures += 1;
        self.with_other_names |= user != first_user;
        let is_told = self.with_other_names && self.failures >= ENOUGH;
        self.is_settled = is_told || !may_be_a_proxy || from != first_from;
        is_told && may_be_a_proxy && from == first_from
    }
}

/// Failures from one address until it is told: of fewer, one person can be the cause.
const ENOUGH: u32 = 10;

impl fmt::Debug for Throttle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Throttle").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Attempt")
    }
}

#[cfg(test)]
mod tests;
