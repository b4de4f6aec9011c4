//! The first line of a request (RFC 9112 §3).

use std::ops::Range;

use super::{HeadError, HeadLimits};
use crate::message::target::Form;

/// Where its parts stand.
#[derive(Clone, Debug)]
pub(super) struct RequestLine {
    pub(super) method: Range<usize>,
    pub(super) target: Range<usize>,
    /// Of a target in absolute-form.
    pub(super) authority: Option<Range<usize>>,
    /// Where the target's origin-form begins.
    pub(super) origin: usize,
    pub(super) is_http_10: bool,
}

impl RequestLine {
    /// Reads a line without its end, which begins at `start`. One blank between the parts, and nothing in them: whoever takes
    /// more than one finds another target.
    pub(super) fn read(line: &[u8], start: usize, limits: &HeadLimits) -> Result<Self, HeadError> {
        let method_len = method_len(line).ok_or(HeadError::Malformed)?;
        let target_start = method_len + 1;
        // The version stands at the end, whatever is before it.
        let target_end = line.len().checked_sub(VERSION_LEN + 1).filter(|end| *end >= target_start);
        let target_end = target_end.ok_or(HeadError::Malformed)?;
        let is_http_10 = match line.get(target_end..) {
            Some(b" HTTP/1.1") => false,
            Some(b" HTTP/1.0") => true,
            _ => return Err(HeadError::Malformed),
        };
        let method = line.get(..method_len).unwrap_or_default();
        check_method(method)?;
        let target = line.get(target_start..target_end).unwrap_or_default();
        if target.len() > limits.uri_bytes {
            return Err(HeadError::TargetTooLong);
        }
        let (authority, origin) = match Form::read(target).map_err(|_| HeadError::Malformed)? {
            Form::Origin => (None, target_start),
            Form::Asterisk if method == b"OPTIONS" => (None, target_start),
            Form::Asterisk => return Err(HeadError::Malformed),
            Form::Absolute { authority, origin } => {
                let origin = target_end - origin.len();
                (Some(start + origin - authority.len()..start + origin), origin)
            }
        };
        Ok(Self {
            method: start..start + method_len,
            target: start + target_start..start + target_end,
            authority,
            origin: start + origin,
            is_http_10,
        })
    }

    /// Looks at a line that has no end yet.
    pub(super) fn check_begun(line: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
        match method_len(line) {
            None if line.len() > LONGEST_METHOD => Err(HeadError::Malformed),
            Some(method) if line.len() > method + limits.uri_bytes + VERSION_LEN + "  \r".len() => {
                Err(HeadError::TargetTooLong)
            }
            _ => Ok(()),
        }
    }
}

/// Whether a method is one that no server rewrites (Django upper-cases what it gets), and that goes upstream.
pub(crate) fn check_method(method: &[u8]) -> Result<(), HeadError> {
    let is_plain = method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
    match method {
        // TRACE would be answered with the identity headers that were put in (RFC 9110 §9.3.8).
        b"CONNECT" | b"TRACE" => Err(HeadError::MethodNotAllowed),
        // A server that speaks HTTP/2 would take it for its first words (RFC 9113 §3.4).
        b"PRI" => Err(HeadError::Malformed),
        _ if is_plain && (1..=LONGEST_METHOD).contains(&method.len()) => Ok(()),
        _ => Err(HeadError::Malformed),
    }
}

fn method_len(line: &[u8]) -> Option<usize> {
    line.iter().take(LONGEST_METHOD + 1).position(|byte| *byte == b' ')
}

const LONGEST_METHOD: usize = 32;
const VERSION_LEN: usize = "HTTP/1.1".len();
