//! Answers to heads that Pingora never gets to see.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::request_id::RequestIds;
use super::respond;
use crate::base::Clock;
use crate::connection::{Refuse, Refused};
use crate::endpoints::Reply;
use crate::gate::Denial;
use crate::policy::Reason;
use crate::telemetry::{Audit, Decision, Listener, Method, Request, Telemetry};

/// Refuses in the words of every refusal, and counts them among these.
pub struct Refusals {
    telemetry: Arc<Telemetry>,
    clock: Arc<dyn Clock>,
    ids: RequestIds,
}

impl Refusals {
    /// Refusals that are told to `telemetry`.
    #[must_use]
    pub fn new(telemetry: Arc<Telemetry>, clock: Arc<dyn Clock>) -> Self {
        Self { telemetry, clock, ids: RequestIds::default() }
    }

    fn answer(&self, denial: &Denial, head: &[u8], peer: Option<IpAddr>) -> Bytes {
        let (method, path) = begin(head);
        self.tell(denial, method, path, peer.map(|peer| peer.to_canonical()));
        written(&respond::refusal(denial, denial.status()), method == b"HEAD")
    }

    fn tell(&self, denial: &Denial, method: &[u8], path: &[u8], address: Option<IpAddr>) {
        let (now, id) = (self.clock.now(), self.ids.keep_or_make(None));
        let route = self.telemetry.metrics.unmatched();
        let reason = denial.reason.as_str();
        self.telemetry.request(&Request {
            at: now,
            id: &id,
            listener: Listener::Public,
            route,
            method: Method::of(std::str::from_utf8(method).unwrap_or_default()),
            path: &String::from_utf8_lossy(path),
            status: denial.status(),
            decision: Decision::Deny,
            reason: Some(reason),
            subject: None,
            client: None,
            issuer: None,
            client_address: address,
            duration: Duration::ZERO,
            decision_duration: None,
            upstream_duration: None,
            upstream_error: None,
        });
        let (what, route) = ("request", Some(route.name()));
        self.telemetry.audit(now, &Audit::Refused { what, reason, subject: None, route, id: Some(&id), address });
    }
}

impl Refuse for Refusals {
    fn refuse(&self, refused: &Refused<'_>) -> Bytes {
        self.answer(&refused.error.into(), refused.head, refused.peer)
    }

    fn timed_out(&self, head: &[u8], peer: Option<IpAddr>) -> Bytes {
        self.answer(&Denial::new(Reason::HeaderTimeout), head, peer)
    }
}

/// What may be the method and the path of a head of which nothing is certain.
fn begin(head: &[u8]) -> (&[u8], &[u8]) {
    let line = head.trim_ascii_start().split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // No more than a log line holds, however much was sent; and no query: it may be a token's place.
    // What begins otherwise may be anything: of what is no HTTP at all the second word is often the secret.
    let target = target.get(..LOGGED).unwrap_or(target);
    let target = if target.starts_with(b"/") { target } else { b"" };
    (method, target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default())
}

fn written(reply: &Reply, is_head: bool) -> Bytes {
    let phrase = StatusCode::from_u16(reply.status).ok().and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, phrase.unwrap_or_default());
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", reply.body.len());
    let body = if is_head { &[] } else { reply.body.as_slice() };
    [head.as_bytes(), body].concat().into()
}

const LOGGED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ManualClock;
    use crate::message::HeadError;
    use crate::telemetry::{Settings, Sink};

    #[test]
    fn answered_and_told() {
        for (error, head, first, last, line) in [
            (
                Some(HeadError::Malformed),
                "GET /a?token=secret HTTP/1.1\nX: y",
                "HTTP/1.1 400 Bad Request\r\n",
                r#"{"detail":"The request is malformed","error":"invalid_request","reason":"malformed-request"}"#,
                "method=GET path=/a status=400 decision=deny reason=malformed-request",
            ),
            (
                Some(HeadError::TargetTooLong),
                "\r\nFOO /x",
                "HTTP/1.1 414 URI Too Long\r\n",
                r#""reason":"too-large"}"#,
                "method=other path=/x status=414 decision=deny reason=too-large",
            ),
            (
                Some(HeadError::FieldsTooLarge),
                "HEAD /x HTTP/1.1\r\nX",
                "HTTP/1.1 431 Request Header Fields Too Large\r\n",
                "\r\n\r\n",
                "method=HEAD path=/x status=431 decision=deny reason=too-large",
            ),
            (
                Some(HeadError::MethodNotAllowed),
                "TRACE / HTTP/1.1",
                "HTTP/1.1 405 Method Not Allowed\r\n",
                r#"{"detail":"Method Not Allowed","reason":"method-not-allowed"}"#,
                "path=/ status=405 decision=deny reason=method-not-allowed",
            ),
            (
                Some(HeadError::Malformed),
                "Bearer secret.secret\r\n",
                "HTTP/1.1 400 Bad Request\r\n",
                "}",
                "method=other path=\"\" status=400 decision=deny reason=malformed-request",
            ),
            (
                None,
                "GE",
                "HTTP/1.1 408 Request Timeout\r\n",
                r#""reason":"header-timeout"}"#,
                "method=other path=\"\" status=408 decision=deny reason=header-timeout",
            ),
        ] {
            let sink = Sink::memory();
            let telemetry = Arc::new(Telemetry::new(sink.clone(), &Settings::default()));
            let refusals = Refusals::new(telemetry, Arc::new(ManualClock::default()));
            let (head, peer) = (head.as_bytes(), "::ffff:192.0.2.1".parse().ok());
            let answer = match error {
                Some(error) => refusals.refuse(&Refused { error, head, peer }),
                None => refusals.timed_out(head, peer),
            };
            let answer = String::from_utf8(answer.to_vec()).unwrap();
            assert!(answer.starts_with(first) && answer.ends_with(last), "{answer}");
            for field in ["Cache-Control: no-store", "X-Content-Type-Options: nosniff", "Connection: close"] {
                assert!(answer.contains(&format!("\r\n{field}\r\n")), "{answer}");
            }
            assert_eq!(answer.contains("\r\nAllow: GET, "), error == Some(HeadError::MethodNotAllowed));
            let lines = sink.lines().join("");
            assert!(lines.contains(line) && lines.contains("192.0.2.1") && !lines.contains("secret"), "{lines}");
            assert_eq!(lines.matches("refused").count(), 1, "one record: {lines}");
        }
    }
}
