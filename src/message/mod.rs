//! HTTP messages as bytes: what a request says of itself, read once and strictly. Whatever two parsers could read differently
//! is refused here, before anything decides about it.

pub mod chunked;
pub mod client;
pub mod field;
pub mod framing;
pub mod head;
pub mod host;
pub mod hpack;
pub mod http2;
pub mod limits;
pub mod target;
pub mod websocket;

pub use chunked::{BadChunk, Chunked};
pub use client::{Client, Peer, TrustedProxies};
pub use head::{BodyLength, Head, HeadError, HeadReader};
pub use limits::HeadLimits;
