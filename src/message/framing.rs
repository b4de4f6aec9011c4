//! Where a body ends, said in one way only (RFC 9112 §6.3).

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};

/// Whether every server finds the same end of the body: at most one `Content-Length`, or one `Transfer-Encoding` of exactly
/// `chunked`, and not both. Of more the client and the upstream could each believe another one, and what lies between
/// is a request that nobody checked.
///
/// `head` is the raw head of an HTTP/1 request: Pingora has taken `Content-Length` out of `headers` where both are.
#[must_use]
pub fn is_plain(headers: &HeaderMap, head: &[u8]) -> bool {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => {
            let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
            let first = lengths.next().is_none_or(|length| length.as_bytes().iter().all(u8::is_ascii_digit));
            first && lengths.next().is_none()
        }
        (Some(only), None) => only.as_bytes().eq_ignore_ascii_case(b"chunked") && !names_a_length(head),
        (Some(_), Some(_)) => false,
    }
}

/// Whether `Connection` names only what a client may have dropped on the way (RFC 9110 §7.6.1): tokens, and none of the
/// fields that say where a request goes, who sends it and for whom.
#[must_use]
pub fn connection_is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(CONNECTION).iter().all(|value| {
        value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).all(|option| {
            let is_token = option.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte));
            is_token && !KEPT.iter().any(|kept| option.eq_ignore_ascii_case(kept.as_bytes()))
        })
    })
}

/// Pingora ends the connection over some of these, and drops the others.
const KEPT: [&str; 5] = ["host", "content-length", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

fn names_a_length(head: &[u8]) -> bool {
    let name = CONTENT_LENGTH.as_str().as_bytes();
    head.split(|byte| *byte == b'\n').any(|line| {
        let (start, rest) = line.split_at_checked(name.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(name) && rest.first() == Some(&b':')
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn connection_names_tokens_and_nothing_that_matters() {
        for (value, plain) in [
            ("keep-alive", true),
            ("close, X-Forwarded-User", true),
            ("Upgrade,", true),
            ("Host", false),
            ("close, Authorization", true),
            ("X-Forwarded-For", false),
            ("\"X-Forwarded-User\"", false),
            ("a b", false),
        ] {
            let headers = HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static(value))]);
            assert_eq!(connection_is_plain(&headers), plain, "{value}");
        }
    }

    #[test]
    fn one_length_or_one_plain_encoding() {
        for (fields, raw, plain) in [
            (&[][..], "", true),
            (&[("content-length", "5")], "Content-Length: 5", true),
            (&[("content-length", "5"), ("content-length", "5")], "", false),
            (&[("content-length", "5, 5")], "", false),
            (&[("transfer-encoding", "chunked")], "Transfer-Encoding: chunked", true),
            (&[("transfer-encoding", "Chunked")], "", true),
            (&[("transfer-encoding", "gzip, chunked")], "", false),
            (&[("transfer-encoding", ",chunked")], "", false),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], "", false),
            (&[("transfer-encoding", "chunked")], "CONTENT-length: 5\r\nTransfer-Encoding: chunked", false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{raw}\r\n\r\n");
            assert_eq!(is_plain(&headers, head.as_bytes()), plain, "{fields:?} {raw}");
        }
    }
}
