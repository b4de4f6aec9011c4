//! Sessions and revocation marks: what was issued, and what of it counts no more.
//!
//! # Why a view in memory
//!
//! A revoked token must be refused by the next request, and no request may wait for a store. So every instance holds all
//! live marks, written through from the store that makes them durable, and a request that finds its token unmarked has
//! asked everything there is to ask. The cache before it spares three hashes and three look-ups, and is never trusted beyond
//! the view: an answer is dropped as soon as something changes near the token's marks. Who remembers a token himself may remember
//! beside it what they [`Answered`], as long as one number of the view is the same.

mod answered;
mod answers;
mod catching_up;
pub mod changes;
pub mod confirmation;
pub mod embedded;
mod endings;
pub mod family;
pub mod follower;
mod freshness;
pub mod horizon;
mod identifiers;
mod look_up;
pub mod mark;
mod memory;
mod record;
pub mod redis;
pub mod replicas;
mod revocations;
pub mod settings;
mod sid;
pub mod store;
mod store_clock;
pub mod transfer;
mod view;
mod writing;

pub use answered::Answered;
pub use catching_up::Holder;
pub use confirmation::Confirmation;
pub use embedded::{EmbeddedStore, OpenError};
pub use family::{Family, Presented, Refused, ReuseCause, SessionLife, Step, Strangers, Terms};
pub use follower::{Bucket, Follower, HistoryPrint, StreamId};
pub use freshness::Freshness;
pub use horizon::Until;
pub use identifiers::Identifiers;
pub use look_up::LookUp;
pub use mark::{Mark, MarkKey, MarkKind, MarkName, StoredMark};
pub use memory::MemoryStore;
pub use redis::{RedisSettings, RedisStore};
pub use replicas::{Announcement, Applied, Replicas};
pub use revocations::{Revocations, Staleness};
pub use settings::{CacheSettings, OnStoreFailure, StalenessSettings};
pub use sid::Sid;
pub use store::{Position, Store, StoreError, Swap, Swept};
pub use store_clock::StoreClock;
pub use view::{Standing, View};
