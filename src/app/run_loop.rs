//! Pingora's applications on our own runtime and our own listeners.
//!
//! # Why not `pingora::Server`
//! It cannot say which port it bound, takes no sockets, and at SIGTERM closes its listeners at once and then sleeps. What it
//! accepts has no deadline for a handshake or a head, and there is no limit to how many there are.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::apps::http_app::{HttpServer, ServeHttp};
use pingora::proxy::http_proxy;
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use tokio::task::JoinHandle;

use crate::connection::{Limits, Listener, Plain, Refuse, Registry, Server, ServerTls};
use crate::message::HeadLimits;
use crate::proxy::service::MAX_ATTEMPTS;
use crate::proxy::{Door, upstream_tls};
use crate::telemetry::Telemetry;

/// What public connections are taken under.
pub struct Terms {
    /// Read anew for each connection.
    pub limits: Arc<ArcSwap<Limits>>,
    /// TLS on TCP sockets; `None` = none.
    pub tls: Option<Arc<ServerTls>>,
    /// Whether HTTP/2 is taken without TLS.
    pub h2c: bool,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// Answers what no request can be made of.
    pub refuse: Arc<dyn Refuse>,
}

/// Starts the public listeners. They stop accepting when `shutdown` says so; requests in flight go on.
pub fn start_public(
    door: Door,
    listeners: Vec<Listener>,
    terms: Terms,
    shutdown: ShutdownWatch,
    telemetry: Arc<Telemetry>,
) -> JoinHandle<()> {
    let conf = ServerConf { max_retries: MAX_ATTEMPTS, ca_file: upstream_tls::ca_file(), ..ServerConf::default() };
    let Terms { limits, tls, h2c, registry, refuse } = terms;
    let server = Server {
        app: Arc::new(http_proxy(&Arc::new(conf), door)),
        refuse,
        limits,
        registry,
        others: None,
        tls,
        h2c,
        telemetry: Some(telemetry),
    };
    tokio::spawn(Arc::new(server).run(listeners, shutdown))
}

/// Starts a listener for `app`, under limits that nobody needs to change: the admin's, and the demo's.
/// `others` make room for it when the process has no more file descriptors.
pub(super) fn start<A>(
    app: A,
    listener: Listener,
    others: Option<Arc<Registry>>,
    shutdown: ShutdownWatch,
) -> JoinHandle<()>
where
    A: ServeHttp + Send + Sync + 'static,
{
    let server = Server {
        app: Arc::new(HttpServer::new_app(app)),
        refuse: Arc::new(Plain),
        limits: Arc::new(ArcSwap::from_pointee(OWN_LIMITS)),
        registry: Arc::new(Registry::default()),
        others,
        tls: None,
        h2c: false,
        telemetry: None,
    };
    tokio::spawn(Arc::new(server).run(vec![listener], shutdown))
}

/// Probes, scrapes and a handful of operators.
const OWN_LIMITS: Limits = Limits {
    connections: 128,
    connections_per_address: None,
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_mins(1),
    head: HeadLimits { header_bytes: 8 * 1024, header_count: 100, uri_bytes: 8 * 1024 },
};
