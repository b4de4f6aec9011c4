//! The world around the code under test: servers that take over from each other, connections that are cut, and chance.

use std::time::Duration;

use async_trait::async_trait;
use doorward::base::{Clock, Timestamp, Uptime};
use doorward::revocation::follower::{Bucket, History};
use doorward::revocation::{Family, Mark, MarkKey, Position, Sid, Store, StoreError, StoredMark, Swap, Swept};
use parking_lot::Mutex;

use crate::random::Random;
use crate::server::{Data, Server};

/// What a run is like; it follows from its seed.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each of them goes with each")]
pub struct Conditions {
    /// A write is confirmed only when the standby has it, so that a failover loses nothing that was confirmed.
    pub wait: bool,
    /// Servers fail.
    pub failovers: bool,
    /// Who has not noticed a failover is answered by the old server for a while.
    pub zombies: bool,
    /// Somebody empties the server.
    pub flushes: bool,
    /// Entries that a stream keeps.
    pub keep: usize,
    /// Entries read, and marks paged, at once.
    pub limit: usize,
    /// Both buckets are followed over one connection.
    pub one_connection: bool,
    /// One in so many calls fails before or after it took place; 0 = none.
    pub failures: u64,
    /// How long, in turns, a call may take at the most.
    pub slowness: u64,
}

/// A defect put in on purpose, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The store replaces a family whatever stands there.
    NoCompareAndSet,
    /// The generation of a token is taken for the next one.
    GenerationOffByOne,
    /// What follows a gap is read, and the marks are not paged through again.
    GapNotRebuilt,
    /// The follower is told that it is the same server still.
    FailoverNotNoticed,
    /// What the store has lost is not written back.
    NothingRestored,
    /// A refresh goes by what the view knows of marks, however far that is behind.
    ViewTrusted,
    /// Whether a session has ended is asked of what is known before the store is asked.
    EndedAskedTooSoon,
}

#[derive(Debug)]
pub struct World {
    pub conditions: Conditions,
    pub planted: Option<Planted>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: Random,
    /// Counts whatever happens. A tick is a millisecond, by the clock that is right.
    tick: u64,
    servers: Vec<Server>,
    master: usize,
    /// What would take over from the master.
    standby: Data,
    /// Nothing fails any more.
    calm: bool,
    names: u32,
}

/// One end of a connection: which server is at the other, or whether it was cut.
#[derive(Clone, Copy, Debug)]
pub struct Link(usize);

impl World {
    pub fn new(seed: u64, planted: Option<Planted>) -> Self {
        let mut random = Random::new(seed);
        let wait = random.once_in(2);
        let failovers = random.below(4) > 0;
        let limit = 1 + random.below(4) as usize;
        let conditions = Conditions {
            wait,
            failovers,
            zombies: failovers && random.once_in(2),
            flushes: !wait && random.once_in(3),
            limit,
            keep: limit + random.below(8) as usize,
            one_connection: random.once_in(2),
            failures: [0, 6, 20, 60][random.below(4) as usize],
            slowness: 1 + random.below(12),
        };
        let history = History { run_id: "0".into(), replication_id: "0".into() };
        let server = Server { history, data: Data::default(), skew: 0 };
        let state = State {
            random,
            tick: 1_000_000,
            servers: vec![server],
            master: 0,
            standby: Data::default(),
            calm: false,
            names: 0,
        };
        Self { conditions, planted, state: Mutex::new(state) }
    }

    /// Whether all that is confirmed must last.
    pub fn is_lossless(&self) -> bool {
        (self.conditions.wait || !self.conditions.failovers) && !self.conditions.flushes
    }

    pub fn tick(&self) -> u64 {
        let mut state = self.state.lock();
        state.tick += 1;
        state.tick
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.state.lock().random.below(bound)
    }

    pub fn once_in(&self, times: u64) -> bool {
        self.state.lock().random.once_in(times)
    }

    pub fn calm(&self) {
        self.state.lock().calm = true;
    }

    pub fn is_calm(&self) -> bool {
        self.state.lock().calm
    }

    /// Others have their turn, now and then many.
    pub async fn pause(&self) {
        let turns = {
            let mut state = self.state.lock();
            let slowness = self.conditions.slowness;
            if state.random.once_in(12) { state.random.below(8 * slowness) } else { state.random.below(slowness) }
        };
        for _ in 0..=turns {
            tokio::task::yield_now().await;
        }
    }

    fn fails(&self) -> bool {
        let mut state = self.state.lock();
        !state.calm && state.random.once_in(self.conditions.failures)
    }

    pub fn connect(&self) -> Link {
        Link(self.state.lock().master)
    }

    /// A question over a connection; `None` if it was cut, before the answer or after it.
    pub async fn ask<T>(&self, link: Link, question: impl FnOnce(&Server) -> T) -> Option<T> {
        self.pause().await;
        let answer = {
            let mut state = self.state.lock();
            state.tick += 1;
            let old = link.0 != state.master;
            if old && (state.calm || !self.conditions.zombies || state.random.once_in(8)) {
                return None;
            }
            question(state.servers.get(link.0)?)
        };
        self.pause().await;
        (!self.fails()).then_some(answer)
    }

    /// What the checks look at, without a question.
    pub fn inspect<T>(&self, link: Link, look: impl FnOnce(&Server) -> T) -> T {
        look(&self.state.lock().servers[link.0])
    }

    /// A write to the master; answered when it may be confirmed.
    async fn write<T>(&self, write: impl FnOnce(&mut Data, u64) -> T) -> Result<T, StoreError> {
        self.pause().await;
        if self.fails() {
            return Err(lost());
        }
        let (answer, version, master) = {
            let mut state = self.state.lock();
            state.tick += 1;
            let (now, master) = (state.tick, state.master);
            let server = &mut state.servers[master];
            let millis = now.saturating_add_signed(server.skew);
            (write(&mut server.data, millis), server.data.version, master)
        };
        if self.conditions.wait {
            let mut turns = 200;
            loop {
                {
                    let state = self.state.lock();
                    if state.master != master {
                        return Err(lost());
                    }
                    if state.standby.version >= version {
                        break;
                    }
                }
                turns -= 1;
                if turns == 0 {
                    return Err(lost());
                }
                tokio::task::yield_now().await;
            }
        }
        self.pause().await;
        if self.fails() { Err(lost()) } else { Ok(answer) }
    }

    /// What is there, from the master.
    async fn look<T>(&self, look: impl FnOnce(&Data) -> T) -> Result<T, StoreError> {
        self.ask(self.connect(), |server| look(&server.data)).await.ok_or_else(lost)
    }

    /// Things that happen by themselves: one of them.
    pub fn happen(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        match if state.calm { 0 } else { state.random.below(20) } {
            0..12 => state.standby = state.servers[state.master].data.clone(),
            12 if self.conditions.failovers => {
                state.names += 1;
                let name: Box<str> = state.names.to_string().into();
                let history = History { run_id: name.clone(), replication_id: name };
                // Where ids begin anew on an emptied server, they would have to be counted to be told apart if its clock were behind too.
                let skew = i64::try_from(state.random.below(400)).unwrap_or(0) - 300;
                let skew = if self.conditions.flushes { 0 } else { skew };
                state.servers.push(Server { history, data: state.standby.clone(), skew });
                state.master = state.servers.len() - 1;
            }
            13 if self.conditions.zombies => {
                // An old one finds out that it is one, and takes over the data of the new one.
                let old = usize::try_from(state.random.below(state.servers.len() as u64)).unwrap_or(0);
                if old != state.master {
                    let Server { history, data, skew } = state.servers[state.master].clone();
                    let run_id = state.servers[old].history.run_id.clone();
                    state.servers[old] = Server { history: History { run_id, ..history }, data, skew };
                }
            }
            14 if self.conditions.flushes => {
                state.servers[state.master].data = Data::default();
                state.standby = Data::default();
            }
            _ => {}
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.state.lock().tick.try_into().unwrap_or(0))
    }

    fn uptime(&self) -> Uptime {
        Uptime::after_start(Duration::from_millis(self.state.lock().tick))
    }
}

#[async_trait]
impl Store for World {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        self.write(|data, _| {
            data.version += 1;
            data.families.insert(sid, family);
        })
        .await
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        self.look(|data| data.families.get(&sid).cloned()).await
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        let compare = self.planted != Some(Planted::NoCompareAndSet);
        self.write(|data, _| match data.families.get_mut(&sid) {
            Some(stored) if !compare || stored == expected => {
                *stored = next;
                data.version += 1;
                Swap::Done
            }
            other => Swap::Lost(other.cloned()),
        })
        .await
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        self.restore(&mark.into()).await.map(|()| Position::Local)
    }

    async fn marks(&self, _: Option<MarkKey>, _: usize) -> Result<Vec<StoredMark>, StoreError> {
        // Instances begin empty: reading is the follower's.
        Ok(Vec::new())
    }

    async fn marks_under(&self, keys: &[MarkKey]) -> Result<Vec<StoredMark>, StoreError> {
        if self.planted == Some(Planted::ViewTrusted) {
            return Ok(Vec::new());
        }
        self.look(|data| {
            let found = keys.iter().filter_map(|key| data.buckets.get(&Bucket::of(key))?.kept.get(key));
            found.cloned().collect()
        })
        .await
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::MAX)
    }

    async fn sweep(&self, _: Timestamp) -> Result<Swept, StoreError> {
        Ok(Swept::default())
    }
}

impl World {
    /// Writes a mark as it stands in a view.
    pub async fn restore(&self, mark: &StoredMark) -> Result<(), StoreError> {
        let keep = self.conditions.keep;
        self.write(|data, millis| data.mark(mark, millis, keep)).await
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("the answer was lost".to_owned())
}
