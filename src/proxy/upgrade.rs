//! The upstream's side of a request that asks for a WebSocket.
//!
//! Pingora tells the half that talks to the upstream that the request has no body, and takes that for the end of the tunnel if the
//! upstream's 101 was read before (cloudflare/pingora#946). Both are there within microseconds, and which comes first is chance. So
//! such requests have connections of their own, on which an answer can be read only after the other half had its turn.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::l4::Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Gives a peer connections of that kind.
pub fn prepare(peer: &mut HttpPeer) {
    // Apart from the others: one of those might be taken up again.
    peer.group_key ^= UPGRADES;
    let timeout = peer.options.connection_timeout.unwrap_or(LONGEST_CONNECT);
    peer.options.custom_l4 = Some(Arc::new(Connector { timeout }));
}

#[derive(Debug)]
struct Connector {
    timeout: Duration,
}

#[async_trait]
impl Connect for Connector {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let connected = match pingora_timeout::timeout(self.timeout, Socket::connect(address)).await {
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
        Ok(VirtualSocketStream::new(Box::new(Patient { socket: connected?, turns: 0 })).into())
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
            SocketAddr::Inet(address) => TcpStream::connect(address).await.map(Self::Tcp),
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
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.turns = TURNS;
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
            // A Unix socket has none, and keep-alive is not asked for.
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

const UPGRADES: u64 = 1 << 63;

/// As long as the whole of connecting may take, where nothing else is said.
const LONGEST_CONNECT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn an_answer_waits_for_two_turns_after_each_write() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut patient = Patient { socket: near, turns: 0 };
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
}
