//! Streams that end with their token, or with what it was let in by: a decision that holds for hours is made anew all along
//! (`policy.streams`).

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use pingora::http::{RequestHeader, ResponseHeader};

use super::Site;
use super::context::{Context, State};
use super::request_id::RequestId;
use crate::base::{Clock, Timestamp};
use crate::connection::{End, Ongoing};
use crate::gate::Gate;
use crate::policy::{self, CanonicalPath};
use crate::telemetry::{Audit, RouteLabel, Telemetry};
use crate::tokens::Verified;

/// All answers, of `WebSocket` or `text/event-stream`, that are somebody's. Those whose route keeps its streams are among them: the
/// next configuration may say otherwise.
#[derive(Debug, Default)]
pub struct OpenStreams {
    open: Mutex<HashMap<u64, Arc<Stream>>>,
    last: AtomicU64,
}

/// One of them.
#[derive(Debug)]
pub struct Stream {
    /// The token it was opened with.
    pub token: Arc<Verified>,
    /// The request it answers.
    pub ongoing: Arc<Ongoing>,
    /// How it is ended.
    pub how: End,
    /// The method and path of its request, by which the route is found that it has now.
    pub method: Method,
    /// As it was forwarded.
    pub path: Box<[u8]>,
    /// The route it was begun on, for the audit log.
    pub route: RouteLabel,
    /// The id of the request.
    pub id: RequestId,
    /// The client's address.
    pub address: Option<IpAddr>,
}

/// A stream is followed until this is dropped.
#[derive(Debug)]
#[must_use = "it is followed only while this is kept"]
pub struct Followed {
    streams: Arc<OpenStreams>,
    key: u64,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.streams.open.lock().remove(&self.key);
    }
}

impl OpenStreams {
    /// Follows the answer of a request, if it is a stream and is somebody's. A download or an upload is none: what was begun in
    /// time is finished.
    pub fn follow_if_asked(
        self: &Arc<Self>,
        request: &RequestHeader,
        response: &ResponseHeader,
        context: &Context,
    ) -> Option<Followed> {
        let how = how_to_end(response)?;
        let State::Permitted { permit, .. } = &context.state else { return None };
        permit.identity()?;
        Some(self.follow(Stream {
            token: context.noted.verified.as_ref()?.shared(),
            ongoing: Ongoing::current()?,
            how,
            method: request.method.clone(),
            path: context.raw.as_ref()?.path().into(),
            route: context.site.labels.route(context.noted.route).clone(),
            id: context.id.clone(),
            address: context.client.address,
        }))
    }

    /// Follows a stream.
    pub fn follow(self: &Arc<Self>, stream: Stream) -> Followed {
        let key = self.last.fetch_add(1, Ordering::Relaxed);
        self.open.lock().insert(key, Arc::new(stream));
        Followed { streams: Arc::clone(self), key }
    }

    /// Ends each that is due, again and again. They are judged by the configuration of the moment, not by the one they began with:
    /// its routes, issuers, keys and leeway. Only claims stay as they were read, less the scopes that their issuer may not grant now.
    pub async fn watch(self: Arc<Self>, site: Arc<ArcSwap<Site>>, clock: Arc<dyn Clock>, telemetry: Arc<Telemetry>) {
        loop {
            tokio::time::sleep(EVERY).await;
            for some in self.all().chunks(AT_ONCE) {
                let site = site.load();
                self.end_those_due(some, (&site.gate, site.streams), clock.now(), &telemetry);
                tokio::task::yield_now().await;
            }
        }
    }

    /// A copy, so that no request waits for a round to open or close its stream.
    fn all(&self) -> Vec<(u64, Arc<Stream>)> {
        self.open.lock().iter().map(|(key, stream)| (*key, Arc::clone(stream))).collect()
    }

    fn end_those_due(
        &self,
        some: &[(u64, Arc<Stream>)],
        (gate, unless): (&Gate, policy::Streams),
        now: Timestamp,
        telemetry: &Telemetry,
    ) {
        for (key, stream) in some {
            // It was one when it was permitted.
            let Ok(path) = CanonicalPath::parse(&stream.path) else { continue };
            let asked = (stream.method.as_str(), &path);
            let Some(reason) = gate.ended(asked, &stream.token, unless, now) else { continue };
            // Only who takes it out ends it: it may have ended by itself meanwhile.
            if self.open.lock().remove(key).is_none() {
                continue;
            }
            stream.ongoing.end(stream.how);
            telemetry.metrics.stream_ended(reason.as_str());
            let ended = Audit::Refused {
                what: "stream",
                reason: reason.as_str(),
                subject: Some(&stream.token.claims().subject),
                issuer: Some(&stream.token.claims().issuer),
                client: stream.token.claims().client.as_deref(),
                route: Some(stream.route.name()),
                id: Some(stream.id.as_str()),
                address: stream.address,
            };
            telemetry.audit(now, &ended);
        }
    }
}

/// `None` for what is no stream.
fn how_to_end(response: &ResponseHeader) -> Option<End> {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return Some(End::WebSocket);
    }
    let media_type = response.headers.get(CONTENT_TYPE)?.as_bytes().split(|byte| *byte == b';').next()?;
    media_type.trim_ascii().eq_ignore_ascii_case(b"text/event-stream").then_some(End::Cut)
}

/// Often enough that with a slow turn and a slow client a stream still ends within a second.
const EVERY: Duration = Duration::from_millis(250);

/// How many are looked at before others have their turn: about a millisecond's work.
const AT_ONCE: usize = 500;
