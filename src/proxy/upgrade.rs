//! The upstream's side of a request that asks for a WebSocket.
//!
//! Pingora tells the half that talks to the upstream that the request has no body, and takes that for the end of the tunnel if the
//! upstream's 101 was read before (cloudflare/pingora#946). Both are there within microseconds, and which comes first is chance. So
//! such requests have connections of their own, on which an answer can be read only after the other half had its turn.
//!
//! A tunnel may be silent for as long as it likes; only the answer that opens it has to come in time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::l4::Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep};

use crate::connection::KEEPALIVE;

/// Whether the tunnel is open.
#[derive(Clone, Debug, Default)]
pub struct Tunnel(Arc<AtomicBool>);

impl Tunnel {
    /// It is, from now on.
    pub fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Gives a peer a connection of that kind.
pub fn prepare(peer: &mut HttpPeer) -> Tunnel {
    // Never one that was used, and never used again: Pingora tells such connections apart by their descriptor, and sees none.
    peer.group_key = UPGRADES | NEXT.fetch_add(1, Ordering::Relaxed);
    peer.options.idle_timeout = Some(Duration::ZERO);
    let tunnel = Tunnel::default();
    let connect = peer.options.connection_timeout.unwrap_or(LONGEST_CONNECT);
    let answer = peer.options.read_timeout.take();
    peer.options.custom_l4 = Some(Arc::new(Connector { connect, answer, tunnel: tunnel.clone() }));
    tunnel
}

#[derive(Debug)]
struct Connector {
    connect: Duration,
    answer: Option<Duration>,
    tunnel: Tunnel,
}

#[async_trait]
impl Connect for Connector {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let connected = match pingora_timeout::timeout(self.connect, Socket::connect(address)).await {
            Ok(connected) => connected.map_err(|error| {
                let kind = match error.kind() {
                    io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
                    io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => ErrorType::ConnectNoRoute,
                    _ => ErrorType::ConnectError,
                };
                Error::because(kind, "connecting for an upgrade", error).into_up()
            }),
            Err(_) => Err(Error::new_up(ErrorType::ConnectTimedout)),
        };
        let patience = Patience { answer: self.answer, tunnel: self.tunnel.clone(), until: None };
        Ok(VirtualSocketStream::new(Box::new(Patient { socket: connected?, turns: 0, patience })).into())
    }
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    async fn connect(address: &SocketAddr) -> io::Result<Self> {
        match address {
            SocketAddr::Inet(address) => {
                let socket = TcpStream::connect(address).await?;
                SockRef::from(&socket).set_tcp_keepalive(&KEEPALIVE)?;
                Ok(Self::Tcp(socket))
            }
            SocketAddr::Unix(address) => {
                let path = address.as_pathname().ok_or(io::ErrorKind::AddrNotAvailable)?;
                UnixStream::connect(path).await.map(Self::Unix)
            }
        }
    }
}

/// A socket that is read only when it was asked as often as [`TURNS`] after something was written to it.
#[derive(Debug)]
struct Patient<S> {
    socket: S,
    turns: u8,
    patience: Patience,
}

/// How long an answer may take.
#[derive(Debug)]
struct Patience {
    answer: Option<Duration>,
    tunnel: Tunnel,
    until: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Something was written that wants an answer, or a part of one has come: until the tunnel is open, the next has to.
    fn begin(&mut self) {
        let Some(answer) = self.answer.filter(|_| !self.tunnel.is_open()) else { return };
        match &mut self.until {
            Some(until) => until.as_mut().reset(Instant::now() + answer),
            None => self.until = Some(Box::pin(sleep(answer))),
        }
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        if self.tunnel.is_open() {
            self.until = None;
        }
        self.until.as_mut().is_some_and(|until| until.as_mut().poll(context).is_ready())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.turns > 0 {
            self.turns -= 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match Pin::new(&mut self.socket).poll_read(context, buffer) {
            Poll::Pending if self.patience.is_over(context) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
            ready @ Poll::Ready(_) => {
                self.patience.begin();
                ready
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.turns = TURNS;
        self.patience.begin();
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl VirtualSocket for Patient<Socket> {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match (&self.socket, option) {
            (Socket::Tcp(socket), VirtualSockOpt::NoDelay) => socket.set_nodelay(true),
            // A Unix socket has none.
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Unix(socket) => Pin::new(socket).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Unix(socket) => Pin::new(socket).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Self::Unix(socket) => Pin::new(socket).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }
}

/// The first poll of the half that reads comes before the other half had any; at the second, the end of the request is there, and
/// both are ready in one `select`, of which this one must not be.
const TURNS: u8 = 2;

/// Apart from the groups of other connections.
const UPGRADES: u64 = 1 << 63;
static NEXT: AtomicU64 = AtomicU64::new(0);

/// As long as the whole of connecting may take, where nothing else is said.
const LONGEST_CONNECT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn an_answer_waits_for_two_turns_after_each_write() {
        let (near, mut far) = tokio::io::duplex(64);
        let patience = Patience { answer: None, tunnel: Tunnel::default(), until: None };
        let mut patient = Patient { socket: near, turns: 0, patience };
        for _ in 0..2 {
            patient.write_all(b"request").await.unwrap();
            far.write_all(b"answer").await.unwrap();
            let mut buffer = [0; 6];
            let mut polls = 0;
            let mut read = std::pin::pin!(patient.read_exact(&mut buffer));
            std::future::poll_fn(|context| {
                polls += 1;
                read.as_mut().poll(context).map(Result::unwrap)
            })
            .await;
            assert_eq!((polls, &buffer), (3, b"answer"));
        }
    }

    #[tokio::test]
    async fn an_upstream_that_vanishes_is_missed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = SocketAddr::Inet(listener.local_addr().unwrap());
        let Socket::Tcp(socket) = Socket::connect(&address).await.unwrap() else { panic!("a TCP socket") };
        assert!(SockRef::from(&socket).keepalive().unwrap());
    }

    #[tokio::test]
    async fn only_the_answer_has_to_come_in_time() {
        let (near, mut far) = tokio::io::duplex(64);
        let tunnel = Tunnel::default();
        let patience = Patience { answer: Some(Duration::from_millis(1)), tunnel: tunnel.clone(), until: None };
        let mut patient = Patient { socket: near, turns: 0, patience };
        patient.write_all(b"request").await.unwrap();
        assert_eq!(patient.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        far.write_all(b"a").await.unwrap();
        patient.write_all(b"request").await.unwrap();
        assert_eq!(patient.read_u8().await.unwrap(), b'a');
        assert_eq!(patient.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut, "half an answer is none");
        tunnel.open();
        patient.write_all(b"frame").await.unwrap();
        let mut read = std::pin::pin!(patient.read_u8());
        std::future::poll_fn(|context| {
            for _ in 0..=TURNS {
                assert!(read.as_mut().poll(context).is_pending(), "a tunnel may be silent");
            }
            Poll::Ready(())
        })
        .await;
        assert!(patient.patience.until.is_none());
    }
}
