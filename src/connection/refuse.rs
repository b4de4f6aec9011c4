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

    /// The whole response to a head that did not arrive in time: 408. `head` is what did arrive.
    fn timed_out(&self, head: &[u8], peer: Option<IpAddr>) -> Bytes;
}

/// Says the status and nothing else: for listeners that only operators reach.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Refuse for Plain {
    fn refuse(&self, refused: &Refused<'_>) -> Bytes {
        Bytes::from_static(match refused.error {
            HeadError::Malformed => {
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".as_slice()
            }
            HeadError::TargetTooLong => {
                b"HTTP/1.1 414 URI Too Long\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".as_slice()
            }
            HeadError::FieldsTooLarge => {
                b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    .as_slice()
            }
            HeadError::MethodNotAllowed => {
                b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    .as_slice()
            }
        })
    }

    fn timed_out(&self, _: &[u8], _: Option<IpAddr>) -> Bytes {
        Bytes::from_static(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }
}
