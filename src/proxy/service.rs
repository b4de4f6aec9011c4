//! Pingora's phases, each a line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::prelude::HttpPeer;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::{Error, ErrorType};

use super::context::{Context, Noted, State};
use super::failure::Failure;
use super::request_id::RequestIds;
use super::{Site, logging, request, request_body, respond, upstream_request};
use crate::base::{Clock, Stopwatch};
use crate::telemetry::Telemetry;

/// The public listener.
pub struct Door {
    site: Arc<ArcSwap<Site>>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    ids: RequestIds,
    draining: Arc<AtomicBool>,
}

impl Door {
    /// A door that serves whatever `site` holds when a request comes.
    #[must_use]
    pub fn new(
        site: Arc<ArcSwap<Site>>,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
        draining: Arc<AtomicBool>,
    ) -> Self {
        Self { site, clock, telemetry, ids: RequestIds::default(), draining }
    }
}

#[async_trait]
impl ProxyHttp for Door {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context {
            site: self.site.load_full(),
            received: Stopwatch::start(),
            id: String::new(),
            raw: None,
            state: State::Received,
            noted: Noted::default(),
            in_flight: self.telemetry.metrics.request_started(),
        }
    }

    /// Nothing is compressed here.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<()> {
        context.id = self.ids.keep_or_make(session.get_header("x-request-id").map(http::HeaderValue::as_bytes));
        // Pingora keeps HTTP/1.1 connections for ever unless told otherwise; where it decided to close, that stays.
        if session.get_keepalive().is_some() && !session.is_process_shutting_down() {
            session.set_keepalive(Some(IDLE_SECONDS));
        }
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<bool> {
        #[cfg(test)]
        assert!(session.get_header("x-test-panic").is_none(), "asked for by the test");
        request::filter(session, context, &self.ids, &*self.clock).await
    }

    async fn upstream_peer(&self, _: &mut Session, context: &mut Context) -> pingora::Result<Box<HttpPeer>> {
        context.noted.attempts += 1;
        context.noted.asked = Some(Stopwatch::start());
        let peer = context.site.upstream.peer();
        peer.map(Box::new).map_err(|error| Error::explain(ErrorType::ConnectError, error.to_string()).into_up())
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
        _: &mut Session,
        _: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        context.noted.answered = context.noted.asked.map(Stopwatch::elapsed);
        Ok(())
    }

    /// Nothing was sent, so any request may be tried again: at the next address, twice at the most.
    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        error.set_retry(context.noted.attempts < MAX_ATTEMPTS && context.received.elapsed() < RETRY_BUDGET);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut Context) -> FailToProxy {
        let failure = Failure::of(error);
        context.noted.refused = failure.refusal().map(|denial| denial.reason);
        context.noted.upstream_error = failure.is_upstreams().then(|| failure.as_str());
        let reply = failure.reply(self.draining.load(Ordering::Relaxed));
        let mut code = 0;
        if let Some(reply) = reply.filter(|_| session.response_written().is_none()) {
            code = reply.status;
            // The request's body may be half read.
            session.set_keepalive(None);
            let _ = respond::write(session, reply).await;
        }
        FailToProxy { error_code: code, can_reuse_downstream: false }
    }

    /// The access log and the metrics say it; Pingora's line would carry the path with its query.
    fn suppress_error_log(&self, _: &Session, _: &Context, _: &Error) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        logging::tell(session, error, context, &self.telemetry, self.clock.now());
    }

    /// Method and id: path and query may hold secrets.
    fn request_summary(&self, session: &Session, context: &Context) -> String {
        format!("{} request {}", session.req_header().method, context.id)
    }
}

/// How long a connection is kept between requests, in seconds.
const IDLE_SECONDS: u64 = 60;

/// The first and two more; Pingora's `max_retries` counts attempts.
pub const MAX_ATTEMPTS: usize = 3;

const RETRY_BUDGET: std::time::Duration = std::time::Duration::from_secs(3);
