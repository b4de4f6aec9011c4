//! Streams that are ended from outside.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::super::socket::Socket;
use super::super::stream::Connection;
use super::*;
use crate::message::Head;

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
const CLOSE: [u8; 4] = [0x88, 0x02, 0x03, 0xF0];

/// A connection with a request on it whose answer has begun, and its client.
async fn answered_with(head: &str) -> (Connection, Arc<Ongoing>, UnixStream) {
    let (ours, mut client) = UnixStream::pair().unwrap();
    let mut connection = Connection::new(Socket::Unix(ours), None, NEVER);
    let bytes = Bytes::from_static(UPGRADE.as_bytes());
    let ongoing = connection.begin(bytes.clone(), Head::read(bytes, &limits().head).unwrap());
    let mut read = vec![0; UPGRADE.len()];
    connection.read_exact(&mut read).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.flush().await.unwrap();
    let mut sent = vec![0; head.len()];
    client.read_exact(&mut sent).await.unwrap();
    (connection, ongoing, client)
}

async fn all(mut client: UnixStream) -> Vec<u8> {
    let mut rest = Vec::new();
    in_time(client.read_to_end(&mut rest)).await.unwrap();
    rest
}

#[tokio::test]
async fn a_close_frame_comes_between_two_frames() {
    let frame = [&[0x82, 3][..], b"abc"].concat();
    for (name, written, more, expected) in [
        ("before the first", vec![], vec![], vec![]),
        ("behind one", frame.clone(), vec![], frame.clone()),
        ("in the middle of one", frame[..3].to_vec(), frame[3..].to_vec(), frame.clone()),
        ("with another right behind", frame[..1].to_vec(), [&frame[1..], &frame].concat(), frame.clone()),
    ] {
        let (mut connection, ongoing, client) = answered_with(SWITCHED).await;
        connection.write_all(&written).await.unwrap();
        connection.flush().await.unwrap();
        ongoing.end(End::WebSocket);
        if !more.is_empty() {
            // Cut where the frame ends: the rest of the write fails.
            let _ = connection.write_all(&more).await;
        }
        assert_eq!(in_time(connection.read(&mut [0])).await.unwrap(), 0, "{name}: the tunnel is over");
        connection.write_all(&frame).await.expect("what comes later is thrown away");
        drop(connection);
        assert_eq!(all(client).await, [expected, CLOSE.to_vec()].concat(), "{name}");
    }
}

#[tokio::test]
async fn who_waits_is_woken_and_no_frame_lasts_for_ever() {
    for (name, how, head, written, expected) in [
        ("between frames", End::WebSocket, SWITCHED, &[][..], &CLOSE[..]),
        ("a frame that never ends", End::WebSocket, SWITCHED, &[0x82, 5, b'a'][..], &[0x82, 5, b'a'][..]),
        ("cut", End::Cut, SWITCHED, &[0x82, 5, b'a'][..], &[0x82, 5, b'a'][..]),
        ("an event stream", End::Cut, "HTTP/1.1 200 OK\r\n\r\n", b"data: 1\n\n", b"data: 1\n\n"),
        ("no tunnel", End::WebSocket, "HTTP/1.1 200 OK\r\n\r\n", b"data: 1\n\n", b"data: 1\n\n"),
    ] {
        let (mut connection, ongoing, client) = answered_with(head).await;
        connection.write_all(written).await.unwrap();
        let reading = tokio::spawn(async move {
            let read = connection.read(&mut [0]).await;
            (read, connection)
        });
        tokio::task::yield_now().await;
        ongoing.end(how);
        let (read, connection) = in_time(reading).await.unwrap();
        assert_eq!(read.unwrap(), 0, "{name}");
        drop(connection);
        assert_eq!(all(client).await, expected, "{name}");
    }
}

/// A client that reads slowly gets the close frame as well, and one that has written is not reset.
#[tokio::test]
async fn a_close_frame_waits_for_room() {
    let (mut connection, ongoing, mut client) = answered_with(SWITCHED).await;
    let frame = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &vec![7; 65_536]].concat();
    let (first, frames) = (ongoing, frame.clone());
    client.write_all(b"something that nobody reads").await.unwrap();
    let writing = tokio::spawn(async move {
        // As an upstream that floods and hears of nothing.
        for _ in 0..100 {
            connection.write_all(&frames).await.unwrap();
            connection.flush().await.unwrap();
        }
        pingora::protocols::Shutdown::shutdown(&mut connection).await;
    });
    let mut received = vec![0; 3 * frame.len()];
    client.read_exact(&mut received).await.unwrap();
    first.end(End::WebSocket);
    in_time(client.read_to_end(&mut received)).await.unwrap();
    drop(client);
    in_time(writing).await.unwrap();
    assert_eq!((received.len() - CLOSE.len()) % frame.len(), 0, "whole frames");
    assert!(received.ends_with(&CLOSE));
}

/// Its client reads nothing, so the frame cannot be finished.
#[tokio::test]
async fn a_write_that_waits_is_ended_too() {
    let (mut connection, ongoing, _client) = answered_with(SWITCHED).await;
    let writing = tokio::spawn(async move {
        let long = [&[0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0][..], &vec![0; 16 * 1024 * 1024]].concat();
        connection.write_all(&long).await
    });
    tokio::task::yield_now().await;
    ongoing.end(End::WebSocket);
    assert!(in_time(writing).await.unwrap().is_err());
}

#[tokio::test]
async fn an_end_that_comes_late_ends_nothing() {
    let (mut connection, ongoing, client) = answered_with("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(connection.rest(), "the next request can follow");
    ongoing.end(End::Cut);
    connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    connection.flush().await.unwrap();
    drop(connection);
    assert_eq!(all(client).await, b"HTTP/1.1 200 OK\r\n\r\n");
}
