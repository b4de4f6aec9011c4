//! The store in Redis 7 or Valkey, alone, under Sentinels or as a Cluster: sessions and marks of many replicas.
//!
//! # Keys
//!
//! All begin with `store.redis.prefix`; what stands in braces decides about the hash slot. `BB` is 00 to 15.
//!
//! | key | type | what |
//! |---|---|---|
//! | `{m:BB}:marks` | hash | mark key → record |
//! | `{m:BB}:expiry` | sorted set | mark key → when it is over, in Unix milliseconds |
//! | `{m:BB}:index` | sorted set | mark keys in their order, for pages |
//! | `{m:BB}:stream` | stream | `m` = the record of a mark that was made or changed; the last hundred thousand or so |
//! | `{f:SID}` | string | the record of a session, as the embedded store has it |
//! | `{meta}:latest-access-exp` | string | the latest end of all access tokens |
//! | `{m:00}:failures:…` | hashes, sorted sets | failed logins and client secrets, under keyed hashes: `KIND:user-MS:PART` and `KIND:address-MS:PART` with cells of windows, `KIND:known-MS:USER` from where somebody has logged in, `KIND:tried…` what is being tried |
//! | `{meta}:replicas` | sorted set | instance → when it was last heard of, in Unix milliseconds |
//! | `{meta}:positions` | hash | instance → its name, and up to which entry of each stream it has everything; gone after an hour of silence |
//! | `{meta}:layout` | string | `1`: the version of all this |
//!
//! A mark's bucket is the low half of its key's first byte, so that marks, the order they are paged in and the stream that tells of
//! them change in one step, and a Cluster still spreads them. Sessions have a slot each.
//!
//! # Time
//!
//! What is over goes by the server's clock and needs nobody who sweeps: sessions end by `PXAT`, buckets with their last mark, their
//! streams a day later, and whoever makes a mark drops some that are over.
//!
//! # What Redis cannot promise
//!
//! A write is as safe as the server makes it: only with `appendfsync always` is it on disk when it is acknowledged, and a failover
//! loses what no replica had yet ([`RedisSettings::wait`] asks for some that have). A session that comes back older than it was
//! is led on by its next refresh token ([`Step::Ahead`](super::Step::Ahead)); a mark is written back from the views
//! ([`Store::restore`](super::Store::restore)).

mod attempt;
mod connections;
mod dial;
mod examine;
mod failure;
mod failures;
mod feed;
mod findings;
mod keys;
mod lanes;
mod layout;
mod link;
mod outages;
mod page;
mod places;
mod record;
mod replicas;
mod script;
pub mod settings;
mod store;
mod whereabouts;
mod writes;

pub use connections::DEADLINE;
pub use failures::{Admission, Attempted, Borne, Outcome};
pub use findings::{Finding, State};
pub use layout::LayoutError;
pub use settings::{Address, Authorities, Login, Mode, RedisSettings, Wait};
pub use store::RedisStore;
