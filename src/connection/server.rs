//! Listening, accepting, and what becomes of what was accepted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::apps::HttpServerApp;
use pingora::server::ShutdownWatch;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;

use super::http1::Left;
use super::registry::{Place, Registry};
use super::socket::{self, Socket};
use super::stream::Connection;
use super::tls::ServerTls;
use super::{Limits, Refuse, http1, http2};
use crate::base::Stopwatch;
use crate::telemetry::{ConnectionCap, Telemetry, Unserved};

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// With an address and a port.
    Tcp(TcpListener),
    /// With a path.
    Unix(UnixListener),
}

/// What listeners have in common: the application behind them, and what their connections must keep to.
pub struct Server<A> {
    /// Serves the requests.
    pub app: Arc<A>,
    /// Answers what no request can be made of.
    pub refuse: Arc<dyn Refuse>,
    /// Read anew for each connection.
    pub limits: Arc<ArcSwap<Limits>>,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// Whose idle connections give way too when there are no more file descriptors: they are the process's, not a listener's.
    pub others: Option<Arc<Registry>>,
    /// TLS, on TCP sockets; `None` = none.
    pub tls: Option<Arc<ServerTls>>,
    /// Whether HTTP/2 is taken without TLS.
    pub h2c: bool,
    /// Where connections and panics are counted; `None` = nowhere.
    pub telemetry: Option<Arc<Telemetry>>,
}

/// What a listener gives.
pub(super) struct Accepted {
    pub(super) socket: Socket,
    peer: Option<SocketAddr>,
}

impl<A: HttpServerApp + Send + Sync + 'static> Server<A> {
    /// Accepts connections until `shutdown` says so. Whoever waits for a request then is closed; requests in flight go on,
    /// and their connections end with them.
    pub async fn run(self: Arc<Self>, listeners: Vec<Listener>, shutdown: ShutdownWatch) {
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(Arc::clone(&self).accept(listener, shutdown.clone()));
        }
        accepting.join_all().await;
        // Pingora's part: it closes connections after what they serve now.
        self.app.http_cleanup().await;
        self.registry.stop();
    }

    async fn accept(self: Arc<Self>, listener: Listener, mut shutdown: ShutdownWatch) {
        let mut told: Option<Stopwatch> = None;
        loop {
            let accepted = tokio::select! {
                // Whoever could have told is gone if this fails.
                _ = shutdown.wait_for(|stopped| *stopped) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => self.admit(accepted, &shutdown),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if told.is_none_or(|told| told.elapsed() > TELL_AGAIN) {
                        tracing::warn!(%error, "connections cannot be accepted");
                        told = Some(Stopwatch::start());
                    }
                    // Without the pause this would spin: the connection waits on.
                    self.make_room_for_descriptors();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, accepted: Accepted, shutdown: &ShutdownWatch) {
        let limits = **self.limits.load();
        let connections = self.telemetry.as_ref().map(|telemetry| &telemetry.metrics.connections);
        match self.registry.admit(accepted.peer.map(|peer| peer.ip()), &limits) {
            Ok(admitted) => {
                if let Some(connections) = connections {
                    admitted.displaced.iter().for_each(|cap| connections.displaced(*cap));
                }
                let (server, shutdown) = (Arc::clone(self), shutdown.clone());
                tokio::spawn(async move { server.serve(accepted, admitted.place, limits, shutdown).await });
            }
            Err(cap) => {
                if let Some(connections) = connections {
                    connections.refused(cap);
                }
            }
        }
    }

    async fn serve(&self, accepted: Accepted, place: Place, limits: Limits, shutdown: ShutdownWatch) {
        let _open = self.telemetry.as_ref().map(|telemetry| telemetry.metrics.connections.opened());
        let Accepted { socket, peer } = accepted;
        let Some(socket) = self.handshake(socket, &place, &limits).await else { return };
        let connection = Box::new(Connection::new(socket, peer, limits.idle_timeout));
        let connection = if connection.chose_http2() {
            connection
        } else {
            let address = peer.map(|peer| peer.ip());
            match http1::serve(self, connection, address, (&place, &limits), &shutdown).await {
                Left::Nothing => return,
                Left::Http2(connection) => connection,
            }
        };
        http2::serve(self, connection, (place, &limits), &shutdown).await;
    }

    async fn handshake(&self, socket: Socket, place: &Place, limits: &Limits) -> Option<Socket> {
        let (socket, tls): (TcpStream, _) = match (socket, &self.tls) {
            (Socket::Tcp(socket), Some(tls)) => (socket, tls),
            (socket, _) => return Some(socket),
        };
        let handshake = tls.acceptor().accept(socket);
        match place.until_told(pingora_timeout::timeout(limits.header_timeout, handshake)).await? {
            Ok(Ok(socket)) => Some(Socket::Tls(Box::new(socket))),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                self.unserved(Unserved::Tls, true);
                None
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                self.unserved(Unserved::TlsTimeout, true);
                None
            }
        }
    }

    /// Counts a connection that ended without a request, or in the middle of one's head. That nothing more came after a
    /// request is how connections end.
    pub(super) fn unserved(&self, reason: Unserved, is_first: bool) {
        if let Some(telemetry) = &self.telemetry
            && (is_first || reason != Unserved::Silent)
        {
            telemetry.metrics.connections.unserved(reason);
        }
    }

    pub(super) fn make_room_for_descriptors(&self) {
        let displaced = self.registry.displace() || self.others.as_ref().is_some_and(|others| others.displace());
        if let Some(telemetry) = &self.telemetry {
            let connections = &telemetry.metrics.connections;
            if displaced {
                connections.displaced(ConnectionCap::Descriptors);
            } else {
                connections.refused(ConnectionCap::Descriptors);
            }
        }
    }
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                // Fails if the client has gone.
                let _ = socket::prepare(&socket);
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                Ok(Accepted { socket: Socket::Tcp(socket), peer: Some(peer) })
            }
            Self::Unix(listener) => {
                let (socket, _) = listener.accept().await?;
                Ok(Accepted { socket: Socket::Unix(socket), peer: None })
            }
        }
    }
}

/// The client has gone before it was its turn; the next one may be there already.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// After it could not be accepted for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// For a trouble that lasts.
const TELL_AGAIN: Duration = Duration::from_secs(10);
