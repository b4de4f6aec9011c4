//! The store that is configured.

use std::sync::Arc;

use super::serve::STORE_FILE;
use super::start_error::StartError;
use crate::config::{Settings, StoreKind};
use crate::revocation::changes::Changes;
use crate::revocation::redis::{LayoutError, Mode};
use crate::revocation::transfer::Exports;
use crate::revocation::{EmbeddedStore, Freshness, MemoryStore, RedisSettings, RedisStore, Replicas, Store};

/// What it takes to follow a store that others write, too.
pub(super) struct Shared {
    /// Where its changes are told.
    pub(super) changes: Arc<dyn Changes>,
    /// The same as a server that counts.
    pub(super) redis: Arc<RedisStore>,
    /// Whether its parts may be at different servers.
    pub(super) is_apart: bool,
    /// Whether it answered at the start.
    pub(super) answered: bool,
    /// Who else follows it.
    pub(super) replicas: Arc<dyn Replicas>,
    /// How old the view of it is.
    pub(super) freshness: Arc<Freshness>,
}

/// Opens it, unless there is one `instead`. One in Redis may be down: what is there must be laid out as we know it, once it answers.
pub(super) async fn open(
    settings: &Settings,
    instead: Option<&Arc<dyn Store>>,
) -> Result<(Arc<dyn Store>, Option<Shared>), StartError> {
    if let Some(store) = instead {
        return Ok((Arc::clone(store), None));
    }
    let store: Arc<dyn Store> = match &settings.store {
        StoreKind::Memory => Arc::new(MemoryStore::new(None)),
        StoreKind::Embedded => {
            let store = EmbeddedStore::open(&settings.data_dir.join(STORE_FILE))?;
            if let Some(since) = store.sealed_at() {
                tracing::error!(
                    since = since.seconds(),
                    "the store was exported and is sealed: logins, refreshes and revocations answer 503; serve from where it was imported, or run `doorward store unseal`"
                );
            }
            Arc::new(store)
        }
        StoreKind::Redis(redis) => {
            let store = Arc::new(RedisStore::new(RedisSettings::clone(redis)).ok_or(StartError::NobodyTrusted)?);
            let answered = match store.check_layout().await {
                Err(error @ LayoutError::Other { .. }) => return Err(error.into()),
                Err(LayoutError::Store(error)) => {
                    tracing::error!(
                        %error,
                        "`store.redis` does not answer; nobody can log in until it does, and of no token it is known whether it was revoked: see `revocation.on_store_failure`"
                    );
                    false
                }
                Ok(()) => true,
            };
            let (changes, redis_store) = (Arc::<RedisStore>::clone(&store), Arc::clone(&store));
            let replicas = Arc::<RedisStore>::clone(&store);
            let is_apart = redis.mode == Mode::Cluster;
            let freshness = Arc::default();
            let shared = Shared { changes, redis: redis_store, is_apart, answered, replicas, freshness };
            return Ok((store, Some(shared)));
        }
    };
    Ok((store, None))
}
