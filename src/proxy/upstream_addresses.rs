//! The addresses of one name, and which of them comes next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use pingora::upstreams::peer::HttpPeer;

use crate::base::Stopwatch;

/// The last set a resolver gave.
#[derive(Debug)]
pub struct Addresses {
    known: ArcSwap<Vec<Known>>,
    turn: AtomicUsize,
    age: Stopwatch,
}

/// An address, and how to connect to it: made once, copied for every request.
#[derive(Debug)]
struct Known {
    address: SocketAddr,
    peer: HttpPeer,
    /// Until when it is asked last, in milliseconds of `age`; 0 = it is not. Kept when the same address is resolved again.
    put_back_until: Arc<AtomicU64>,
}

impl Default for Addresses {
    fn default() -> Self {
        Self { known: ArcSwap::default(), turn: AtomicUsize::new(0), age: Stopwatch::start() }
    }
}

impl Addresses {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.load().is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> Vec<SocketAddr> {
        self.known.load().iter().map(|known| known.address).collect()
    }

    /// Takes a new set over, and tells whether it is another one. In which order they come does not matter: resolvers rotate
    /// them.
    pub fn replace(
        &self,
        addresses: impl IntoIterator<Item = SocketAddr>,
        peer: impl Fn(SocketAddr) -> HttpPeer,
    ) -> bool {
        let mut addresses: Vec<SocketAddr> = addresses.into_iter().collect();
        // `localhost` is both; services written for it mostly listen on IPv4.
        addresses.sort_unstable_by_key(|address| (address.is_ipv6(), *address));
        addresses.dedup();
        let before = self.known.load();
        if before.iter().map(|known| known.address).eq(addresses.iter().copied()) {
            return false;
        }
        let known = addresses.iter().map(|address| {
            let same = before.iter().find(|known| known.address == *address);
            let put_back_until = same.map(|known| Arc::clone(&known.put_back_until)).unwrap_or_default();
            Known { address: *address, peer: peer(*address), put_back_until }
        });
        self.known.store(Arc::new(known.collect()));
        true
    }

    /// The next in turn that was not `tried`; one that is put back only if there is no other.
    #[must_use]
    pub fn next(&self, tried: &[SocketAddr]) -> Option<HttpPeer> {
        let known = self.known.load();
        if let ([only], []) = (known.as_slice(), tried) {
            return Some(only.peer.clone());
        }
        let start = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(known.len())?;
        let in_turn = || known.iter().cycle().skip(start).take(known.len()).filter(|one| !tried.contains(&one.address));
        let now = self.now();
        let chosen = in_turn().find(|one| one.has_its_turn(now)).or_else(|| in_turn().next());
        chosen.map(|one| one.peer.clone())
    }

    /// Whether one was not `tried`.
    #[must_use]
    pub fn has_other_than(&self, tried: &[SocketAddr]) -> bool {
        self.known.load().iter().any(|one| !tried.contains(&one.address))
    }

    /// For a moment this one is asked last.
    pub fn put_back(&self, address: SocketAddr) {
        self.set(address, self.now() + PUT_BACK_FOR);
    }

    /// It is asked in its turn again.
    pub fn forgive(&self, address: SocketAddr) {
        self.set(address, 0);
    }

    fn set(&self, address: SocketAddr, until: u64) {
        if let Some(one) = self.known.load().iter().find(|one| one.address == address) {
            one.put_back_until.store(until, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.age.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

impl Known {
    /// When its time is over, one request finds out whether it can be reached again; those beside it do not wait for that.
    fn has_its_turn(&self, now: u64) -> bool {
        let until = self.put_back_until.load(Ordering::Relaxed);
        let order = Ordering::Relaxed;
        until == 0
            || (now >= until && self.put_back_until.compare_exchange(until, now + PUT_BACK_FOR, order, order).is_ok())
    }
}

/// In milliseconds. Long enough that an address where nobody answers costs hardly a request its connect timeout, short enough
/// that one that is back is used soon.
const PUT_BACK_FOR: u64 = 5_000;

#[cfg(test)]
mod tests;
