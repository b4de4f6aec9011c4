//! Names for requests (`X-Request-Id`), kept where a client sent a sane one.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

use crate::base::entropy;

/// Makes request ids: random for the process, counted within it. Unique, not secret.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        Self { process: u64::from_be_bytes(entropy::random()), next: AtomicU64::new(0) }
    }
}

/// What `X-Request-Id` says: at most 128 bytes, of letters that mean nothing to any reader of logs.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// As the header's value.
    #[must_use]
    pub fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl Default for RequestId {
    /// Of a request that has none yet.
    fn default() -> Self {
        Self(HeaderValue::from_static(""))
    }
}

impl RequestIds {
    /// The client's id if it is one, or a new one of 32 hexadecimal digits.
    pub fn keep_or_make(&self, sent: Option<&HeaderValue>) -> RequestId {
        if let Some(kept) = sent.filter(|sent| is_sane(sent.as_bytes())) {
            return RequestId(kept.clone());
        }
        RequestId(written(&[&hex(self.process), &hex(self.next.fetch_add(1, Ordering::Relaxed))]))
    }

    /// A `traceparent` (W3C Trace Context, level 1) for a request that brought none in that form: its own trace, not sampled.
    pub fn traceparent_unless_sent<'v>(&self, sent: impl IntoIterator<Item = &'v [u8]>) -> Option<HeaderValue> {
        let mut sent = sent.into_iter();
        let one = sent.next().filter(|_| sent.next().is_none());
        if one.is_some_and(is_traceparent) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Neither id may be all zeros.
        let [process, parent] = [self.process, self.process.wrapping_add(number)].map(|id| hex(id | 1));
        Some(written(&[b"00-", &process, &hex(number), b"-", &parent, b"-00"]))
    }
}

/// `00-TRACE-PARENT-FLAGS`, the one version there is. It ends up in the logs of all that are called: nothing else may stand there.
fn is_traceparent(sent: &[u8]) -> bool {
    let is_lower_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let parts = || sent.split(|byte| *byte == b'-');
    parts().map(<[u8]>::len).eq([2, 32, 16, 2])
        && sent.starts_with(b"00-")
        && parts().all(|part| part.iter().all(is_lower_hex))
        && parts().skip(1).take(2).all(|id| id.iter().any(|digit| *digit != b'0'))
}

/// Ids go into logs: short, and of letters that mean nothing to any reader of logs.
fn is_sane(sent: &[u8]) -> bool {
    (1..=128).contains(&sent.len()) && sent.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Not by `format!`: at a handful for each request it would show.
fn hex(number: u64) -> [u8; 16] {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    let mut digits = [0; 16];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(number.to_be_bytes()) {
        *pair = [digit(byte >> 4), digit(byte & 0xf)];
    }
    digits
}

fn written(parts: &[&[u8]]) -> HeaderValue {
    HeaderValue::try_from(parts.concat()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sane_ids_are_kept_and_others_replaced() {
        let ids = RequestIds::default();
        let kept = ids.keep_or_make(Some(&HeaderValue::from_static("abc-1_2.3")));
        assert_eq!((kept.as_str(), kept.header().as_bytes()), ("abc-1_2.3", b"abc-1_2.3".as_slice()));
        let long = vec![b'a'; 129];
        for sent in [None, Some(b"".as_slice()), Some(b"a b"), Some(b"a\"b"), Some(b"\xff[31m"), Some(&long)] {
            let sent = sent.map(|sent| HeaderValue::from_bytes(sent).unwrap());
            let made = ids.keep_or_make(sent.as_ref());
            assert_eq!(made.as_str(), format!("{:016x}{:016x}", ids.process, ids.next.load(Ordering::Relaxed) - 1));
        }
        assert_ne!(ids.keep_or_make(None).as_str(), ids.keep_or_make(None).as_str());
    }

    #[test]
    fn a_trace_goes_on_only_from_what_is_one() {
        let ids = RequestIds::default();
        let good = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".as_slice();
        assert_eq!(ids.traceparent_unless_sent([good]), None);
        let made = ids.traceparent_unless_sent([]).unwrap();
        assert_eq!(ids.traceparent_unless_sent([made.as_bytes()]), None, "{made:?}");
        for sent in [
            "",
            "x",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
        ] {
            assert!(ids.traceparent_unless_sent([sent.as_bytes()]).is_some(), "{sent}");
        }
        assert!(ids.traceparent_unless_sent([good, good]).is_some(), "of two nobody knows which");
    }
}
