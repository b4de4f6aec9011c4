//! Which server has a key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use redis::{Value, cmd};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout_at};

use super::failure::{Failure, NO_CLUSTER, NO_MASTER, NO_SENTINEL};
use super::keys::SLOTS;
use super::link::{Link, Request, unexpected};
use super::settings::Address;

/// The nodes of a Cluster, each with its slots. Pure.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// By their first slot: the last one, and who has them.
    ranges: BTreeMap<u16, (u16, Address)>,
    /// What nodes have said since.
    moved: HashMap<u16, Address>,
}

impl Slots {
    /// Who has the slot, as far as is known.
    pub(super) fn owner(&self, slot: u16) -> Option<&Address> {
        if let Some(address) = self.moved.get(&slot) {
            return Some(address);
        }
        let (_, (last, address)) = self.ranges.range(..=slot).next_back()?;
        (slot <= *last).then_some(address)
    }

    pub(super) fn moved(&mut self, slot: u16, to: Address) {
        self.moved.insert(slot, to);
    }

    /// All that have some.
    pub(super) fn nodes(&self) -> BTreeSet<&Address> {
        self.ranges.values().map(|(_, address)| address).chain(self.moved.values()).collect()
    }

    /// How many somebody has.
    pub(super) fn covered(&self) -> u16 {
        self.ranges.iter().map(|(first, (last, _))| last - first + 1).sum()
    }

    /// From the answer to `CLUSTER SLOTS` of the node `asked`.
    fn read(answer: &Value, asked: &Address) -> Option<Self> {
        let Value::Array(entries) = answer else { return None };
        let mut slots = Self::default();
        for entry in entries {
            let Value::Array(parts) = entry else { return None };
            let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = parts.as_slice() else { return None };
            let [host, Value::Int(port), ..] = master.as_slice() else { return None };
            let host = match host {
                Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
                _ => String::new(),
            };
            // A node that does not know its own name leaves it out, or says `?` where it has none.
            let host = if host.is_empty() || host == "?" { asked.host.clone() } else { host };
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            if first > last || last >= SLOTS {
                return None;
            }
            slots.ranges.insert(first, (last, Address { host, port: u16::try_from(*port).ok()? }));
        }
        Some(slots)
    }
}

/// The slots, as most of `links` have them of those who know who has `slot`. They are asked at once, because one of them may be the
/// reason for asking, and after the first answer not waited for long: it may be of a node that others have taken for dead, and that
/// answers fastest because nobody else asks it.
pub(super) async fn ask_for_slots(links: Vec<Arc<Link>>, slot: u16) -> Result<Slots, Failure> {
    let mut asked = JoinSet::new();
    for link in links {
        asked.spawn(async move {
            let mut command = cmd("CLUSTER");
            command.arg("SLOTS");
            let answer = ask(&link, &command).await.map_err(|failure| failure.or_not(NO_CLUSTER))?;
            Slots::read(&answer, link.address()).ok_or_else(unexpected)
        });
    }
    let mut failure = Failure::NotServing("the Cluster is down, or nobody in it has the slot");
    let (mut known, mut until) = (Vec::new(), patience());
    while let Ok(Some(answer)) = timeout_at(until, asked.join_next()).await {
        match answer {
            Ok(Ok(slots)) if slots.owner(slot).is_some() => {
                known.push(slots);
                until = until.min(Instant::now() + OTHERS);
            }
            Ok(Err(other)) => failure = other,
            _ => {}
        }
    }
    let votes = |slots: &Slots| known.iter().filter(|other| other.owner(slot) == slots.owner(slot)).count();
    let most = known.iter().enumerate().max_by_key(|(_, slots)| votes(slots)).map(|(at, _)| at);
    most.map(|at| known.swap_remove(at)).ok_or(failure)
}

/// Who is the master of `name`, as more than half of the Sentinels say; it is decided as soon as they do. One that is cut off from the
/// others, together with the master of before, must not be believed: that one knows nothing of what the new one is told.
pub(super) async fn ask_for_master(links: Vec<Arc<Link>>, name: &str) -> Result<Address, Failure> {
    let most = links.len() / 2 + 1;
    let mut asked = JoinSet::new();
    for link in links {
        let name = name.to_owned();
        asked.spawn(async move { master_named_by(&link, &name).await });
    }
    let mut votes: HashMap<Address, usize> = HashMap::new();
    let mut failure = Failure::NotServing("no Sentinel answers");
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(address)) => {
                let votes_for = votes.entry(address.clone()).or_default();
                *votes_for += 1;
                if *votes_for >= most {
                    return Ok(address);
                }
            }
            Ok(Err(other)) => failure = other,
            Err(_) => {}
        }
    }
    Err(if votes.is_empty() { failure } else { Failure::NotServing(NO_MAJORITY) })
}

/// Who this Sentinel says it is.
pub(super) async fn master_named_by(sentinel: &Arc<Link>, name: &str) -> Result<Address, Failure> {
    let mut command = cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    master(&ask(sentinel, &command).await.map_err(|failure| failure.or_not(NO_SENTINEL))?)
}

fn master(answer: &Value) -> Result<Address, Failure> {
    let Value::Array(parts) = answer else {
        return Err(Failure::Refused(NO_MASTER.to_owned()));
    };
    let text = |part: &Value| match part {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    let [host, port] = parts.as_slice() else { return Err(unexpected()) };
    let address = text(host).zip(text(port).and_then(|port| port.parse().ok()));
    address.map(|(host, port)| Address { host, port }).ok_or_else(unexpected)
}

async fn ask(link: &Arc<Link>, command: &redis::Cmd) -> Result<Value, Failure> {
    link.ask(Request::Command(command), false, None, patience()).await
}

/// How long a server is waited for that says where the data is.
pub(super) fn patience() -> Instant {
    Instant::now() + PATIENCE
}

/// What is known of the places, and since when.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) slots: Mutex<Slots>,
    /// The master that the Sentinels named.
    pub(super) master: Mutex<Option<Address>>,
    /// Where slots of a Cluster are about to be, which somebody was told who asked for them.
    pub(super) on_their_way: Mutex<HashMap<u16, Address>>,
    /// Nodes that failed since the slots were asked for.
    doubted: Mutex<BTreeSet<Address>>,
    asked: Mutex<Option<Instant>>,
}

impl Known {
    /// The node that has the slot, if that is known and nothing speaks against it.
    pub(super) fn owner(&self, slot: u16) -> Option<Address> {
        let owner = self.slots.lock().owner(slot)?.clone();
        (!self.doubted.lock().contains(&owner) || self.asked_just_now()).then_some(owner)
    }

    pub(super) fn doubt(&self, address: &Address) {
        let mut master = self.master.lock();
        if master.as_ref() == Some(address) {
            *master = None;
        }
        self.doubted.lock().insert(address.clone());
    }

    pub(super) fn learn(&self, slots: Slots) {
        *self.slots.lock() = slots;
        self.doubted.lock().clear();
        *self.asked.lock() = Some(Instant::now());
    }

    /// Where a node is down, every request for its slots would ask all others where they are.
    fn asked_just_now(&self) -> bool {
        self.asked.lock().is_some_and(|asked| asked.elapsed() < PAUSE)
    }
}

/// Less than a request waits, and enough for a server that is well.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long the other nodes of a Cluster are waited for once one has answered.
const OTHERS: Duration = Duration::from_millis(50);

const PAUSE: Duration = Duration::from_millis(100);

const NO_MAJORITY: &str = "fewer than half of the Sentinels agree on a master";
