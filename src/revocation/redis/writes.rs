//! What is written.

use std::sync::atomic::Ordering;

use redis::Value;

use super::RedisStore;
use super::connections::{Answered, Deadline};
use super::failure::Failure;
use super::feed::{history, text};
use super::keys::slot;
use super::link::{Request, unexpected};
use super::record::Parts;
use super::script;
use super::store::unreadable;
use crate::revocation::{Bucket, Position, StoreError, StoredMark};

impl RedisStore {
    /// A write; once as many replicas have it as are wanted.
    pub(super) async fn write(&self, key: &str, request: Request<'_>, deadline: Deadline) -> Result<Value, StoreError> {
        Ok(self.write_and_tell(key, request, deadline).await?.value)
    }

    pub(super) async fn write_and_tell(
        &self,
        key: &str,
        request: Request<'_>,
        deadline: Deadline,
    ) -> Result<Answered, StoreError> {
        self.be_sure_of_layout(deadline).await?;
        Ok(self.connections.ask_and_tell(slot(key), request, self.settings.wait, deadline).await?)
    }

    /// Marks of one bucket; returns where the last of them stands.
    pub(super) async fn put(&self, bucket: Bucket, marks: &[&StoredMark], how: &str) -> Result<Position, StoreError> {
        let keys = self.keys.bucket(bucket);
        let mut texts = Vec::with_capacity(marks.len());
        for mark in marks {
            let Parts { expires_at, issued_before, name } = Parts::of(mark).map_err(unreadable)?;
            texts.push((mark.key.as_bytes(), expires_at.to_string(), issued_before, name));
        }
        let mut arguments: Vec<&[u8]> = vec![STREAM_LENGTH.as_bytes(), SWEPT_BY_THE_WAY.as_bytes(), how.as_bytes()];
        for (key, expires_at, issued_before, name) in &texts {
            arguments.extend([key.as_slice(), expires_at.as_bytes(), issued_before.as_bytes(), name.as_bytes()]);
        }
        let request = Request::Script {
            script: &script::MARK,
            keys: &[&keys.marks, &keys.expiry, &keys.index, &keys.stream],
            arguments: &arguments,
        };
        match self.write(&keys.marks, request, Deadline::begin()).await? {
            Value::Array(answer) => Ok(position(bucket, &answer)?),
            _ => Err(unexpected().into()),
        }
    }

    /// Raises the latest end of access tokens in the store to `end`, before a session with such a one is there itself: a mark that is made in
    /// between must outlive its token too. Rounded up, so that a store that is busy need not do it for each login, and once more for each
    /// server that takes over, which may have lost it.
    pub(super) async fn raise_latest(&self, end: i64, deadline: Deadline) -> Result<(), StoreError> {
        self.be_sure_of_layout(deadline).await?;
        let (known, made) = (self.latest.load(Ordering::SeqCst), self.connections.made());
        if end == i64::MIN || (end <= known && self.latest_stored.load(Ordering::SeqCst) > made) {
            return Ok(());
        }
        let rounded = end.saturating_add(LATEST_STEP - 1).div_euclid(LATEST_STEP).saturating_mul(LATEST_STEP);
        let wanted = rounded.max(known);
        let (key, text) = (self.keys.latest_access_exp(), wanted.to_string());
        let request = Request::Script { script: &script::RAISE, keys: &[&key], arguments: &[text.as_bytes()] };
        self.write(&key, request, deadline).await?;
        self.latest.fetch_max(wanted, Ordering::SeqCst);
        self.latest_stored.fetch_max(made + 1, Ordering::SeqCst);
        Ok(())
    }
}

/// Where a mark stands, from what the script says: the id, and the two parts of `INFO` that name the history.
fn position(bucket: Bucket, answer: &[Value]) -> Result<Position, Failure> {
    let [id, server, replication] = answer else { return Err(unexpected()) };
    let id = text(id)?.parse().map_err(|_| unexpected())?;
    Ok(Position::Stream { bucket, id, history: history(text(server)?, text(replication)?)?.print() })
}

/// How much of a stream is kept: a replica that was cut off for longer reads all marks again.
const STREAM_LENGTH: &str = "100000";

/// Marks that are over which one that is made takes along.
const SWEPT_BY_THE_WAY: &str = "100";

/// A minute, in milliseconds.
const LATEST_STEP: i64 = 60_000;
