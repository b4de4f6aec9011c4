//! Where a body ends, said in one way only (RFC 9112 §6.3).

use super::field;

/// A `Content-Length` as everybody reads it: no sign, no blank, no list, no zero in front, and no more digits than any server
/// counts.
#[must_use]
pub fn content_length(value: &[u8]) -> Option<u64> {
    let is_canonical = match value {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() <= 15 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    std::str::from_utf8(value).ok().filter(|_| is_canonical)?.parse().ok()
}

/// Whether a `Transfer-Encoding` is one that nobody reads in two ways.
#[must_use]
pub fn is_chunked(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"chunked")
}

/// What stands behind the colon of a field that says where a message ends, blanks before it taken off. Nothing else is: a tab, or
/// a blank behind it, hides the value from some parsers.
#[must_use]
pub fn strict_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut value = line.get(name.len() + 1..)?;
    while let [b' ', rest @ ..] = value {
        value = rest;
    }
    Some(value)
}

/// How many options a `Connection` names, if it names only what a client may have dropped on the way (RFC 9110 §7.6.1):
/// tokens, and none of the fields that say where a request goes and ends, who sends it and for whom.
#[must_use]
pub fn connection_options(value: &[u8]) -> Option<usize> {
    let mut count = 0;
    for option in value.split(|byte| *byte == b',').map(field::trim).filter(|option| !option.is_empty()) {
        if !field::is_token(option) || KEPT.iter().any(|kept| option.eq_ignore_ascii_case(kept)) {
            return None;
        }
        count += 1;
    }
    Some(count)
}

/// At more, all `Connection` fields together, Pingora ends the connection while it already talks to the upstream.
pub const MAX_CONNECTION_OPTIONS: usize = 9;

const KEPT: [&[u8]; 6] =
    [b"host", b"content-length", b"transfer-encoding", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        // attacks.md S03
        for (value, length) in [
            ("0", Some(0)),
            ("5", Some(5)),
            ("9999999999999999", Some(9_999_999_999_999_999)),
            ("10000000000000000", None),
            ("18446744073709551616", None),
            ("+5", None),
            ("-5", None),
            ("0x5", None),
            ("5 5", None),
            ("5,5", None),
            ("5, 6", None),
            ("", None),
            ("005", None),
            ("00", None),
            ("5\t", None),
            ("5 ", None),
            ("1_0", None),
            ("5;x", None),
            ("٥", None),
        ] {
            assert_eq!(content_length(value.as_bytes()), length, "{value:?}");
        }
    }

    #[test]
    fn connection_names_tokens_and_nothing_that_matters() {
        for (value, options) in [
            ("keep-alive", Some(1)),
            ("close, X-Forwarded-User", Some(2)),
            ("Upgrade,", Some(1)),
            ("", Some(0)),
            ("close,\tAuthorization", Some(2)),
            ("Host", None),
            ("X-Forwarded-For", None),
            ("close, TRANSFER-ENCODING", None),
            ("\"X-Forwarded-User\"", None),
            (":authority", None),
            ("a b", None),
            ("\x0bclose", None),
        ] {
            assert_eq!(connection_options(value.as_bytes()), options, "{value:?}");
        }
    }
}
