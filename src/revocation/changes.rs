//! Following a shared store: the I/O around the [`Follower`]s.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::follower::{Action, Ask, Ends, Entry, Heard, History, Pace};
use super::{Bucket, Follower, MarkKey, StoreClock, StoreError, StoredMark, StreamId};
use crate::base::{Clock, Timestamp};

/// A store whose changes can be followed.
#[async_trait]
pub trait Changes: Send + Sync + fmt::Debug {
    /// Connects to the server that has all of `buckets` now, which must be one.
    ///
    /// # Errors
    /// [`StoreError`] if there is none.
    async fn connect(&self, buckets: &[Bucket]) -> Result<Box<dyn Feed>, StoreError>;

    /// Waits before another try, after so many `failures` in a row, whatever failed: one or more.
    async fn pause(&self, failures: u32);
}

/// A connection to a server. Whatever fails on it, it is of no more use.
#[async_trait]
pub trait Feed: Send {
    /// Whose data it is and how the stream of `bucket` stands, both asked at once.
    ///
    /// # Errors
    /// [`StoreError`], also where the server has not got the bucket, or is none that may be written to.
    async fn look(&mut self, bucket: Bucket) -> Result<Looked, StoreError>;

    /// As [`Store::marks`](super::Store::marks), of one bucket.
    ///
    /// # Errors
    /// [`StoreError`] if not all of the page can be read.
    async fn page(
        &mut self,
        bucket: Bucket,
        after: Option<MarkKey>,
        limit: usize,
    ) -> Result<Vec<StoredMark>, StoreError>;

    /// At most `limit` entries of each stream behind the one named, in order. Waits a second for the first one; nothing if none came.
    ///
    /// # Errors
    /// [`StoreError`] if one cannot be read: what is left out would be missed.
    async fn read(
        &mut self,
        after: &[(Bucket, StreamId)],
        limit: usize,
    ) -> Result<Vec<(Bucket, Vec<Entry>)>, StoreError>;
}

/// What a server says of itself and of a stream.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Whose data it is.
    pub history: History,
    /// How the stream stands.
    pub ends: Ends,
    /// What the server's clock shows.
    pub time: Timestamp,
}

/// Who is told what comes of it.
pub trait Heed: Send {
    /// A follower took something up; this is to be done.
    fn heard(&mut self, follower: &Follower, actions: Vec<Action>);

    /// All streams were read. It can be said that they are followed, and not sooner: a server may connect, and refuse what comes then.
    fn read(&mut self);

    /// A change took effect here, so long after it was durable.
    fn propagated(&mut self, took: Duration);

    /// The store could not be followed. It is tried again.
    fn failed(&mut self, error: &StoreError);
}

/// Follows the buckets of `followers`, over one connection, for ever.
pub async fn follow(
    changes: &dyn Changes,
    mut followers: Vec<Follower>,
    pace: Pace,
    clock: &StoreClock,
    heed: &mut dyn Heed,
) {
    let buckets: Vec<Bucket> = followers.iter().map(Follower::bucket).collect();
    let mut failures = 0;
    loop {
        let error = match changes.connect(&buckets).await {
            Ok(mut feed) => {
                tell_all(&mut followers, &Heard::Connected, heed);
                loop {
                    if let Err(error) = round(&mut *feed, &mut followers, pace, clock, heed).await {
                        break error;
                    }
                    failures = 0;
                    heed.read();
                }
            }
            Err(error) => error,
        };
        tell_all(&mut followers, &Heard::Failed, heed);
        heed.failed(&error);
        failures += 1;
        changes.pause(failures).await;
    }
}

/// Asks once what time it is by the store's clock: for what must be dated before anything was followed.
///
/// # Errors
/// [`StoreError`] if it does not answer; following finds it out later.
pub async fn measure(changes: &dyn Changes, clock: &StoreClock) -> Result<(), StoreError> {
    let Some(bucket) = Bucket::all().next() else { return Ok(()) };
    let mut feed = changes.connect(&[bucket]).await?;
    let sent = clock.uptime();
    let Looked { time, .. } = feed.look(bucket).await?;
    clock.measured(sent, clock.uptime(), time);
    Ok(())
}

/// Does what each follower asks for until all want to read, and then reads once for all of them.
async fn round(
    feed: &mut dyn Feed,
    followers: &mut [Follower],
    pace: Pace,
    clock: &StoreClock,
    heed: &mut dyn Heed,
) -> Result<(), StoreError> {
    let mut after = Vec::with_capacity(followers.len());
    // One after the other: what is paged through is in memory twice meanwhile.
    for follower in &mut *followers {
        after.push((follower.bucket(), prepare(feed, follower, clock, heed).await?));
    }
    let sent = clock.uptime();
    let mut read = feed.read(&after, pace.entries).await?;
    for follower in followers {
        // Of a stream that is not in the answer there was nothing.
        let of_bucket = read.iter_mut().find(|(bucket, _)| *bucket == follower.bucket());
        let entries = of_bucket.map(|(_, entries)| std::mem::take(entries)).unwrap_or_default();
        let written: Vec<Timestamp> = entries.iter().map(|entry| entry.id.written_at()).collect();
        tell(follower, Heard::Entries { sent, entries }, heed);
        let now = clock.now();
        for written in written {
            heed.propagated(now.since(written));
        }
    }
    Ok(())
}

/// Does what a follower asks for until it wants to read; from where.
async fn prepare(
    feed: &mut dyn Feed,
    follower: &mut Follower,
    clock: &StoreClock,
    heed: &mut dyn Heed,
) -> Result<StreamId, StoreError> {
    let bucket = follower.bucket();
    loop {
        let heard = match follower.ask() {
            Ask::Read { after, .. } => return Ok(after),
            Ask::Connect => return Err(StoreError::Unavailable("the answers did not fit the questions".to_owned())),
            Ask::Ends => {
                let sent = clock.uptime();
                let Looked { history, ends, time } = feed.look(bucket).await?;
                if bucket.keeps_time() {
                    clock.measured(sent, clock.uptime(), time);
                }
                Heard::Ends { sent, history, ends }
            }
            Ask::Page { after, limit } => Heard::Page(feed.page(bucket, after, limit).await?),
        };
        tell(follower, heard, heed);
    }
}

fn tell(follower: &mut Follower, heard: Heard, heed: &mut dyn Heed) {
    let actions = follower.hear(heard);
    heed.heard(follower, actions);
}

fn tell_all(followers: &mut [Follower], heard: &Heard, heed: &mut dyn Heed) {
    for follower in followers {
        tell(follower, heard.clone(), heed);
    }
}

#[cfg(test)]
mod tests;
