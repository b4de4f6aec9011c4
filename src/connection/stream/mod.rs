//! A connection as Pingora sees it: a stream that gives exactly one request at a time.
//!
//! What is behind a request's body stays here for the next one, whose head is read and decided on its own; Pingora never has
//! bytes of two requests in its hands. Nothing is kept between requests but what has come too early.

mod end;
mod incoming;
mod outgoing;
mod pace;
mod stall;

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio_rustls::rustls::CommonState;

use super::frames::Frames;
use super::ongoing::Ongoing;
use super::socket::Socket;
use super::unsent::Unsent;
use crate::message::Head;
use end::Ending;
use incoming::Incoming;
use outgoing::Outgoing;
use pace::Pace;
use stall::Patient;

/// A client's connection.
pub struct Connection {
    socket: Patient,
    /// Read, and not asked for yet.
    ahead: BytesMut,
    incoming: Incoming,
    pace: Pace,
    /// Accepted from Pingora, and not written yet.
    behind: BytesMut,
    outgoing: Outgoing,
    ending: Ending,
    ongoing: Option<Arc<Ongoing>>,
    /// Whether the request may become another protocol's tunnel.
    expects_upgrade: bool,
    /// Looks at what comes, on HTTP/2.
    frames: Option<Box<Frames>>,
    /// Told of what has left, on HTTP/2.
    unsent: Option<Arc<Unsent>>,
    digest: Arc<SocketDigest>,
    tls: Option<Arc<SslDigest>>,
    chose_http2: bool,
}

impl Connection {
    /// A connection on a socket that was accepted from `peer`; `None` for a Unix socket's. It fails once its client has taken
    /// nothing of an answer for as long as `patience`.
    pub(super) fn new(socket: Socket, peer: Option<SocketAddr>, patience: Duration) -> Self {
        let digest = SocketDigest::from_raw_fd(socket.descriptor());
        // As it was accepted: Pingora would ask the system once more.
        let _ = digest.peer_addr.set(peer.map(Into::into));
        let session = match &socket {
            Socket::Tls(socket) => Some(socket.get_ref().1 as &CommonState),
            Socket::Tcp(_) | Socket::Unix(_) => None,
        };
        let tls = session.map(|session| Arc::new(tls_digest(session)));
        let chose_http2 = session.is_some_and(|session| session.alpn_protocol() == Some(b"h2"));
        Self {
            socket: Patient::new(socket, patience),
            ahead: BytesMut::new(),
            incoming: Incoming::Over,
            pace: Pace::new(patience),
            behind: BytesMut::new(),
            outgoing: Outgoing::Head,
            ending: Ending::default(),
            ongoing: None,
            expects_upgrade: false,
            frames: None,
            unsent: None,
            digest: Arc::new(digest),
            tls,
            chose_http2,
        }
    }

    /// Whether TLS's handshake chose HTTP/2 (RFC 7301).
    pub(super) fn chose_http2(&self) -> bool {
        self.chose_http2
    }

    /// What was read and belongs to no request yet.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Reads some more of what belongs to no request yet; 0 at the end.
    pub(super) async fn read_ahead(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|context| self.poll_ahead(context)).await
    }

    /// Takes the first bytes of what was read.
    pub(super) fn take(&mut self, len: usize) -> Bytes {
        if len == self.ahead.len() {
            // Without sharing: nobody else has any of it.
            return std::mem::take(&mut self.ahead).freeze();
        }
        self.ahead.split_to(len.min(self.ahead.len())).freeze()
    }

    /// From now on it gives one request: `bytes`, the head as Pingora is to read it, and then a body as `head` announces it.
    pub(super) fn begin(&mut self, bytes: Bytes, head: Head) -> Arc<Ongoing> {
        self.incoming = Incoming::Head(bytes, head.body());
        self.pace.begin();
        self.outgoing = Outgoing::Head;
        self.expects_upgrade = head.expects_upgrade();
        let ongoing = Ongoing::new(Some(head));
        self.ongoing = Some(Arc::clone(&ongoing));
        ongoing
    }

    /// After an answer: whether the next request can follow. Buffers are given back.
    pub(super) fn rest(&mut self) -> bool {
        self.ongoing = None;
        // What came behind a request for another protocol was meant for that protocol.
        let was_early = self.expects_upgrade && !self.ahead.is_empty();
        if self.behind.is_empty() {
            self.behind = BytesMut::new();
        }
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        matches!(self.incoming, Incoming::Over) && self.behind.is_empty() && !was_early && !self.ending.is_over()
    }

    /// From now on it is HTTP/2: everything that comes is passed on, and looked at.
    pub(super) fn into_http2(mut self: Box<Self>, frames: Frames, unsent: Arc<Unsent>) -> io::Result<Box<Self>> {
        self.unsent = Some(unsent);
        self.chose_http2 = true;
        self.incoming = Incoming::Through;
        self.outgoing = Outgoing::Through;
        let mut frames = Box::new(frames);
        frames.pass(&self.ahead)?;
        self.frames = Some(frames);
        Ok(self)
    }

    /// Writes a whole answer, and closes. What the client still sends is read and thrown away for a moment: with bytes unread
    /// the kernel answers the close with a reset, which can overtake the answer.
    pub(super) async fn answer_and_close(&mut self, answer: &[u8]) {
        let written = tokio::time::timeout(LINGER, self.socket.write_all(answer)).await;
        if matches!(written, Ok(Ok(()))) {
            Shutdown::shutdown(self).await;
        }
    }

    /// In gulps, and ever less often: who sends on in small pieces would wake us for each of them.
    async fn linger(&mut self) {
        let mut left = LINGER_BYTES;
        let mut pause = LINGER_PAUSE;
        while self.throw_away(&mut left) {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// Reads what is there; whether there may be more, and `left` is not used up.
    fn throw_away(&mut self, left: &mut usize) -> bool {
        let mut space = [const { MaybeUninit::uninit() }; 16 * 1024];
        loop {
            let mut buf = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.socket).poll_read(&mut Context::from_waker(Waker::noop()), &mut buf) {
                Poll::Pending => return true,
                Poll::Ready(Ok(())) if (1..=*left).contains(&buf.filled().len()) => *left -= buf.filled().len(),
                Poll::Ready(_) => return false,
            }
        }
    }

    /// Whether the client has sent something that nobody has read.
    fn has_unread(&mut self) -> bool {
        let unread_body = !matches!(self.incoming, Incoming::Over | Incoming::Through);
        let mut context = Context::from_waker(Waker::noop());
        unread_body || !self.ahead.is_empty() || matches!(self.poll_ahead(&mut context), Poll::Ready(Ok(1..)))
    }
}

#[async_trait]
impl Shutdown for Connection {
    /// The end of what we say, and then a moment for the client to read it.
    async fn shutdown(&mut self) {
        let close = async {
            if AsyncWriteExt::shutdown(self).await.is_ok() && (self.ending.is_over() || self.has_unread()) {
                self.linger().await;
            }
        };
        let _ = tokio::time::timeout(LINGER, close).await;
    }
}

/// Who gives up in the middle of an answer still sends what was written; as far as it can be without waiting. A panic takes the
/// connection with it, so that here is the last place where it can be answered.
impl Drop for Connection {
    fn drop(&mut self) {
        if std::thread::panicking() && self.ongoing.is_some() && matches!(self.outgoing, Outgoing::Head) {
            self.behind.extend_from_slice(INTERNAL_ERROR);
        }
        if !self.behind.is_empty() {
            self.socket.hurry();
            let _ = self.poll_behind(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl fmt::Debug for Connection {
    /// Without what was sent: tokens are in it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl UniqueID for Connection {
    fn id(&self) -> UniqueIDType {
        self.socket.socket().descriptor()
    }
}

impl Ssl for Connection {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.tls.clone()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        Some(if self.chose_http2 { ALPN::H2 } else { ALPN::H1 })
    }
}

impl GetTimingDigest for Connection {
    /// Nobody looks at it.
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Connection {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Connection {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

/// Not needed: which protocol it is was found out before.
impl Peek for Connection {}

fn tls_digest(session: &CommonState) -> SslDigest {
    let cipher = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    let version = session.protocol_version().and_then(|version| version.as_str()).unwrap_or_default();
    SslDigest::new(cipher, version, None, None, Vec::new())
}

/// To a request that ended in a mistake of ours.
const INTERNAL_ERROR: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n\
    Content-Length: 34\r\nConnection: close\r\n\r\n{\"detail\":\"Internal Server Error\"}";

/// How long a client may take for what it has already been told.
const LINGER: Duration = Duration::from_secs(1);

/// Until it is looked the first time at what it still sends.
const LINGER_PAUSE: Duration = Duration::from_millis(4);

/// How much of that is thrown away.
const LINGER_BYTES: usize = 256 * 1024;
