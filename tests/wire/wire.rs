//! HTTP/1.1 as bytes: nothing is normalised on the way out, nothing is forgiven on the way in.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection to doorward.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A response, as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// In their order; bytes outside UTF-8 are replaced.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// Sends a request and reads its response. A server may answer before it has read everything and then close.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Response, String> {
        let is_head = request.starts_with(b"HEAD ");
        let exchange = async {
            let (mut from, mut to) = self.stream.split();
            let read = &mut self.read;
            let write = async {
                // What matters is the answer; whether all was taken is seen there.
                let _ = to.write_all(request).await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                response = receive(&mut from, read, is_head) => response,
                () = write => unreachable!(),
            }
        };
        timeout(PATIENCE, exchange).await.map_err(|_| "no answer in time".to_owned())?
    }

    /// Sends all of this, whatever is answered meanwhile.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let written = timeout(PATIENCE, self.stream.write_all(bytes)).await.map_err(|_| "not taken in time")?;
        written.map_err(|error| error.to_string())
    }

    /// Sends this again and again, with pauses, until there is a response.
    pub(crate) async fn drip(&mut self, bytes: &[u8], pause: Duration) -> Result<Response, String> {
        let (mut from, mut to) = self.stream.split();
        let write = async {
            while to.write_all(bytes).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            response = timeout(PATIENCE, receive(&mut from, &mut self.read, false)) => {
                response.map_err(|_| "no answer in time".to_owned())?
            }
            () = write => unreachable!(),
        }
    }

    /// Whether the server closes now, without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let end = timeout(PATIENCE, self.stream.read(&mut byte)).await;
        self.read.is_empty() && matches!(end, Ok(Ok(0) | Err(_)))
    }
}

impl Response {
    /// Every field of that name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// All that must be equal between responses nobody may tell apart.
    pub(crate) fn without_date(&self) -> String {
        let lines = self.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        lines.collect::<Vec<_>>().join("\n") + "\n" + &self.text()
    }
}

/// How many different values a member has in all responses.
pub(crate) fn different<'a>(responses: impl Iterator<Item = &'a Response>, member: &str) -> usize {
    let values = responses.map(|response| response.json().unwrap_or_default()[member].to_string());
    values.collect::<BTreeSet<_>>().len()
}

async fn receive(
    from: &mut (impl AsyncReadExt + Unpin),
    read: &mut Vec<u8>,
    is_head: bool,
) -> Result<Response, String> {
    loop {
        let end = fill_until(from, read, find_end).await?;
        let head: Vec<u8> = read.drain(..end).collect();
        let mut response = parse(&head)?;
        if (100..200).contains(&response.status) && response.status != 101 {
            continue;
        }
        let lengths = response.values("content-length");
        if is_head || matches!(response.status, 101 | 204 | 304) {
            return Ok(response);
        }
        response.body = if let [length] = lengths.as_slice() {
            let length: usize = length.parse().map_err(|_| "Content-Length is no number")?;
            fill_until(from, read, |read| (read.len() >= length).then_some(length)).await?;
            read.drain(..length).collect()
        } else if response.values("transfer-encoding") == ["chunked"] {
            chunked(from, read).await?
        } else {
            from.read_to_end(read).await.map_err(|error| error.to_string())?;
            std::mem::take(read)
        };
        return Ok(response);
    }
}

async fn chunked(from: &mut (impl AsyncReadExt + Unpin), read: &mut Vec<u8>) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let line = fill_until(from, read, |read| read.windows(2).position(|pair| pair == b"\r\n")).await?;
        let size = String::from_utf8_lossy(&read[..line]).into_owned();
        let size = usize::from_str_radix(&size, 16).map_err(|_| format!("`{size}` is no chunk size"))?;
        let whole = line + 2 + size + 2;
        fill_until(from, read, |read| (read.len() >= whole).then_some(whole)).await?;
        body.extend_from_slice(&read[line + 2..line + 2 + size]);
        read.drain(..whole);
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Reads until `found` finds what it looks for.
async fn fill_until(
    from: &mut (impl AsyncReadExt + Unpin),
    read: &mut Vec<u8>,
    found: impl Fn(&[u8]) -> Option<usize>,
) -> Result<usize, String> {
    loop {
        if let Some(end) = found(read) {
            return Ok(end);
        }
        match from.read_buf(read).await {
            Ok(0) => return Err(format!("closed after `{}`", String::from_utf8_lossy(read))),
            Ok(_) => {}
            Err(error) => return Err(format!("{error} after `{}`", String::from_utf8_lossy(read))),
        }
    }
}

/// Where a head ends, blank line included.
pub(crate) fn find_end(read: &[u8]) -> Option<usize> {
    read.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn parse(head: &[u8]) -> Result<Response, String> {
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().unwrap_or_default();
    let code = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("`{line}` is no header"))?;
        Ok((name.to_owned(), value.to_owned()))
    });
    let headers = headers.collect::<Result<_, String>>()?;
    let status = code.ok_or_else(|| format!("`{status}` is no status line"))?;
    Ok(Response { status, headers, body: Vec::new(), head })
}

const PATIENCE: Duration = Duration::from_secs(20);
