//! Pingora that forwards everything and decides nothing: `LISTEN UPSTREAM`, both `address:port`, on one thread.

use std::env;
use std::net::SocketAddr;
use std::process::ExitCode;

use async_trait::async_trait;
use pingora::modules::http::HttpModules;
use pingora::prelude::{HttpPeer, http_proxy_service};
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;

/// What of Pingora's own there is in it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Whether threads take work from each other.
    pub work_stealing: bool,
    /// Whether answers go through the module that could compress them.
    pub modules: bool,
}

struct Forward {
    kind: Kind,
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Forward {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        if self.kind.modules {
            modules.add_module(pingora::modules::http::compression::ResponseCompressionBuilder::enable(0));
        }
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut Self::CTX) -> pingora::Result<Box<HttpPeer>> {
        #[expect(clippy::disallowed_methods, reason = "given a socket address it neither resolves nor panics")]
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

/// Serves until it is killed.
pub fn serve(kind: Kind) -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (Some(listen), Some(Ok(upstream))) = (arguments.next(), arguments.next().map(|address| address.parse())) else {
        return ExitCode::from(2);
    };
    let conf = ServerConf { threads: 1, work_stealing: kind.work_stealing, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Forward { kind, upstream });
    service.add_tcp(&listen);
    server.add_service(service);
    server.run_forever()
}
