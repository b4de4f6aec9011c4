//! A doorward of several: its view, its followers with the I/O around them, and what it does for clients.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use doorward::base::Clock;
use doorward::keys::KeyNumber;
use doorward::revocation::follower::{Action, Ask, Bucket, Follower, Heard, History, Pace, StreamId};
use doorward::revocation::{
    CacheSettings, Presented, Revocations, Sid, Step, Store, StoreError, StoredMark, Swap, Terms,
};
use parking_lot::Mutex;

use crate::ledger::{Grant, Ledger, Property, Token, has};
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
        Arc::new(Self { world, ledger, revocations, key, owed: Mutex::default(), standing: Mutex::default() })
    }

    pub fn followed(&self, bucket: Bucket) -> Option<Followed> {
        self.standing.lock().get(&bucket).cloned()
    }

    pub fn owes(&self) -> bool {
        !self.owed.lock().is_empty()
    }

    /// Follows a bucket until the run is over.
    pub async fn follow(self: Arc<Self>, bucket: Bucket) {
        let limit = self.world.conditions.limit;
        let pace = Pace { entries: limit, page: limit, look_every: Duration::from_millis(60) };
        let mut follower = Follower::new(bucket, Arc::clone(self.revocations.view()), pace);
        let mut link = self.world.connect();
        let mut calmly = false;
        let mut checked = Checked::default();
        loop {
            if follower.ask() == Ask::Connect {
                self.world.pause().await;
                link = self.world.connect();
            }
            let calm = self.world.is_calm();
            let heard = self.answer(&follower, checked.history.as_ref(), link).await.unwrap_or(Heard::Failed);
            calmly |= calm && matches!(heard, Heard::Ends { .. });
            for action in follower.hear(heard) {
                if let Action::Restore(mut marks) = action
                    && self.world.planted != Some(Planted::NothingRestored)
                {
                    // Tables have no order that could be had again.
                    marks.sort_by_key(|mark| mark.key);
                    self.owed.lock().insert(bucket, marks);
                }
            }
            checked.check(&self, &follower, link);
            let followed = follower.position().map(|(_, at)| Followed { at, calmly });
            let mut standing = self.standing.lock();
            match followed {
                Some(followed) => standing.insert(bucket, followed),
                None => standing.remove(&bucket),
            };
        }
    }

    /// `before` is whose data was followed before, if any was.
    async fn answer(&self, follower: &Follower, before: Option<&History>, link: Link) -> Option<Heard> {
        let (world, bucket) = (&self.world, follower.bucket());
        let sent = world.uptime();
        Some(match follower.ask() {
            Ask::Connect => Heard::Connected,
            Ask::Ends => {
                let (history, ends) =
                    world.ask(link, |server| (server.history.clone(), server.data.ends(bucket))).await?;
                let planted = self.world.planted == Some(Planted::FailoverNotNoticed);
                let history = before.filter(|_| planted).cloned().unwrap_or(history);
                Heard::Ends { sent, history, ends }
            }
            Ask::Page { .. } if before.is_some() && self.world.planted == Some(Planted::GapNotRebuilt) => {
                Heard::Page(Vec::new())
            }
            Ask::Page { after, limit } => {
                Heard::Page(world.ask(link, |server| server.data.page(bucket, after, limit)).await?)
            }
            Ask::Read { after, limit } => Heard::Entries {
                sent,
                entries: world.ask(link, |server| server.data.read(bucket, after, limit)).await?,
            },
        })
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

    /// What the refresh grant does with a token of the session `sid`, less the users and clients.
    pub async fn present(&self, sid: Sid, token: Token, from: IpAddr) -> Result<Presenting, StoreError> {
        let begun = self.world.tick();
        let store: &dyn Store = &*self.world;
        let Some(mut stored) = store.family(sid).await? else { return Ok(Presenting::Refused) };
        loop {
            let at = self.world.now();
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
            // In whole seconds, of which there are few in a run: so a repeat may leave everything as it is.
            let access_exp = doorward::base::Timestamp::from_seconds(at.seconds() + 2);
            next = next.issued(access_exp);
            let successor = (next.generation, next.key_number);
            if self.world.planted == Some(Planted::GenerationOffByOne) && next.generation > stored.generation {
                next.generation -= 1;
            }
            let granted = || {
                let ended = self.world.tick();
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
