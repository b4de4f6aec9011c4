//! What a connection runs over.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// An accepted socket, its TLS handshake done where there is one.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub(super) fn descriptor(&self) -> RawFd {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
            Self::Tls(socket) => socket.get_ref().0.as_raw_fd(),
        }
    }
}

/// Sets what accepted sockets have in common.
///
/// # Errors
/// The client has gone.
pub(super) fn prepare(socket: &TcpStream) -> io::Result<()> {
    // Answers leave whole; waiting for more to send with them only delays them.
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    // By default megabytes lie in the kernel, and room is told only when a third of them has left: a slow client would look
    // like one that does not read at all.
    socket.set_tcp_notsent_lowat(UNSENT)
}

/// The same call on whichever it is.
macro_rules! forward {
    ($socket:expr, $call:ident($($argument:expr),*)) => {
        match $socket.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).$call($($argument),*),
            Socket::Unix(socket) => Pin::new(socket).$call($($argument),*),
            Socket::Tls(socket) => Pin::new(socket.as_mut()).$call($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_read(context, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, poll_write(context, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, poll_write_vectored(context, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown(context))
    }
}

/// Who has vanished without a word, as a machine does that loses its power, is missed after two minutes; a tunnel or a stream
/// that is silent would hold its place for ever.
pub const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10)).with_retries(6);

/// How much of what a client has no room for waits in the kernel, in bytes.
const UNSENT: u32 = 128 * 1024;
