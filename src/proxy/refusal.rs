//! Answers to heads that Pingora never gets to see.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::access::DynAccess;
use bytes::Bytes;
use http::StatusCode;

use super::request_id::RequestIds;
use super::{CorsSettings, cors, respond};
use crate::base::Clock;
use crate::connection::{Refuse, Refused};
use crate::endpoints::Reply;
use crate::gate::{Denial, Wording};
use crate::message::field;
use crate::policy::Reason;
use crate::telemetry::{Audit, Decision, Listener, Method, Request, Telemetry};

/// Refuses in the words of every refusal, and counts them among these.
pub struct Refusals {
    cors: Box<dyn DynAccess<CorsSettings> + Send + Sync>,
    wording: Box<dyn DynAccess<Wording> + Send + Sync>,
    telemetry: Arc<Telemetry>,
    clock: Arc<dyn Clock>,
    ids: RequestIds,
}

impl Refusals {
    /// Refusals in the words of `wording` that pages may read as `cors` says, both at that time; told to `telemetry`.
    #[must_use]
    pub fn new(
        cors: impl DynAccess<CorsSettings> + Send + Sync + 'static,
        wording: impl DynAccess<Wording> + Send + Sync + 'static,
        telemetry: Arc<Telemetry>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { cors: Box::new(cors), wording: Box::new(wording), telemetry, clock, ids: RequestIds::default() }
    }

    fn answer(&self, denial: &Denial, head: &[u8], peer: Option<IpAddr>) -> Bytes {
        let (method, path) = begin(head);
        self.tell(denial, method, path, peer.map(|peer| peer.to_canonical()));
        let mut reply = respond::refusal(denial, &self.wording.load(), None);
        // Of a head whose lines are in order only its size is wrong. That is what a page can have brought about.
        if matches!(reply.status, 414 | 431) {
            reply = cors::with_fields(&self.cors.load(), origin(head), reply);
        }
        written(&reply, method == b"HEAD")
    }

    fn tell(&self, denial: &Denial, method: &[u8], path: &[u8], address: Option<IpAddr>) {
        let (now, id) = (self.clock.now(), self.ids.keep_or_make(None));
        let route = self.telemetry.metrics.unmatched();
        let reason = denial.reason.as_str();
        self.telemetry.request(&Request {
            at: now,
            id: id.as_str(),
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
        let refused = Audit::Refused {
            what,
            reason,
            subject: None,
            issuer: None,
            client: None,
            route,
            id: Some(id.as_str()),
            address,
        };
        self.telemetry.audit(now, &refused);
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

/// The one `Origin` in that much of a head as was read. Body and half lines are not looked at.
fn origin(head: &[u8]) -> Option<&[u8]> {
    let lines = head.trim_ascii_start().split(|byte| *byte == b'\n').skip(1);
    let whole = lines.map_while(|line| line.strip_suffix(b"\r")).take_while(|line| !line.is_empty());
    let mut origins = whole.filter_map(field::split).filter(|(name, _)| name.eq_ignore_ascii_case(b"origin"));
    origins.next().filter(|_| origins.next().is_none()).map(|(_, origin)| origin)
}

fn written(reply: &Reply, is_head: bool) -> Bytes {
    let phrase = StatusCode::from_u16(reply.status).ok().and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, phrase.unwrap_or_default());
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", reply.body.len());
    let body = if is_head { &[] } else { &reply.body[..] };
    [head.as_bytes(), body].concat().into()
}

const LOGGED: usize = 4096;
