//! Ending a stream from outside.

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
    /// A frame is on its way; so long it may take.
    AfterFrame(Pin<Box<Sleep>>),
    /// Nothing is read or written any more.
    Over,
}

impl Ending {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(self, Self::AfterFrame(_))
    }
}

impl Connection {
    /// Whether the request's stream has been ended; goes on with it where it was asked for.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> bool {
        let Some(how) = self.ongoing.as_ref().and_then(|ongoing| ongoing.asked()) else { return false };
        if self.ending.is_over() {
            return true;
        }
        let between_frames = match &self.outgoing {
            Outgoing::Tunnel(frames) => Some(frames.at_boundary()),
            Outgoing::Head | Outgoing::Body | Outgoing::Through => None,
        };
        match (how, between_frames) {
            (End::WebSocket, Some(true)) => {
                self.behind.extend_from_slice(&POLICY_VIOLATION);
                // What the socket does not take at once is written when the connection is shut down.
                let _ = self.poll_behind(context);
            }
            (End::WebSocket, Some(false)) => {
                if let Ending::No = self.ending {
                    self.ending = Ending::AfterFrame(Box::pin(tokio::time::sleep(FRAME_TIME)));
                }
                if let Ending::AfterFrame(timer) = &mut self.ending
                    && timer.as_mut().poll(context) == Poll::Pending
                {
                    return false;
                }
            }
            (End::WebSocket | End::Cut, _) => {}
        }
        self.ending = Ending::Over;
        true
    }

    /// [`Connection::poll_end`]; the task is woken when it is asked for later.
    pub(super) fn poll_end_or_wait(&mut self, context: &mut Context<'_>) -> bool {
        let asked = self.ongoing.as_ref().and_then(|ongoing| ongoing.wait(context));
        asked.is_some() && self.poll_end(context)
    }
}

/// A close frame with code 1008 (RFC 6455 §5.5.1, §7.4.1).
const POLICY_VIOLATION: [u8; 4] = [0x88, 0x02, 0x03, 0xf0];

/// How long the frame that is being written may take.
const FRAME_TIME: Duration = Duration::from_millis(500);
