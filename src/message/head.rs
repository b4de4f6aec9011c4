//! The head of an HTTP/1 request, read strictly (RFC 9112).

use std::ops::Range;

use bytes::Bytes;

use super::HeadLimits;

/// A head that every server reads alike.
#[derive(Clone, Debug)]
pub struct Head {
    bytes: Bytes,
    target: Range<usize>,
    host: Range<usize>,
    body: BodyLength,
}

/// How the end of the body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// So many bytes.
    Fixed(u64),
    /// By its last chunk.
    Chunked,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Two servers could read it differently, or none should read it at all.
    #[error("the request is malformed")]
    Malformed,
    /// The target is over its limit.
    #[error("the request target is too long")]
    TargetTooLong,
    /// The fields are over their limits, in bytes or in number.
    #[error("the header fields are too large")]
    FieldsTooLarge,
    /// `CONNECT` or `TRACE`.
    #[error("the method is not allowed")]
    MethodNotAllowed,
}
