//! The log of a whole process: what Pingora may say, and what a panic says. One test, as both are installed once.

#![expect(clippy::expect_used, reason = "a test that cannot set itself up must fail")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use async_trait::async_trait;
use doorward::telemetry::logging::InstallError;
use doorward::telemetry::{Format, Level, Settings, Sink, logging, panics};
use http::Response;
use pingora::apps::HttpServerApp;
use pingora::apps::http_app::ServeHttp;
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v1::client::HttpSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;

#[test]
fn the_log_of_a_process() {
    let sink = Sink::memory();
    let settings = Settings { log: Level::Trace, format: Format::Json, access_log: true };
    logging::install_to(sink.clone(), &settings).expect("the first time");
    assert!(matches!(logging::install(&settings), Err(InstallError::AlreadyInstalled)));

    // A target that may speak: this one warns, with nothing of the client's in it.
    let _: SocketAddr = "/run/raw-path.sock".parse().expect("a path");
    // And some that may not: each of these is known to show the secret when Pingora may say what it likes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        serve("GET / HTTP/1.1\r\nAuthorization: Bearer canary\r\nBad Header: x\r\n\r\n").await;
        serve("GET /?access_token=canary HTTP/1.1\r\nHost: a\r\nCookie: canary\r\n\r\n").await;
        forward().await;
    });
    panics::install();
    let thread = std::thread::Builder::new().name("worker".into());
    let panicked = thread.spawn(|| panic!("the password is canary")).expect("a thread").join();
    // From here on a panic is a failed assertion, which should say why.
    drop(std::panic::take_hook());
    assert!(panicked.is_err());
    tracing::info!(target: "doorward::last", "last");

    let lines = sink.lines();
    let all = lines.join("\n");
    assert!(!all.contains("canary"), "{all}");
    let [raw_path, panic, last] = &lines[..] else { panic!("three lines, not:\n{all}") };
    assert!(raw_path.contains(r#""level":"warn""#) && raw_path.contains(r#""target":"pingora_core::protocols::l4::"#));
    assert!(panic.contains(r#""message":"panic","target":"doorward::telemetry::panics","thread":"worker""#), "{panic}");
    assert!(panic.contains(r#""place":"tests/telemetry.rs:"#), "{panic}");
    assert!(last.contains(r#""message":"last","target":"doorward::last""#), "{last}");
}

/// Has Pingora's server read `head` from a connection and answer it.
async fn serve(head: &str) {
    let (mut client, stream) = connection();
    client.write_all(head.as_bytes()).expect("written");
    let (_stop, stopped) = tokio::sync::watch::channel(true);
    let session = ServerSession::new_http1(Box::new(stream));
    drop(Arc::new(Empty).process_new_http(session, &stopped).await);
}

/// Has Pingora's client send a head upstream.
async fn forward() {
    let (_upstream, stream) = connection();
    let mut head = RequestHeader::build("GET", b"/?access_token=canary", None).expect("a head");
    head.insert_header("Authorization", "Bearer canary").expect("a header");
    HttpSession::new(Box::new(stream)).write_request_header(Box::new(head)).await.expect("written");
}

fn connection() -> (TcpStream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (accepted, _) = listener.accept().expect("accepted");
    accepted.set_nonblocking(true).expect("non-blocking");
    (client, Stream::from(tokio::net::TcpStream::from_std(accepted).expect("a stream")))
}

struct Empty;

#[async_trait]
impl ServeHttp for Empty {
    async fn response(&self, _: &mut ServerSession) -> Response<Vec<u8>> {
        Response::new(Vec::new())
    }
}
