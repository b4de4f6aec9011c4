//! Whether what is under the prefix is laid out as this doorward knows it.

use std::sync::atomic::Ordering;

use redis::{Value, cmd};

use super::RedisStore;
use super::connections::Deadline;
use super::keys::slot;
use super::link::{Request, unexpected};
use crate::revocation::StoreError;

/// Why a store cannot be used by this doorward.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Another doorward lays its keys out in another way.
    #[error(
        "the keys under the prefix `{prefix}` are of layout {found}, and this doorward knows layout 1 only: run the same version everywhere, or give this one another `store.redis.prefix`"
    )]
    Other {
        /// `store.redis.prefix`.
        prefix: String,
        /// What stands there.
        found: String,
    },
    /// It does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RedisStore {
    /// Whether this doorward may use what is there. Takes what is empty for its own.
    ///
    /// # Errors
    /// [`LayoutError::Other`] must end the start; otherwise it may be asked again.
    pub async fn check_layout(&self) -> Result<(), LayoutError> {
        self.check_layout_by(Deadline::begin()).await
    }

    async fn check_layout_by(&self, deadline: Deadline) -> Result<(), LayoutError> {
        let made = self.connections.made();
        let key = self.keys.layout();
        let mut get = cmd("GET");
        get.arg(&key);
        let mut set = cmd("SET");
        set.arg(&key).arg(LAYOUT).arg("NX").arg("GET");
        let ask = |command| self.connections.ask(slot(&key), Request::Command(command), None, deadline);
        // Read first: a server that has no room for more can still be followed.
        let mut found = ask(&get).await.map_err(StoreError::from)?;
        if found == Value::Nil {
            found = ask(&set).await.map_err(StoreError::from)?;
        }
        match found {
            Value::Nil => {}
            Value::BulkString(found) if found == LAYOUT.as_bytes() => {}
            Value::BulkString(found) => {
                let (prefix, found) = (self.settings.prefix.clone(), String::from_utf8_lossy(&found).into_owned());
                return Err(LayoutError::Other { prefix, found });
            }
            _ => return Err(LayoutError::Store(unexpected().into())),
        }
        self.layout_seen.store(made + 1, Ordering::SeqCst);
        Ok(())
    }

    /// The same once for each new connection: behind it may be another server than before.
    pub(super) async fn be_sure_of_layout(&self, deadline: Deadline) -> Result<(), StoreError> {
        if self.layout_seen.load(Ordering::SeqCst) > self.connections.made() {
            return Ok(());
        }
        self.check_layout_by(deadline).await.map_err(|error| match error {
            LayoutError::Store(error) => error,
            LayoutError::Other { .. } => StoreError::Unavailable(format!("Redis: {error}")),
        })
    }
}

/// The version of the keys and of what is in them. Another one may mean anything.
pub(super) const LAYOUT: &str = "1";
