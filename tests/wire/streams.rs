//! Streams whose token expires or is revoked while they are open.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::door::{Door, Setup};
use crate::macros;
use crate::scenarios::{form, once, told};
use crate::wire::find_end;

/// 1008 between two frames, on a route that does not say otherwise.
pub(crate) async fn websocket() -> Result<(), String> {
    let mut problems = Vec::new();
    for end in [End::Expiry, End::Revocation] {
        let mut world = World::start().await?;
        let mut ended = world.open("GET /x", UPGRADE, SWITCH).await?;
        let mut kept = world.open("GET /kept", UPGRADE, SWITCH).await?;
        // The first half of a frame: its end comes before ours.
        ended.say(b"\x81\x05hal").await?;
        let since = world.bring(end).await?;
        ended.tell(b"ve").await?;
        ended.expect(b"ve").await?;
        let close = ended.rest().await;
        macros::equal("close frame", &close.get(..1), &Some(&[0x88][..]), &mut problems);
        macros::equal("close code", &close.get(2..4), &Some(&1008_u16.to_be_bytes()[..]), &mut problems);
        let length = close.get(1).map(|length| usize::from(*length) + 2);
        macros::equal("nothing but one frame", &length, &Some(close.len()), &mut problems);
        in_time(since, &mut problems);
        kept.say(b"\x81\x05still").await?;
        world.told(end, "status=101", &mut problems).await;
        // What a route says of its streams holds for the open ones.
        let setup = World::setup(&world.upstream, "end");
        world.door.reload(setup, None).await;
        macros::equal("close frame after a reload", &kept.rest().await.get(..1), &Some(&[0x88][..]), &mut problems);
        world.door.stop().await;
    }
    told(&problems)
}

/// Events end where they are; what was begun in time to be sent or fetched is finished.
pub(crate) async fn events_and_bodies() -> Result<(), String> {
    let mut problems = Vec::new();
    for end in [End::Expiry, End::Revocation] {
        let mut world = World::start().await?;
        let mut events = world.open("GET /x", "", EVENTS).await?;
        let mut kept = world.open("GET /kept", "", EVENTS).await?;
        let mut download = world.request("GET /x", "\r\n").await?;
        download.tell(DOWNLOAD).await?;
        let mut upload = world.request("POST /x", "Content-Length: 10\r\n\r\nfirst").await?;
        upload.arrived(b"first").await?;
        // Each event comes as it is written.
        for event in [b"9\r\ndata: a\n\n\r\n", b"9\r\ndata: b\n\n\r\n"] {
            events.say(event).await?;
        }
        let since = world.bring(end).await?;
        let rest = events.rest().await;
        macros::equal("after the last event", &rest.as_slice(), &&b""[..], &mut problems);
        in_time(since, &mut problems);
        kept.say(b"9\r\ndata: c\n\n\r\n").await?;
        download.tell(b"other").await?;
        // Here, as Pingora keeps the head back until there is more.
        download.expect_head("200").await?;
        download.expect(b"firstother").await?;
        upload.client.write_all(b"other").await.map_err(|error| error.to_string())?;
        upload.arrived(b"other").await?;
        upload.tell(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?;
        upload.expect_head("200").await?;
        upload.expect(b"ok").await?;
        world.told(end, "status=200", &mut problems).await;
        world.door.stop().await;
    }
    told(&problems)
}

/// Why a token is no longer good.
#[derive(Clone, Copy, Debug)]
enum End {
    Expiry,
    Revocation,
}

struct World {
    door: Door,
    upstream: TcpListener,
    access: String,
}

/// A client's connection, and the upstream's that goes with it.
struct Pair {
    client: TcpStream,
    upstream: TcpStream,
}

impl World {
    async fn start() -> Result<Self, String> {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = Door::start(Self::setup(&upstream, "keep")).await;
        let login = once(&door, &form("/token", "username=johndoe&password=secret")).await?;
        let access = login.json().and_then(|body| Some(body["access_token"].as_str()?.to_owned())).ok_or("no login")?;
        Ok(Self { door, upstream, access })
    }

    fn setup(upstream: &TcpListener, kept: &str) -> Setup {
        let config = format!(
            "{{ upstream: {{ url: \"http://{}\" }}, policy: {{ routes: [{{ path: /kept, streams: {kept} }}] }} }}",
            upstream.local_addr().unwrap()
        );
        Setup { config: serde_yaml::from_str(&config).unwrap(), ..Setup::default() }
    }

    /// A request that has arrived, up to the end of its head.
    async fn request(&self, line: &str, rest: &str) -> Result<Pair, String> {
        let mut client = TcpStream::connect(self.door.address).await.unwrap();
        let head = format!("{line} HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer {}\r\n{rest}", self.access);
        client.write_all(head.as_bytes()).await.unwrap();
        let accepted =
            timeout(PATIENCE, self.upstream.accept()).await.map_err(|_| format!("{line} does not arrive"))?;
        let mut pair = Pair { client, upstream: accepted.unwrap().0 };
        head_of(&mut pair.upstream).await?;
        Ok(pair)
    }

    /// A request that is being answered.
    async fn open(&self, line: &str, fields: &str, answer: &str) -> Result<Pair, String> {
        let mut pair = self.request(line, &format!("{fields}\r\n")).await?;
        pair.tell(answer.as_bytes()).await?;
        pair.expect_head(answer.get(9..12).unwrap_or_default()).await?;
        Ok(pair)
    }

    async fn bring(&mut self, end: End) -> Result<Instant, String> {
        match end {
            End::Expiry => self.door.clock.advance(Duration::from_secs(15 * 60 + 31)),
            End::Revocation => {
                let revoked = once(&self.door, &form("/revoke-token", &format!("token={}", self.access))).await?;
                if revoked.status != 200 {
                    return Err(format!("not revoked: {}", revoked.head));
                }
            }
        }
        Ok(Instant::now())
    }

    /// One stream is counted and in the audit log, and its request in the access log.
    async fn told(&self, end: End, status: &str, problems: &mut Vec<String>) {
        let reason = match end {
            End::Expiry => "expired",
            End::Revocation => "revoked",
        };
        let series = format!("doorward_streams_ended_total{{reason=\"{reason}\"}}");
        macros::equal(&series, &self.door.series().get(&series).copied(), &Some(1.0), problems);
        let count = |lines: &[String], parts: &[&str]| {
            lines.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
        };
        let audit = [&format!("reason={reason}"), "what=stream", "subject=johndoe", "127.0.0.1"];
        macros::equal("audit records", &count(&self.door.sink.lines(), &audit), &1, problems);
        // It is told when its request has ended, which is after the client has seen that.
        let deadline = Instant::now() + PATIENCE;
        let access = [status, "path=/x", "decision=allow", "subject=johndoe"];
        while count(&self.door.sink.lines(), &access) == 0 && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        if count(&self.door.sink.lines(), &access) == 0 {
            problems.push(format!("{end:?}: the access log has no line: {:?}", self.door.sink.lines()));
        }
    }
}

impl Pair {
    /// The upstream writes.
    async fn tell(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.upstream.write_all(bytes).await.map_err(|error| format!("the upstream cannot write: {error}"))
    }

    /// The upstream writes, and the client reads it.
    async fn say(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.tell(bytes).await?;
        self.expect(bytes).await
    }

    async fn expect(&mut self, bytes: &[u8]) -> Result<(), String> {
        exactly(&mut self.client, bytes).await.map_err(|problem| format!("the client: {problem}"))
    }

    async fn arrived(&mut self, bytes: &[u8]) -> Result<(), String> {
        exactly(&mut self.upstream, bytes).await.map_err(|problem| format!("the upstream: {problem}"))
    }

    async fn expect_head(&mut self, status: &str) -> Result<(), String> {
        let head = head_of(&mut self.client).await?;
        if head.starts_with(&format!("HTTP/1.1 {status} ")) { Ok(()) } else { Err(head) }
    }

    /// What the client still gets, until its connection ends.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let ended = timeout(PATIENCE, self.client.read_to_end(&mut rest)).await;
        if ended.is_err() {
            rest.extend_from_slice(b" and no end");
        }
        rest
    }
}

async fn exactly(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), String> {
    let mut read = vec![0; bytes.len()];
    let done = timeout(PATIENCE, stream.read_exact(&mut read)).await;
    match done {
        Ok(Ok(_)) if read == bytes => Ok(()),
        other => Err(format!("{other:?}, `{}`, not `{}`", read.escape_ascii(), bytes.escape_ascii())),
    }
}

/// Byte by byte: what follows is not the head's.
async fn head_of(stream: &mut TcpStream) -> Result<String, String> {
    let mut head = Vec::new();
    while find_end(&head).is_none() {
        let byte = timeout(PATIENCE, stream.read_u8()).await.map_err(|_| "no head in time".to_owned())?;
        head.push(byte.map_err(|error| format!("{error} after `{}`", head.escape_ascii()))?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn in_time(since: Instant, problems: &mut Vec<String>) {
    let took = since.elapsed();
    if took > LIMIT {
        problems.push(format!("ended after {took:?}"));
    }
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const DOWNLOAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 10\r\n\r\nfirst";

/// A second, by the contract, and one more for a machine that builds something meanwhile.
const LIMIT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);
