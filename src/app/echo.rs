//! The demo's API: it answers with what it received, and knows nothing of tokens. It is no test's upstream.

use std::net::{Ipv4Addr, SocketAddr};

use async_trait::async_trait;
use http::Response;
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::listen::{ADMIN_MODE, BindError};
use super::{listen, run_loop};
use crate::config::Listen;

/// A running API.
#[derive(Debug)]
pub struct Echo {
    /// Where: address and port.
    pub address: String,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl Echo {
    /// Stops listening.
    pub async fn stop(self) {
        // It has ended by itself if this fails.
        let _ = self.stop.send(true);
        let _ = self.served.await;
    }
}

/// Starts one on a free port of the loopback.
///
/// # Errors
/// [`BindError`] if there is no port.
pub fn start() -> Result<Echo, BindError> {
    let anywhere = Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (bound, listener) = listen::bind(&anywhere, ADMIN_MODE)?;
    let (stop, stopped) = watch::channel(false);
    let served = run_loop::start(Answer, listener, None, stopped);
    Ok(Echo { address: bound.to_string(), stop, served })
}

struct Answer;

#[async_trait]
impl ServeHttp for Answer {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        let shown = |name: &&str| name.starts_with("x-forwarded-") || name.starts_with("x-doorward-");
        let headers: Map<String, Value> = request
            .headers
            .iter()
            .filter(|(name, _)| shown(&name.as_str()))
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        let body = json!({ "method": request.method.as_str(), "path": request.uri.path(), "headers": headers });
        let mut response = Response::new(body.to_string().into_bytes());
        let length = response.body().len();
        let headers = response.headers_mut();
        headers.insert("content-type", http::HeaderValue::from_static("application/json"));
        headers.insert("content-length", length.into());
        response
    }
}
