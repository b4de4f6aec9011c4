//! HTTP/1: one request after the other.

use std::net::IpAddr;
use std::sync::Arc;

use pingora::apps::HttpServerApp;
use pingora::protocols::Shutdown;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;

use super::head::{self, Next};
use super::idle::Idle;
use super::registry::Place;
use super::stream::Connection;
use super::{Limits, Ongoing, Refused, Server, request};
use crate::telemetry::Unserved;

/// What is left when there are no more requests.
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// A connection that turned out to be HTTP/2's.
    Http2(Box<Connection>),
}

/// Serves the requests of a connection until there are no more. Between two of them it gives way when it is told to.
pub(super) async fn serve<A: HttpServerApp + Send + Sync + 'static>(
    server: &Server<A>,
    mut connection: Box<Connection>,
    peer: Option<IpAddr>,
    (place, limits): (&Place, &Limits),
    shutdown: &ShutdownWatch,
) -> Left {
    let mut is_first = true;
    let mut idle = Idle::default();
    loop {
        let may_be_http2 = is_first && server.h2c;
        let next = place.until_told(head::next(&mut connection, &mut idle, limits, may_be_http2)).await;
        match next {
            None => return Left::Nothing,
            Some(Next::Http2) => return Left::Http2(connection),
            Some(Next::Ended(reason)) => {
                server.unserved(reason, is_first);
                return Left::Nothing;
            }
            Some(Next::Late) => {
                server.unserved(Unserved::HeadTimeout, is_first);
                let answer = server.refuse.timed_out(connection.ahead(), peer);
                place.until_displaced(connection.answer_and_close(&answer)).await;
                return Left::Nothing;
            }
            Some(Next::Refused(error)) => {
                let answer = server.refuse.refuse(&Refused { error, head: connection.ahead(), peer });
                place.until_displaced(connection.answer_and_close(&answer)).await;
                return Left::Nothing;
            }
            Some(Next::Request(head, bytes)) => {
                // It may have given way while the head was read: then nobody has seen any of it.
                let Some(_in_flight) = place.begin() else { return Left::Nothing };
                let ongoing = connection.begin(bytes, head);
                match one(server, connection, ongoing, shutdown).await {
                    Some(back) => connection = back,
                    None => return Left::Nothing,
                }
            }
        }
        is_first = false;
    }
}

/// Has the application serve one request; the connection, if the next one can follow.
async fn one<A: HttpServerApp + Send + Sync + 'static>(
    server: &Server<A>,
    connection: Box<Connection>,
    ongoing: Arc<Ongoing>,
    shutdown: &ShutdownWatch,
) -> Option<Box<Connection>> {
    let mut session = ServerSession::new_http1(connection);
    // Whether the client and the application want to go on; for how long is not theirs to say.
    session.set_keepalive((!*shutdown.borrow()).then_some(0));
    let served = server.app.process_new_http(session, shutdown);
    let (stream, _) = request::serve(ongoing, server.telemetry.as_deref(), served).await??.consume();
    let mut connection = stream.into_any().downcast::<Connection>().ok()?;
    if connection.rest() && !*shutdown.borrow() {
        return Some(connection);
    }
    connection.shutdown().await;
    None
}
