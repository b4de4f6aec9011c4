//! Names for requests (`X-Request-Id`), kept where a client sent a sane one.

use std::sync::atomic::{AtomicU64, Ordering};

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

impl RequestIds {
    /// The client's id if it is one, or a new one of 32 hexadecimal digits.
    pub fn keep_or_make(&self, sent: Option<&[u8]>) -> String {
        match sent.filter(|sent| is_sane(sent)).map(std::str::from_utf8) {
            Some(Ok(kept)) => kept.to_owned(),
            _ => format!("{:016x}{:016x}", self.process, self.next.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

impl RequestIds {
    /// A `traceparent` (W3C Trace Context, level 1) for a request that brought none: its own trace, not sampled.
    pub fn traceparent(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Neither id may be all zeros.
        format!("00-{:016x}{number:016x}-{:016x}-00", self.process | 1, self.process.wrapping_add(number) | 1)
    }
}

/// Ids go into logs: short, and of letters that mean nothing to any reader of logs.
fn is_sane(sent: &[u8]) -> bool {
    (1..=128).contains(&sent.len()) && sent.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sane_ids_are_kept_and_others_replaced() {
        let ids = RequestIds::default();
        assert_eq!(ids.keep_or_make(Some(b"abc-1_2.3")), "abc-1_2.3");
        let long = vec![b'a'; 129];
        for sent in [None, Some(b"".as_slice()), Some(b"a b"), Some(b"a\"b"), Some(b"\x1b[31m"), Some(&long)] {
            let made = ids.keep_or_make(sent);
            assert_eq!(made.len(), 32, "{made}");
        }
        assert_ne!(ids.keep_or_make(None), ids.keep_or_make(None));
    }
}
