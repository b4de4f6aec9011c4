//! Requests to whichever server has the key: in time or not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use redis::Value;
use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::dial::Dialer;
use super::failure::Failure;
use super::link::{Link, Request, Role};
use super::places::{self, Known};
use super::settings::{Address, Mode, RedisSettings, Wait};

/// All connections of one deployment.
pub(super) struct Connections {
    servers: Vec<Address>,
    mode: Mode,
    dialer: Arc<Dialer>,
    /// Those that are asked where the data is.
    guides: Vec<Arc<Link>>,
    links: Mutex<HashMap<(Address, Lane), Arc<Link>>>,
    known: Known,
    /// One asks where the data is, the others wait for the answer.
    asking: tokio::sync::Mutex<()>,
    made: Arc<AtomicU64>,
}

/// Requests that must not wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// What is answered at once.
    Prompt,
    /// Writes that are followed by a `WAIT`, which holds up what comes behind it.
    Confirmed,
}

impl Connections {
    /// Connects to nothing yet. `None` if there is nobody whose certificates could be taken.
    pub(super) fn new(settings: &RedisSettings) -> Option<Self> {
        let tls = settings.tls.as_ref();
        let dialer = Arc::new(Dialer::new(tls, settings.login.clone(), settings.database)?);
        let guide = match &settings.mode {
            Mode::Sentinel { login, .. } => Arc::new(Dialer::new(tls, login.clone(), 0)?),
            Mode::Single | Mode::Cluster => Arc::clone(&dialer),
        };
        // Not counted: they say nothing of the data.
        let link =
            |address: &Address| Arc::new(Link::new(address.clone(), Arc::clone(&guide), Role::Any, Arc::default()));
        Some(Self {
            servers: settings.servers.clone(),
            mode: settings.mode.clone(),
            guides: settings.servers.iter().map(link).collect(),
            dialer,
            links: Mutex::default(),
            known: Known::default(),
            asking: tokio::sync::Mutex::default(),
            made: Arc::default(),
        })
    }

    /// How many connections were made to servers with data. As long as it is the same, nobody has taken their place.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::SeqCst)
    }

    /// The answer to `request` of the server that has `slot`, before the `deadline`.
    ///
    /// What failed because of where it was sent is sent once more. So a write can be made twice, which all that are sent from
    /// here bear: a mark that is made again changes nothing, and a swap finds that it was done.
    pub(super) async fn ask(
        &self,
        slot: u16,
        request: Request<'_>,
        wait: Option<Wait>,
        deadline: Deadline,
    ) -> Result<Value, Failure> {
        let Deadline(deadline) = deadline;
        let lane = if wait.is_some() { Lane::Confirmed } else { Lane::Prompt };
        let (mut ask_at, mut redirects, mut again) = (None, 0, true);
        loop {
            let asking = ask_at.is_some();
            let address = match ask_at.take() {
                Some(address) => address,
                None => timeout_at(deadline, self.owner(slot)).await.unwrap_or(Err(Failure::NotServing(NOBODY)))?,
            };
            let link = self.link(&address, lane);
            let answer = timeout_at(deadline, link.ask(request, asking, wait)).await.unwrap_or_else(|_| {
                link.forget();
                Err(Failure::Slow(address.clone()))
            });
            match answer {
                Err(Failure::Moved(to)) if redirects < MOST_REDIRECTS => {
                    redirects += 1;
                    self.known.slots.lock().moved(slot, to);
                }
                Err(Failure::Ask(at)) if redirects < MOST_REDIRECTS => {
                    redirects += 1;
                    ask_at = Some(at);
                }
                // Nodes that send to each other have not heard yet who has it now.
                Err(Failure::Moved(_)) if Instant::now() + TRY_AGAIN_AFTER < deadline => {
                    redirects = 0;
                    sleep(TRY_AGAIN_AFTER).await;
                }
                // While a slot moves, keys that are on both nodes can be had from neither, for a moment.
                Err(Failure::TryAgain) if Instant::now() + TRY_AGAIN_AFTER < deadline => sleep(TRY_AGAIN_AFTER).await,
                Err(failure) if failure.is_of_the_place() => {
                    // Over the next connection it must say anew what it is: a replica answers what is read with what is old.
                    link.forget();
                    self.known.doubt(&address);
                    if !again || Instant::now() >= deadline {
                        return Err(failure);
                    }
                    again = false;
                }
                answer => return answer,
            }
        }
    }

    /// A connection of one's own to the server that has `slot`.
    pub(super) async fn open(&self, slot: u16, deadline: Deadline) -> Result<Arc<Link>, Failure> {
        let Deadline(deadline) = deadline;
        let address = timeout_at(deadline, self.owner(slot)).await.unwrap_or(Err(Failure::NotServing(NOBODY)))?;
        Ok(Arc::new(self.new_link(address)))
    }

    /// What was found on such a connection about where the data is.
    pub(super) fn lost(&self, slot: u16, address: &Address, failure: &Failure) {
        match failure {
            Failure::Moved(to) => self.known.slots.lock().moved(slot, to.clone()),
            _ => self.known.doubt(address),
        }
    }

    async fn owner(&self, slot: u16) -> Result<Address, Failure> {
        match &self.mode {
            Mode::Single => self.servers.first().cloned().ok_or(Failure::NotServing(NOBODY)),
            Mode::Sentinel { master, .. } => {
                if let Some(known) = self.known.master.lock().clone() {
                    return Ok(known);
                }
                let _one = self.asking.lock().await;
                if let Some(known) = self.known.master.lock().clone() {
                    return Ok(known);
                }
                let found = self.master(master).await?;
                *self.known.master.lock() = Some(found.clone());
                Ok(found)
            }
            Mode::Cluster => {
                if let Some(known) = self.known.owner(slot) {
                    return Ok(known);
                }
                let _one = self.asking.lock().await;
                if let Some(known) = self.known.owner(slot) {
                    return Ok(known);
                }
                self.known.learn(places::ask_for_slots(self.nodes(), slot).await?);
                self.prune();
                self.known.owner(slot).ok_or(Failure::NotServing(NOBODY))
            }
        }
    }

    /// One that the Sentinels name and that says so itself: those who have not heard of a failover name the old one.
    async fn master(&self, name: &str) -> Result<Address, Failure> {
        let mut failure = Failure::NotServing(NOBODY);
        for address in places::ask_for_master(self.guides.clone(), name).await? {
            let link = self.link(&address, Lane::Prompt);
            match link.ask(Request::Command(&redis::cmd("PING")), false, None).await {
                Ok(_) => return Ok(address),
                Err(other) => failure = other,
            }
        }
        Err(failure)
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

    fn link(&self, address: &Address, lane: Lane) -> Arc<Link> {
        let new = || Arc::new(self.new_link(address.clone()));
        Arc::clone(self.links.lock().entry((address.clone(), lane)).or_insert_with(new))
    }
}

impl Connections {
    fn new_link(&self, address: Address) -> Link {
        let role = if self.mode == Mode::Cluster { Role::Any } else { Role::Master };
        Link::new(address, Arc::clone(&self.dialer), role, Arc::clone(&self.made))
    }
}

/// When an answer comes too late: one for all that is asked on the way to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// [`DEADLINE`] from now.
    pub(super) fn begin() -> Self {
        Self(Instant::now() + DEADLINE)
    }
}

/// How long a request waits for Redis, all in all.
pub const DEADLINE: Duration = Duration::from_secs(1);

const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Each leads to a node that knows more than the one before.
const MOST_REDIRECTS: usize = 5;

const NOBODY: &str = "no server that has the data answers";
