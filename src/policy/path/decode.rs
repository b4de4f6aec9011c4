//! Percent-decoding (RFC 3986 §2.1): once for matching, further only to see where it would lead.

use super::{ENCODED_SLASH, PathError, segments};

/// Decodes every escape once; a slash becomes [`ENCODED_SLASH`], so that it can still be told from those that were none.
///
/// # Errors
/// [`PathError::BadEscape`], [`PathError::EncodedSeparator`], [`PathError::NotUtf8`].
pub(super) fn once(raw: &str) -> Result<String, PathError> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (escaped, after) = escape(after).ok_or(PathError::BadEscape)?;
        match escaped {
            b'/' => decoded.extend_from_slice(ENCODED_SLASH.as_bytes()),
            separator if separates(separator) => return Err(PathError::EncodedSeparator),
            other => decoded.push(other),
        }
        rest = after;
    }
    String::from_utf8(decoded).map_err(|_| PathError::NotUtf8)
}

/// Whether an upstream that goes on decoding would get a separator out of it, or something that [`once`] or [`segments::check`]
/// refuses.
///
/// An escape that is none any more is left as it is, as lenient decoders do.
pub(super) fn leads_astray(decoded: &str) -> bool {
    let mut current = decoded.to_owned();
    for _ in 0..ROUNDS {
        match again(&current) {
            Ok(None) => return false,
            Ok(Some(next)) if segments::check(&next).is_ok() => current = next,
            _ => return true,
        }
    }
    true
}

/// `None` if there is nothing to decode.
fn again(text: &str) -> Result<Option<String>, PathError> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (before, from) = rest.split_at(at);
        decoded.extend_from_slice(before);
        match from.get(1..).and_then(escape) {
            Some((escaped, _)) if separates(escaped) => return Err(PathError::EncodedSeparator),
            Some((escaped, after)) => {
                decoded.push(escaped);
                rest = after;
            }
            None => {
                decoded.push(b'%');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    decoded.extend_from_slice(rest);
    if decoded.len() == text.len() {
        return Ok(None);
    }
    String::from_utf8(decoded).map(Some).map_err(|_| PathError::NotUtf8)
}

fn escape(after_percent: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = after_percent.split_first_chunk()?;
    Some((hex(*high)? << 4 | hex(*low)?, rest))
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// What splits a path in somebody's parser, or ends it.
const fn separates(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\' | 0..=0x1F | 0x7F)
}

/// Nobody decodes more often than this, and each round reads the whole path: `%252525…` must not cost its length squared.
const ROUNDS: usize = 8;
