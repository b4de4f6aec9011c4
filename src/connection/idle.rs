//! Waiting for a request, again and again.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use crate::base::Stopwatch;

/// How long a connection waits for its next request. One timer is kept for many requests: to set up and throw away one between
/// any two of them costs as much as reading the next one's head.
#[derive(Default)]
pub(super) struct Idle(Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>);

impl Idle {
    /// Waits for `future`, for `time` at the most: `None` then.
    pub(super) async fn wait<F: Future>(&mut self, time: Duration, future: F) -> Option<F::Output> {
        let since = Stopwatch::start();
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            loop {
                let timer = self.0.get_or_insert_with(|| Box::pin(pingora_timeout::sleep(time)));
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                // It may have run since a request before.
                let left = time.saturating_sub(since.elapsed());
                self.0 = (!left.is_zero()).then(|| Box::pin(pingora_timeout::sleep(left)) as _);
                if self.0.is_none() {
                    return Poll::Ready(None);
                }
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// By the real clock: Pingora's timers know no other.
    #[tokio::test]
    async fn a_timer_that_was_begun_earlier_does_not_end_a_later_wait_too_soon() {
        const SHORT: Duration = Duration::from_millis(60);
        let mut idle = Idle::default();
        let first = Stopwatch::start();
        assert_eq!(idle.wait(SHORT, tokio::time::sleep(SHORT / 2)).await, Some(()), "something came");
        let second = Stopwatch::start();
        assert_eq!(idle.wait(SHORT, pending::<()>()).await, None);
        assert!(second.elapsed() >= SHORT, "{:?} of {:?}", second.elapsed(), first.elapsed());
        let third = Stopwatch::start();
        assert_eq!(idle.wait(SHORT, pending::<()>()).await, None, "again");
        assert!(third.elapsed() >= SHORT, "{:?}", third.elapsed());
    }
}
