//! HTTP/1, as clients send it.

use super::*;

const INTERNAL_ERROR: &str = r#"{"detail":"Internal Server Error"}"#;

#[tokio::test]
async fn a_head_must_be_there_in_time_however_it_comes() {
    let door = Door::open(Limits { header_timeout: SOON, ..limits() }, false).await;
    for (name, before, half) in [
        ("one byte", 0, "G"),
        ("an empty line", 0, "\r\n"),
        ("a head without its end", 0, "GET / HTTP/1.1\r\nHost: a\r\n"),
        ("the second head", 1, "GET /second HTTP/1.1\r\nHost: "),
        ("the third", 2, "G"),
    ] {
        let mut client = door.client().await;
        client.send(get("/first").repeat(before) + half).await;
        for _ in 0..before {
            assert_eq!(client.answer().await, answered("200", "/first"), "{name}");
        }
        assert!(client.rest().await.starts_with("HTTP/1.1 408 "), "{name}");
    }
    door.counted("doorward_connections_unserved_total{reason=\"head-timeout\"}", 5).await;
}

#[tokio::test]
async fn byte_by_byte_gains_nothing() {
    let door = Door::open(Limits { header_timeout: SOON, ..limits() }, false).await;
    let mut client = door.client().await;
    let begun = crate::base::Stopwatch::start();
    client.send("GET / HTTP/1.1\r\nX: ").await;
    let mut first = [0];
    // A byte each time that a tenth of the deadline has passed without an answer.
    while tokio::time::timeout(SOON / 10, client.0.read(&mut first)).await.is_err() {
        client.send("x").await;
        assert!(begun.elapsed() < NEVER / 2, "still open");
    }
    assert_eq!(&first, b"H");
    assert!(client.rest().await.starts_with("TTP/1.1 408 "));
}

#[tokio::test]
async fn idle_connections_end_without_a_word() {
    let door = Door::open(Limits { idle_timeout: SOON, ..limits() }, false).await;
    let (mut silent, mut served) = (door.client().await, door.client().await);
    served.get("/a").await;
    assert_eq!(served.answer().await, answered("200", "/a"));
    assert_eq!((silent.rest().await.as_str(), served.rest().await.as_str()), ("", ""));
    door.counted("doorward_connections_unserved_total{reason=\"silent\"}", 1).await;
    door.counted("doorward_connections", 0).await;
}

#[tokio::test]
async fn the_longest_idle_gives_way_and_one_in_flight_never() {
    let door = Door::open(Limits { connections: 2, ..limits() }, false).await;
    let (mut busy, mut half) = (door.client().await, door.client().await);
    busy.get("/wait").await;
    in_time(door.waiting.notified()).await;
    half.send("GET / HTTP/1.1\r\n").await;
    let mut third = door.client().await;
    third.get("/wait").await;
    in_time(door.waiting.notified()).await;
    assert_eq!(half.rest().await, "", "half a head is idle");
    let mut fourth = door.client().await;
    assert_eq!(fourth.rest().await, "", "the others have requests in flight");
    door.go_on.add_permits(2);
    assert_eq!(busy.answer().await, answered("200", "/wait"));
    assert_eq!(third.answer().await, answered("200", "/wait"));
    door.counted("doorward_connections_displaced_total{limit=\"connections\"}", 1).await;
    door.counted("doorward_connections_refused_total{limit=\"connections\"}", 1).await;
}

#[tokio::test]
async fn addresses_have_a_cap_of_their_own() {
    let door = Door::open(Limits { connections_per_address: Some(1), ..limits() }, false).await;
    let (mut first, mut other) = (door.client_at(1).await, door.client_at(2).await);
    first.get("/a").await;
    first.answer().await;
    let mut second = door.client_at(1).await;
    second.get("/b").await;
    assert_eq!(second.answer().await, answered("200", "/b"));
    assert_eq!(first.rest().await, "");
    other.get("/c").await;
    assert_eq!(other.answer().await, answered("200", "/c"), "another address has its own");
}

#[tokio::test]
async fn what_is_behind_a_request_is_a_request_of_its_own() {
    let door = Door::open(limits(), false).await;
    let post = |fields: &str, body: &str| format!("POST /body HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
    for (name, requests, answers) in [
        ("two in one write", get("/a") + &get("/b"), ["/a", "/b"]),
        ("behind a length", post("Content-Length: 5", "hello") + &get("/b"), ["hello", "/b"]),
        ("behind chunks", post("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n") + &get("/b"), ["hello", "/b"]),
        ("behind an empty line", get("/a") + "\r\n" + &get("/b"), ["/a", "/b"]),
    ] {
        for piece in [1, 7, requests.len()] {
            let mut client = door.client().await;
            for bytes in requests.as_bytes().chunks(piece) {
                client.send(bytes).await;
            }
            for body in answers {
                assert_eq!(client.answer().await, answered("200", body), "{name} in pieces of {piece}");
            }
            client.get("/c").await;
            assert_eq!(client.answer().await, answered("200", "/c"), "{name} in pieces of {piece}");
        }
    }
}

#[tokio::test]
async fn what_is_no_request_ends_the_connection() {
    let door = Door::open(limits(), false).await;
    for (name, bytes, first, status) in [
        ("malformed", "GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), None, Some("400")),
        ("a long target", get(&"/x".repeat(200)), None, Some("414")),
        ("many fields", get("/").replace("\r\n\r\n", &"\r\nX: y".repeat(20)) + "\r\n\r\n", None, Some("431")),
        ("behind a good one", get("/a") + "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n" + &get("/b"), Some("/a"), Some("405")),
        ("much that nobody reads", "\n".to_owned() + &"x".repeat(100_000), None, Some("400")),
        ("HTTP/2 where there is none", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), None, Some("400")),
        (
            "bad chunks",
            "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n".to_owned() + &get("/b"),
            Some(""),
            None,
        ),
        (
            "behind a body that nobody read",
            get("/a").replace("\r\n\r\n", "\r\nContent-Length: 4\r\n\r\nGET ") + &get("/b"),
            Some("/a"),
            None,
        ),
        (
            "too early for another protocol",
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned() + &get("/b"),
            Some("/a"),
            None,
        ),
    ] {
        let mut client = door.client().await;
        client.send(bytes).await;
        if let Some(body) = first {
            assert_eq!(client.answer().await, answered("200", body), "{name}");
        }
        let rest = client.rest().await;
        assert_eq!(rest.get(9..12), status, "{name}: {rest}");
        assert!(rest.matches("HTTP/1.1 ").count() <= 1, "{name}: {rest}");
    }
}

#[tokio::test]
async fn a_stop_ends_who_waits_and_lets_finish_who_is_served() {
    let door = Door::open(limits(), false).await;
    let (mut idle, mut half, mut busy) = (door.client().await, door.client().await, door.client().await);
    idle.get("/a").await;
    idle.answer().await;
    half.send("GET /").await;
    busy.send(get("/wait") + &get("/late")).await;
    in_time(door.waiting.notified()).await;
    door.stop.send(true).unwrap();
    in_time(door.served).await.unwrap();
    assert_eq!((idle.rest().await.as_str(), half.rest().await.as_str()), ("", ""));
    door.go_on.add_permits(1);
    assert_eq!(busy.answer().await, answered("200", "/wait"));
    assert_eq!(busy.rest().await, "", "no more requests");
    assert!(TcpStream::connect(door.address).await.is_err());
}

#[tokio::test]
async fn a_panic_and_a_cut_end_their_connection_only() {
    let door = Door::open(limits(), false).await;
    let mut other = door.client().await;
    for (path, expected) in [("/panic", INTERNAL_ERROR), ("/cut", "")] {
        let mut client = door.client().await;
        client.get(path).await;
        let rest = client.rest().await;
        assert_eq!(rest.split_once("\r\n\r\n").map_or("", |(_, body)| body), expected, "{path}");
        assert_eq!(rest.starts_with("HTTP/1.1 500 "), !expected.is_empty(), "{path}");
        other.get("/a").await;
        assert_eq!(other.answer().await, answered("200", "/a"));
    }
    door.counted("doorward_panics_total", 1).await;
}

#[tokio::test]
async fn places_are_given_back() {
    let door = Door::open(limits(), false).await;
    for path in ["/a", "/panic", "/cut"] {
        let mut client = door.client().await;
        client.get(path).await;
        in_time(client.0.readable()).await.unwrap();
        drop(client);
        in_time(async {
            while door.registry.open() != 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
