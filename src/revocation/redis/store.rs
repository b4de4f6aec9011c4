//! The contract of [`Store`], kept by scripts that run on the server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::{Value, cmd};

use super::connections::{Answered, Connections, Deadline};
use super::keys::{Keys, slot};
use super::link::{Request, number, unexpected};
use super::page::{page, under};
use super::record::exact;
use super::script;
use super::settings::RedisSettings;
use crate::base::Timestamp;
use crate::revocation::Bucket;
use crate::revocation::memory::TAKEN;
use crate::revocation::record::{Unreadable, of_family, to_family};
use crate::revocation::{Family, Mark, MarkKey, Position, Sid, Store, StoreError, StoredMark, Swap, Swept};

/// Sessions and marks in Redis or Valkey. Its methods need a tokio runtime. Each asks for [`DEADLINE`](super::DEADLINE) at the most, those that
/// go through all marks so long for each part.
pub struct RedisStore {
    pub(super) connections: Arc<Connections>,
    pub(super) keys: Keys,
    pub(super) settings: RedisSettings,
    /// How many connections had been made when the layout was last found good, and one.
    pub(super) layout_seen: AtomicU64,
    /// The latest end of access tokens that was stored from here, in milliseconds.
    pub(super) latest: AtomicI64,
    /// How many connections had been made before it was stored, and one.
    pub(super) latest_stored: AtomicU64,
}

impl RedisStore {
    /// Connects to nothing yet. `None` if there is to be TLS, and nobody whose certificates could be taken.
    #[must_use]
    pub fn new(settings: RedisSettings) -> Option<Self> {
        Some(Self {
            connections: Arc::new(Connections::new(&settings)?),
            keys: Keys::new(&settings.prefix),
            settings,
            layout_seen: AtomicU64::new(0),
            latest: AtomicI64::new(i64::MIN),
            latest_stored: AtomicU64::new(0),
        })
    }

    /// Asks for what is written, once the layout is known to be ours: a server that was not there yet may be another than before.
    pub(super) async fn ask(&self, key: &str, request: Request<'_>, deadline: Deadline) -> Result<Value, StoreError> {
        self.be_sure_of_layout(deadline).await?;
        Ok(self.connections.ask(slot(key), request, None, deadline).await?)
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn create(&self, sid: Sid, family: Family) -> Result<(), StoreError> {
        let deadline = Deadline::begin();
        self.raise_latest(latest(&family), deadline).await?;
        let (key, record) = (self.keys.family(sid), of_family(&family).map_err(unreadable)?);
        let until = kept_until(&family).to_string();
        let request =
            Request::Script { script: &script::CREATE, keys: &[&key], arguments: &[&record, until.as_bytes()] };
        if number(&self.write(&key, request, deadline).await?)? != 1 {
            return Err(StoreError::Unavailable(TAKEN.to_owned()));
        }
        // If this went to another server than that, which never heard of it.
        self.raise_latest(latest(&family), deadline).await
    }

    async fn family(&self, sid: Sid) -> Result<Option<Family>, StoreError> {
        let key = self.keys.family(sid);
        let mut command = cmd("GET");
        command.arg(&key);
        found(&self.ask(&key, Request::Command(&command), Deadline::begin()).await?)
    }

    async fn swap(&self, sid: Sid, expected: &Family, next: Family) -> Result<Swap, StoreError> {
        let deadline = Deadline::begin();
        self.raise_latest(latest(&next), deadline).await?;
        let key = self.keys.family(sid);
        let (mut bytes, next_bytes) = (of_family(expected).map_err(unreadable)?, of_family(&next).map_err(unreadable)?);
        let until = kept_until(&next).to_string();
        for _ in 0..ENCODINGS {
            let arguments: [&[u8]; 3] = [&bytes, &next_bytes, until.as_bytes()];
            let request = Request::Script { script: &script::SWAP, keys: &[&key], arguments: &arguments };
            let Answered { value, was_resent } = self.write_and_tell(&key, request, deadline).await?;
            let Value::Array(answer) = value else { return Err(unexpected().into()) };
            let was_done = match answer.as_slice() {
                [Value::Int(1)] => true,
                // By the first of the two: to whoever asked it must not look as if somebody else had been quicker.
                [Value::Int(0), Value::BulkString(current)] => was_resent && *current == next_bytes,
                _ => false,
            };
            if was_done {
                self.raise_latest(latest(&next), deadline).await?;
                return Ok(Swap::Done);
            }
            match answer.as_slice() {
                [Value::Int(0), Value::BulkString(current)] if *current != bytes => {
                    let family = to_family(current).map_err(unreadable)?;
                    if family != *expected {
                        return Ok(Swap::Lost(Some(family)));
                    }
                    // The same session, as an older version wrote it.
                    bytes.clone_from(current);
                }
                [Value::Int(0), Value::Nil] | [Value::Int(0)] => return Ok(Swap::Lost(None)),
                _ => return Err(unexpected().into()),
            }
        }
        Err(StoreError::Unavailable("Redis: a session changes its spelling again and again".to_owned()))
    }

    async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        let mark = StoredMark::from(mark);
        let bucket = Bucket::of(&mark.key);
        self.put(bucket, &[&mark], "make").await
    }

    async fn restore(&self, marks: &[StoredMark]) -> Result<(), StoreError> {
        for bucket in Bucket::all() {
            let of_bucket: Vec<_> = marks.iter().filter(|mark| Bucket::of(&mark.key) == bucket).collect();
            for part in of_bucket.chunks(PART) {
                self.put(bucket, part, "restore").await?;
            }
        }
        Ok(())
    }

    async fn marks(&self, after: Option<MarkKey>, limit: usize) -> Result<Vec<StoredMark>, StoreError> {
        self.be_sure_of_layout(Deadline::begin()).await?;
        let (mut after, limit) = (after, limit.max(1));
        let mut marks = Vec::new();
        // A part may be short, or empty where all of it is gone from the hash and not from the index: that is not the end.
        while marks.len() < limit {
            let page = page(&self.connections, &self.keys, after, limit - marks.len()).await?;
            marks.extend(page.marks);
            if page.last.is_none() {
                break;
            }
            after = page.last;
        }
        Ok(marks)
    }

    async fn marks_under(&self, keys: &[MarkKey]) -> Result<Vec<StoredMark>, StoreError> {
        let deadline = Deadline::begin();
        self.be_sure_of_layout(deadline).await?;
        Ok(under(&self.connections, &self.keys, keys, deadline).await?)
    }

    async fn latest_access_exp(&self) -> Result<Timestamp, StoreError> {
        let key = self.keys.latest_access_exp();
        let mut command = cmd("GET");
        command.arg(&key);
        let stored = match self.ask(&key, Request::Command(&command), Deadline::begin()).await? {
            Value::Nil => 0,
            Value::BulkString(text) => {
                let millis = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
                millis.ok_or_else(|| unreadable(Unreadable))?
            }
            _ => return Err(unexpected().into()),
        };
        // It may have been lost there.
        Ok(Timestamp::from_millis(stored.max(self.latest.load(Ordering::SeqCst))))
    }

    fn epoch(&self) -> u64 {
        self.connections.made()
    }

    fn away_since(&self, ago: Duration, grace: Duration) -> Duration {
        self.connections.away_since(ago, grace)
    }

    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let (now, most) = (exact(now).to_string(), PART.to_string());
        for bucket in Bucket::all() {
            let keys = self.keys.bucket(bucket);
            loop {
                let request = Request::Script {
                    script: &script::SWEEP,
                    keys: &[&keys.marks, &keys.expiry, &keys.index],
                    arguments: &[now.as_bytes(), most.as_bytes()],
                };
                let dropped = number(&self.ask(&keys.marks, request, Deadline::begin()).await?)?;
                let dropped = usize::try_from(dropped).unwrap_or(0);
                swept.marks += dropped;
                if dropped < PART {
                    break;
                }
            }
        }
        // Last: a server that has no room refuses this, and not the rest.
        self.raise_latest(self.latest.load(Ordering::SeqCst), Deadline::begin()).await?;
        Ok(swept)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("RedisStore").field(&self.settings).finish()
    }
}

/// The record of a session, if there is one.
fn found(value: &Value) -> Result<Option<Family>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => to_family(bytes).map(Some).map_err(unreadable),
        _ => Err(unexpected().into()),
    }
}

/// In milliseconds.
fn latest(family: &Family) -> i64 {
    exact(family.latest_access_exp)
}

/// In milliseconds; a time at or before the epoch would not be taken.
fn kept_until(family: &Family) -> i64 {
    exact(family.kept_until()).max(1)
}

pub(super) fn unreadable(_: Unreadable) -> StoreError {
    StoreError::Unavailable("Redis: a record cannot be read: was it written by a newer doorward?".to_owned())
}

/// A record that is equal to the expected one is compared in its own spelling; one that changes meanwhile, once more.
const ENCODINGS: usize = 3;

/// Marks in one script: some hundred microseconds for whoever waits behind it.
const PART: usize = 100;
