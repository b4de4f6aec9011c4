//! Sessions and revocation marks: what was issued, and what of it counts no more.
//!
//! # Why a view in memory
//!
//! A revoked token must be refused by the next request, and no request may wait for a store. So every instance holds all
//! live marks, written through from the store that makes them durable, and a request that finds its token unmarked has
//! asked everything there is to ask. The cache before it spares three hashes and three look-ups, and is never trusted beyond
//! the view: an answer is dropped as soon as something changes near the token's marks.

mod answers;
pub mod embedded;
pub mod family;
mod identifiers;
pub mod mark;
mod memory;
mod record;
pub mod redis;
mod revocations;
pub mod settings;
mod sid;
pub mod store;
mod view;

pub use embedded::{EmbeddedStore, OpenError};
pub use family::{Family, Presented, Refused, ReuseCause, SessionLife, Step, Strangers, Terms};
pub use identifiers::Identifiers;
pub use mark::{Mark, MarkKey, MarkKind, MarkName, StoredMark};
pub use memory::MemoryStore;
pub use redis::{RedisSettings, RedisStore};
pub use revocations::{LookUp, Revocations};
pub use settings::CacheSettings;
pub use sid::Sid;
pub use store::{Position, Store, StoreError, StreamId, Swap, Swept};
pub use view::{Standing, View};
