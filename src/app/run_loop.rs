//! Pingora's services on our own runtime.
//!
//! # Why not `pingora::Server`
//! It cannot say which port it bound, takes no sockets, and at SIGTERM closes its listeners at once and then sleeps.

use std::fs::Permissions;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use pingora::apps::http_app::HttpServer;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::Stream;
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::Service as _;
use pingora::services::listening::Service;
use tokio::task::JoinHandle;

use super::listen::ADMIN_MODE;
use crate::admin::Admin;
use crate::config::Listen;
use crate::proxy::Door;
use crate::proxy::service::MAX_ATTEMPTS;
use crate::proxy::upstream_tls;
use crate::telemetry::Telemetry;

/// Starts the public listeners, Unix sockets with this mode. They stop accepting when `shutdown` says so; requests in flight go on.
pub fn start_public(
    door: Door,
    listens: (&[Listen], u32),
    fds: ListenFds,
    shutdown: ShutdownWatch,
    telemetry: Arc<Telemetry>,
) -> JoinHandle<()> {
    let conf = ServerConf { max_retries: MAX_ATTEMPTS, ca_file: upstream_tls::ca_file(), ..ServerConf::default() };
    let proxy = http_proxy(&Arc::new(conf), door);
    start(Guarded { inner: Arc::new(proxy), telemetry }, "public", listens, fds, shutdown)
}

/// Starts the admin listener.
pub fn start_admin(admin: Admin, listen: &Listen, fds: ListenFds, shutdown: ShutdownWatch) -> JoinHandle<()> {
    start(HttpServer::new_app(admin), "admin", (std::slice::from_ref(listen), ADMIN_MODE), fds, shutdown)
}

/// Starts listeners for `app`; sockets that are bound already are found in `fds` by their address.
/// `mode` is that of the files of Unix sockets.
pub(super) fn start<A: ServerApp + Send + Sync + 'static>(
    app: A,
    name: &str,
    (listens, mode): (&[Listen], u32),
    fds: ListenFds,
    shutdown: ShutdownWatch,
) -> JoinHandle<()> {
    let mut service = Service::new(name.to_owned(), app);
    for listen in listens {
        match listen {
            // The name under which the bound socket is found.
            Listen::Tcp(address) => service.add_tcp(&address.to_string()),
            // The mode once more: without it Pingora would open the socket to everybody.
            Listen::Unix(path) => service.add_uds(&path.display().to_string(), Some(Permissions::from_mode(mode))),
        }
    }
    tokio::spawn(async move { service.start_service(Some(fds), shutdown, 1).await })
}

/// Counts connections, and ends one whose request panicked.
struct Guarded<A> {
    inner: Arc<A>,
    telemetry: Arc<Telemetry>,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Guarded<A> {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let _open = self.telemetry.metrics.connection_opened();
        let mut served = std::pin::pin!(ServerApp::process_new(&self.inner, stream, shutdown));
        // What a panic leaves behind is this connection alone, and that is dropped: nothing of it is used again.
        poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| served.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(_) => {
                self.telemetry.metrics.request_panicked();
                Poll::Ready(None)
            }
        })
        .await
    }

    /// Without it idle connections would not be told that the listener is gone.
    async fn cleanup(&self) {
        ServerApp::cleanup(&*self.inner).await;
    }
}
