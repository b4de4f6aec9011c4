//! How long what was issued may still be used: the time until which a mark on all of it must live.
//!
//! A mark on a subject or a client matches tokens whose `exp` nobody wrote down, issued under settings that may have been
//! others. So the latest end is kept in the store, before a token with such an end is given out. Sessions keep that of
//! their access tokens themselves ([`Store::latest_access_exp`]); here is what they do not keep: the ends of access tokens
//! without a session, and of sessions that nobody refreshes.
//!
//! Both are in the record of one ended session whose name no refresh token leads to. So every store keeps them, with its
//! compare-and-swap and its guarantees, and forgets them when they are past.

use std::cmp::max;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

use super::sid::first_half;
use super::{Family, SessionLife, Sid, Store, StoreError, Swap};
use crate::base::Timestamp;
use crate::keys::KeyNumber;
use crate::tokens::ScopeSet;

/// Until when the last of what was issued may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Until {
    /// The latest `exp` of access tokens.
    pub tokens: Timestamp,
    /// The latest time at which a refresh token may be presented, if it is not refreshed before.
    pub sessions: Timestamp,
}

/// What of it this process knows.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    tokens: AtomicI64,
    sessions: AtomicI64,
    /// The store's [epoch](Store::epoch) in which that was there, and one.
    stored_in: AtomicU64,
    /// One write for all who wait for it, and why the last one failed, if it did.
    writing: tokio::sync::Mutex<Option<StoreError>>,
    /// How many writes were begun.
    begun: AtomicU64,
}

impl Horizon {
    /// Sees to it that the store has ends no earlier than `until`. Mostly that is known, and nothing is asked: when something is
    /// written, it is for some time ahead. All that is known is written again where the store may have lost it.
    pub(super) async fn cover(&self, store: &dyn Store, until: Until) -> Result<(), StoreError> {
        if self.covers(store, until) {
            return Ok(());
        }
        let begun = self.begun.load(Ordering::Acquire);
        let mut last = self.writing.lock().await;
        if self.covers(store, until) {
            return Ok(());
        }
        // Who waited while another one tried, and failed, does not try again: all would, one after the other.
        if self.begun.load(Ordering::Acquire) != begun
            && let Some(error) = &*last
        {
            return Err(error.clone());
        }
        self.begun.fetch_add(1, Ordering::AcqRel);
        *last = self.write(store, until).await.err();
        last.clone().map_or(Ok(()), Err)
    }

    async fn write(&self, store: &dyn Store, until: Until) -> Result<(), StoreError> {
        // Before it is written: if another server takes over meanwhile, it is written once more.
        let epoch = store.epoch();
        // What needs no more room than it has, gets none.
        let ahead = |end: Timestamp| if end == Timestamp::default() { end } else { end.plus(AHEAD) };
        let wanted = Until { tokens: ahead(until.tokens), sessions: ahead(until.sessions) }.latest(self.known());
        let covered = raise(store, wanted).await?;
        self.tokens.fetch_max(covered.tokens.millis(), Ordering::AcqRel);
        self.sessions.fetch_max(covered.sessions.millis(), Ordering::AcqRel);
        self.stored_in.store(epoch.saturating_add(1), Ordering::Release);
        Ok(())
    }

    /// What `store` has, and what it may have lost and is known here.
    pub(super) async fn until(&self, store: &dyn Store) -> Result<Until, StoreError> {
        Ok(stored(store).await?.latest(self.known()))
    }

    fn known(&self) -> Until {
        let time = |millis: &AtomicI64| Timestamp::from_millis(millis.load(Ordering::Acquire));
        Until { tokens: time(&self.tokens), sessions: time(&self.sessions) }
    }

    fn covers(&self, store: &dyn Store, until: Until) -> bool {
        // INVARIANT: before what is known is read, which only grows.
        let is_there = self.stored_in.load(Ordering::Acquire) > store.epoch();
        let known = self.known();
        known.latest(until) == known && (is_there || known == Until::default())
    }
}

impl Until {
    fn latest(self, other: Self) -> Self {
        Self { tokens: max(self.tokens, other.tokens), sessions: max(self.sessions, other.sessions) }
    }
}

/// What `store` has.
pub(super) async fn stored(store: &dyn Store) -> Result<Until, StoreError> {
    let kept = store.family(name()).await?.map(|record| ends(&record)).unwrap_or_default();
    Ok(kept.latest(Until { tokens: store.latest_access_exp().await?, ..Until::default() }))
}

/// Raises what the store has to `wanted`, where it is less. Nobody's write is undone, in whatever order they come.
pub(super) async fn raise(store: &dyn Store, wanted: Until) -> Result<Until, StoreError> {
    let mut standing = store.family(name()).await?;
    loop {
        let Some(record) = standing else {
            match store.create(name(), record(wanted)).await {
                Ok(()) => return Ok(wanted),
                // Another instance may have been quicker.
                Err(error) => match store.family(name()).await? {
                    None => return Err(error),
                    made => standing = made,
                },
            }
            continue;
        };
        let had = ends(&record);
        let next = had.latest(wanted);
        if next == had {
            return Ok(had);
        }
        match store.swap(name(), &record, self::record(next)).await? {
            Swap::Done => return Ok(next),
            Swap::Lost(current) => standing = current,
        }
    }
}

/// An ended session with these ends. Were somebody to present a token of it, it would be refused.
fn record(until: Until) -> Family {
    let life = SessionLife { now: Timestamp::default(), absolute: Duration::ZERO, idle: Duration::ZERO };
    let mut record =
        Family::begin("", None, ScopeSet::default(), KeyNumber([0; 4]), life).issued(until.tokens).revoke();
    record.expires_at = until.sessions;
    record.idle_expires_at = until.sessions;
    record
}

fn ends(record: &Family) -> Until {
    Until { tokens: record.latest_access_exp, sessions: record.expires_at }
}

pub(super) fn name() -> Sid {
    let mut context = Context::new(&SHA256);
    context.update(b"doorward horizon");
    Sid::from_bytes(first_half(context))
}

/// So that one write in this time is enough, and no mark lives longer than it must by more than this.
const AHEAD: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests;
