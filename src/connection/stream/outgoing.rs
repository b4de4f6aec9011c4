//! What goes to the client.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;

use super::Connection;
use super::incoming::Incoming;
use crate::message::websocket;

/// Where the answer is.
pub(super) enum Outgoing {
    /// Before the head of the final answer.
    Head,
    /// Behind it.
    Body,
    /// The connection is another protocol's, and if that is WebSocket's, these are its frames.
    Tunnel(websocket::Frames),
    /// There are no answers, only bytes.
    Through,
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if ready!(this.poll_end(context)) {
            return Poll::Ready(this.write_ended(length(bufs)));
        }
        let written = match this.outgoing {
            Outgoing::Through => {
                let written = Pin::new(&mut this.socket).poll_write_vectored(context, bufs);
                match (&written, &this.unsent, &mut this.frames) {
                    (Poll::Pending, Some(unsent), _) => unsent.waits(),
                    (Poll::Ready(Ok(bytes)), _, Some(frames)) => frames.wrote(*bytes),
                    _ => {}
                }
                return written;
            }
            Outgoing::Head => return Poll::Ready(Ok(this.write_head(bufs))),
            Outgoing::Body => this.poll_outgoing(context, bufs),
            Outgoing::Tunnel(_) => this.poll_tunnel(context, bufs),
        };
        if written.is_pending() && ready!(this.poll_end_or_wait(context)) {
            return Poll::Ready(this.write_ended(length(bufs)));
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = this.poll_behind(context);
        match (&flushed, &this.unsent) {
            (Poll::Pending, Some(unsent)) => unsent.waits(),
            (Poll::Ready(Ok(())), Some(unsent)) => unsent.left(),
            _ => {}
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_behind(context))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}

impl Connection {
    /// Pingora writes each head at once, and those of the informational kind before the final one. It is kept whole, so that
    /// it leaves together with the body.
    fn write_head(&mut self, bufs: &[IoSlice<'_>]) -> usize {
        let head = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        let status = head.get(STATUS_AT..STATUS_AT + 3).unwrap_or_default();
        if status == b"101" {
            self.incoming = Incoming::Through;
            self.outgoing = Outgoing::Tunnel(websocket::Frames::default());
        } else if !status.starts_with(b"1") {
            self.outgoing = Outgoing::Body;
        }
        self.keep(bufs)
    }

    fn keep(&mut self, bufs: &[IoSlice<'_>]) -> usize {
        if self.behind.capacity() == 0 {
            self.behind.reserve(HEAD_AND_BODY);
        }
        for buf in bufs {
            self.behind.extend_from_slice(buf);
        }
        length(bufs)
    }

    /// What is small waits for more or for a flush; what is not leaves together with what waits.
    fn poll_outgoing(&mut self, context: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.behind.len() + length(bufs) <= SMALL {
            return Poll::Ready(Ok(self.keep(bufs)));
        }
        while !self.behind.is_empty() {
            let mut all = [IoSlice::new(&[]); SLICES];
            let with_behind = std::iter::once(&self.behind[..]).chain(bufs.iter().map(|buf| &**buf));
            all.iter_mut().zip(with_behind).for_each(|(slot, bytes)| *slot = IoSlice::new(bytes));
            let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(context, &all))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_bufs = written.saturating_sub(self.behind.len());
            self.behind.advance(written - of_bufs);
            if of_bufs > 0 {
                return Poll::Ready(Ok(of_bufs));
            }
        }
        Pin::new(&mut self.socket).poll_write_vectored(context, bufs)
    }

    fn poll_tunnel(&mut self, context: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let bytes = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        let bytes = self.cut(bytes);
        let written = ready!(self.poll_outgoing(context, &[IoSlice::new(bytes)]))?;
        if let Outgoing::Tunnel(frames) = &mut self.outgoing {
            frames.pass(bytes.get(..written).unwrap_or_default());
        }
        Poll::Ready(Ok(written))
    }

    /// Writes what waits.
    pub(super) fn poll_behind(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.behind.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(context, &self.behind))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written if written == self.behind.len() => self.behind.clear(),
                written => self.behind.advance(written),
            }
        }
        if self.behind.capacity() > LARGE {
            self.behind = BytesMut::new();
        }
        // What TLS has made of it may still be there.
        Pin::new(&mut self.socket).poll_flush(context)
    }
}

fn length(bufs: &[IoSlice<'_>]) -> usize {
    bufs.iter().map(|buf| buf.len()).sum()
}

/// Behind `HTTP/1.1 `.
const STATUS_AT: usize = 9;

/// What is copied to leave with its neighbours.
const SMALL: usize = 4 * 1024;

/// What waits, and a chunk: its size, its data and its end.
const SLICES: usize = 4;

/// What most answers of an API fit into, so that it is allocated once for each.
const HEAD_AND_BODY: usize = 1024;

/// Only a head makes it this large.
const LARGE: usize = 16 * 1024;
