//! A client that takes its time over a body.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How slowly a body may come: [`AMOUNT`] in a certain time. A deadline for each read would be met with a byte now and then,
/// for ever. Only the time in which we wait for the client counts: an upstream may take as long as it likes.
pub(super) struct Pace {
    time: Duration,
    /// For what is still missing.
    left: Duration,
    missing: usize,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(super) fn new(patience: Duration) -> Self {
        let time = patience.min(LONGEST);
        Self { time, left: time, missing: AMOUNT, since: None, timer: None }
    }

    /// A new body.
    pub(super) fn begin(&mut self) {
        (self.left, self.missing, self.since) = (self.time, AMOUNT, None);
    }

    /// So many bytes of it have come.
    pub(super) fn came(&mut self, bytes: usize) {
        let since = self.since.take();
        if bytes >= self.missing {
            (self.left, self.missing) = (self.time, AMOUNT);
        } else {
            self.missing -= bytes;
            if let Some(since) = since {
                self.left = self.left.saturating_sub(since.elapsed());
            }
        }
    }

    /// None have; ready when that has lasted too long.
    pub(super) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = match (self.since, &mut self.timer) {
            (Some(_), Some(timer)) => timer,
            (_, timer) => {
                let now = Instant::now();
                self.since = Some(now);
                let until = now + self.left;
                let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
                timer.as_mut().reset(until);
                timer
            }
        };
        timer.as_mut().poll(context)
    }
}

/// In bytes.
const AMOUNT: usize = 1024;

const LONGEST: Duration = Duration::from_secs(30);
