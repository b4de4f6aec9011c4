//! HTTP/2, as clients send it.

use super::super::frames::PREFACE;
use super::*;

/// A frame: type, flags, stream, payload.
pub(super) fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The head of a GET (RFC 7541 §6.1, §6.2.2), its stream ended.
pub(super) fn get(stream: u8, path: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let block = [&[0x82, 0x86, 0x41][..], &text("a"), &[0x44], &text(path)].concat();
    frame(1, 5, stream, &block)
}

pub(super) fn start() -> Vec<u8> {
    [PREFACE, &frame(4, 0, 0, &[])].concat()
}

/// The next frame that is about a stream: its type and the stream. Pings, settings and windows are left out.
async fn next(client: &mut Client) -> (u8, u8) {
    in_time(async {
        loop {
            let mut header = [0; 9];
            client.0.read_exact(&mut header).await.expect("a frame");
            let [_, a, b, kind, _, _, _, _, stream] = header;
            let mut payload = vec![0; usize::from(a) << 8 | usize::from(b)];
            client.0.read_exact(&mut payload).await.unwrap();
            // Of the heads: status 200 comes first.
            if kind == 1 {
                assert_eq!(payload.first(), Some(&0x88));
            }
            if ![4, 6, 8].contains(&kind) {
                return (kind, stream);
            }
        }
    })
    .await
}

const HEADERS: u8 = 1;
const DATA: u8 = 0;
const RESET: u8 = 3;
const GOAWAY: u8 = 7;

#[tokio::test]
async fn it_is_known_by_its_first_bytes_however_they_come() {
    let door = Door::open(limits(), true).await;
    let bytes = [start(), get(1, "/a")].concat();
    for piece in [1, 5, 23, 24, 1_000] {
        let mut client = door.client().await;
        for bytes in bytes.chunks(piece) {
            client.send(bytes).await;
        }
        assert_eq!(next(&mut client).await, (HEADERS, 1), "in pieces of {piece}");
        assert_eq!(next(&mut client).await, (DATA, 1), "in pieces of {piece}");
    }
    for head in ["GET /a HTTP/1.0\r\nHost: a\r\n\r\n", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"] {
        let mut client = door.client().await;
        client.send(head).await;
        assert_eq!(client.answer().await, answered("200", "/a"), "HTTP/1 is served beside it: {head}");
    }
}

#[tokio::test]
async fn what_has_begun_must_end_in_time() {
    let door = Door::open(Limits { header_timeout: SOON, ..limits() }, true).await;
    let head = get(1, "/a");
    let mut ended = 0;
    let open_head = frame(1, 1, 1, &head[9..]);
    for (name, bytes) in [
        ("half a preface", PREFACE[..20].to_vec()),
        ("no settings", PREFACE.to_vec()),
        ("half a head", [start(), head[..12].to_vec()].concat()),
        ("a head that goes on", [start(), open_head].concat()),
        ("half a frame", [start(), head.clone(), frame(4, 0, 0, &[0; 6])[..10].to_vec()].concat()),
    ] {
        let mut client = door.client().await;
        client.send(bytes).await;
        client.rest().await;
        ended += 1;
        let reason = if name == "half a preface" { "head-timeout" } else { "http2" };
        let count = if reason == "http2" { ended - 1 } else { 1 };
        door.counted(&format!("doorward_connections_unserved_total{{reason=\"{reason}\"}}"), count).await;
    }
}

#[tokio::test]
async fn idle_ones_end_and_busy_ones_do_not() {
    let door = Door::open(Limits { idle_timeout: SOON, ..limits() }, true).await;
    let (mut idle, mut busy) = (door.client().await, door.client().await);
    busy.send([start(), get(1, "/wait")].concat()).await;
    in_time(door.waiting.notified()).await;
    idle.send(start()).await;
    idle.rest().await;
    door.counted("doorward_connections_unserved_total{reason=\"http2\"}", 1).await;
    door.go_on.add_permits(1);
    assert_eq!(next(&mut busy).await, (HEADERS, 1));
}

#[tokio::test]
async fn the_longest_idle_gives_way() {
    let door = Door::open(Limits { connections: 2, ..limits() }, true).await;
    let (mut busy, mut idle) = (door.client().await, door.client().await);
    busy.send([start(), get(1, "/wait")].concat()).await;
    in_time(door.waiting.notified()).await;
    idle.send([start(), get(1, "/a")].concat()).await;
    assert_eq!(next(&mut idle).await, (HEADERS, 1));
    assert_eq!(next(&mut idle).await, (DATA, 1));
    // Its answer is there a moment before it is idle.
    let mut third = in_time(async {
        loop {
            let mut third = door.client().await;
            third.send([start(), get(1, "/b")].concat()).await;
            let mut first = [0];
            if let Ok(1) = third.0.read(&mut first).await {
                break third;
            }
        }
    })
    .await;
    idle.rest().await;
    drop(third.0.shutdown().await);
    door.go_on.add_permits(1);
    assert_eq!(next(&mut busy).await, (HEADERS, 1));
}

#[tokio::test]
async fn a_panic_and_a_cut_end_their_stream_only() {
    let door = Door::open(limits(), true).await;
    let mut client = door.client().await;
    client.send([start(), get(1, "/wait")].concat()).await;
    in_time(door.waiting.notified()).await;
    for (stream, path) in [(3, "/panic"), (5, "/cut")] {
        client.send(get(stream, path)).await;
        assert_eq!(next(&mut client).await, (RESET, stream), "{path}");
    }
    door.go_on.add_permits(1);
    assert_eq!(next(&mut client).await, (HEADERS, 1));
    assert_eq!(next(&mut client).await, (DATA, 1));
    door.counted("doorward_panics_total", 1).await;
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let door = Door::open(limits(), true).await;
    let mut client = door.client().await;
    client.send(start()).await;
    for stream in (1..=255).step_by(2) {
        let both = [get(stream, "/wait"), frame(RESET, 0, stream, &[0, 0, 0, 8])].concat();
        if client.0.write_all(&both).await.is_err() {
            break;
        }
    }
    client.rest().await;
    door.counted("doorward_connections_unserved_total{reason=\"http2\"}", 1).await;
}

/// However slowly: an answer that nobody waits for any more is none.
#[tokio::test]
async fn requests_that_end_after_their_reset_are_not_answered() {
    let door = Door::open(limits(), true).await;
    let mut client = door.client().await;
    client.send(start()).await;
    for stream in (1..=201).step_by(2) {
        client.send(get(stream, "/wait")).await;
        in_time(door.waiting.notified()).await;
        client.send(frame(RESET, 0, stream, &[0, 0, 0, 8])).await;
        door.go_on.add_permits(1);
        in_time(async {
            while door.go_on.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    client.rest().await;
    door.counted("doorward_connections_unserved_total{reason=\"http2\"}", 1).await;
}

#[tokio::test]
async fn a_path_with_a_fragment_ends_the_connection_and_is_never_served() {
    let door = Door::open(limits(), true).await;
    for (count, path) in [(1, "/public#/../admin"), (2, "/a#"), (3, "#"), (4, "/a b"), (5, "/a\u{e9}")] {
        let bytes = [start(), get(1, path)].concat();
        for piece in [bytes.len(), bytes.len() - 1] {
            let mut client = door.client().await;
            for bytes in bytes.chunks(piece) {
                let _ = client.0.write_all(bytes).await;
            }
            client.rest().await;
        }
        door.counted("doorward_connections_unserved_total{reason=\"http2\"}", 2 * count).await;
    }
    let mut client = door.client().await;
    client.send([start(), get(1, "/wait")].concat()).await;
    in_time(door.waiting.notified()).await;
    client.send(get(3, "/a#")).await;
    client.rest().await;
    door.counted("doorward_connections_unserved_total{reason=\"http2\"}", 11).await;
}

#[tokio::test]
async fn a_stop_says_so_and_lets_finish_who_is_served() {
    let door = Door::open(limits(), true).await;
    let mut client = door.client().await;
    client.send([start(), get(1, "/wait")].concat()).await;
    in_time(door.waiting.notified()).await;
    door.stop.send(true).unwrap();
    in_time(door.served).await.unwrap();
    assert_eq!(next(&mut client).await, (GOAWAY, 0));
    door.go_on.add_permits(1);
    assert_eq!(next(&mut client).await, (HEADERS, 1));
    assert_eq!(next(&mut client).await, (DATA, 1));
}
