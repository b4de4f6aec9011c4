//! From a bound socket to a stream that Pingora reads requests from: how many there may be, how long they may take, and TLS.

pub mod ongoing;
pub mod refuse;
pub mod settings;
pub mod tls;

pub use ongoing::{End, Ongoing};
pub use refuse::{Refuse, Refused};
pub use settings::{Limits, TlsSettings};
