//! Reading a head that comes in pieces.

use bytes::Bytes;

use super::fields::Fields;
use super::request_line::RequestLine;
use super::{BodyLength, Head, HeadError, HeadLimits};
use crate::message::field;

/// Reads a head, refusing it as soon as it cannot become a good one. Every byte is looked at a fixed number of times, in however
/// many pieces it comes.
#[derive(Clone, Debug, Default)]
pub struct HeadReader {
    /// Where the line begins that is being read.
    line: usize,
    /// Where the next end of a line may be.
    looked: usize,
    empty_lines: usize,
    request_line: Option<RequestLine>,
    /// Where the fields begin.
    fields_start: usize,
    fields: Fields,
    end: Option<(usize, BodyLength)>,
}

impl HeadReader {
    /// Goes on reading. `bytes` is all there is of the request, each time from its first byte on. The head's length, once its
    /// end is there; what follows belongs to the body or to the next request.
    ///
    /// # Errors
    /// [`HeadError`]. The reader is of no use after that.
    pub fn read(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        while self.end.is_none() {
            let found = bytes.get(self.looked..).and_then(|rest| memchr::memchr(b'\n', rest));
            let Some(found) = found else { return self.wait(bytes, limits).map(|()| None) };
            let end = self.looked + found;
            let line = bytes.get(self.line..end).unwrap_or_default();
            // A bare LF ends a line for some, and is in the middle of one for others.
            let line = line.strip_suffix(b"\r").ok_or(HeadError::Malformed)?;
            let start = self.line;
            (self.line, self.looked) = (end + 1, end + 1);
            self.take(line, start, bytes, limits)?;
        }
        Ok(self.end.map(|(len, _)| len))
    }

    /// The head, once its end was found in `bytes`.
    #[must_use]
    pub fn head(self, bytes: Bytes) -> Option<Head> {
        let RequestLine { method, target, origin, .. } = self.request_line?;
        let (len, body) = self.end?;
        let Fields { host, has_upgrade, .. } = self.fields;
        Some(Head { bytes, method, target, origin, host: host?, body, has_upgrade, len })
    }

    fn take(&mut self, line: &[u8], start: usize, bytes: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
        let Some(request_line) = &self.request_line else {
            // Empty lines before the first are skipped (RFC 9112 §2.2); some clients send one behind a body.
            if line.is_empty() && self.empty_lines < MAX_EMPTY_LINES {
                self.empty_lines += 1;
                return Ok(());
            }
            self.request_line = Some(RequestLine::read(line, start, limits)?);
            self.fields_start = self.line;
            return Ok(());
        };
        if line.is_empty() {
            self.end = Some((self.line, self.fields.finish(request_line, bytes)?));
            return Ok(());
        }
        if self.line - self.fields_start > limits.header_bytes || self.fields.count == limits.header_count {
            return Err(HeadError::FieldsTooLarge);
        }
        self.fields.add(line, start)
    }

    /// Looks at the line that has no end yet.
    fn wait(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
        let line = bytes.get(self.line..).unwrap_or_default();
        let new = bytes.get(self.looked..).unwrap_or_default();
        // A CR may be the first half of an end.
        let (settled, left) = match new {
            [settled @ .., b'\r'] => (settled, 1),
            settled => (settled, 0),
        };
        if !field::is_value(settled) {
            return Err(HeadError::Malformed);
        }
        self.looked = bytes.len() - left;
        if self.request_line.is_none() {
            return RequestLine::check_begun(line, limits);
        }
        let fields = bytes.len() - self.fields_start;
        if fields > limits.header_bytes.saturating_add(1) { Err(HeadError::FieldsTooLarge) } else { Ok(()) }
    }
}

const MAX_EMPTY_LINES: usize = 2;
