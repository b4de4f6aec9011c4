//! Clients that do not read, or hardly send.

use std::pin::Pin;
use std::task::{Context, Waker};

use pingora::apps::http_app::HttpServer;
use socket2::SockRef;
use tokio::io::AsyncWrite;
use tokio::net::UnixStream;

use super::super::frames::{Frames, Requests};
use super::super::registry::Place;
use super::super::socket::Socket;
use super::super::stream::Connection;
use super::super::unsent::Unsent;
use super::*;

/// The client's window for all streams together: more than it will need.
fn wide() -> Vec<u8> {
    http2::frame(8, 0, 0, &[0x7F, 0, 0, 0])
}

/// `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113 §6.5.2).
fn with_window(size: u32) -> Vec<u8> {
    let setting = [&[0, 4][..], &size.to_be_bytes()].concat();
    [http2::start(), http2::frame(4, 0, 0, &setting)].concat()
}

#[tokio::test]
async fn who_reads_no_answer_gives_the_place_back() {
    let door = Door::open(Limits { idle_timeout: SOON, ..limits() }, true).await;
    for (name, bytes) in [
        ("one answer", get("/large").into_bytes()),
        ("many answers", get("/some").repeat(2_000).into_bytes()),
        ("a stream", [with_window(0x7F00_0000), wide(), http2::get(1, "/large")].concat()),
        ("a stream without a window", [with_window(0), http2::get(1, "/some")].concat()),
        ("streams without the connection's window", {
            let streams = (1..=199).step_by(2).flat_map(|stream| http2::get(stream, "/some"));
            [with_window(0x7F00_0000), streams.collect()].concat()
        }),
    ] {
        let mut client = door.client().await;
        client.send(bytes).await;
        in_time(client.0.readable()).await.unwrap();
        let ended = in_time(async {
            while door.registry.open() > 0 {
                tokio::task::yield_now().await;
            }
        });
        ended.await;
        assert_eq!(door.registry.busy(), 0, "{name}");
    }
}

#[tokio::test]
async fn who_reads_slowly_is_given_everything() {
    let door = Door::open(Limits { idle_timeout: SOON, ..limits() }, true).await;
    let streams = || (1..=199).step_by(2).flat_map(|stream| http2::get(stream, "/some")).collect::<Vec<_>>();
    for (name, bytes, least) in [
        ("one answer", get("/large").into_bytes(), LARGE),
        // Their requests have ended long before the bytes have left.
        ("streams", [with_window(0x7F00_0000), wide(), streams()].concat(), 100 * SOME),
    ] {
        let mut client = door.client().await;
        client.send(bytes).await;
        let mut space = vec![0; 64 * 1024];
        let mut read = 0;
        for _ in 0..30 {
            tokio::time::sleep(SOON / 10).await;
            read += client.0.read(&mut space[..32 * 1024]).await.unwrap();
        }
        while let Ok(more @ 1..) = in_time(client.0.read(&mut space)).await {
            read += more;
        }
        assert!(read > least, "{name}: {read} bytes");
    }
}

#[tokio::test]
async fn a_body_may_be_slow_but_not_as_slow_as_that() {
    let door = Door::open(Limits { idle_timeout: SOON, ..limits() }, false).await;
    for (name, fields, piece, ends) in [
        ("a byte now and then", "Content-Length: 40960", "x".to_owned(), true),
        ("a chunk now and then", "Transfer-Encoding: chunked", "1\r\nx\r\n".to_owned(), true),
        ("slowly", "Content-Length: 40960", "x".repeat(1024), false),
        ("slowly in chunks", "Transfer-Encoding: chunked", format!("400\r\n{}\r\n", "x".repeat(1024)), false),
    ] {
        let mut client = door.client().await;
        client.send(format!("POST /body HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")).await;
        let mut first = [0];
        let mut ended = false;
        for _ in 0..40 {
            ended = ended || client.0.write_all(piece.as_bytes()).await.is_err();
            // A tenth of the deadline has passed without the end.
            ended = ended || tokio::time::timeout(SOON / 10, client.0.peek(&mut first)).await.is_ok_and(|_| ends);
        }
        assert_eq!(ended, ends, "{name}");
        if !ends {
            let _ = client.0.write_all(b"0\r\n\r\n").await;
            assert_eq!(client.answer().await, answered("200", &"x".repeat(40_960)), "{name}");
        }
    }
}

#[tokio::test]
async fn a_connection_is_not_idle_before_everything_has_left() {
    let (ours, mut client) = UnixStream::pair().unwrap();
    let registry = Arc::<Registry>::default();
    let place = Arc::new(registry.admit(None, &limits()).unwrap().place);
    let unsent = Arc::new(Unsent::new(Arc::clone(&place)));
    let frames = Frames::new(NEVER, Arc::<Requests>::default());
    let connection = Box::new(Connection::new(Socket::Unix(ours), None, NEVER));
    let mut connection = connection.into_http2(frames, Arc::clone(&unsent)).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let request = Place::begin_shared(&place).unwrap();
    let mut sent = 0;
    while let std::task::Poll::Ready(written) = Pin::new(&mut connection).poll_write(&mut context, &[0; 4096]) {
        sent += written.unwrap();
    }
    drop(request);
    assert_eq!(registry.busy(), 1, "there was no room for the last of it");
    client.read_exact(&mut vec![0; sent]).await.unwrap();
    connection.flush().await.unwrap();
    assert_eq!(registry.busy(), 0);
    unsent.ended(Place::begin_shared(&place).unwrap());
    assert_eq!(registry.busy(), 1, "nobody has said that its answer has left");
    connection.flush().await.unwrap();
    assert_eq!(registry.busy(), 0);
}

#[tokio::test]
async fn who_vanishes_is_missed() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(tcp.local_addr().unwrap()).await.unwrap();
    let accepted = Listener::Tcp(tcp).accept().await.unwrap();
    let Socket::Tcp(socket) = accepted.socket else { panic!("a TCP socket") };
    let socket = SockRef::from(&socket);
    assert!(socket.keepalive().unwrap());
    let [time, interval] = [socket.tcp_keepalive_time(), socket.tcp_keepalive_interval()].map(Result::unwrap);
    assert_eq!((time.as_secs(), interval.as_secs(), socket.tcp_keepalive_retries().unwrap()), (60, 10, 6));
}

#[tokio::test]
async fn descriptors_are_everybodys() {
    let others = Arc::<Registry>::default();
    let idle = others.admit(None, &limits()).unwrap().place;
    let server = Server {
        app: Arc::new(HttpServer::new_app(Echo { waiting: Arc::default(), go_on: Arc::new(Semaphore::new(0)) })),
        refuse: Arc::new(Plain),
        limits: Arc::new(ArcSwap::from_pointee(limits())),
        registry: Arc::default(),
        others: Some(Arc::clone(&others)),
        tls: None,
        h2c: false,
        telemetry: None,
    };
    server.make_room_for_descriptors();
    assert!(idle.begin().is_none(), "it gave way");
}
