//! Ending a stream from outside.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use super::Connection;
use super::outgoing::Outgoing;
use crate::connection::End;

/// How far it is with that.
#[derive(Default)]
pub(super) enum Ending {
    /// Nobody has asked for it.
    #[default]
    No,
    /// A frame is on its way, and then ours; so long both may take.
    AfterFrame(Pin<Box<Sleep>>),
    /// Ours is on its way.
    Closing(Pin<Box<Sleep>>),
    /// The client was told. What else would be sent is thrown away: to a failure Pingora would close at once, and with something
    /// of the client's unread the kernel would take back what was sent.
    Told,
    /// Nothing is read or written any more.
    Cut,
}

impl Ending {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Told | Self::Cut)
    }
}

impl Connection {
    /// Whether the request's stream has been ended; goes on with it where it was asked for.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        match self.ongoing.as_ref().and_then(|ongoing| ongoing.asked()) {
            None => Poll::Ready(false),
            Some(how) => self.poll_ending(how, context),
        }
    }

    /// [`Connection::poll_end`]; the task is woken when it is asked for later.
    pub(super) fn poll_end_or_wait(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        match self.ongoing.as_ref().and_then(|ongoing| ongoing.wait(context)) {
            None => Poll::Ready(false),
            Some(how) => self.poll_ending(how, context),
        }
    }

    fn poll_ending(&mut self, how: End, context: &mut Context<'_>) -> Poll<bool> {
        loop {
            let between_frames = match &self.outgoing {
                Outgoing::Tunnel(frames) if how == End::WebSocket => Some(frames.at_boundary()),
                _ => None,
            };
            match (&mut self.ending, between_frames) {
                (Ending::Told | Ending::Cut, _) => return Poll::Ready(true),
                (Ending::No, Some(_)) => self.ending = Ending::AfterFrame(Box::pin(tokio::time::sleep(FRAME_TIME))),
                (Ending::AfterFrame(timer), Some(true)) => {
                    let timer = std::mem::replace(timer, Box::pin(tokio::time::sleep(Duration::ZERO)));
                    self.ending = Ending::Closing(timer);
                    self.behind.extend_from_slice(&POLICY_VIOLATION);
                }
                (Ending::AfterFrame(timer), Some(false)) => match timer.as_mut().poll(context) {
                    Poll::Ready(()) => self.ending = Ending::Cut,
                    Poll::Pending => return Poll::Ready(false),
                },
                (Ending::Closing(timer), _) => {
                    let late = timer.as_mut().poll(context).is_ready();
                    match self.poll_behind(context) {
                        Poll::Ready(Ok(())) => self.ending = Ending::Told,
                        Poll::Pending if !late => return Poll::Pending,
                        _ => self.ending = Ending::Cut,
                    }
                }
                (_, None) => self.ending = Ending::Cut,
            }
        }
    }

    /// How much may be written of `bytes`, where a frame of ours is to follow the one that is being written.
    pub(super) fn cut<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let (Ending::AfterFrame(_), Outgoing::Tunnel(frames)) = (&self.ending, &self.outgoing) else { return bytes };
        let mut frames = frames.clone();
        let ends = |byte: &u8| {
            frames.pass(std::slice::from_ref(byte));
            frames.at_boundary()
        };
        let len = bytes.iter().position(ends).map_or(bytes.len(), |last| last + 1);
        bytes.get(..len).unwrap_or_default()
    }

    /// What a write of so many bytes gives when the stream has ended.
    pub(super) fn write_ended(&self, len: usize) -> io::Result<usize> {
        match self.ending {
            Ending::Told => Ok(len),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// A close frame with code 1008 (RFC 6455 §5.5.1, §7.4.1).
const POLICY_VIOLATION: [u8; 4] = [0x88, 0x02, 0x03, 0xf0];

/// How long the frame that is being written may take, with the one that follows.
const FRAME_TIME: Duration = Duration::from_millis(500);
