//! Connections to the upstream for requests that may become another protocol (RFC 9110 §7.8).
//!
//! # Why
//! Pingora 0.9.1 has the upstream's answer and the end of the request's (empty) body in one `select!`, which takes either where
//! both are there. If the 101 is taken first, the end of that body counts as the end of the tunnel, and the client sees a closed
//! connection behind its 101 (pingora #946): one handshake in a thousand, with an upstream that is quick. The end of the body is
//! there before the first read, so a read that gives way once is enough.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::l4::Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType};
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Makes such connections.
#[derive(Debug)]
pub struct Connector {
    timeout: Duration,
}

impl Connector {
    /// `timeout` is that of one connect.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self { timeout }
    }
}

#[async_trait]
impl Connect for Connector {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        match tokio::time::timeout(self.timeout, connect(address)).await {
            Ok(Ok(socket)) => Ok(Stream::from(VirtualSocketStream::new(socket))),
            Ok(Err(error)) => Err(Error::because(ErrorType::ConnectError, "connecting for an upgrade", error)),
            Err(late) => Err(Error::because(ErrorType::ConnectTimedout, "connecting for an upgrade", late)),
        }
    }
}

async fn connect(address: &SocketAddr) -> io::Result<Box<dyn VirtualSocket>> {
    match address {
        SocketAddr::Inet(address) => Ok(Box::new(Patient::new(TcpStream::connect(address).await?))),
        SocketAddr::Unix(address) => {
            let path = address.as_pathname().ok_or(io::ErrorKind::AddrNotAvailable)?;
            Ok(Box::new(Patient::new(UnixStream::connect(path).await?)))
        }
    }
}

/// A socket whose first read after a write lets everything else in its task go first.
#[derive(Debug)]
struct Patient<S> {
    socket: S,
    has_written: bool,
}

impl<S> Patient<S> {
    const fn new(socket: S) -> Self {
        Self { socket, has_written: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.has_written) {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_read(task, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.has_written = true;
        Pin::new(&mut self.socket).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(task)
    }
}

impl VirtualSocket for Patient<TcpStream> {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.socket.set_nodelay(true),
            // Pingora asks for none: no peer of ours has `tcp_keepalive`.
            _ => Ok(()),
        }
    }
}

impl VirtualSocket for Patient<UnixStream> {
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_waits_goes_before_an_answer_that_is_there() {
        let (ours, mut theirs) = io::duplex(64);
        let mut socket = Patient::new(ours);
        socket.write_all(b"question").await.unwrap();
        theirs.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        for turn in ["the other", "the answer"] {
            let first = tokio::select! {
                biased;
                read = socket.read_exact(&mut answer) => read.map(|_| "the answer").unwrap(),
                () = std::future::ready(()) => "the other",
            };
            assert_eq!(first, turn);
        }
        assert_eq!(&answer, b"answer");
    }
}
