//! Requests to whichever server has the key: in time or not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use redis::Value;
use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::attempt::Attempt;
use super::dial::Dialer;
use super::failure::Failure;
use super::lanes::{Lane, Lanes, Turn};
use super::link::{Link, Request, Role, is_master};
use super::outages::Outages;
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
    lanes: Lanes,
    known: Known,
    asking: Attempt<Result<(), Failure>>,
    outages: Outages,
    /// Whom the Sentinels named when they were last asked about a master that is followed.
    named: Mutex<Option<(Address, Instant)>>,
    made: Arc<AtomicU64>,
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
            lanes: Lanes::default(),
            known: Known::default(),
            asking: Attempt::default(),
            outages: Outages::default(),
            named: Mutex::default(),
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
        self: &Arc<Self>,
        slot: u16,
        request: Request<'_>,
        wait: Option<Wait>,
        deadline: Deadline,
    ) -> Result<Value, Failure> {
        self.ask_and_tell(slot, request, wait, deadline).await.map(|answered| answered.value)
    }

    /// The same, for whom it matters whether it was sent twice.
    pub(super) async fn ask_and_tell(
        self: &Arc<Self>,
        slot: u16,
        request: Request<'_>,
        wait: Option<Wait>,
        deadline: Deadline,
    ) -> Result<Answered, Failure> {
        let began = Instant::now();
        let answer = self.ask_in_time(slot, request, wait, deadline).await;
        if let Err(failure) = &answer {
            self.failed(failure, began);
        }
        answer
    }

    async fn ask_in_time(
        self: &Arc<Self>,
        slot: u16,
        request: Request<'_>,
        wait: Option<Wait>,
        Deadline(deadline): Deadline,
    ) -> Result<Answered, Failure> {
        let turn = match wait {
            Some(_) => Some(self.lanes.turn(deadline).await.ok_or(Failure::NotServing(CROWDED))?),
            None => None,
        };
        let lane = turn.as_ref().map_or(Lane::Prompt, Turn::lane);
        let (mut ask_at, mut redirects, mut again) = (None, 0, true);
        loop {
            let asking = ask_at.is_some();
            let address = match ask_at.take() {
                Some(address) => address,
                None => self.owner(slot, deadline).await?,
            };
            let link = self.link(&address, lane);
            match link.ask(request, asking, wait, deadline).await {
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
                    self.known.doubt(&address);
                    if !again || Instant::now() >= deadline {
                        return Err(failure);
                    }
                    again = false;
                }
                answer => return answer.map(|value| Answered { value, was_resent: !again }),
            }
        }
    }

    /// A connection of one's own to the server that has `slot`.
    pub(super) async fn open(self: &Arc<Self>, slot: u16, deadline: Deadline) -> Result<Opened, Failure> {
        let target = self.known.on_their_way.lock().remove(&slot);
        let asking = target.is_some();
        let address = match target {
            Some(address) => address,
            None => self.owner(slot, deadline.at()).await?,
        };
        Ok(Opened { link: Arc::new(self.new_link(address)), asking })
    }

    /// Of an outage that began at the latest `grace` after something that was `ago`: how much of the time since then it was.
    pub(super) fn away_since(&self, ago: Duration, grace: Duration) -> Duration {
        self.outages.since(Instant::now(), ago, grace)
    }

    fn failed(&self, failure: &Failure, began: Instant) {
        let lingering = match failure {
            // What is refused is so for good.
            Failure::Refused(_) => return,
            // Only those who write see it, and these may be few.
            Failure::Unconfirmed { .. } | Failure::Full => WRITES_LINGER,
            _ => LINGERS,
        };
        self.outages.failed(began, Instant::now() + lingering);
    }

    /// What was found on such a connection about where the data is.
    pub(super) fn lost(&self, slot: u16, address: &Address, failure: &Failure) {
        self.failed(failure, Instant::now());
        match failure {
            Failure::Moved(to) => self.known.slots.lock().moved(slot, to.clone()),
            // For the next try only: then it is there, or it has come back.
            Failure::Ask(to) => drop(self.known.on_their_way.lock().insert(slot, to.clone())),
            _ => self.known.doubt(address),
        }
    }

    /// Who has the slot. Where that must be asked for, one asks for all.
    async fn owner(self: &Arc<Self>, slot: u16, deadline: Instant) -> Result<Address, Failure> {
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

/// An answer.
pub(super) struct Answered {
    pub(super) value: Value,
    /// Whether the request was sent twice: the first one may have been carried out, too.
    pub(super) was_resent: bool,
}

/// A connection of one's own.
pub(super) struct Opened {
    pub(super) link: Arc<Link>,
    /// Whether the slot is only on its way to that node.
    pub(super) asking: bool,
}

/// When an answer comes too late: one for all that is asked on the way to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// [`DEADLINE`] from now.
    pub(super) fn begin() -> Self {
        Self(Instant::now() + DEADLINE)
    }

    pub(super) fn at(self) -> Instant {
        self.0
    }
}

/// How long a request waits for Redis, all in all.
pub const DEADLINE: Duration = Duration::from_secs(1);

/// How long after the last failure nobody can be expected to have found out that all is well. Followers ask every second.
const LINGERS: Duration = Duration::from_secs(3);

const WRITES_LINGER: Duration = Duration::from_secs(30);

/// So much later it may be found out that the Sentinels name another master; with each change that is read, they would be asked too often.
const A_MOMENT: Duration = Duration::from_millis(500);

const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Each leads to a node that knows more than the one before.
const MOST_REDIRECTS: usize = 5;

const CROWDED: &str = "too many writes wait for the replicas' confirmation";

const NOBODY: &str = "no server that has the data answers";
