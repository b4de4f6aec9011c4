//! The upstream of the tests: writes down what arrives, byte for byte, and answers what it was told to.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::wire::find_end;

/// Listens as long as it lives.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    arrived: Mutex<Vec<Arrived>>,
    count: watch::Sender<usize>,
    answer: Mutex<Vec<u8>>,
    held: watch::Sender<bool>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            arrived: Mutex::default(),
            count: watch::Sender::new(0),
            answer: Mutex::new(USUAL_ANSWER.to_vec()),
            held: watch::Sender::new(false),
        });
        let mut serving = JoinSet::new();
        let own = Arc::clone(&shared);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&own)));
            }
        });
        Self { address, shared, _serving: serving }
    }

    /// From now on this is answered, byte for byte.
    pub(crate) fn answer(&self, bytes: Vec<u8>) {
        *self.shared.answer.lock() = bytes;
    }

    /// Requests get no answer until they are released.
    pub(crate) fn hold(&self, held: bool) {
        self.shared.held.send_replace(held);
    }

    /// When so many requests have arrived.
    pub(crate) async fn wait_for(&self, count: usize) {
        self.shared.count.subscribe().wait_for(|now| *now >= count).await.unwrap();
    }

    /// What has arrived since this was asked last.
    pub(crate) fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.shared.arrived.lock())
    }
}

impl Arrived {
    /// Every field of that name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let fields = self.head.trim_end().split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    pub(crate) fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap_or_default()
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut read = Vec::new();
    loop {
        let Some(end) = fill_until(&mut stream, &mut read, find_end).await else { return };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        read.drain(..end);
        let mut arrived = Arrived { head, body: Vec::new() };
        let length = arrived.values("content-length").first().map_or(0, |length| length.parse().unwrap());
        let is_chunked = arrived.values("transfer-encoding") == ["chunked"];
        let body_end = |read: &[u8]| match is_chunked {
            true if read.starts_with(b"0\r\n\r\n") => Some(5),
            true => read.windows(7).position(|end| end == b"\r\n0\r\n\r\n").map(|at| at + 7),
            false => (read.len() >= length).then_some(length),
        };
        let Some(end) = fill_until(&mut stream, &mut read, body_end).await else { return };
        arrived.body = read.drain(..end).collect();
        shared.arrived.lock().push(arrived);
        shared.count.send_modify(|count| *count += 1);
        if shared.held.subscribe().wait_for(|held| !*held).await.is_err() {
            return;
        }
        let answer = shared.answer.lock().clone();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn fill_until(
    stream: &mut TcpStream,
    read: &mut Vec<u8>,
    found: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    loop {
        if let Some(end) = found(read) {
            return Some(end);
        }
        if !matches!(stream.read_buf(read).await, Ok(1..)) {
            return None;
        }
    }
}

const USUAL_ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"from\":\"app\"}";
