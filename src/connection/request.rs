//! Serving one request.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::Ongoing;
use crate::telemetry::Telemetry;

/// Serves a request as [`Ongoing::current`]; `None` if it panicked. What a panic leaves behind is this request alone, and that
/// is dropped: nothing of it is used again.
pub(super) async fn serve<F: Future>(
    ongoing: Arc<Ongoing>,
    telemetry: Option<&Telemetry>,
    request: F,
) -> Option<F::Output> {
    let mut served = pin!(ongoing.scope(request));
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| served.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_) => {
            if let Some(telemetry) = telemetry {
                telemetry.metrics.request_panicked();
            }
            Poll::Ready(None)
        }
    })
    .await
}

/// Waits for `request` until its end is asked for: `None` then.
pub(super) async fn until_ended<F: Future>(ongoing: &Ongoing, request: F) -> Option<F::Output> {
    let mut request = pin!(request);
    poll_fn(|context| {
        if let Poll::Ready(output) = request.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        if ongoing.wait(context).is_some() { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}
