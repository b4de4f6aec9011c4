//! Waiting for the head of a request.

use bytes::Bytes;

use super::Limits;
use super::frames::PREFACE;
use super::idle::Idle;
use super::stream::Connection;
use crate::message::head::HeadReader;
use crate::message::{Head, HeadError};
use crate::telemetry::Unserved;

/// What came in place of a request, or a request.
pub(super) enum Next {
    /// A head that every server reads alike, and its bytes.
    Request(Head, Bytes),
    /// A head that is not served.
    Refused(HeadError),
    /// A part of a head, and then nothing for too long.
    Late,
    /// The first bytes of HTTP/2.
    Http2,
    /// No request.
    Ended(Unserved),
}

/// The next head of `connection`: under `idle_timeout` until its first byte is there, and then under `header_timeout` for all
/// of it, so that sending it byte by byte gains nothing. `h2c` is whether it may be HTTP/2's first bytes.
pub(super) async fn next(connection: &mut Connection, idle: &mut Idle, limits: &Limits, h2c: bool) -> Next {
    if connection.ahead().is_empty() {
        let first = idle.wait(limits.idle_timeout, connection.read_ahead()).await;
        if !matches!(first, Some(Ok(1..))) {
            return Next::Ended(Unserved::Silent);
        }
    }
    let read = pingora_timeout::timeout(limits.header_timeout, read(connection, limits, h2c)).await;
    match read {
        Ok(next) => next,
        // Who is about to speak HTTP/2 would not understand an answer.
        Err(_) if h2c && PREFACE.starts_with(connection.ahead()) => Next::Ended(Unserved::HeadTimeout),
        Err(_) => Next::Late,
    }
}

async fn read(connection: &mut Connection, limits: &Limits, h2c: bool) -> Next {
    let mut reader = HeadReader::default();
    loop {
        let ahead = connection.ahead();
        if h2c && ahead.starts_with(PREFACE) {
            return Next::Http2;
        }
        let may_be_http2 = h2c && PREFACE.starts_with(ahead);
        if !may_be_http2 {
            match reader.read(ahead, &limits.head) {
                Ok(Some(len)) => return complete(connection, reader, len),
                Ok(None) => {}
                Err(error) => return Next::Refused(error),
            }
        }
        if !matches!(connection.read_ahead().await, Ok(1..)) {
            return Next::Ended(Unserved::HeadCut);
        }
    }
}

fn complete(connection: &mut Connection, reader: HeadReader, len: usize) -> Next {
    let bytes = connection.take(len);
    match reader.head(bytes.clone()) {
        Some(head) => {
            let given = head.rewritten().unwrap_or(bytes);
            Next::Request(head, given)
        }
        None => Next::Refused(HeadError::Malformed),
    }
}
