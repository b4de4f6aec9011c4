//! Pingora's phases, each a line.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::prelude::HttpPeer;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::Peer as _;
use pingora::{Error, ErrorType};

use super::context::{Context, Noted, State};
use super::failure::{self, Failure};
use super::failure_log::FailureLog;
use super::request_id::{RequestId, RequestIds};
use super::streams::OpenStreams;
use super::{
    Site, cors, forwarded, logging, request, request_body, respond, upgrade, upstream_request, upstream_response,
    websocket,
};
use crate::base::{Clock, Stopwatch};
use crate::message::Client;
use crate::telemetry::{Method, Telemetry};

/// The public listener.
pub struct Door {
    site: Arc<ArcSwap<Site>>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    ids: RequestIds,
    streams: Arc<OpenStreams>,
    draining: Arc<AtomicBool>,
    failures: FailureLog,
}

impl Door {
    /// A door that serves whatever `site` holds when a request comes.
    #[must_use]
    pub fn new(
        site: Arc<ArcSwap<Site>>,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
        streams: Arc<OpenStreams>,
        draining: Arc<AtomicBool>,
    ) -> Self {
        Self { site, clock, telemetry, ids: RequestIds::default(), streams, draining, failures: FailureLog::default() }
    }
}

#[async_trait]
impl ProxyHttp for Door {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context {
            site: self.site.load_full(),
            received: Stopwatch::start(),
            id: RequestId::default(),
            method: Method::Other,
            client: Client::default(),
            raw: None,
            state: State::Received,
            noted: Noted::default(),
            tunnel: None,
            stream: None,
            in_flight: self.telemetry.metrics.request_started(),
            told: false,
            telemetry: Arc::clone(&self.telemetry),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Nothing is compressed here.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<()> {
        context.id = self.ids.keep_or_make(session.get_header(&REQUEST_ID));
        context.method = Method::of(session.req_header().method.as_str());
        context.client = forwarded::client(session, &context.site.trusted_proxies);
        if self.draining.load(Ordering::Relaxed) {
            // Said in the answer, so that nobody sends another request to a connection that is about to end.
            session.set_keepalive(None);
        }
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<bool> {
        #[cfg(test)]
        assert!(session.get_header("x-test-panic").is_none(), "asked for by the test");
        request::filter(session, context, &self.ids, &*self.clock).await
    }

    async fn upstream_peer(&self, session: &mut Session, context: &mut Context) -> pingora::Result<Box<HttpPeer>> {
        context.noted.attempts += 1;
        context.noted.asked = Some(Stopwatch::start());
        let left = RETRY_BUDGET.saturating_sub(context.received.elapsed());
        let peer = context.site.upstream.peer(&context.noted.tried, left);
        let mut peer = peer.map_err(|error| {
            context.noted.address = None;
            Error::because(ErrorType::ConnectError, "", error).into_up()
        })?;
        context.noted.address = peer.address().as_inet().copied();
        if websocket::is_upgrade(session.req_header()) {
            context.tunnel = Some(upgrade::prepare(&mut peer));
        }
        Ok(peer)
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        reused: bool,
        peer: &HttpPeer,
        _: RawFd,
        _: Option<&Digest>,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if !reused && let Some(address) = peer.address().as_inet() {
            context.site.upstream.reached(*address);
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        upstream_request::filter(session.req_header(), request, context)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        request_body::check_read(session, &context.site.limits)
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        context.noted.answered = context.noted.asked.map(Stopwatch::elapsed);
        context.noted.status = response.status.as_u16();
        upstream_response::filter(response, context.tunnel.is_some(), &context.site.identity_headers)?;
        if let State::Permitted { permit, .. } = &context.state {
            websocket::filter_response(response, permit)?;
        }
        cors::filter(&context.site, context.noted.route, session.req_header(), response)?;
        match &context.tunnel {
            Some(tunnel) if response.status == StatusCode::SWITCHING_PROTOCOLS => tunnel.open(),
            // What the client sends next may be frames: they must not be read as requests.
            Some(_) if !response.status.is_informational() => session.set_keepalive(None),
            _ if self.draining.load(Ordering::Relaxed) => session.set_keepalive(None),
            _ => {}
        }
        context.stream = self.streams.follow_if_asked(session.req_header(), response, context);
        Ok(())
    }

    fn upstream_response_trailer_filter(
        &self,
        _: &mut Session,
        trailers: &mut HeaderMap,
        context: &mut Context,
    ) -> pingora::Result<()> {
        upstream_response::filter_trailers(trailers, &context.site.identity_headers);
        Ok(())
    }

    /// Nothing was sent, so any request may be tried at another address.
    fn fail_to_connect(
        &self,
        _: &mut Session,
        peer: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let upstream = &context.site.upstream;
        let failure = Failure::of(&error);
        let may_help = match (failure, peer.address().as_inet()) {
            (Failure::Connect | Failure::Timeout, Some(address)) => {
                upstream.not_reached(*address);
                context.noted.tried.push(*address);
                upstream.has_other_than(&context.noted.tried)
            }
            // A connection from the pool was found dead before it got a stream of this request.
            _ => *error.etype() == ErrorType::H2Error,
        };
        let may = context.noted.attempts < MAX_ATTEMPTS && context.received.elapsed() < RETRY_BUDGET;
        error.set_retry(may && may_help);
        // The last one is told with the answer, and that a connection was found dead is no failure.
        if may && may_help && failure != Failure::Broken {
            self.failures.tell(failure, &error, upstream, context.noted.address);
        }
        error
    }

    /// Never what may have been done already: a request that is not idempotent, or that was answered in part.
    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut Context,
        reused: bool,
    ) -> Box<Error> {
        let idempotent = session.req_header().method.is_idempotent();
        let whole = !session.as_ref().retry_buffer_truncated();
        let unanswered = context.noted.answered.is_none() && session.response_written().is_none();
        let once_more = idempotent && whole && unanswered && failure::died_unanswered(&error, reused);
        error.set_retry(once_more && context.noted.attempts < MAX_ATTEMPTS);
        error
    }

    /// Told by the access log and the metrics when the request has ended; Pingora's line may hold what the upstream sent.
    fn suppress_proxy_warn_log(&self, _: &Session, _: &Context, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut Context) -> FailToProxy {
        let failure = Failure::of(error);
        if let Some(denial) = failure.refusal() {
            context.noted.refused = Some(denial.reason);
        }
        self.failures.tell(failure, error, &context.site.upstream, context.noted.address);
        context.noted.upstream_error = failure.is_upstreams().then(|| failure.as_str());
        let reply = failure.reply(self.draining.load(Ordering::Relaxed), &context.site.wording);
        let mut code = 0;
        // Interim answers announce a final one.
        let unanswered = session.response_written().is_none_or(|written| is_interim(written.status));
        if let Some(reply) = reply.filter(|_| unanswered) {
            code = reply.status;
            // The request's body may be half read.
            session.set_keepalive(None);
            let _ = respond::write(session, &context.site.cors, reply).await;
        }
        FailToProxy { error_code: code, can_reuse_downstream: false }
    }

    /// The access log and the metrics say it; Pingora's line would carry the path with its query.
    fn suppress_error_log(&self, _: &Session, _: &Context, _: &Error) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        logging::tell(session, error, context);
    }

    /// Method and id: path and query may hold secrets.
    fn request_summary(&self, session: &Session, context: &Context) -> String {
        format!("{} request {}", session.req_header().method, context.id.as_str())
    }
}

fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The first and two more; Pingora's `max_retries` counts attempts.
pub const MAX_ATTEMPTS: usize = 3;

const RETRY_BUDGET: std::time::Duration = std::time::Duration::from_secs(3);
