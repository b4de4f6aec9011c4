//! Refusing what Pingora never gets to see.

use std::net::IpAddr;

use bytes::Bytes;

use crate::message::HeadError;

/// A head that is not served.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Why.
    pub error: HeadError,
    /// What of it was read: for the log, and as hostile as can be.
    pub head: &'a [u8],
    /// The other side of the connection; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
}

/// Writes the answers to heads that are not served, and tells of them.
pub trait Refuse: Send + Sync {
    /// The whole response. The connection is closed after it.
    fn refuse(&self, refused: &Refused<'_>) -> Bytes;
}
