//! HTTP/2 without TLS, frame by frame.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::door::{Door, Setup};
use crate::macros;
use crate::scenarios::told;

/// Requests that are given up in the moment in which they are made: a refusal that nobody waits for is one all the same.
pub(crate) async fn refused_and_gone() -> Result<(), String> {
    let mut door = Door::start(setup()).await;
    let mut client = TcpStream::connect(door.address).await.unwrap();
    let mut bytes = start();
    for number in 0..STREAMS {
        bytes.extend(get(number * 2 + 1, "/x", &[]));
        bytes.extend(frame(3, 0, number * 2 + 1, &[0, 0, 0, 8]));
    }
    client.write_all(&bytes).await.unwrap();
    let told_of = |part: &str| door.sink.lines().iter().filter(|line| line.contains(part)).count();
    let deadline = Instant::now() + Duration::from_secs(20);
    while told_of("path=/x") < usize::from(STREAMS) && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    let mut problems = Vec::new();
    macros::equal("requests", &told_of("path=/x"), &usize::from(STREAMS), &mut problems);
    macros::equal("refusals", &told_of("decision=deny reason=no-credential"), &usize::from(STREAMS), &mut problems);
    macros::equal("audit records", &told_of("what=request"), &usize::from(STREAMS), &mut problems);
    if !problems.is_empty() {
        problems.extend(door.sink.lines());
    }
    door.stop().await;
    told(&problems)
}

/// What HTTP/1 would not show of a head: another host, a fragment, a cookie in pieces.
pub(crate) async fn heads() -> Result<(), String> {
    let mut door = Door::start(setup()).await;
    let mut problems = Vec::new();
    for (path, fields, expected, cookie) in [
        ("/public/a", &[("host", "a")][..], Some(OK), None),
        ("/public/a", &[("host", "b")], Some(BAD_REQUEST), None),
        ("/public/a%23", &[("cookie", "a=1"), ("cookie", "b=2; c=3")], Some(OK), Some("a=1; b=2; c=3")),
        ("/public/a#", &[], None, None),
        ("/public#/../admin", &[], None, None),
    ] {
        let mut client = TcpStream::connect(door.address).await.unwrap();
        client.write_all(&[start(), get(1, path, fields)].concat()).await.unwrap();
        let status = tokio::time::timeout(Duration::from_secs(20), status(&mut client)).await;
        macros::equal(&format!("{path} {fields:?}"), &status, &Ok(expected), &mut problems);
        let arrived = door.upstream.take();
        let lines: Vec<_> = arrived.iter().map(|arrived| arrived.line().to_owned()).collect();
        let passed = (expected == Some(OK)).then(|| format!("GET {path} HTTP/1.1"));
        macros::equal("arrived", &lines, &Vec::from_iter(passed), &mut problems);
        let cookies: Vec<_> = arrived.iter().flat_map(|arrived| arrived.values("cookie")).collect();
        macros::equal("cookies", &cookies, &Vec::from_iter(cookie), &mut problems);
    }
    // Pingora answers the other host before doorward hears of it.
    let ended = || door.series().get("doorward_connections_unserved_total{reason=\"http2\"}").copied();
    let deadline = Instant::now() + Duration::from_secs(20);
    while ended() != Some(3.0) && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    macros::equal("connections without a request", &ended(), &Some(3.0), &mut problems);
    door.stop().await;
    told(&problems)
}

fn setup() -> Setup {
    Setup { config: serde_yaml::from_str("server: { h2c: true }").unwrap(), ..Setup::default() }
}

/// The first byte of the first head that comes, which is that of `:status`; `None` if the connection ends before.
async fn status(client: &mut TcpStream) -> Option<u8> {
    loop {
        let mut header = [0; 9];
        client.read_exact(&mut header).await.ok()?;
        let [_, a, b, kind, ..] = header;
        let mut payload = vec![0; usize::from(a) << 8 | usize::from(b)];
        client.read_exact(&mut payload).await.ok()?;
        if kind == 1 {
            return payload.first().copied();
        }
    }
}

/// What a client says first (RFC 9113 §3.4).
fn start() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat()
}

/// A frame: type, flags, stream, payload (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The head of a GET from the host `a` (RFC 7541 §6.1, §6.2), its stream ended.
fn get(stream: u8, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let fields = fields.iter().flat_map(|(name, value)| [&[0], &text(name)[..], &text(value)].concat());
    let start = [&[0x82, 0x86, 0x41][..], &text("a"), &[0x44], &text(path)].concat();
    frame(1, 5, stream, &start.into_iter().chain(fields).collect::<Vec<_>>())
}

/// `:status: 200` and `:status: 400` (RFC 7541 Appendix A).
const OK: u8 = 0x88;
const BAD_REQUEST: u8 = 0x8C;

/// Fewer than would be a flood.
const STREAMS: u8 = 8;
