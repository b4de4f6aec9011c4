//! The head of an HTTP/1 request, read strictly (RFC 9112).

mod fields;
mod reader;
mod request_line;

use std::ops::Range;

use bytes::Bytes;

pub use reader::HeadReader;
pub(crate) use request_line::check_method;

use super::HeadLimits;
use super::target::Target;

/// A head that every server reads alike.
#[derive(Clone, Debug)]
pub struct Head {
    bytes: Bytes,
    method: Range<usize>,
    target: Range<usize>,
    /// Where the target's origin-form begins.
    origin: usize,
    host: Range<usize>,
    body: BodyLength,
    has_upgrade: bool,
    /// Up to the first byte of the body.
    len: usize,
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

impl Head {
    /// Reads a head that is there as a whole; what stands behind its blank line is not looked at.
    ///
    /// # Errors
    /// [`HeadError`]; a head without an end is malformed.
    pub fn read(bytes: Bytes, limits: &HeadLimits) -> Result<Self, HeadError> {
        let mut reader = HeadReader::default();
        reader.read(&bytes, limits)?.ok_or(HeadError::Malformed)?;
        reader.head(bytes).ok_or(HeadError::Malformed)
    }

    /// The method, as it came: `[A-Z-]{1,32}`, neither `CONNECT` nor `TRACE`.
    #[must_use]
    pub fn method(&self) -> &str {
        std::str::from_utf8(self.at(&self.method)).unwrap_or_default()
    }

    /// The whole target, as it came.
    #[must_use]
    pub fn raw_target(&self) -> &[u8] {
        self.at(&self.target)
    }

    /// The target in origin-form; of `OPTIONS *` it is the asterisk.
    #[must_use]
    pub fn origin_form(&self) -> &[u8] {
        self.at(&(self.origin..self.target.end))
    }

    /// The target in its parts.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        Target::split(self.origin_form(), self.is_absolute())
    }

    /// Whether the request is about the server as such: `OPTIONS *`.
    #[must_use]
    pub fn is_asterisk(&self) -> bool {
        self.raw_target() == b"*"
    }

    /// The path, without the query, not decoded.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.target().path
    }

    /// `Host`, as it came.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.at(&self.host)
    }

    /// How the end of the body is found.
    #[must_use]
    pub fn body(&self) -> BodyLength {
        self.body
    }

    /// Whether it has an `Upgrade` field: with a 101 the connection becomes another protocol's.
    #[must_use]
    pub fn expects_upgrade(&self) -> bool {
        self.has_upgrade
    }

    /// Its length in bytes, with empty lines before it and the one that ends it: there the body begins.
    #[must_use]
    pub fn header_len(&self) -> usize {
        self.len
    }

    /// The same head with its target in origin-form, for a parser that takes only an authority that is spelled exactly like
    /// `Host`; `None` if it is in that form already.
    #[must_use]
    pub fn rewritten(&self) -> Option<Bytes> {
        let parts = [self.at(&(0..self.target.start)), self.at(&(self.origin..self.len))];
        self.is_absolute().then(|| parts.concat().into())
    }

    fn is_absolute(&self) -> bool {
        self.origin != self.target.start
    }

    fn at(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
