//! Connections over real sockets, with a small application behind them.

mod ends;
mod http1;
mod http2;
mod patience;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::Response;
use pingora::apps::http_app::{HttpServer, ServeHttp};
use pingora::protocols::http::ServerSession;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use super::*;
use crate::message::HeadLimits;
use crate::telemetry::{Settings, Sink, Telemetry};

/// Long enough for what should not happen to be seen, and never waited for.
const NEVER: Duration = Duration::from_secs(20);

/// What a deadline is where a test waits for it.
const SOON: Duration = Duration::from_millis(150);

/// More than fits into the buffers of two kernels.
const LARGE: usize = 24 * 1024 * 1024;

/// What a stream has left to send when the application has done its part.
const SOME: usize = 30 * 1024;

fn limits() -> Limits {
    Limits {
        connections: 100,
        connections_per_address: None,
        header_timeout: NEVER,
        idle_timeout: NEVER,
        head: HeadLimits { header_bytes: 1_000, header_count: 10, uri_bytes: 100 },
    }
}

/// Answers with what it was asked: `/wait` when it is told to, `/panic` not at all, `/cut`, `/body` and the sizes as they say.
struct Echo {
    waiting: Arc<Notify>,
    go_on: Arc<Semaphore>,
}

#[async_trait]
impl ServeHttp for Echo {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let path = session.req_header().uri.path().to_owned();
        let mut body = path.clone().into_bytes();
        match path.as_str() {
            "/wait" => {
                self.waiting.notify_one();
                self.go_on.acquire().await.unwrap().forget();
            }
            "/panic" => panic!("asked for by the test"),
            "/large" => body = vec![b'x'; LARGE],
            "/some" => body = vec![b'x'; SOME],
            "/cut" => {
                Ongoing::current().unwrap().end(End::Cut);
                // Nothing comes any more, so this is how it learns of the end.
                let _ = session.read_body_or_idle(true).await;
            }
            "/body" => {
                body.clear();
                while let Ok(Some(chunk)) = session.read_request_body().await {
                    body.extend_from_slice(&chunk);
                }
            }
            _ => {}
        }
        Response::builder().header("content-length", body.len()).body(body).unwrap()
    }
}

/// A listener with the application behind it.
struct Door {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
    registry: Arc<Registry>,
    telemetry: Arc<Telemetry>,
    waiting: Arc<Notify>,
    go_on: Arc<Semaphore>,
}

impl Door {
    async fn open(limits: Limits, h2c: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (waiting, go_on) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &Settings::default()));
        let registry = Arc::<Registry>::default();
        let server = Server {
            app: Arc::new(HttpServer::new_app(Echo { waiting: Arc::clone(&waiting), go_on: Arc::clone(&go_on) })),
            refuse: Arc::new(Plain),
            limits: Arc::new(ArcSwap::from_pointee(limits)),
            registry: Arc::clone(&registry),
            others: None,
            tls: None,
            h2c,
            telemetry: Some(Arc::clone(&telemetry)),
        };
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(Arc::new(server).run(vec![Listener::Tcp(listener)], stopped));
        Self { address, stop, served, registry, telemetry, waiting, go_on }
    }

    async fn client(&self) -> Client {
        self.client_at(1).await
    }

    /// The whole of 127.0.0.0/8 is here.
    async fn client_at(&self, last: u8) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0)).unwrap();
        Client(socket.connect(self.address).await.unwrap())
    }

    /// Whether a metric has this value; a client may see its effect a moment before it is counted.
    async fn counted(&self, series: &str, value: usize) {
        let line = format!("\n{series} {value}\n");
        in_time(async {
            while !self.telemetry.metrics.render().contains(&line) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn get(&mut self, path: &str) {
        self.send(get(path)).await;
    }

    /// The status of one answer, and its body.
    async fn answer(&mut self) -> (String, String) {
        in_time(async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.0.read_u8().await.expect("an answer"));
            }
            let head = String::from_utf8(head).unwrap();
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.expect("a length")];
            self.0.read_exact(&mut body).await.unwrap();
            (head[9..12].to_owned(), String::from_utf8(body).unwrap())
        })
        .await
    }

    /// Everything until the end of the connection.
    async fn rest(&mut self) -> String {
        in_time(async {
            let mut rest = Vec::new();
            // A reset is an end, too.
            let _ = self.0.read_to_end(&mut rest).await;
            String::from_utf8_lossy(&rest).into_owned()
        })
        .await
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn answered(status: &str, body: &str) -> (String, String) {
    (status.to_owned(), body.to_owned())
}

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(NEVER / 2, future).await.expect("in time")
}
