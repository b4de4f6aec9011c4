//! What the header fields say that decides about the message itself.

use std::ops::Range;

use super::request_line::RequestLine;
use super::{BodyLength, HeadError};
use crate::message::{field, framing, host};

/// Gathered line by line.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) count: usize,
    pub(super) host: Option<Range<usize>>,
    pub(super) has_upgrade: bool,
    length: Option<u64>,
    is_chunked: bool,
    connection_options: usize,
    cookies: usize,
}

impl Fields {
    /// Takes a line without its end, which begins at `start`.
    pub(super) fn add(&mut self, line: &[u8], start: usize) -> Result<(), HeadError> {
        let (name, value) = field::split(line).ok_or(HeadError::Malformed)?;
        self.count += 1;
        // Most fields are told apart by their length alone.
        let is = |field: &str| name.eq_ignore_ascii_case(field.as_bytes());
        let fits = match name.len() {
            4 if is("host") => self.add_host(line, value, start),
            6 if is("cookie") => return self.add_cookies(value),
            7 if is("upgrade") => {
                self.has_upgrade = true;
                true
            }
            10 if is("connection") => self.add_options(value),
            14 if is("content-length") => self.add_length(framing::strict_value(line, name)),
            17 if is("transfer-encoding") => self.add_encoding(framing::strict_value(line, name)),
            14 | 17 => !field::is_framing_respelled(name),
            _ => true,
        };
        fits.then_some(()).ok_or(HeadError::Malformed)
    }

    /// How the body ends, once all fields are there; and whether they fit together.
    pub(super) fn finish(&self, line: &RequestLine, bytes: &[u8]) -> Result<BodyLength, HeadError> {
        let host = self.host.clone().and_then(|host| bytes.get(host)).ok_or(HeadError::Malformed)?;
        let authority = line.authority.clone().and_then(|authority| bytes.get(authority));
        if authority.is_some_and(|authority| !host::is_same(authority, host)) {
            return Err(HeadError::Malformed);
        }
        match (self.length, self.is_chunked) {
            (None, false) => Ok(BodyLength::None),
            (Some(length), false) => Ok(BodyLength::Fixed(length)),
            (None, true) if !line.is_http_10 => Ok(BodyLength::Chunked),
            // With both, or with one that HTTP/1.0 has not, client and upstream could each believe another end, and what lies
            // between is a request that nobody checked.
            (_, true) => Err(HeadError::Malformed),
        }
    }

    fn add_host(&mut self, line: &[u8], value: &[u8], start: usize) -> bool {
        let at = line.len() - line.get(5..).map_or(0, |rest| rest.trim_ascii_start().len());
        let range = start + at..start + at + value.len();
        host::is_valid(value) && self.host.replace(range).is_none()
    }

    fn add_length(&mut self, value: Option<&[u8]>) -> bool {
        let length = value.and_then(framing::content_length);
        length.is_some() && std::mem::replace(&mut self.length, length).is_none()
    }

    fn add_encoding(&mut self, value: Option<&[u8]>) -> bool {
        value.is_some_and(framing::is_chunked) && !std::mem::replace(&mut self.is_chunked, true)
    }

    fn add_options(&mut self, value: &[u8]) -> bool {
        self.connection_options += framing::connection_options(value).unwrap_or(usize::MAX / 2);
        self.connection_options <= framing::MAX_CONNECTION_OPTIONS
    }

    fn add_cookies(&mut self, value: &[u8]) -> Result<(), HeadError> {
        self.cookies += field::cookies(value);
        if self.cookies > field::MAX_COOKIES { Err(HeadError::FieldsTooLarge) } else { Ok(()) }
    }
}
