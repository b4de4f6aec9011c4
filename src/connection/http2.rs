//! HTTP/2: many requests at once, each in a task of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::server::ShutdownWatch;

use super::frames::{Frames, Requests};
use super::registry::Place;
use super::stream::Connection;
use super::{Limits, Ongoing, Server, request};
use crate::telemetry::{Telemetry, Unserved};

/// Serves a connection to its end; it gives way when it is told to.
pub(super) async fn serve<A: HttpServerApp + Send + Sync + 'static>(
    server: &Server<A>,
    connection: Box<Connection>,
    (place, limits): (Place, &Limits),
    shutdown: &ShutdownWatch,
) {
    let requests = Arc::<Requests>::default();
    let frames = Frames::new(limits.header_timeout, Arc::clone(&requests));
    let Ok(connection) = connection.into_http2(frames) else { return server.unserved(Unserved::Http2, true) };
    let place = Arc::new(place);
    let app = Arc::new(OneByOne {
        app: Arc::clone(&server.app),
        telemetry: server.telemetry.clone(),
        place: Arc::clone(&place),
        requests: Arc::clone(&requests),
        options: options(limits),
        settings: settings(limits),
    });
    let ended = place.until_displaced(ServerApp::process_new(&app, connection, shutdown)).await.is_some();
    // Pingora says nothing of why it ended. Without a request, it was the client's doing.
    let unserved = requests.begun.load(Ordering::Relaxed) == 0 && !*shutdown.borrow();
    if ended && (unserved || requests.broken.load(Ordering::Relaxed)) {
        server.unserved(Unserved::Http2, true);
    }
}

/// Has the application serve the requests of one connection.
struct OneByOne<A> {
    app: Arc<A>,
    telemetry: Option<Arc<Telemetry>>,
    /// Free when the last of them has ended.
    place: Arc<Place>,
    requests: Arc<Requests>,
    options: HttpServerOptions,
    settings: H2Options,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> HttpServerApp for OneByOne<A> {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let _in_flight = self.place.begin()?;
        self.requests.begun.fetch_add(1, Ordering::Relaxed);
        let ongoing = Ongoing::new(None);
        let served = self.app.process_new_http(session, shutdown);
        let served = request::serve(Arc::clone(&ongoing), self.telemetry.as_deref(), served);
        // Dropped, the stream is reset, and no other.
        if request::until_ended(&ongoing, served).await.is_some() {
            self.requests.answered.fetch_add(1, Ordering::Relaxed);
        }
        None
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.settings.clone())
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

fn options(limits: &Limits) -> HttpServerOptions {
    let mut options = HttpServerOptions::default();
    options.h2_idle_timeout = Some(limits.idle_timeout);
    options
}

fn settings(limits: &Limits) -> H2Options {
    let mut settings = default_h2_options();
    // The list counts 32 bytes for each field on top (RFC 9113 §6.5.2), and the target is in it.
    let fields = limits.head.header_bytes + 32 * limits.head.header_count;
    let list = fields + limits.head.uri_bytes + PSEUDO_FIELDS;
    settings.max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX));
    settings.max_concurrent_streams(STREAMS);
    settings
}

/// `:method`, `:scheme`, `:authority` and `:path`, with what each counts.
const PSEUDO_FIELDS: usize = 512;

/// At once on one connection: what browsers and gRPC need, and no more than one client should have of the upstream.
const STREAMS: u32 = 100;
