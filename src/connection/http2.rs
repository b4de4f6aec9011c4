//! HTTP/2: many requests at once, each in a task of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, ReusedHttpStream, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::server::ShutdownWatch;

use super::frames::{Frames, Requests};
use super::registry::Place;
use super::stream::Connection;
use super::unsent::Unsent;
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
    let place = Arc::new(place);
    let unsent = Arc::new(Unsent::new(Arc::clone(&place)));
    let Ok(connection) = connection.into_http2(frames, Arc::clone(&unsent)) else {
        return server.unserved(Unserved::Http2, true);
    };
    let app = Arc::new(OneByOne {
        app: Arc::clone(&server.app),
        telemetry: server.telemetry.clone(),
        place: Arc::clone(&place),
        unsent,
        requests: Arc::clone(&requests),
        patience: limits.idle_timeout,
        settings: settings(limits),
    });
    // Not Pingora's timer: that begins with the last answer's end, not when the last of it has left.
    let served = async {
        tokio::select! {
            biased;
            _ = ServerApp::process_new(&app, connection, shutdown) => {}
            () = place.until_idle_for(limits.idle_timeout) => {}
        }
    };
    let ended = place.until_displaced(served).await.is_some();
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
    unsent: Arc<Unsent>,
    requests: Arc<Requests>,
    /// For a client that opens no window for its answer.
    patience: Duration,
    settings: H2Options,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> HttpServerApp for OneByOne<A> {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let in_flight = Place::begin_shared(&self.place)?;
        self.requests.begun.fetch_add(1, Ordering::Relaxed);
        session.set_write_timeout(Some(self.patience));
        let ongoing = Ongoing::new(None);
        let served = self.app.process_new_http(session, shutdown);
        let served = request::serve(Arc::clone(&ongoing), self.telemetry.as_deref(), served);
        // Dropped, the stream is reset, and no other.
        request::until_ended(&ongoing, served).await;
        // That it ended says nothing: it ends with the client's own reset, too.
        if ongoing.is_answered() {
            self.requests.answered.fetch_add(1, Ordering::Relaxed);
        }
        self.unsent.ended(in_flight);
        None
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.settings.clone())
    }
}

fn settings(limits: &Limits) -> H2Options {
    let mut settings = default_h2_options();
    // The list counts 32 bytes for each field on top (RFC 9113 §6.5.2), and the target is in it.
    let fields = limits.head.header_bytes + 32 * limits.head.header_count;
    let list = fields + limits.head.uri_bytes + PSEUDO_FIELDS;
    settings.max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX));
    settings.max_concurrent_streams(STREAMS);
    settings.max_send_buffer_size(UNSENT);
    settings
}

/// `:method`, `:scheme`, `:authority` and `:path`, with what each counts.
const PSEUDO_FIELDS: usize = 512;

/// At once on one connection: what browsers and gRPC need, and no more than one client should have of the upstream.
const STREAMS: u32 = 100;

/// How much of one answer waits for the client to read on, in bytes: a hundred of them make three megabytes.
const UNSENT: usize = 32 * 1024;
