//! A doorward of several: its view, its followers with the I/O around them, and what it does for clients.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use doorward::base::Clock;
use doorward::keys::KeyNumber;
use doorward::revocation::changes::{Changes, Feed, Heed, Looked, follow};
use doorward::revocation::follower::{Action, Bucket, Entry, Follower, History, Pace, StreamId};
use doorward::revocation::{
    CacheSettings, Holder, MarkKey, Presented, Revocations, Sid, Step, Store, StoreError, StoredMark, Swap, Terms,
};
use parking_lot::Mutex;

use crate::ledger::{Grant, Ledger, Property, Token, has};
use crate::server::Server;
use crate::world::{Link, Planted, World};

pub const ISSUER: &str = "https://a";
pub const LEEWAY: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Instance {
    pub world: Arc<World>,
    pub ledger: Arc<Ledger>,
    pub revocations: Revocations,
    /// The server key that it makes tokens with: replicas need not have the same one while it is being changed.
    pub key: KeyNumber,
    owed: Mutex<BTreeMap<Bucket, Vec<StoredMark>>>,
    standing: Mutex<BTreeMap<Bucket, Followed>>,
    histories: Mutex<BTreeMap<Bucket, History>>,
    /// The buckets that were looked at since nothing fails any more.
    calmly: Mutex<BTreeSet<Bucket>>,
}

/// How far a follower is.
#[derive(Clone, Debug)]
pub struct Followed {
    pub at: StreamId,
    /// It has looked at the server since nothing fails any more.
    pub calmly: bool,
}

/// How presenting a refresh token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presenting {
    Successor(Token),
    Reuse,
    Refused,
}

impl Instance {
    pub async fn new(world: &Arc<World>, ledger: &Arc<Ledger>, key: KeyNumber) -> Arc<Self> {
        let cache = CacheSettings { capacity: 0, ttl: Duration::ZERO };
        let revocations =
            Revocations::open(Arc::<World>::clone(world), Arc::<World>::clone(world), cache).await.unwrap();
        let (world, ledger) = (Arc::clone(world), Arc::clone(ledger));
        Arc::new(Self {
            world,
            ledger,
            revocations,
            key,
            owed: Mutex::default(),
            standing: Mutex::default(),
            histories: Mutex::default(),
            calmly: Mutex::default(),
        })
    }

    pub fn followed(&self, bucket: Bucket) -> Option<Followed> {
        self.standing.lock().get(&bucket).cloned()
    }

    pub fn owes(&self) -> bool {
        !self.owed.lock().is_empty()
    }

    /// Follows buckets over one connection until the run is over.
    pub async fn follow(self: Arc<Self>, buckets: Vec<Bucket>) {
        let limit = self.world.conditions.limit;
        let pace = Pace { entries: limit, page: limit, look_every: Duration::from_millis(60) };
        let view = self.revocations.view();
        let followers = buckets.iter().map(|bucket| Follower::new(*bucket, Arc::clone(view), pace)).collect();
        let wire = Arc::new(Wire { instance: Arc::clone(&self), link: Mutex::new(self.world.connect()) });
        let mut watcher = Watcher { wire: Arc::clone(&wire), checked: BTreeMap::new() };
        follow(&Line(wire), followers, pace, self.revocations.clock(), &mut watcher).await;
    }

    /// Writes back what the store has lost, until the run is over.
    pub async fn restore(self: Arc<Self>) {
        loop {
            self.world.pause().await;
            let next = self.owed.lock().iter().find_map(|(bucket, marks)| Some((*bucket, marks.last()?.clone())));
            let Some((bucket, mark)) = next else { continue };
            if self.world.restore(&mark).await.is_ok() {
                let mut owed = self.owed.lock();
                if let Some(marks) = owed.get_mut(&bucket) {
                    marks.retain(|other| *other != mark);
                    if marks.is_empty() {
                        owed.remove(&bucket);
                    }
                }
            }
        }
    }

    /// What the refresh grant does with a token of the session `sid`, less the users and clients, in the same order: `Grants::advance`.
    pub async fn present(&self, sid: Sid, token: Token, from: IpAddr) -> Result<Presenting, StoreError> {
        let begun = self.world.tick();
        let store: &dyn Store = &*self.world;
        let ended_here = self.revocations.has_ended(ISSUER, sid);
        let Some(mut stored) = store.family(sid).await? else { return Ok(Presenting::Refused) };
        loop {
            let at = self.world.now();
            let holder = Holder { sid: Some(sid), subject: &stored.subject, client: None };
            self.revocations.catch_up(ISSUER, holder).await?;
            // Also what other instances have ended.
            let has_ended = self.revocations.has_ended(ISSUER, sid);
            let asked = if self.world.planted == Some(Planted::EndedAskedTooSoon) { ended_here } else { has_ended };
            if !stored.revoked && asked {
                self.revocations.revoke_session(sid, ISSUER, LEEWAY).await?;
                return Ok(Presenting::Refused);
            }
            let presented = Presented { generation: token.0, key_number: token.1, from: Some(from), at };
            let idle = Duration::from_hours(1);
            let terms = Terms { grace: Duration::from_millis(400), idle, key_number: self.key };
            let mut next = match stored.present(&presented, &terms) {
                Step::Rotate(next) | Step::Ahead(next) | Step::Repeat { next, .. } => next,
                Step::Refused(_) => return Ok(Presenting::Refused),
                Step::Reuse { .. } => {
                    self.revocations.revoke_session(sid, ISSUER, LEEWAY).await?;
                    self.ledger.end(sid, self.world.tick());
                    return Ok(Presenting::Reuse);
                }
            };
            let cutoff = self.revocations.cutoff(ISSUER, &stored.subject, None);
            if cutoff.is_some_and(|cutoff| stored.issued_at <= cutoff) {
                return Ok(Presenting::Refused);
            }
            // In whole seconds, of which there are few in a run: so a repeat may leave everything as it is.
            let access_exp = doorward::base::Timestamp::from_seconds(at.seconds() + 2);
            next = next.issued(access_exp);
            let successor = (next.generation, next.key_number);
            if self.world.planted == Some(Planted::GenerationOffByOne) && next.generation > stored.generation {
                next.generation -= 1;
            }
            let granted = || {
                let ended = self.world.tick();
                // Also where confirmed writes are lost: what this instance knows of the session's end holds.
                if has_ended && self.revocations.has_ended(ISSUER, sid) {
                    self.ledger.broken(Property::EndedIsOver, format!("{sid} goes on where it is known to have ended"));
                }
                self.ledger.grant(Grant { sid, token, successor, begun, ended, access_exp });
                Ok(Presenting::Successor(successor))
            };
            match store.swap(sid, &stored, next).await? {
                Swap::Done => return granted(),
                Swap::Lost(Some(current)) => stored = current,
                Swap::Lost(None) => return Ok(Presenting::Refused),
            }
        }
    }
}

/// What the connection of some followers is at the moment.
#[derive(Debug)]
struct Wire {
    instance: Arc<Instance>,
    link: Mutex<Link>,
}

#[derive(Debug)]
struct Line(Arc<Wire>);

#[async_trait]
impl Changes for Line {
    async fn connect(&self, _: &[Bucket]) -> Result<Box<dyn Feed>, StoreError> {
        let world = &self.0.instance.world;
        world.pause().await;
        let link = world.connect();
        *self.0.link.lock() = link;
        Ok(Box::new(Connection { instance: Arc::clone(&self.0.instance), link }))
    }

    async fn pause(&self, _: u32) {
        self.0.instance.world.pause().await;
    }
}

struct Connection {
    instance: Arc<Instance>,
    link: Link,
}

impl Connection {
    async fn ask<T>(&self, question: impl FnOnce(&Server) -> T) -> Result<T, StoreError> {
        let answer = self.instance.world.ask(self.link, question).await;
        answer.ok_or_else(|| StoreError::Unavailable("cut".to_owned()))
    }

    /// Whose data was followed before, if any was.
    fn before(&self, bucket: Bucket, planted: Planted) -> Option<History> {
        let planted = self.instance.world.planted == Some(planted);
        self.instance.histories.lock().get(&bucket).filter(|_| planted).cloned()
    }
}

#[async_trait]
impl Feed for Connection {
    async fn look(&mut self, bucket: Bucket) -> Result<Looked, StoreError> {
        let calm = self.instance.world.is_calm();
        let (history, ends) = self.ask(|server| (server.history.clone(), server.data.ends(bucket))).await?;
        if calm {
            self.instance.calmly.lock().insert(bucket);
        }
        let history = self.before(bucket, Planted::FailoverNotNoticed).unwrap_or(history);
        // All instances go by one clock here; clocks that differ have tests of their own.
        Ok(Looked { history, ends, time: self.instance.revocations.clock().local() })
    }

    async fn page(
        &mut self,
        bucket: Bucket,
        after: Option<MarkKey>,
        limit: usize,
    ) -> Result<Vec<StoredMark>, StoreError> {
        if self.before(bucket, Planted::GapNotRebuilt).is_some() {
            return Ok(Vec::new());
        }
        self.ask(|server| server.data.page(bucket, after, limit)).await
    }

    async fn read(
        &mut self,
        after: &[(Bucket, StreamId)],
        limit: usize,
    ) -> Result<Vec<(Bucket, Vec<Entry>)>, StoreError> {
        let read = |server: &Server| {
            let of_each = after.iter().map(|(bucket, after)| (*bucket, server.data.read(*bucket, *after, limit)));
            of_each.filter(|(_, entries)| !entries.is_empty()).collect()
        };
        self.ask(read).await
    }
}

/// Looks into what followers say of themselves.
struct Watcher {
    wire: Arc<Wire>,
    checked: BTreeMap<Bucket, Checked>,
}

impl Heed for Watcher {
    fn heard(&mut self, follower: &Follower, actions: Vec<Action>) {
        let (instance, bucket) = (&self.wire.instance, follower.bucket());
        for action in actions {
            if let Action::Restore(mut marks) = action
                && instance.world.planted != Some(Planted::NothingRestored)
            {
                // Tables have no order that could be had again.
                marks.sort_by_key(|mark| mark.key);
                instance.owed.lock().insert(bucket, marks);
            }
        }
        let link = *self.wire.link.lock();
        self.checked.entry(bucket).or_default().check(instance, follower, link);
        let calmly = instance.calmly.lock().contains(&bucket);
        let mut standing = instance.standing.lock();
        match follower.position() {
            Some((history, at)) => {
                instance.histories.lock().insert(bucket, history.clone());
                standing.insert(bucket, Followed { at, calmly });
            }
            None => {
                standing.remove(&bucket);
            }
        }
    }

    fn read(&mut self) {}

    fn propagated(&mut self, _: Duration) {}

    fn failed(&mut self, _: &StoreError) {}
}

/// How much of what a follower says of itself was looked into.
#[derive(Debug, Default)]
struct Checked {
    history: Option<History>,
    logged: usize,
    confirmed: usize,
}

impl Checked {
    fn check(&mut self, instance: &Instance, follower: &Follower, link: Link) {
        let (world, ledger, view) = (&instance.world, &instance.ledger, instance.revocations.view());
        if let Some((history, at)) = follower.position() {
            if self.history.as_ref() != Some(history) {
                (self.history, self.logged) = (Some(history.clone()), 0);
            }
            // Ids begin anew on a server that was emptied; until it is looked at again, every so often, nobody knows.
            if world.conditions.flushes {
                return;
            }
            let due = world.inspect(link, |server| {
                let marks = server.data.buckets.get(&follower.bucket()).filter(|_| server.history == *history)?;
                Some(marks.log[self.logged..].iter().take_while(|entry| entry.id <= at).cloned().collect::<Vec<_>>())
            });
            for entry in due.into_iter().flatten() {
                self.logged += 1;
                if !has(view, &entry.mark) {
                    ledger.broken(Property::Position, format!("at {at}, and has not {entry:?}"));
                }
            }
        }
        if world.is_lossless()
            && !world.conditions.zombies
            && let Some(fresh_at) = follower.fresh_at()
        {
            self.confirmed = ledger.check_age(view, follower.bucket(), fresh_at, self.confirmed);
        }
    }
}
