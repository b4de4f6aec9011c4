//! The admin listener's few paths.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::{Method, Response};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use super::{Health, operations};
use crate::endpoints::{Operators, Reply};
use crate::telemetry::Telemetry;

/// Answers `/metrics`, `/livez` (`/healthz`), `/readyz`, `/startupz`, `/revocations` and `/store`. It has no way to the upstream.
pub struct Admin {
    health: Arc<Health>,
    telemetry: Arc<Telemetry>,
    /// Brings gauges up to date that nothing counts along.
    collect: Box<dyn Fn() + Send + Sync>,
    operators: Arc<ArcSwap<Operators>>,
}

impl Admin {
    /// An admin application. `collect` runs before each scrape; `operators` may be replaced by a reload.
    #[must_use]
    pub fn new(
        health: Arc<Health>,
        telemetry: Arc<Telemetry>,
        collect: Box<dyn Fn() + Send + Sync>,
        operators: Arc<ArcSwap<Operators>>,
    ) -> Self {
        Self { health, telemetry, collect, operators }
    }

    fn answer(&self, method: &Method, path: &str, query: Option<&str>) -> (u16, &'static str, String) {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return (405, TEXT, "method not allowed\n".to_owned());
        }
        let status = |good| if good { 200 } else { 503 };
        match path {
            "/livez" | "/healthz" => (200, TEXT, "ok\n".to_owned()),
            "/startupz" if self.health.is_started() => (200, TEXT, "ok\n".to_owned()),
            "/startupz" => (503, TEXT, "not started\n".to_owned()),
            "/readyz" => {
                let verbose = query.is_some_and(|query| query.split('&').any(|word| word.starts_with("verbose")));
                let store_up = self.telemetry.metrics.is_store_up();
                (status(self.health.is_ready()), TEXT, self.health.ready_text(store_up, verbose))
            }
            "/metrics" => {
                (self.collect)();
                (200, PROMETHEUS, self.telemetry.metrics.render())
            }
            _ => (404, TEXT, "not found\n".to_owned()),
        }
    }
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        if matches!(session.req_header().uri.path(), Operators::PATH | Operators::STORE_PATH) {
            let operators = self.operators.load_full();
            let reply = operations::answer(session, &operators).await;
            return response(reply, session.req_header().method == Method::HEAD);
        }
        let request = session.req_header();
        let (status, content_type, body) = self.answer(&request.method, request.uri.path(), request.uri.query());
        let body = if request.method == Method::HEAD { Vec::new() } else { body.into_bytes() };
        let mut response = Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        let length = response.body().len();
        let headers = response.headers_mut();
        headers.insert("content-type", http::HeaderValue::from_static(content_type));
        headers.insert("cache-control", http::HeaderValue::from_static("no-store"));
        headers.insert("content-length", length.into());
        if status == 405 {
            headers.insert("allow", http::HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

/// The reply as it is written; to `HEAD` without its body, of which only the length is told (RFC 9110 §9.3.2).
fn response(reply: Reply, is_head: bool) -> Response<Vec<u8>> {
    let length = reply.body.len();
    let mut response = Response::new(if is_head { Vec::new() } else { reply.body.to_vec() });
    *response.status_mut() = http::StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        if let Ok(value) = http::HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers.insert("content-length", length.into());
    response
}

const TEXT: &str = "text/plain; charset=utf-8";

/// The text format, version 0.0.4.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
