//! Requests to whichever server has the key: in time or not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use redis::Value;
use tokio::time::{Duration, Instant, sleep};

use super::attempt::Attempt;
use super::dial::Dialer;
use super::failure::Failure;
use super::lanes::{Lane, Lanes, Turn};
use super::link::{Link, Request, Role};
use super::outages::Outages;
use super::places::Known;
use super::settings::{Address, Mode, RedisSettings, Wait};

/// All connections of one deployment.
pub(super) struct Connections {
    pub(super) servers: Vec<Address>,
    pub(super) mode: Mode,
    dialer: Arc<Dialer>,
    /// Those that are asked where the data is.
    pub(super) guides: Vec<Arc<Link>>,
    pub(super) links: Mutex<HashMap<(Address, Lane), Arc<Link>>>,
    lanes: Lanes,
    pub(super) known: Known,
    pub(super) asking: Attempt<Result<(), Failure>>,
    outages: Outages,
    /// Whom the Sentinels named when they were last asked about a master that is followed.
    pub(super) named: Mutex<Option<(Address, Instant)>>,
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

    pub(super) fn link(&self, address: &Address, lane: Lane) -> Arc<Link> {
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
pub(super) const A_MOMENT: Duration = Duration::from_millis(500);

const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Each leads to a node that knows more than the one before.
const MOST_REDIRECTS: usize = 5;

const CROWDED: &str = "too many writes wait for the replicas' confirmation";

pub(super) const NOBODY: &str = "no server that has the data answers";
