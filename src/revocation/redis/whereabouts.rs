//! Asking where the data is.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::connections::{A_MOMENT, Connections, Deadline, NOBODY};
use super::failure::Failure;
use super::lanes::Lane;
use super::link::{Link, Request, is_master};
use super::places;
use super::settings::{Address, Mode};

impl Connections {
    /// Who has the slot. Where that must be asked for, one asks for all.
    pub(super) async fn owner(self: &Arc<Self>, slot: u16, deadline: Instant) -> Result<Address, Failure> {
        let known = match &self.mode {
            Mode::Single => return self.servers.first().cloned().ok_or(Failure::NotServing(NOBODY)),
            Mode::Sentinel { .. } => self.known.master.lock().clone(),
            Mode::Cluster => self.known.owner(slot),
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let this = Arc::clone(self);
        let asked = self.asking.join(|| async move { this.learn(slot).await });
        let nobody = || Err(Failure::NotServing(NOBODY));
        timeout_at(deadline, asked).await.ok().flatten().unwrap_or_else(nobody)?;
        let known = match &self.mode {
            Mode::Cluster => self.known.owner(slot),
            Mode::Single | Mode::Sentinel { .. } => self.known.master.lock().clone(),
        };
        known.ok_or(Failure::NotServing(NOBODY))
    }

    async fn learn(self: &Arc<Self>, slot: u16) -> Result<(), Failure> {
        if let Mode::Sentinel { master, .. } = &self.mode {
            let found = self.master(master).await?;
            *self.known.master.lock() = Some(found);
        } else {
            self.known.learn(places::ask_for_slots(self.nodes(), slot).await?);
            self.prune();
        }
        Ok(())
    }

    /// The one that the Sentinels name, if it says so itself.
    async fn master(&self, name: &str) -> Result<Address, Failure> {
        let address = places::ask_for_master(self.guides.clone(), name).await?;
        let link = self.link(&address, Lane::Prompt);
        // Not PING, which a server with a full disk refuses.
        let role = link.ask(Request::Command(&redis::cmd("ROLE")), false, None, places::patience()).await?;
        is_master(&role)?;
        Ok(address)
    }

    /// Whether most Sentinels, if there are any, still name the server at `address`, or did a moment ago.
    pub(super) async fn is_still_master(&self, address: &Address) -> Result<(), Failure> {
        let Mode::Sentinel { master, .. } = &self.mode else { return Ok(()) };
        let now = Instant::now();
        let is_known = |(named, at): &(Address, Instant)| named == address && now.duration_since(*at) < A_MOMENT;
        if self.named.lock().as_ref().is_some_and(is_known) {
            return Ok(());
        }
        let named = places::ask_for_master(self.guides.clone(), master).await?;
        let is_still = named == *address;
        *self.named.lock() = Some((named, now));
        if is_still {
            return Ok(());
        }
        self.known.doubt(address);
        Err(Failure::NotServing("the Sentinels name another master"))
    }

    /// Those that are asked where the data is.
    pub(super) fn guides(&self) -> &[Arc<Link>] {
        &self.guides
    }

    /// All servers that have some of the data, as they are now.
    pub(super) async fn masters(self: &Arc<Self>) -> Result<Vec<Arc<Link>>, Failure> {
        let first = self.owner(0, Deadline::begin().at()).await?;
        if self.mode != Mode::Cluster {
            return Ok(vec![self.link(&first, Lane::Prompt)]);
        }
        let slots = self.known.slots.lock();
        Ok(slots.nodes().into_iter().map(|address| self.link(address, Lane::Prompt)).collect())
    }

    /// How many slots somebody has, as far as is known.
    pub(super) fn covered(&self) -> u16 {
        self.known.slots.lock().covered()
    }

    /// All nodes that are known: those that were configured may be gone.
    fn nodes(&self) -> Vec<Arc<Link>> {
        let known: Vec<_> = self.known.slots.lock().nodes().into_iter().cloned().collect();
        let others = known.iter().filter(|address| !self.servers.contains(address));
        self.guides.iter().cloned().chain(others.map(|address| self.link(address, Lane::Prompt))).collect()
    }

    /// Nodes that left are not held on to.
    fn prune(&self) {
        let slots = self.known.slots.lock();
        let nodes = slots.nodes();
        self.links.lock().retain(|(address, _), _| nodes.contains(address));
    }
}
