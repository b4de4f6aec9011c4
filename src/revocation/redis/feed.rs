//! Following the streams, over a connection of its own: what waits for the next change holds up nobody else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::{Value, cmd};
use tokio::time::{Instant, sleep};

use super::RedisStore;
use super::connections::{Connections, DEADLINE, Deadline, Opened};
use super::failure::Failure;
use super::keys::{Keys, slot};
use super::link::{Request, unexpected};
use super::page::read;
use super::record::to_mark;
use super::script;
use super::store::unreadable;
use crate::base::Timestamp;
use crate::base::entropy::random;
use crate::revocation::changes::{Changes, Feed, Looked};
use crate::revocation::follower::{Ends, Entry, History};
use crate::revocation::{Bucket, MarkKey, StoreError, StoredMark, StreamId};

#[async_trait]
impl Changes for RedisStore {
    async fn connect(&self, buckets: &[Bucket]) -> Result<Box<dyn Feed>, StoreError> {
        let first = buckets.first().ok_or_else(unexpected)?;
        let slot = slot(&self.keys.bucket(*first).stream);
        self.be_sure_of_layout(Deadline::begin()).await?;
        let opened = self.connections.open(slot, Deadline::begin()).await?;
        let feed = RedisFeed { connections: Arc::clone(&self.connections), keys: self.keys.clone(), slot, opened };
        feed.begin().await?;
        Ok(Box::new(feed))
    }

    async fn pause(&self, failures: u32) {
        let longest = PAUSE.saturating_mul(1 << (failures.clamp(1, 3) - 1));
        // Not all replicas at once.
        sleep(longest.mul_f64(f64::from(random::<1>()[0]) / 510.0 + 0.5)).await;
    }
}

struct RedisFeed {
    connections: Arc<Connections>,
    keys: Keys,
    slot: u16,
    opened: Opened,
}

impl RedisFeed {
    /// Connects, to a server that may be followed.
    async fn begin(&self) -> Result<(), StoreError> {
        let connected = self.opened.link.connect(Deadline::begin().at()).await;
        connected.map_err(|failure| self.lost(failure))
    }

    async fn ask(&self, request: Request<'_>, patience: Duration) -> Result<Value, StoreError> {
        let Opened { link, asking } = &self.opened;
        let answer = link.ask(request, *asking, None, Instant::now() + patience).await;
        answer.map_err(|failure| self.lost(failure))
    }

    /// The next connection is looked for where the data is by then.
    fn lost(&self, failure: Failure) -> StoreError {
        self.connections.lost(self.slot, self.opened.link.address(), &failure);
        failure.into()
    }
}

#[async_trait]
impl Feed for RedisFeed {
    async fn look(&mut self, bucket: Bucket) -> Result<Looked, StoreError> {
        let stream = self.keys.bucket(bucket).stream;
        let request = Request::Script { script: &script::LOOK, keys: &[&stream], arguments: &[] };
        let Value::Array(answers) = self.ask(request, DEADLINE).await? else { return Err(self.lost(unexpected())) };
        looked(&answers).map_err(|failure| self.lost(failure))
    }

    async fn page(
        &mut self,
        bucket: Bucket,
        after: Option<MarkKey>,
        limit: usize,
    ) -> Result<Vec<StoredMark>, StoreError> {
        let keys = self.keys.bucket(bucket);
        let (mut after, limit) = (after, limit.to_string());
        loop {
            let from = after.map_or_else(|| b"-".to_vec(), |after| [b"(".as_slice(), after.as_bytes()].concat());
            let request = Request::Script {
                script: &script::PAGE,
                keys: &[&keys.marks, &keys.expiry, &keys.index, &keys.stream],
                arguments: &[&from, limit.as_bytes()],
            };
            let part = read(self.ask(request, DEADLINE).await?).map_err(|failure| self.lost(failure))?;
            let Some((last, _)) = part.last() else { return Ok(Vec::new()) };
            after = Some(*last);
            let mut marks = Vec::with_capacity(part.len());
            for (key, record) in part {
                // The index may have one that is gone: that is not the end.
                let Some(record) = record else { continue };
                let mark = to_mark(&record).ok().filter(|mark| mark.key == key);
                marks.push(mark.ok_or_else(|| unreadable(crate::revocation::record::Unreadable))?);
            }
            if !marks.is_empty() {
                return Ok(marks);
            }
        }
    }

    async fn read(
        &mut self,
        after: &[(Bucket, StreamId)],
        limit: usize,
    ) -> Result<Vec<(Bucket, Vec<Entry>)>, StoreError> {
        let streams: Vec<_> = after.iter().map(|(bucket, _)| (self.keys.bucket(*bucket).stream, *bucket)).collect();
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(limit).arg("BLOCK").arg(BLOCK.as_millis().to_string()).arg("STREAMS");
        for (stream, _) in &streams {
            command.arg(stream);
        }
        for (_, id) in after {
            command.arg(id.to_string());
        }
        let read = self.ask(Request::Command(&command), BLOCK + DEADLINE);
        // While it waits: one whom the others have left behind hears of nothing, and would hold that there is nothing.
        let still = self.connections.is_still_master(self.opened.link.address());
        let (answer, still) = tokio::join!(read, still);
        let answer = answer?;
        // Where too few Sentinels answer, only this is not to be relied on: the master may be well.
        still?;
        entries(answer, &streams).map_err(|failure| self.lost(failure))
    }
}

fn looked(answers: &[Value]) -> Result<Looked, Failure> {
    let [server, replication, stream, time] = answers else { return Err(unexpected()) };
    let (server, replication) = (text(server)?, text(replication)?);
    if field(replication, "role") != Some("master") {
        return Err(Failure::NotServing("the server is a replica"));
    }
    Ok(Looked { history: history(server, replication)?, ends: ends(stream)?, time: clock(time)? })
}

/// From `INFO server` and `INFO replication`.
pub(super) fn history(server: &str, replication: &str) -> Result<History, Failure> {
    let named = |text: &str, name| field(text, name).map(Box::from).ok_or_else(unexpected);
    Ok(History { run_id: named(server, "run_id")?, replication_id: named(replication, "master_replid")? })
}

/// Of `XINFO STREAM`; there is no stream before its first entry.
fn ends(answer: &Value) -> Result<Ends, Failure> {
    let members = match answer {
        Value::Array(members) => members,
        Value::Nil => return Ok(Ends::default()),
        _ => return Err(unexpected()),
    };
    let member = |name: &str| {
        let mut pairs = members.chunks_exact(2);
        let pair = pairs.find(|pair| pair.first().and_then(|key| text(key).ok()) == Some(name));
        pair.and_then(|pair| pair.get(1)).ok_or_else(unexpected)
    };
    let first = match member("first-entry")? {
        Value::Array(entry) => Some(id(entry.first().ok_or_else(unexpected)?)?),
        _ => None,
    };
    let Value::Int(added) = member("entries-added")? else { return Err(unexpected()) };
    Ok(Ends {
        first,
        last: id(member("last-generated-id")?)?,
        deleted: id(member("max-deleted-entry-id")?)?,
        added: u64::try_from(*added).map_err(|_| unexpected())?,
    })
}

fn entries(answer: Value, streams: &[(String, Bucket)]) -> Result<Vec<(Bucket, Vec<Entry>)>, Failure> {
    let of_streams = match answer {
        Value::Nil => return Ok(Vec::new()),
        Value::Array(of_streams) => of_streams,
        _ => return Err(unexpected()),
    };
    let mut read = Vec::with_capacity(of_streams.len());
    for of_stream in of_streams {
        let Value::Array(parts) = of_stream else { return Err(unexpected()) };
        let [name, Value::Array(entries)] = parts.as_slice() else { return Err(unexpected()) };
        let name = text(name)?;
        let (_, bucket) = streams.iter().find(|(stream, _)| stream == name).ok_or_else(unexpected)?;
        read.push((*bucket, entries.iter().map(entry).collect::<Result<_, _>>()?));
    }
    Ok(read)
}

fn entry(value: &Value) -> Result<Entry, Failure> {
    let Value::Array(parts) = value else { return Err(unexpected()) };
    let [at, Value::Array(fields)] = parts.as_slice() else { return Err(unexpected()) };
    let [_, Value::BulkString(record)] = fields.as_slice() else { return Err(unexpected()) };
    Ok(Entry { id: id(at)?, mark: to_mark(record).map_err(|_| unexpected())? })
}

fn id(value: &Value) -> Result<StreamId, Failure> {
    text(value)?.parse().map_err(|_| unexpected())
}

/// `TIME`: seconds and microseconds.
fn clock(value: &Value) -> Result<Timestamp, Failure> {
    let Value::Array(parts) = value else { return Err(unexpected()) };
    let [seconds, micros] = parts.as_slice() else { return Err(unexpected()) };
    let number = |value| text(value)?.parse::<i64>().map_err(|_| unexpected());
    Ok(Timestamp::from_millis(number(seconds)?.saturating_mul(1000).saturating_add(number(micros)? / 1000)))
}

pub(super) fn text(value: &Value) -> Result<&str, Failure> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).map_err(|_| unexpected()),
        Value::SimpleString(text) => Ok(text),
        Value::VerbatimString { text, .. } => Ok(text),
        _ => Err(unexpected()),
    }
}

/// The value of a line `name:value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// How long the server waits for a change.
const BLOCK: Duration = Duration::from_secs(1);

/// Before another try, at first.
const PAUSE: Duration = Duration::from_millis(250);
