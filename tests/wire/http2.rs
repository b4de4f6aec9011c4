//! HTTP/2 without TLS, frame by frame.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::door::{Door, Setup};
use crate::macros;
use crate::scenarios::told;

/// Requests that are given up in the moment in which they are made: a refusal that nobody waits for is one all the same.
pub(crate) async fn refused_and_gone() -> Result<(), String> {
    let setup = Setup { config: serde_yaml::from_str("server: { h2c: true }").unwrap(), ..Setup::default() };
    let mut door = Door::start(setup).await;
    let mut client = TcpStream::connect(door.address).await.unwrap();
    let mut bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat();
    for number in 0..STREAMS {
        bytes.extend(get(number * 2 + 1, "/x"));
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

/// A frame: type, flags, stream, payload (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The head of a GET (RFC 7541 §6.1, §6.2.2), its stream ended.
fn get(stream: u8, path: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    frame(1, 5, stream, &[&[0x82, 0x86, 0x41][..], &text("a"), &[0x44], &text(path)].concat())
}

/// Fewer than would be a flood.
const STREAMS: u8 = 8;
