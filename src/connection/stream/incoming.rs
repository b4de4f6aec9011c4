//! What comes from the client.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use super::Connection;
use crate::message::BodyLength;
use crate::message::chunked::Chunked;

/// Where the request is.
pub(super) enum Incoming {
    /// What is left of its head, and how its body ends.
    Head(Bytes, BodyLength),
    /// So many bytes of its body are to come.
    Fixed(u64),
    /// Its body ends with its last chunk.
    Chunked(Chunked),
    /// There is no more of it.
    Over,
    /// There are no requests any more, only bytes.
    Through,
}

impl Incoming {
    fn body(length: BodyLength) -> Self {
        match length {
            BodyLength::None | BodyLength::Fixed(0) => Self::Over,
            BodyLength::Fixed(length) => Self::Fixed(length),
            BodyLength::Chunked => Self::Chunked(Chunked::default()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if ready!(this.poll_end(context)) {
            return Poll::Ready(Ok(()));
        }
        let has_body = matches!(this.incoming, Incoming::Fixed(_) | Incoming::Chunked(_));
        let before = buf.filled().len();
        let read = this.poll_incoming(context, buf);
        if read.is_ready() {
            if has_body {
                this.pace.came(buf.filled().len() - before);
            }
            return read;
        }
        if has_body && this.pace.poll_late(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // Whoever waits here has nothing more to write for now.
        let _ = this.poll_behind(context)?;
        if let Some(frames) = &mut this.frames {
            return frames.poll_deadline(context).map(Err);
        }
        if ready!(this.poll_end_or_wait(context)) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Connection {
    fn poll_incoming(&mut self, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.incoming {
            Incoming::Head(bytes, length) => {
                let length = *length;
                let len = bytes.len().min(buf.remaining());
                buf.put_slice(&bytes.split_to(len));
                if bytes.is_empty() {
                    self.incoming = Incoming::body(length);
                }
                Poll::Ready(Ok(()))
            }
            Incoming::Fixed(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let read = ready!(self.poll_bytes(context, buf, most))?;
                let left = left_after(&self.incoming, read);
                self.incoming = if left == 0 { Incoming::Over } else { Incoming::Fixed(left) };
                Poll::Ready(Ok(()))
            }
            Incoming::Chunked(_) => self.poll_chunks(context, buf),
            Incoming::Over => self.poll_gone(context),
            Incoming::Through => {
                let before = buf.filled().len();
                let was_ahead = !self.ahead.is_empty();
                ready!(self.poll_bytes(context, buf, usize::MAX))?;
                if let Some(frames) = self.frames.as_mut().filter(|_| !was_ahead) {
                    frames.pass(buf.filled().get(before..).unwrap_or_default())?;
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    /// At most so many bytes, first of those that were read ahead.
    fn poll_bytes(&mut self, context: &mut Context<'_>, buf: &mut ReadBuf<'_>, most: usize) -> Poll<io::Result<usize>> {
        if !self.ahead.is_empty() {
            let len = self.ahead.len().min(most).min(buf.remaining());
            buf.put_slice(self.ahead.get(..len).unwrap_or_default());
            self.ahead.advance(len);
            return Poll::Ready(Ok(len));
        }
        let before = buf.filled().len();
        if most >= buf.remaining() {
            ready!(Pin::new(&mut self.socket).poll_read(context, buf))?;
            return Poll::Ready(Ok(buf.filled().len() - before));
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        Poll::Ready(Ok(read))
    }

    fn poll_chunks(&mut self, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let broken = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        if let Incoming::Chunked(chunks) = &mut self.incoming {
            // A body that is broken stays so: who reads on would wait for more of it.
            chunks.push(&[]).map_err(broken)?;
        }
        let before = buf.filled().len();
        let read = ready!(self.poll_bytes(context, buf, usize::MAX))?;
        let Incoming::Chunked(chunks) = &mut self.incoming else { return Poll::Ready(Ok(())) };
        let new = buf.filled().get(before..).unwrap_or_default();
        let taken = chunks.push(new).map_err(broken)?;
        if taken < read {
            // In front of what is there: it came before.
            let mut ahead = bytes::BytesMut::from(new.get(taken..).unwrap_or_default());
            ahead.unsplit(std::mem::take(&mut self.ahead));
            self.ahead = ahead;
            buf.set_filled(before + taken);
        }
        if chunks.is_done() {
            self.incoming = Incoming::Over;
        }
        Poll::Ready(Ok(()))
    }

    /// Only whether the client has gone. What it sends now is the next request's, of which so much is taken as to see that.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.ahead.len() < EARLY {
            if ready!(self.poll_ahead(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    pub(super) fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // On the stack: a connection that waits for its next request holds no buffer.
        let mut space = [const { MaybeUninit::uninit() }; AT_ONCE];
        let mut buf = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut buf))?;
        self.ahead.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }
}

fn left_after(incoming: &Incoming, read: usize) -> u64 {
    let Incoming::Fixed(left) = incoming else { return 0 };
    left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX))
}

/// What is read at once of what belongs to no request yet: a head, and of most bodies all. What came with the head goes upstream in
/// one piece.
const AT_ONCE: usize = 16 * 1024;

/// How much of the next request is read while the one before is served.
const EARLY: usize = 4 * 1024;
