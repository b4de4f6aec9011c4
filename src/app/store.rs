//! The store that is configured.

use std::sync::Arc;

use super::serve::{STORE_FILE, StartError};
use crate::config::{Settings, StoreKind};
use crate::revocation::{EmbeddedStore, MemoryStore, RedisSettings, RedisStore, Store};

/// Opens it, unless there is one `instead`. One in Redis must be laid out as we know it.
pub(super) async fn open(settings: &Settings, instead: Option<&Arc<dyn Store>>) -> Result<Arc<dyn Store>, StartError> {
    if let Some(store) = instead {
        return Ok(Arc::clone(store));
    }
    Ok(match &settings.store {
        StoreKind::Memory => Arc::new(MemoryStore::new(None)),
        StoreKind::Embedded => Arc::new(EmbeddedStore::open(&settings.data_dir.join(STORE_FILE))?),
        StoreKind::Redis(redis) => {
            let store = RedisStore::new(RedisSettings::clone(redis)).ok_or(StartError::NobodyTrusted)?;
            store.check_layout().await?;
            Arc::new(store)
        }
    })
}
