//! Who is connected, and who gives way when there is room for no more.
//!
//! # Cost
//! A request adds to its connection's number once and takes it off once, without a lock. The lock is taken when a connection
//! comes or goes, and who has been idle longest is found by looking at all of them: rarely, because each look finds many.

mod group;
mod place;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::Limits;
use crate::base::Stopwatch;
use crate::telemetry::ConnectionCap;
use group::Group;
use place::{Entry, Ticks};
pub use place::{InFlight, Place};

/// The connections of one or more listeners that share their limits.
#[derive(Debug)]
pub struct Registry {
    started: Stopwatch,
    stopping: AtomicBool,
    inner: Mutex<Inner>,
}

/// What is changed under the lock.
#[derive(Debug, Default)]
struct Inner {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    everybody: Group,
    networks: HashMap<Network, Group>,
}

#[derive(Debug)]
struct Slot {
    entry: Arc<Entry>,
    network: Option<Network>,
    /// Where it stands among the members of the groups it is in.
    among: [usize; 2],
}

/// Whom the limit per address counts together. The host part of an IPv6 address is the host's own choice, so that one who has
/// a single network would have any number of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// Its place; free again when this is dropped.
    pub place: Place,
    /// The caps for which another one had to give way.
    pub displaced: Vec<ConnectionCap>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { started: Stopwatch::start(), stopping: AtomicBool::new(false), inner: Mutex::default() }
    }
}

impl Registry {
    /// Lets a connection in. At a cap, the one that has been idle longest gives way; one with a request in flight never does.
    /// `address` is the client's; `None` on a Unix socket, whose clients are counted in all only.
    ///
    /// # Errors
    /// The cap it would be over, if everybody under it has a request in flight.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>, limits: &Limits) -> Result<Admitted, ConnectionCap> {
        self.admit_at(self.now(), address, limits)
    }

    fn admit_at(
        self: &Arc<Self>,
        now: Ticks,
        address: Option<IpAddr>,
        limits: &Limits,
    ) -> Result<Admitted, ConnectionCap> {
        let network = address.map(Network::of);
        let mut gone = Vec::new();
        let mut displaced = Vec::new();
        let mut inner = self.inner.lock();
        // Those that gave way before it was clear that it is not enough have gone either way.
        let room = inner.make_room(network, limits, &mut gone, &mut displaced);
        let place = room.map(|()| {
            let entry = Arc::new(Entry::idle_since(now));
            let slot = inner.insert(Arc::clone(&entry), network);
            Place::new(Arc::clone(self), entry, slot)
        });
        drop(inner);
        // Without the lock: they come back for it.
        for entry in &gone {
            entry.wake();
        }
        place.map(|place| Admitted { place, displaced })
    }

    /// Has the one that has been idle longest give way, where something else than connections has run out.
    /// Whether there was one.
    pub fn displace(&self) -> bool {
        let gone = self.inner.lock().give_way(None);
        gone.inspect(|entry| entry.wake()).is_some()
    }

    /// From now on whoever waits for a request has waited enough.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let entries: Vec<Arc<Entry>> =
            self.inner.lock().slots.iter().flatten().map(|slot| Arc::clone(&slot.entry)).collect();
        for entry in &entries {
            entry.wake();
        }
    }

    /// How many there are. One that was told to give way is not counted, though its socket may be open for another moment.
    pub fn open(&self) -> usize {
        self.inner.lock().everybody.len()
    }

    /// How many of them have a request in flight, or an answer that has not left.
    pub fn busy(&self) -> usize {
        self.inner.lock().slots.iter().flatten().filter(|slot| slot.entry.is_idle_since().is_none()).count()
    }

    fn now(&self) -> Ticks {
        Ticks::from(self.started.elapsed())
    }
}

impl Inner {
    fn make_room(
        &mut self,
        network: Option<Network>,
        limits: &Limits,
        gone: &mut Vec<Arc<Entry>>,
        displaced: &mut Vec<ConnectionCap>,
    ) -> Result<(), ConnectionCap> {
        let per_address = limits.connections_per_address.unwrap_or(usize::MAX);
        let of_address = |inner: &Self| network.and_then(|network| inner.networks.get(&network)).map_or(0, Group::len);
        while of_address(self) >= per_address {
            gone.push(self.give_way(network).ok_or(ConnectionCap::Address)?);
            displaced.push(ConnectionCap::Address);
        }
        while self.everybody.len() >= limits.connections {
            gone.push(self.give_way(None).ok_or(ConnectionCap::All)?);
            displaced.push(ConnectionCap::All);
        }
        Ok(())
    }

    /// Takes out who has been idle longest, of a network or of all.
    fn give_way(&mut self, network: Option<Network>) -> Option<Arc<Entry>> {
        let group = match network {
            Some(network) => self.networks.get_mut(&network)?,
            None => &mut self.everybody,
        };
        let slots = &self.slots;
        let slot = group.give_way(|slot| slots.get(slot)?.as_ref().map(|slot| &slot.entry))?;
        self.remove(slot)
    }

    fn insert(&mut self, entry: Arc<Entry>, network: Option<Network>) -> usize {
        let slot = self.free.pop().unwrap_or(self.slots.len());
        let in_network = network.map_or(0, |network| self.networks.entry(network).or_default().add(slot));
        let made = Some(Slot { entry, network, among: [self.everybody.add(slot), in_network] });
        match self.slots.get_mut(slot) {
            Some(place) => *place = made,
            None => self.slots.push(made),
        }
        slot
    }

    fn remove(&mut self, slot: usize) -> Option<Arc<Entry>> {
        let Slot { entry, network, among: [in_all, in_network] } = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        if let Some(moved) = self.everybody.remove(in_all) {
            self.moved(moved, 0, in_all);
        }
        if let Some(network) = network
            && let Some(group) = self.networks.get_mut(&network)
        {
            let moved = group.remove(in_network);
            if group.len() == 0 {
                self.networks.remove(&network);
            }
            if let Some(moved) = moved {
                self.moved(moved, 1, in_network);
            }
        }
        Some(entry)
    }

    fn moved(&mut self, slot: usize, group: usize, to: usize) {
        if let Some(Some(slot)) = self.slots.get_mut(slot)
            && let Some(place) = slot.among.get_mut(group)
        {
            *place = to;
        }
    }

    /// Frees a place that is still its owner's.
    fn leave(&mut self, slot: usize, entry: &Arc<Entry>) {
        let is_theirs = self.slots.get(slot).and_then(Option::as_ref).is_some_and(|at| Arc::ptr_eq(&at.entry, entry));
        if is_theirs {
            // Who remembers it as idle must not take it for whoever has the slot next.
            entry.close();
            self.remove(slot);
        }
    }
}

#[cfg(test)]
mod tests;
